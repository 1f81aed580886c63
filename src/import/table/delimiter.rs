//! The byte between the cells of a CSV.

use std::fmt;
use std::str::FromStr;

/// A byte that may stand between cells: ASCII, and no letter, digit, quote or line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    pub(in crate::import) const COMMA: Delimiter = Delimiter(b',');

    /// The delimiter that a byte is, where it may be one.
    pub(in crate::import) fn of(byte: u8) -> Option<Delimiter> {
        let may_be = byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(&byte);
        may_be.then_some(Delimiter(byte))
    }

    pub(in crate::import) fn byte(self) -> u8 {
        self.0
    }
}

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let byte = match text {
            "tab" | "\\t" => Some(b'\t'),
            _ => <[u8; 1]>::try_from(text.as_bytes()).ok().map(|[byte]| byte),
        };
        byte.and_then(Delimiter::of).ok_or_else(|| {
            "expected `,`, `;`, `|`, `tab` or another ASCII character that is no letter, digit, quote or line end"
                .to_owned()
        })
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_one_ascii_character_that_is_part_of_no_word() {
        for (text, byte) in
            [(",", b','), (";", b';'), ("|", b'|'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t'), ("^", b'^')]
        {
            assert_eq!(text.parse().map(Delimiter::byte), Ok(byte), "{text:?}");
        }
        for bad in ["", "a", "7", "\"", "\n", "\r", ",,", "§", "TAB"] {
            assert!(bad.parse::<Delimiter>().is_err(), "{bad:?}");
        }
    }
}
