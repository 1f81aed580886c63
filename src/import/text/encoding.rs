//! The encoding of a text: by its operator's word, or by its byte order mark.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE, X_USER_DEFINED};

use crate::import::refused::FileFault;

/// An encoding that a file can be read in, by any of the names that the WHATWG's standard has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(pub(in crate::import) &'static Encoding);

impl TextEncoding {
    pub(in crate::import) const UTF_8: TextEncoding = TextEncoding(UTF_8);

    /// The name that the standard prefers: `UTF-8`, `windows-1252`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.name()
    }

    /// Whether it is the one that needs no decoding.
    #[must_use]
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TextEncoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The standard has these two for browsers: one decodes nothing, the other anything.
        match Encoding::for_label(text.as_bytes()) {
            Some(encoding) if encoding != REPLACEMENT && encoding != X_USER_DEFINED => Ok(TextEncoding(encoding)),
            Some(_) | None => Err(unknown(text)),
        }
    }
}

/// Encodings that are suggested by what of their name was typed; the first ones where nothing is like it.
const SUGGESTED: [&str; 22] = [
    "utf-8",
    "utf-16le",
    "windows-1252",
    "iso-8859-15",
    "shift_jis",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "iso-8859-2",
    "macintosh",
    "gbk",
    "gb18030",
    "big5",
    "euc-jp",
    "euc-kr",
];

fn unknown(text: &str) -> String {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    let (typed, number) = (plain(text), digits(text));
    let is_like = |name: &&&str| {
        let name = plain(name);
        (number.len() >= 3 && digits(&name) == number)
            || (typed.len() >= 3 && name.starts_with(typed.get(..3).unwrap_or("")))
    };
    match SUGGESTED.iter().find(is_like) {
        Some(near) => format!("no encoding of that name; did you mean `{near}`?"),
        None => format!("no encoding of that name; expected one such as `{}`", SUGGESTED[..5].join("`, `")),
    }
}

/// The byte order mark of UTF-8.
pub(in crate::import) const UTF_8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// A byte order mark at the beginning of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Mark {
    /// What it says.
    pub(in crate::import) encoding: TextEncoding,
    /// Its length.
    pub(in crate::import) bytes: usize,
}

impl Mark {
    /// The mark, if there is one; UTF-32 is refused, which no program writes unasked.
    pub(in crate::import) fn of(head: &[u8]) -> Result<Option<Mark>, FileFault> {
        let (encoding, bytes) = match head {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
                return Err(FileFault::new(
                    "found UTF-32 by its byte order mark; expected UTF-8 or UTF-16",
                    "save it as `CSV UTF-8`",
                ));
            }
            [0xff, 0xfe, ..] => (UTF_16LE, 2),
            [0xfe, 0xff, ..] => (UTF_16BE, 2),
            [0xef, 0xbb, 0xbf, ..] => (UTF_8, 3),
            _ => return Ok(None),
        };
        Ok(Some(Mark { encoding: TextEncoding(encoding), bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_has_many_names_and_one_that_is_shown() {
        for (label, name) in [
            ("utf-8", "UTF-8"),
            ("UTF8", "UTF-8"),
            ("utf-16", "UTF-16LE"),
            ("utf-16be", "UTF-16BE"),
            ("latin1", "windows-1252"),
            ("cp1252", "windows-1252"),
            ("iso-8859-15", "ISO-8859-15"),
            ("shift_jis", "Shift_JIS"),
            ("sjis", "Shift_JIS"),
        ] {
            assert_eq!(label.parse().map(TextEncoding::as_str), Ok(name), "{label}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_one_like_it() {
        for (typed, told) in [
            ("win-1252", "did you mean `windows-1252`"),
            ("ISO8859-15x", "did you mean `iso-8859-15`"),
            ("macroman", "did you mean `macintosh`"),
            ("utf-32", "did you mean `utf-8`"),
            ("é", "`utf-8`, `utf-16le`, `windows-1252`"),
            ("replacement", "such as"),
            ("x-user-defined", "such as"),
            ("", "such as"),
        ] {
            let error = typed.parse::<TextEncoding>().expect_err("an unknown name");
            assert!(error.contains(told), "{typed}: {error}");
        }
    }

    #[test]
    fn a_mark_tells_the_encoding() {
        for (head, expected) in [
            (&b"\xef\xbb\xbfa"[..], Some(("UTF-8", 3))),
            (b"\xff\xfea\0", Some(("UTF-16LE", 2))),
            (b"\xfe\xff\0a", Some(("UTF-16BE", 2))),
            (b"\xff\xfe", Some(("UTF-16LE", 2))),
            (b"\xef\xbb", None),
            (b"", None),
        ] {
            let mark = Mark::of(head).expect("no UTF-32");
            assert_eq!(mark.map(|mark| (mark.encoding.as_str(), mark.bytes)), expected, "{head:?}");
        }
        for utf_32 in [b"\xff\xfe\0\0", b"\0\0\xfe\xff"] {
            assert!(Mark::of(utf_32).expect_err("UTF-32").reason.contains("UTF-32"));
        }
    }
}
