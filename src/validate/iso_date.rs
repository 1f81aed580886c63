//! Dates in ISO form: they have as many digits as a phone number and are none.

use std::ops::RangeInclusive;

/// What each character of a day may be: `2026-07-01`.
const DAY: [RangeInclusive<char>; DAY_CHARS] =
    ['1'..='2', '0'..='9', '0'..='9', '0'..='9', '-'..='-', '0'..='1', '0'..='9', '-'..='-', '0'..='3', '0'..='9'];

/// How long a day is.
pub(super) const DAY_CHARS: usize = 10;

/// The longest time: `09:30:00.000000+02:00`.
const TIME_CHARS_MAX: usize = 21;

/// Whether a text is nothing but a date, with or without a time.
#[must_use]
pub fn is_iso_date(text: &str) -> bool {
    let chars: Vec<char> = text.trim().chars().collect();
    begins_with_day(&chars) && (chars.len() == DAY_CHARS || is_time(&chars[DAY_CHARS..]))
}

/// Whether a day begins here that is no part of a longer number.
pub(super) fn is_day_at(chars: &[char], start: usize) -> bool {
    let goes_on = |c: &char| c.is_numeric() || "+-.".contains(*c);
    let begins = start == 0 || !goes_on(&chars[start - 1]);
    begins && begins_with_day(&chars[start..]) && !chars.get(start + DAY_CHARS).is_some_and(goes_on)
}

fn begins_with_day(chars: &[char]) -> bool {
    chars.len() >= DAY_CHARS && DAY.iter().zip(chars).all(|(expected, c)| expected.contains(c))
}

/// `T09:30`, ` 09:30:00.000Z`.
fn is_time(chars: &[char]) -> bool {
    let [' ' | 'T', time @ ..] = chars else { return false };
    let has_minutes = matches!(time, [h, i, ':', ..] if h.is_ascii_digit() && i.is_ascii_digit());
    has_minutes && time.len() <= TIME_CHARS_MAX && time.iter().all(|c| c.is_ascii_digit() || ":.+-Z".contains(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_told_from_a_number() {
        for date in
            ["2026-07-01", " 1999-12-31 ", "2026-07-01T09:30", "2026-07-01 09:30:00", "2026-07-01T09:30:00.000Z"]
        {
            assert!(is_iso_date(date), "{date}");
        }
        for other in ["", "20260701", "2515-55-0130", "2026-07-01-5550130", "2026-07-01 2515550130", "+1 251 555 0130"]
        {
            assert!(!is_iso_date(other), "{other}");
        }
    }

    #[test]
    fn a_day_within_a_text_stands_by_itself() {
        let is_day = |text: &str| is_day_at(&text.chars().collect::<Vec<_>>(), 3);
        assert!(is_day("on 2026-07-01, or") && is_day("on 2026-07-01T09:30"));
        assert!(!is_day("+1-2026-07-01") && !is_day("on 2026-07-01-55") && !is_day("on 2026-07-0"));
    }
}
