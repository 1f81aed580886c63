//! Words that show whether a text was decoded right.

use crate::import::limits::CHUNK_BYTES;
use crate::validate::mask_cell;

/// Words that are shown.
const SAMPLES_MAX: usize = 5;
/// Characters of a word that are shown: enough for most names.
const SAMPLE_CHARS_MAX: usize = 24;

/// Gathers the first words that each have a character outside ASCII that those before them have not.
#[derive(Debug, Default)]
pub(in crate::import) struct Samples {
    words: Vec<String>,
    /// The word that the last piece may have cut.
    word: String,
}

impl Samples {
    /// Looks through the next piece, of whole characters.
    pub(in crate::import) fn feed(&mut self, piece: &[u8]) {
        debug_assert!(piece.len() <= CHUNK_BYTES);
        let Ok(text) = std::str::from_utf8(piece) else { return };
        if self.words.len() == SAMPLES_MAX {
            return;
        }
        for c in text.chars() {
            if is_of_a_word(c) {
                if self.word.chars().count() <= SAMPLE_CHARS_MAX {
                    self.word.push(c);
                }
            } else if !self.word.is_empty() {
                self.end_word();
            }
        }
    }

    /// The words as people may see them.
    pub(in crate::import) fn finish(mut self) -> Vec<String> {
        self.end_word();
        self.words.iter().map(|word| shown(word)).collect()
    }

    fn end_word(&mut self) {
        let is_new = |c: char| !c.is_ascii() && !self.words.iter().any(|word| word.contains(c));
        if self.words.len() < SAMPLES_MAX && self.word.chars().any(is_new) {
            self.words.push(std::mem::take(&mut self.word));
        }
        self.word.clear();
    }
}

/// Digits are of none, so that no phone number is shown with a word beside it.
fn is_of_a_word(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || c.is_numeric() || c.is_ascii_punctuation())
}

fn shown(word: &str) -> String {
    match word.char_indices().nth(SAMPLE_CHARS_MAX) {
        Some((end, _)) => mask_cell(&format!("{}…", &word[..end])),
        None => mask_cell(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Vec<String> {
        let mut samples = Samples::default();
        text.chars().for_each(|c| samples.feed(c.to_string().as_bytes()));
        samples.finish()
    }

    #[test]
    fn a_sample_shows_a_character_that_those_before_it_do_not() {
        assert_eq!(samples("name\nZoë,Noëlle;\"Müller\"\r\nŁódź Ann"), ["Zoë", "Müller", "Łódź"]);
        assert_eq!(samples("a é b è c ê d ë f ì g í"), ["é", "è", "ê", "ë", "ì"]);
        assert_eq!(samples("plain, 12515550130\n"), Vec::<String>::new());
    }

    #[test]
    fn no_digit_is_shown_and_no_more_than_the_beginning_of_a_long_word() {
        assert_eq!(samples("é12515550130é １２５１５５５０１３０ö"), ["é", "ö"]);
        assert_eq!(samples(&"é".repeat(100)), [format!("{}…", "é".repeat(24))]);
    }
}
