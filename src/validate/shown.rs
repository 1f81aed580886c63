//! A cell as people may see it: in one line, its phone numbers masked, with the place of what is wrong.

use std::ops::Range;

use crate::invocation::shown_ends;

use super::fault::LIKE_A_PHONE;
use super::iso_date::{DAY_CHARS, is_day_at, is_iso_date};

/// A cell as people may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCell {
    /// One line; of a long cell the part around the caret.
    pub text: String,
    /// The characters of the text that are at fault; empty only where the text is.
    pub caret: Range<usize>,
}

/// Characters of a cell that are shown: what leaves room for the line's number within 80 columns.
const SHOWN_CHARS: usize = 60;

/// Of these, how many stand before the caret at least, where the cell begins further left.
const CHARS_BEFORE_CARET: usize = 20;

/// Characters of a sample: enough to recognise a column by.
const SAMPLE_CHARS: usize = 20;

/// Characters of a service's ID.
const SERVICE_ID_CHARS: usize = 16;

/// What stands for a digit that is hidden.
const HIDDEN: char = '•';

impl ShownCell {
    /// The cell with its fault; of a phone number's cell every digit but the ends is hidden, whatever else is in it.
    ///
    /// Characters keep their places: a hidden digit is one character, and so is a control character.
    #[must_use]
    pub fn new(cell: &str, is_phone: bool, span: Option<&Range<usize>>) -> ShownCell {
        let chars = masked(cell, is_phone);
        let caret = match span {
            Some(span) if span.start < span.end.min(chars.len()) => span.start..span.end.min(chars.len()),
            Some(_) | None => 0..chars.len(),
        };
        if chars.len() <= SHOWN_CHARS {
            return ShownCell { text: chars.into_iter().collect(), caret };
        }
        let start = caret.start.saturating_sub(CHARS_BEFORE_CARET).min(chars.len() - SHOWN_CHARS);
        let end = start + SHOWN_CHARS;
        let mut shown = chars[start..end].to_vec();
        if start > 0 {
            shown[0] = '…';
        }
        if end < chars.len() {
            shown[SHOWN_CHARS - 1] = '…';
        }
        ShownCell { text: shown.into_iter().collect(), caret: caret.start - start..caret.end.min(end) - start }
    }
}

/// The beginning of a cell, for people to recognise its column by.
#[must_use]
pub fn sample_of(cell: &str, is_phone: bool) -> String {
    let chars = masked(cell.trim(), is_phone);
    if chars.len() <= SAMPLE_CHARS {
        return chars.into_iter().collect();
    }
    chars[..SAMPLE_CHARS - 1].iter().chain(&['…']).collect()
}

/// The text as it is, but for the middle of what looks like a phone number.
#[must_use]
pub fn without_phones(text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    hide(text, false, &mut chars);
    chars.into_iter().collect()
}

/// Whether a text that should not be one may be somebody's phone number.
#[must_use]
pub fn is_like_a_phone(text: &str) -> bool {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    digits >= LIKE_A_PHONE && !text.chars().any(char::is_alphabetic) && !is_iso_date(text)
}

fn masked(cell: &str, is_phone: bool) -> Vec<char> {
    let mut chars: Vec<char> = cell.chars().map(visible).collect();
    hide(cell, is_phone, &mut chars);
    chars
}

/// Hides in the characters of a text what it says of a phone.
fn hide(text: &str, is_phone: bool, chars: &mut [char]) {
    if is_phone || is_like_a_phone(text) {
        hide_middle(chars);
    } else if !is_no_number(text) {
        hide_numbers_in_text(chars);
    }
}

/// Whether a text with the digits of a phone number is none, and is to be read: a date, or a service's ID.
pub(super) fn is_no_number(text: &str) -> bool {
    is_iso_date(text) || is_service_id(text.trim())
}

/// Whether a text has the form of the IDs that the vendor gives to services: sixteen digits of base 16.
fn is_service_id(text: &str) -> bool {
    text.len() == SERVICE_ID_CHARS
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Hides as many digits as [`mask_phone`](crate::invocation::mask_phone) hides of the digits alone.
fn hide_middle(chars: &mut [char]) {
    let count = chars.iter().filter(|c| c.is_numeric()).count();
    let shown = shown_ends(count);
    let digits = chars.iter_mut().filter(|c| c.is_numeric());
    digits.take(count - shown).skip(shown).for_each(|digit| *digit = HIDDEN);
}

/// Hides every number in a text but its dates, whatever it touches: exports write `tel12515550130` and `ID_12515550130` too.
pub(super) fn hide_numbers_in_text(chars: &mut [char]) {
    let mut start = 0;
    while start < chars.len() {
        if is_day_at(chars, start) {
            start += DAY_CHARS;
            continue;
        }
        let goes_on = |at: &usize| is_of_number(chars[*at]) && !is_day_at(chars, *at);
        let end = start + (start..chars.len()).take_while(goes_on).count();
        if chars[start..end].iter().filter(|c| c.is_numeric()).count() >= LIKE_A_PHONE {
            hide_middle(&mut chars[start..end]);
        }
        start = end.max(start + 1);
    }
}

fn is_of_number(c: char) -> bool {
    c.is_numeric() || " \u{a0}+-.()/".contains(c)
}

/// The character, or one that stands for it where a terminal would not show it as one.
fn visible(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(u32::from(c) + CONTROL_PICTURES).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        // They turn the direction of the text, break the line or have no width.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            char::REPLACEMENT_CHARACTER
        }
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Where Unicode's pictures of the control characters begin.
const CONTROL_PICTURES: u32 = 0x2400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::invocation::mask_phone;

    fn shown(cell: &str, is_phone: bool, span: Option<Range<usize>>) -> (String, String) {
        let ShownCell { text, caret } = ShownCell::new(cell, is_phone, span.as_ref());
        let at = text.chars().skip(caret.start).take(caret.len()).collect();
        (text, at)
    }

    #[test]
    fn digits_are_hidden_where_they_stand() {
        for (cell, expected) in [
            ("12515550130", "1251•••0130"),
            ("+44 (0) 7700 900123", "+44 (0) 7••• ••0123"),
            ("1.25155E+10", "1.2••••E+10"),
            ("1251555CALL", "1•••••5CALL"),
            ("\u{661}\u{662}\u{665}\u{661}\u{665}\u{665}", "\u{661}••••\u{665}"),
            ("12", "••"),
            ("", ""),
        ] {
            assert_eq!(shown(cell, true, None).0, expected, "{cell}");
        }
    }

    #[test]
    fn a_number_is_hidden_in_whatever_column_it_stands() {
        for (cell, expected) in [
            ("12515550130", "1251•••0130"),
            ("call +1 251-555-0130, or 7A", "call +1 251-•••-0130, or 7A"),
            ("tel:2515550130", "tel:25••••••30"),
            ("tel12515550132", "tel1251•••0132"),
            ("ID_12515550133x", "ID_1251•••0133x"),
            ("0123456789ABCDEF", "0123456789ABCDEF"),
            ("x 0123456789ABCDEF", "x 01••••••89ABCDEF"),
            ("0123456789ABCDEFG", "01••••••89ABCDEFG"),
            ("2026-07-01", "2026-07-01"),
            ("2026-07-01T09:30:00.000+02:00", "2026-07-01T09:30:00.000+02:00"),
            ("on 2026-07-01 12515550130", "on 2026-07-01 1251•••0130"),
            ("MJHF787679", "MJHF787679"),
            ("row 7", "row 7"),
        ] {
            assert_eq!(shown(cell, false, None).0, expected, "{cell}");
        }
    }

    #[test]
    fn a_text_keeps_all_but_its_phone_numbers() {
        assert_eq!(without_phones("12515550130"), "1251•••0130");
        assert_eq!(without_phones("a\tb\u{1b}, +1 251-555-0130"), "a\tb\u{1b}, +1 251-•••-0130");
        assert_eq!(without_phones(&"é".repeat(300)), "é".repeat(300));
    }

    #[test]
    fn a_long_cell_shows_what_is_around_the_caret() {
        let cell = format!("{}${{x}}{}", "a".repeat(100), "b".repeat(100));
        let (text, at) = shown(&cell, false, Some(100..104));
        assert_eq!((text.chars().count(), at.as_str()), (60, "${x}"));
        assert!(text.starts_with("…a") && text.ends_with("b…"), "{text}");
        assert_eq!(shown(&"a".repeat(300), false, Some(255..300)).1.chars().count(), 40);
        assert_eq!(shown(&"a".repeat(300), false, None).1.chars().count(), 60);
    }

    #[test]
    fn control_characters_keep_their_place_and_do_nothing() {
        assert_eq!(shown("a\u{7}\n\u{1b}b\u{85}", false, Some(1..2)), ("a␇␊␛b\u{fffd}".to_owned(), "␇".to_owned()));
    }

    #[test]
    fn a_sample_is_short() {
        assert_eq!(sample_of(" +1 (251) 555-0130 ", true), "+1 (251) •••-0130");
        assert_eq!(sample_of("The quick brown fox jumps", false), "The quick brown fox…");
    }

    proptest! {
        #[test]
        fn no_more_digits_are_shown_than_of_the_bare_number(
            cell in "[0-9 +()x.\u{661}\u{7}é-]{0,90}", is_phone: bool, start in 0..100_usize, length in 0..20_usize,
        ) {
            let in_clear = |text: &str| text.chars().filter(|c| c.is_numeric()).count();
            let digits: String = cell.chars().filter(|c| c.is_numeric()).collect();
            let ShownCell { text, caret } = ShownCell::new(&cell, is_phone, Some(&(start..start + length)));
            if is_phone || is_like_a_phone(&cell) {
                prop_assert!(in_clear(&text) <= in_clear(&mask_phone(&digits)), "{}", text);
            }
            prop_assert!(caret.end <= text.chars().count());
            prop_assert_eq!(caret.is_empty(), text.is_empty());
            if cell.chars().count() <= SHOWN_CHARS {
                prop_assert_eq!(text.chars().count(), cell.chars().count());
            }
        }
    }
}
