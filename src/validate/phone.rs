//! Cleaning of phone numbers, as people and spreadsheets write them.

use crate::invocation::PhoneRules;
use crate::mep::PHONE_DIGITS;

use super::fault::Fault;

/// A phone number as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanPhone {
    /// The digits: 6 to 16, the first of them not 0.
    pub number: u64,
    /// Whether the text held more than digits.
    pub cleaned: bool,
    /// Whether the country code was put before these digits.
    pub completed: bool,
}

/// Reads a phone number, leaving out what changes nothing about it.
///
/// Left out are `+`, a leading `00`, `tel:`, an apostrophe before the number, `="…"` around it, a trailing `.0` or
/// `.00`, and spaces, dashes, dots and parentheses between groups. A number without its country code gets it where the
/// rules say so; one behind `+` or `00` has it.
///
/// # Errors
///
/// Whatever leaves a doubt about the number is refused and not guessed at, and so is a country that the rules leave out.
pub fn clean_phone(text: &str, rules: &PhoneRules) -> Result<CleanPhone, Fault> {
    let phone = match plain(text.as_bytes()) {
        Some(number) => {
            let national = rules.national_of(text.len());
            let whole = national.map_or(number, |national| national.complete(number));
            CleanPhone { number: whole, cleaned: false, completed: national.is_some() }
        }
        None => read(text, rules)?,
    };
    check_country(phone.number, rules)?;
    Ok(phone)
}

/// Holds a number that is sent as it is written against the rules: nothing is left out or put before it any more.
pub(super) fn check_phone(digits: &str, rules: &PhoneRules) -> Result<u64, Fault> {
    let phone = clean_phone(digits, &PhoneRules::default())?;
    if phone.cleaned {
        return Err(Fault::new("a phone number that is not written as digits only", "import the file again"));
    }
    check_country(phone.number, rules).map(|()| phone.number)
}

fn check_country(number: u64, rules: &PhoneRules) -> Result<(), Fault> {
    if rules.allow(number) {
        return Ok(());
    }
    let codes: Vec<String> = rules.only_countries.iter().map(ToString::to_string).collect();
    Err(Fault::new(
        format!(
            "a country that `--only-countries` leaves out: expected a number that begins with {}",
            codes.join(" or ")
        ),
        "write the number with its country code, take the row out, or name its country too",
    ))
}

/// Reads a number that is more than plain digits.
fn read(text: &str, rules: &PhoneRules) -> Result<CleanPhone, Fault> {
    let number = unwrapped(text);
    if number.is_empty() {
        return Err(Fault::new(
            "no phone number",
            "fill in the number with its country code, as in `12515550130`, or delete the row",
        ));
    }
    judged(text, number, rules).map_err(|fault| fault.within(text, number))
}

/// Judges what is left of a text without its wrapping; faults name its characters.
fn judged(text: &str, number: &str, rules: &PhoneRules) -> Result<CleanPhone, Fault> {
    if is_scientific(number) {
        let exponent = number.find(['e', 'E']).unwrap_or(0);
        return Err(Fault::new("a number in scientific notation, whose last digits are lost", AS_TEXT)
            .under(exponent..number.len()));
    }
    if let Some(at) = number.find("(0").filter(|at| *at > 0) {
        let length = if number[at..].starts_with("(0)") { 3 } else { 2 };
        let at = number[..at].chars().count();
        return Err(Fault::new(
            "`(0)` inside the number",
            "take out the `(0)`: it is not dialled after a country code",
        )
        .under(at..at + length));
    }
    if is_fraction(number) {
        let point = number.find('.').unwrap_or(0);
        return Err(Fault::new("a decimal point in the number", AS_TEXT).under(point..number.len()));
    }
    if is_date(number) {
        return Err(Fault::new("a date", "fill in the phone number; or map the column that has it"));
    }
    if is_ip_address(number) {
        return Err(Fault::new("an IP address", "fill in the phone number; or map the column that has it"));
    }
    let Digits { digits, is_international } = digits_of(number)?;
    // A leading 0 is dialled within a country and no part of the number: nothing may be put before it.
    check_start(number, &digits)?;
    let national = if is_international { None } else { rules.national_of(digits.len()) };
    let whole = match national {
        Some(national) => format!("{}{digits}", national.code),
        None => digits.clone(),
    };
    check_length(&whole)?;
    let number = plain(whole.as_bytes()).ok_or_else(other_characters)?;
    Ok(CleanPhone { number, cleaned: digits != text, completed: national.is_some() })
}

/// Whether a text is a phone number of whatever country.
#[must_use]
pub fn is_phone(text: &str) -> bool {
    clean_phone(text, &PhoneRules::default()).is_ok()
}

/// The number, if the text is nothing else: no larger than `u64` because it has at most 16 digits.
fn plain(text: &[u8]) -> Option<u64> {
    if !PHONE_DIGITS.contains(&text.len()) || text[0] == b'0' {
        return None;
    }
    let mut number = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u64::from(byte - b'0');
    }
    Some(number)
}

/// What remains without the wrapping that spreadsheets and address books put around a number.
fn unwrapped(text: &str) -> &str {
    let mut text = text.trim();
    if let Some(inner) = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        text = inner.trim();
    }
    text = text.strip_prefix('\'').unwrap_or(text);
    if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("tel:")) {
        text = &text[4..];
    }
    text = text.trim();
    // In `1.251.555.00` the last dot stands between groups: only a lone one is a decimal point.
    let whole = text.strip_suffix(".0").or_else(|| text.strip_suffix(".00"));
    let is_whole = |whole: &&str| whole.strip_prefix('+').unwrap_or(whole).bytes().all(|byte| byte.is_ascii_digit());
    whole.filter(is_whole).unwrap_or(text)
}

fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.trim_start_matches(['+', '-']);
    let is_number = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || more.contains(&byte))
    };
    is_number(mantissa, b"+-.,") && is_number(exponent, b"")
}

/// Whether a lone dot is rather a decimal point than a mark between groups; `1251555.0130` has a group behind it.
fn is_fraction(text: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, fraction)| {
        all_digits(whole) && all_digits(fraction) && (whole.len() <= 1 || fraction.len() < SHORTEST_LAST_GROUP)
    })
}

/// Whether a text is written as a date is: `2026-07-01`, `15.07.2026`. Nobody groups a phone number so.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '.']).collect();
    let [first, month, last] = parts.as_slice() else { return false };
    let at_most =
        |part: &str, max: u32| part.len() <= 2 && part.parse().is_ok_and(|number| (1..=max).contains(&number));
    let is_year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let is_day_or_month = |part: &str| at_most(part, 31);
    is_day_or_month(month) && ((is_year(first) && at_most(last, 31)) || (is_year(last) && at_most(first, 31)))
}

/// Whether a text is written as an IP address is; the last group of a phone number has four digits, or one is above 255.
fn is_ip_address(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// National plans end a number in a group of at least this many digits when they group it with one mark only.
const SHORTEST_LAST_GROUP: usize = 4;

/// What is left of a number's groups.
struct Digits {
    digits: String,
    /// Whether a `+` or `00` before them says that they begin with the country code.
    is_international: bool,
}

fn digits_of(text: &str) -> Result<Digits, Fault> {
    let behind_plus = text.strip_prefix('+');
    let mut digits = String::with_capacity(text.len());
    let mut open = false;
    let mut last = ' ';
    for (at, c) in text.chars().enumerate().skip(usize::from(behind_plus.is_some())) {
        match c {
            '0'..='9' => digits.push(c),
            '(' if !open => open = true,
            ')' if open && last.is_ascii_digit() => open = false,
            '.' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' if !digits.is_empty() => {}
            c if c.is_whitespace() && !c.is_control() => {}
            c if c.is_alphabetic() => return Err(letters().under(at..at + 1)),
            c if c.is_numeric() => {
                let fault = Fault::new("digits of another script", "write the number with the digits 0 to 9");
                return Err(fault.under(at..at + 1));
            }
            _ => return Err(other_characters().under(at..at + 1)),
        }
        last = c;
    }
    if open || !(last.is_ascii_digit()) {
        return Err(other_characters());
    }
    let behind_zeros = behind_plus.is_none() && digits.starts_with("00");
    if behind_zeros {
        digits.drain(..2);
    }
    Ok(Digits { digits, is_international: behind_plus.is_some() || behind_zeros })
}

fn check_start(number: &str, digits: &str) -> Result<(), Fault> {
    if digits.starts_with('0') {
        let at = number.chars().take_while(|c| !c.is_ascii_digit()).count();
        return Err(Fault::new(
            "a leading 0: a national number",
            "write the country code in place of the 0, as in `447700900123`",
        )
        .under(at..at + 1));
    }
    Ok(())
}

fn check_length(digits: &str) -> Result<(), Fault> {
    let (min, max) = (PHONE_DIGITS.start(), PHONE_DIGITS.end());
    if digits.len() < *min {
        return Err(Fault::new(
            format!("too few digits: expected {min} to {max}"),
            "write the whole number with its country code, as in `12515550130`",
        ));
    }
    if digits.len() > *max {
        return Err(Fault::new(
            format!("too many digits: expected {min} to {max}"),
            "put one number in a cell, without an extension",
        ));
    }
    Ok(())
}

/// The way out where a spreadsheet took a phone number for a quantity.
const AS_TEXT: &str = "in Excel: select the column, Format Cells → Text, fill in the numbers again from their source and export once more";

fn letters() -> Fault {
    Fault::new("letters in the number", "write the number with digits only, without an extension")
}

fn other_characters() -> Fault {
    Fault::new(
        "characters that are no part of a number",
        "write one number in a cell: digits, with spaces, dashes, dots or parentheses between groups",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::National;

    #[test]
    fn a_fault_names_the_characters_at_fault() {
        for (text, at) in [
            ("+44 (0) 7700 900123", Some("(0)")),
            ("+44 (07700) 900123", Some("(0")),
            (" tel:1251555CALL", Some("C")),
            ("+1251x", Some("x")),
            ("1.25155E+10", Some("E+10")),
            ("'12515550130.5", Some(".5")),
            ("+02515550130", Some("0")),
            ("1251\u{a0}/", Some("/")),
            ("12345", None),
        ] {
            let span = clean_phone(text, &PhoneRules::default()).expect_err(text).span;
            let named = span.map(|span| text.chars().skip(span.start).take(span.len()).collect::<String>());
            assert_eq!(named.as_deref(), at, "{text}");
        }
    }

    #[test]
    fn what_is_written_as_something_else_is_no_number() {
        for (text, reason) in [
            ("2026-07-01", "a date"),
            ("15.07.2026", "a date"),
            ("12-31-2026", "a date"),
            ("192.168.100.200", "an IP address"),
        ] {
            let fault = clean_phone(text, &PhoneRules::default()).expect_err(text);
            assert_eq!(fault.reason, reason, "{text}");
        }
        for number in ["1251-55-0130", "20.26.07.01.12", "125.155.501.30", "2026-0701"] {
            assert!(clean_phone(number, &PhoneRules::default()).is_ok(), "{number}");
        }
    }

    #[test]
    fn what_changes_nothing_about_a_number_is_cleaned_and_noted() {
        for text in [
            "+12515550130",
            " 12515550130\t".trim_end_matches('\t'),
            "1 251 555 0130",
            "1\u{a0}251\u{a0}555\u{202f}0130",
            "1-251-555-0130",
            "1.251.555.0130",
            "+1 (251) 555-0130",
            "1 (251) 555 \u{2013} 0130",
            "(1) 251 5550130",
            "0012515550130",
            "00 1 251 555 0130",
            "tel:+1-251-555-0130",
            "TEL:12515550130",
            "'12515550130",
            "'+12515550130",
            "=\"12515550130\"",
            "=\"+1 251 5550130\"",
            "12515550130.0",
            "12515550130.00",
            "+12515550130.0",
            "+1.2515550130",
            "1251555.0130",
        ] {
            let expected = CleanPhone { number: 12_515_550_130, cleaned: true, completed: false };
            assert_eq!(clean_phone(text, &PhoneRules::default()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn plain_digits_need_no_cleaning() {
        for (text, number) in
            [("12515550130", 12_515_550_130), ("123456", 123_456), ("1234567890123456", 1_234_567_890_123_456)]
        {
            let expected = CleanPhone { number, cleaned: false, completed: false };
            assert_eq!(clean_phone(text, &PhoneRules::default()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_leaves_a_doubt_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "no phone number"),
            (" \u{a0}", "no phone number"),
            ("=\"\"", "no phone number"),
            ("+44 (0) 7700 900123", "`(0)` inside"),
            ("1.25155E+10", "scientific"),
            ("1,25155E+10", "scientific"),
            ("12515550130e0", "scientific"),
            ("1251555CALL", "letters"),
            ("12515550130x7", "letters"),
            ("1251555O130", "letters"),
            ("\u{661}2515550130", "another script"),
            ("\u{ff11}2515550130", "another script"),
            ("12345", "too few"),
            ("+1 234", "too few"),
            ("12345678901234567", "too many"),
            ("02515550130", "leading 0"),
            ("+02515550130", "leading 0"),
            ("00012515550130", "leading 0"),
            ("07700 900123", "leading 0"),
            ("-12515550130", "no part"),
            ("12515550130-", "no part"),
            ("1251(5550130", "no part"),
            ("1251)5550130", "no part"),
            ("1251()5550130", "no part"),
            ("12515550130/12515550131", "no part"),
            ("12515550130;12515550131", "no part"),
            ("1+2515550130", "no part"),
            ("++12515550130", "no part"),
            ("#N/A", "no part"),
            ("125155\n50130", "no part"),
            ("12515550130.5", "decimal point"),
            ("12515550130.000", "decimal point"),
            ("1.2515550130", "decimal point"),
            ("+44 (07700) 900123", "`(0)` inside"),
        ] {
            let fault = clean_phone(text, &PhoneRules::default()).expect_err(text);
            assert!(fault.reason.contains(reason), "{text}: {}", fault.reason);
        }
    }

    fn national(code: &str, length: u8) -> PhoneRules {
        let national = National { code: code.parse().expect("a code"), length: length.try_into().expect("a length") };
        PhoneRules { national: Some(national), ..PhoneRules::default() }
    }

    fn only(codes: &[&str]) -> PhoneRules {
        let only_countries = codes.iter().map(|code| code.parse().expect("a code")).collect();
        PhoneRules { only_countries, ..PhoneRules::default() }
    }

    #[test]
    fn the_country_code_is_put_before_a_national_number_alone() {
        for (text, number, cleaned, completed) in [
            ("2515550130", 12_515_550_130, false, true),
            ("(251) 555-0130", 12_515_550_130, true, true),
            ("tel:251-555-0130", 12_515_550_130, true, true),
            ("'2515550130", 12_515_550_130, true, true),
            ("2515550130.0", 12_515_550_130, true, true),
            // Of the same length, and written with the country code all the same.
            ("+2515550130", 2_515_550_130, true, false),
            ("002515550130", 2_515_550_130, true, false),
            ("tel:+2515550130", 2_515_550_130, true, false),
            ("=\"+2515550130\"", 2_515_550_130, true, false),
            ("00 251 555 0130", 2_515_550_130, true, false),
            // Of another length.
            ("12515550130", 12_515_550_130, false, false),
            ("+1 251 555 0130", 12_515_550_130, true, false),
            ("447700900123", 447_700_900_123, false, false),
        ] {
            let expected = CleanPhone { number, cleaned, completed };
            assert_eq!(clean_phone(text, &national("1", 10)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_number_that_is_short_without_its_code_is_whole_with_it() {
        let expected = CleanPhone { number: 35_355_501, cleaned: false, completed: true };
        assert_eq!(clean_phone("55501", &national("353", 5)), Ok(expected));
        let fault = clean_phone("5550", &national("1", 4)).expect_err("five digits");
        assert!(fault.reason.contains("too few"), "{}", fault.reason);
    }

    #[test]
    fn nothing_is_put_before_a_leading_0() {
        for text in ["0251555013", "07700 900123", "+0251555013", "000251555013"] {
            for length in [9, 10, 11] {
                let fault = clean_phone(text, &national("44", length)).expect_err(text);
                assert!(fault.reason.contains("leading 0"), "{text}: {}", fault.reason);
            }
        }
    }

    #[test]
    fn a_country_that_is_left_out_is_refused_once_the_number_is_whole() {
        let rules = PhoneRules { only_countries: only(&["1", "44"]).only_countries, ..national("1", 10) };
        for text in ["12515550130", "+44 7700 900123", "2515550130"] {
            assert!(clean_phone(text, &rules).is_ok(), "{text}");
        }
        for text in ["+251 555 0130", "353851234567"] {
            let fault = clean_phone(text, &rules).expect_err(text);
            assert!(fault.reason.ends_with("begins with 1 or 44"), "{text}: {}", fault.reason);
        }
    }

    #[test]
    fn a_number_about_to_be_sent_is_held_against_the_countries_and_never_changed() {
        assert_eq!(check_phone("2515550130", &national("1", 10)), Ok(2_515_550_130));
        assert_eq!(check_phone("12515550130", &only(&["1"])), Ok(12_515_550_130));
        assert!(check_phone("2515550130", &only(&["1"])).is_err());
        assert!(check_phone("+12515550130", &only(&["1"])).is_err());
    }
}
