//! Cleaning of phone numbers, as people and spreadsheets write them.

use crate::mep::PHONE_DIGITS;

use super::fault::Fault;

/// A phone number as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanPhone {
    /// The digits: 6 to 16, the first of them not 0.
    pub number: u64,
    /// Whether the text held more than these digits.
    pub cleaned: bool,
}

/// Reads a phone number, leaving out what changes nothing about it.
///
/// Left out are `+`, a leading `00`, `tel:`, an apostrophe before the number, `="…"` around it, a trailing `.0` or
/// `.00`, and spaces, dashes, dots and parentheses between groups.
///
/// # Errors
///
/// Whatever leaves a doubt about the number is refused and not guessed at.
pub fn clean_phone(text: &str) -> Result<CleanPhone, Fault> {
    if let Some(number) = plain(text.as_bytes()) {
        return Ok(CleanPhone { number, cleaned: false });
    }
    let number = unwrapped(text);
    if number.is_empty() {
        return Err(Fault::new("no phone number", "give the number with its country code, or take the row out"));
    }
    if is_scientific(number) {
        return Err(Fault::new(
            "a number in scientific notation, whose last digits are lost",
            "format the column as text in the spreadsheet, fill in the numbers again and export it once more",
        ));
    }
    if number.find("(0").is_some_and(|at| at > 0) {
        return Err(Fault::new(
            "`(0)` inside the number",
            "take out the `(0)`: it is not dialled after a country code",
        ));
    }
    if is_fraction(number) {
        return Err(Fault::new("a decimal point in the number", "format the column as text in the spreadsheet"));
    }
    // The place for `--country-code` and `--only-countries`: between the digits and the checks that follow.
    let digits = digits_of(number)?;
    check_digits(&digits)?;
    let number = plain(digits.as_bytes()).ok_or_else(other_characters)?;
    Ok(CleanPhone { number, cleaned: true })
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

/// National plans end a number in a group of at least this many digits when they group it with one mark only.
const SHORTEST_LAST_GROUP: usize = 4;

fn digits_of(text: &str) -> Result<String, Fault> {
    let international = text.strip_prefix('+');
    let mut digits = String::with_capacity(text.len());
    let mut open = false;
    let mut last = ' ';
    for c in international.unwrap_or(text).chars() {
        match c {
            '0'..='9' => digits.push(c),
            '(' if !open => open = true,
            ')' if open && last.is_ascii_digit() => open = false,
            '.' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' if !digits.is_empty() => {}
            c if c.is_whitespace() && !c.is_control() => {}
            c if c.is_alphabetic() => return Err(letters()),
            c if c.is_numeric() => {
                return Err(Fault::new("digits of another script", "write the number with the digits 0 to 9"));
            }
            _ => return Err(other_characters()),
        }
        last = c;
    }
    if open || !(last.is_ascii_digit()) {
        return Err(other_characters());
    }
    if international.is_none() && digits.starts_with("00") {
        digits.drain(..2);
    }
    Ok(digits)
}

fn check_digits(digits: &str) -> Result<(), Fault> {
    let (min, max) = (PHONE_DIGITS.start(), PHONE_DIGITS.end());
    if digits.starts_with('0') {
        return Err(Fault::new(
            "a leading 0: a national number",
            "write it with its country code and without the 0, as in `447700900123`",
        ));
    }
    if digits.len() < *min {
        return Err(Fault::new(
            format!("too few digits: expected {min} to {max}"),
            "write the whole number with its country code",
        ));
    }
    if digits.len() > *max {
        return Err(Fault::new(
            format!("too many digits: expected {min} to {max}"),
            "give one number in a cell, without an extension",
        ));
    }
    Ok(())
}

fn letters() -> Fault {
    Fault::new("letters in the number", "write the number with digits only")
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
            let expected = CleanPhone { number: 12_515_550_130, cleaned: true };
            assert_eq!(clean_phone(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn plain_digits_need_no_cleaning() {
        for (text, number) in
            [("12515550130", 12_515_550_130), ("123456", 123_456), ("1234567890123456", 1_234_567_890_123_456)]
        {
            assert_eq!(clean_phone(text), Ok(CleanPhone { number, cleaned: false }), "{text}");
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
            let fault = clean_phone(text).expect_err(text);
            assert!(fault.reason.contains(reason), "{text}: {}", fault.reason);
        }
    }
}
