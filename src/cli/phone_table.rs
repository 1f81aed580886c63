//! The phone numbers of a file by length and country, for people and as JSON, and what is odd about them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::exclusion_text::told_before;
use super::output::{counted, grouped};
use crate::invocation::{CallingCode, NationalLength, PhoneLength, PhoneRules, PhoneTable};
use crate::store::Batch;

/// Country codes that are named of one length; the others are counted.
const CODES_TOLD_MAX: usize = 3;
/// Country codes that are named in a hint.
const CODES_HINTED_MAX: usize = 5;
/// A country is meant, it is supposed, if at least one number of so many is of it.
const ONE_IN: u64 = 20;

/// The table as JSON: one object for each length and country.
pub(super) fn json_of(numbers: &PhoneTable) -> Value {
    numbers.iter().map(|(digits, code, rows)| json!({ "digits": digits, "callingCode": code, "rows": rows })).collect()
}

/// The table, a line a length; empty where there are no numbers.
pub(super) fn table(numbers: &PhoneTable) -> String {
    let lengths = numbers.lengths();
    if lengths.is_empty() {
        return String::new();
    }
    let mut text = String::from("Phone numbers\n  digits       rows  begin with\n");
    for PhoneLength { digits, rows, codes } in lengths {
        let told = match codes.as_slice() {
            [(code, _)] => code.to_string(),
            codes => {
                let named = codes.iter().take(CODES_TOLD_MAX);
                let named: Vec<String> = named.map(|(code, rows)| format!("{code} ({})", rows_text(*rows))).collect();
                let more = codes.len() - named.len();
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                format!("{}{more}", named.join(", "))
            }
        };
        let _ = writeln!(text, "  {digits:>6} {:>10}  {told}", rows_text(rows));
    }
    text
}

/// All that is to be known of a stored batch's numbers before they are texted.
pub(super) fn plan(batch: &Batch) -> String {
    let Batch { findings, settings, .. } = batch;
    let mut text = table(&findings.numbers);
    let warning = warning(&findings.numbers, &settings.phones);
    if !warning.is_empty() {
        text.push_str(&warning);
        text.push_str(
            "hint: numbers are read at import: leave this batch, and import the file with these flags and `--again`\n",
        );
    }
    text + &told_before(findings)
}

/// The table in one sentence: `47,688 numbers of 11 digits that begin with 1; 300 of 10 digits that begin with 251, …`.
pub(super) fn in_words(numbers: &PhoneTable) -> String {
    let mut parts = Vec::new();
    for PhoneLength { digits, rows, codes } in numbers.lengths() {
        let count = if parts.is_empty() { counted(rows, "number") } else { rows_text(rows) };
        let begin = if rows == 1 { "begins" } else { "begin" };
        let named: Vec<String> = codes.iter().take(CODES_TOLD_MAX).map(|(code, _)| code.to_string()).collect();
        let more = if codes.len() > named.len() { ", …" } else { "" };
        parts.push(format!("{count} of {digits} digits that {begin} with {}{more}", named.join(", ")));
    }
    parts.join("; ")
}

/// What is odd about numbers of several lengths or countries, and what to type; empty once the countries are named.
pub(super) fn warning(numbers: &PhoneTable, rules: &PhoneRules) -> String {
    if !numbers.is_mixed() || !rules.only_countries.is_empty() {
        return String::new();
    }
    let lacking = if rules.national.is_some() { None } else { lacking_code(numbers) };
    let hint = match lacking {
        Some((code, length)) => {
            let code = code.map_or("N".to_owned(), |code| code.to_string());
            format!(
                "if the numbers of {length} digits lack their country code, `--country-code {code} --national-length {length}` \
                 puts it before them; `--only-countries {code}` refuses all that begin otherwise"
            )
        }
        None => {
            let codes: Vec<String> = likely_countries(numbers).iter().map(ToString::to_string).collect();
            format!("`--only-countries {}` refuses all that begin otherwise", codes.join(","))
        }
    };
    format!(
        "warning: the numbers are of several lengths or countries; one without its country code reaches another country's person\n\
         hint: {hint}\n"
    )
}

/// The length of numbers that seem to lack their country code, and that code where other numbers tell it.
fn lacking_code(numbers: &PhoneTable) -> Option<(Option<CallingCode>, NationalLength)> {
    let lengths = numbers.lengths();
    let leading = |length: &PhoneLength| length.codes.first().map(|(code, rows)| (*code, *rows * 2 > length.rows));
    for whole in &lengths {
        let Some((code, true)) = leading(whole) else { continue };
        let short = lengths.iter().find(|short| short.digits + code.digits() == whole.digits);
        // Numbers that begin with that code too are a country's shorter ones, and whole.
        let short = short.filter(|short| leading(short).is_some_and(|(of_short, _)| of_short != code));
        if let Some(length) = short.and_then(national_length) {
            return Some((Some(code), length));
        }
    }
    let scattered = lengths.first().filter(|length| leading(length).is_some_and(|(_, is_most)| !is_most))?;
    let is_scattered = scattered.codes.len() > CODES_HINTED_MAX;
    if is_scattered { national_length(scattered).map(|length| (None, length)) } else { None }
}

fn national_length(length: &PhoneLength) -> Option<NationalLength> {
    u8::try_from(length.digits).ok()?.try_into().ok()
}

/// The countries of which there are more than a few numbers, the commonest first; at least one.
fn likely_countries(numbers: &PhoneTable) -> Vec<CallingCode> {
    let mut rows_of: BTreeMap<CallingCode, u64> = BTreeMap::new();
    for (_, code, rows) in numbers.iter() {
        *rows_of.entry(code).or_default() += rows;
    }
    let mut countries: Vec<(CallingCode, u64)> = rows_of.into_iter().collect();
    countries.sort_by_key(|(_, rows)| Reverse(*rows));
    let total = numbers.total();
    let likely = countries.iter().take(CODES_HINTED_MAX).filter(|(_, rows)| rows * ONE_IN >= total).count().max(1);
    countries.into_iter().take(likely).map(|(code, _)| code).collect()
}

fn rows_text(rows: u64) -> String {
    grouped(i64::try_from(rows).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::National;

    /// So many numbers with each of these beginnings.
    fn numbers(groups: &[(u64, u64)]) -> PhoneTable {
        let mut numbers = PhoneTable::default();
        for (first, count) in groups {
            (0..*count).for_each(|person| numbers.add(first + person));
        }
        numbers
    }

    fn mixed() -> PhoneTable {
        let national = [(2_515_550_100, 4), (2_125_550_100, 3), (3_015_550_100, 2), (9_165_550_100, 1)];
        numbers(&[&[(12_515_550_100, 1_200)], national.as_slice()].concat())
    }

    #[test]
    fn a_line_a_length_names_the_commonest_countries() {
        assert_eq!(
            table(&mixed()),
            "Phone numbers\n  digits       rows  begin with\n      11      1,200  1\n      10         10  251 (4), 212 (3), 30 (2) and 1 more\n"
        );
        assert_eq!(table(&PhoneTable::default()), "");
    }

    #[test]
    fn one_sentence_names_lengths_and_countries() {
        let expected = "1,200 numbers of 11 digits that begin with 1; 10 of 10 digits that begin with 251, 212, 30, …";
        assert_eq!(in_words(&mixed()), expected);
        assert_eq!(in_words(&numbers(&[(12_515_550_100, 1)])), "1 number of 11 digits that begins with 1");
    }

    #[test]
    fn the_hint_is_worked_out_from_the_numbers() {
        let scattered: Vec<_> = (2..=9).map(|area| (area * 1_000_000_000 + 115_550_100, 10)).collect();
        for (numbers, flags) in [
            (mixed(), "`--country-code 1 --national-length 10` puts it before them; `--only-countries 1` refuses"),
            (numbers(&scattered), "`--country-code N --national-length 10`"),
            (numbers(&[(12_515_550_100, 60), (447_700_900_100, 40), (353_851_234_500, 1)]), "`--only-countries 1,44`"),
            // Shorter numbers of one country.
            (numbers(&[(4_915_112_345_670, 60), (49_305_550_100, 40)]), "hint: `--only-countries 49`"),
        ] {
            let told = warning(&numbers, &PhoneRules::default());
            assert!(told.starts_with("warning: ") && told.contains(flags), "{told}");
        }
    }

    #[test]
    fn numbers_that_are_as_they_should_be_bring_no_warning() {
        assert_eq!(warning(&numbers(&[(12_515_550_100, 9)]), &PhoneRules::default()), "");
        let code: CallingCode = "1".parse().expect("a code");
        let named = PhoneRules { only_countries: vec![code], ..PhoneRules::default() };
        assert_eq!(warning(&mixed(), &named), "");
        let national = National { code, length: 10.try_into().expect("a length") };
        let completed = PhoneRules { national: Some(national), ..PhoneRules::default() };
        assert!(warning(&mixed(), &completed).contains("hint: `--only-countries 1`"));
    }
}
