//! Texts without what they say of a person: for what is kept of a row when its number and its values are not.

use sha2::{Digest, Sha256};

use super::body::body_cells;
use super::fault::LIKE_A_PHONE;
use super::iso_date::{DAY_CHARS, is_day_at};

/// What stands for a hidden character.
const HIDDEN: char = '•';

/// Values of fewer characters are not looked for in a text: they would be found in every word.
const VALUE_CHARS_MIN: usize = 3;

/// SHA-256 of a body's bytes, in hex.
#[must_use]
pub fn body_sha256(body: &str) -> String {
    format!("{:x}", Sha256::digest(body))
}

/// The values of a body, longest first: what a service may repeat in what it says of it.
#[must_use]
pub fn body_values(body: &str) -> Vec<String> {
    let text = |value| match value {
        super::BodyValue::Number(text) | super::BodyValue::String(text) => text,
    };
    let mut values: Vec<String> = body_cells(body).into_iter().map(|(_, value)| text(value)).collect();
    values.retain(|value| value.chars().count() >= VALUE_CHARS_MIN);
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

/// The text with each of the values hidden, and every number with as many digits as a phone number has, but dates.
///
/// A number whose middle was hidden before is hidden as a whole: what was left of it narrows it down.
#[must_use]
pub fn without_numbers(text: &str, values: &[String]) -> String {
    let hidden = values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), "•••"));
    let mut chars: Vec<char> = hidden.chars().collect();
    let mut start = 0;
    while start < chars.len() {
        if is_day_at(&chars, start) {
            start += DAY_CHARS;
            continue;
        }
        let goes_on = |at: &usize| is_of_number(chars[*at]) && !is_day_at(&chars, *at);
        let end = start + (start..chars.len()).take_while(goes_on).count();
        let digits = chars[start..end].iter().filter(|c| c.is_numeric() || **c == HIDDEN).count();
        if digits >= LIKE_A_PHONE {
            chars[start..end].iter_mut().filter(|c| c.is_numeric()).for_each(|digit| *digit = HIDDEN);
        }
        start = end.max(start + 1);
    }
    chars.into_iter().collect()
}

fn is_of_number(c: char) -> bool {
    c.is_numeric() || c == HIDDEN || " \u{a0}+-.()/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_digit_of_a_phone_number_is_left() {
        for (text, expected) in [
            ("12515550130 is blocked", "••••••••••• is blocked"),
            ("call +1 251-555-0130.", "call +• •••-•••-••••."),
            ("1251•••0130 is blocked", "••••••••••• is blocked"),
            ("case 4711, on 2026-07-01", "case 4711, on 2026-07-01"),
            ("not sent: line 12 has the same phone number", "not sent: line 12 has the same phone number"),
        ] {
            assert_eq!(without_numbers(text, &[]), expected);
        }
    }

    #[test]
    fn a_value_that_is_repeated_is_hidden() {
        let body = r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"name":"Zoë Ng","seat":"7A"}}}"#;
        let values = body_values(body);
        assert_eq!(values, ["12515550130", "Zoë Ng"]);
        assert_eq!(without_numbers("no such name: Zoë Ng in 7A", &values), "no such name: ••• in 7A");
    }

    #[test]
    fn a_bodys_hash_is_what_sha256sum_prints() {
        let printed = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(body_sha256("abc"), printed);
    }
}
