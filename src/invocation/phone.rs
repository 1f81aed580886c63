//! How a phone number is shown: never in full unless asked.

/// The shortest text of which four characters are shown at each end.
const LONG_ENOUGH: usize = 11;

/// The number with its middle hidden: `12515550130` becomes `1251•••0130`.
///
/// Works on any text, because a refused cell may hold anything; of a short one less is shown, or nothing.
#[must_use]
pub fn mask_phone(phone: &str) -> String {
    let chars: Vec<char> = phone.chars().collect();
    let shown = shown_ends(chars.len());
    let start: String = chars.iter().take(shown).collect();
    let end: String = chars.iter().skip(chars.len() - shown).collect();
    format!("{start}•••{end}")
}

/// How many characters of so many are shown at each end.
#[must_use]
pub fn shown_ends(count: usize) -> usize {
    if count >= LONG_ENOUGH { 4 } else { count / 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_number_is_hidden_and_more_of_a_short_one() {
        assert_eq!(mask_phone("1251555013012345"), "1251•••2345");
        assert_eq!(mask_phone("12515550130"), "1251•••0130");
        assert_eq!(mask_phone("2515550130"), "25•••30");
        assert_eq!(mask_phone("123456"), "1•••6");
        assert_eq!(mask_phone("12"), "•••");
        assert_eq!(mask_phone(""), "•••");
    }
}
