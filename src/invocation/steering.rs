//! Characters that are no text: a screen obeys them, or shows what stands behind them in another order.

/// Whether a character steers a screen instead of standing on it; line ends and tabs do not.
#[must_use]
pub fn is_steering(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // The marks and embeddings of right-to-left scripts: a text would be read in another order than it is written.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}
