//! A secret that opens the pages: made by chance or given, compared without telling how far a guess was right.

use std::hint::black_box;

use anyhow::Context as _;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};

/// Bytes of chance in a secret: 256 bits.
const RANDOM_BYTES: usize = 32;

/// A secret, known by its hash alone.
#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

impl Secret {
    /// The secret of that text.
    pub(super) fn of(text: &str) -> Secret {
        Secret(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether a guess is right. Takes as long whatever is wrong with it.
    pub(super) fn is(&self, guess: &str) -> bool {
        let guess = Secret::of(guess);
        let differs =
            self.0.iter().zip(guess.0).fold(0, |differs, (ours, theirs)| black_box(differs | (ours ^ theirs)));
        differs == 0
    }
}

/// A text that nobody guesses, from the system's source of chance.
pub(super) fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            getrandom(&mut bytes[filled..], GetRandomFlags::empty()).context("the system gives no random bytes")?;
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_opened_by_itself_alone() {
        let text = random_text().expect("chance");
        assert_eq!(text.len(), 2 * RANDOM_BYTES);
        assert_ne!(text, random_text().expect("chance"));
        let secret = Secret::of(&text);
        assert!(secret.is(&text));
        for wrong in ["", &text[1..], &text.to_uppercase().replace(char::is_numeric, "A"), &format!("{text}0")] {
            assert!(!secret.is(wrong), "{wrong}");
        }
    }
}
