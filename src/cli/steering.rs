//! What a terminal would obey in the texts of others: shown for what it is, never obeyed.
//!
//! File names, cells, answers and other operators' reasons end up on somebody's terminal. Much of it is cleaned where it comes
//! from; here is what nothing passes by.

use std::borrow::Cow;
use std::io::{self, Write};

use super::colour;
use crate::invocation::is_steering;

/// How a character is written that must not reach a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// For people: `\u{1b}`.
    Text,
    /// Within the strings of JSON, where it means the same: `\u001b`.
    Json,
}

/// Whether a text has something that a terminal obeys, or that turns the direction of what stands behind it.
pub(super) fn steers(text: &str) -> bool {
    text.contains(is_steering)
}

/// The text without such characters. Line ends and tabs stay, and so do this program's own colours.
pub(super) fn tamed(text: &str, escape: Escape) -> Cow<'_, str> {
    if !steers(text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_steering) {
        let (before, from) = rest.split_at(at);
        shown.push_str(before);
        rest = match colour::own_sequence(from).filter(|_| escape == Escape::Text) {
            Some(own) => {
                shown.push_str(own);
                &from[own.len()..]
            }
            None => {
                let mut chars = from.chars();
                chars.next().into_iter().for_each(|c| push_escaped(&mut shown, c, escape));
                chars.as_str()
            }
        };
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

fn push_escaped(shown: &mut String, c: char, escape: Escape) {
    match escape {
        Escape::Text => shown.extend(c.escape_unicode()),
        // All of them lie in the plane of four digits.
        Escape::Json => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
    }
}

/// Passes a stream on with such characters escaped, whatever the pieces are in which it comes.
pub(super) struct Tamed<W> {
    inner: W,
    escape: Escape,
    /// The beginning of a character whose rest is still to come.
    begun: Vec<u8>,
}

impl<W: Write> Tamed<W> {
    pub(super) fn new(inner: W, escape: Escape) -> Tamed<W> {
        Tamed { inner, escape, begun: Vec::new() }
    }
}

impl<W: Write> Write for Tamed<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => bytes.len(),
        };
        self.begun = bytes.split_off(whole);
        self.inner.write_all(tamed(&String::from_utf8_lossy(&bytes), self.escape).as_bytes())?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_for_what_it_is() {
        for (text, shown) in [
            ("plain é 👩🏽‍✈️\n\t", "plain é 👩🏽‍✈️\n\t"),
            ("a\u{1b}]0;title\u{7}b", "a\\u{1b}]0;title\\u{7}b"),
            ("over\rwritten\u{8}", "over\\u{d}written\\u{8}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("to \u{202e}vsc.exe", "to \\u{202e}vsc.exe"),
            ("\u{1b}[32mok\u{1b}[0m \u{1b}[2J", "\u{1b}[32mok\u{1b}[0m \\u{1b}[2J"),
        ] {
            assert_eq!(tamed(text, Escape::Text), shown);
        }
    }

    #[test]
    fn in_json_it_means_the_same_as_before() {
        let text = "a\u{7f}\u{9b}\u{202e}\u{1b}é";
        let json = serde_json::to_string(text).expect("JSON");
        let shown = tamed(&json, Escape::Json);
        assert!(!steers(&shown), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
    }

    #[test]
    fn a_stream_is_tamed_in_whatever_pieces_it_comes() {
        let text = "é\u{9b}31m 👋 \u{202e}x\n";
        for length in 1..6 {
            let mut seen = Vec::new();
            let mut stream = Tamed::new(&mut seen, Escape::Text);
            text.as_bytes().chunks(length).for_each(|piece| stream.write_all(piece).expect("written"));
            assert_eq!(String::from_utf8(seen).expect("text"), "é\\u{9b}31m 👋 \\u{202e}x\n");
        }
    }
}
