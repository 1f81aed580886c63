//! How the cells of a CSV are parted.

use crate::mep::Bounds;
use crate::validate::Target;

/// How a CSV begins and how its cells are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The byte between cells.
    pub(super) delimiter: u8,
    /// Bytes of a `sep=` line, its line end included.
    pub(super) sep_line_bytes: usize,
}

/// The delimiters that are tried; of equals the first wins.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads the dialect off the beginning of a file, without its byte order mark.
///
/// A `sep=` line decides. Else it is the delimiter that makes most names of the header known ones; of equals, the one
/// that makes most columns.
pub(super) fn detect(head: &[u8]) -> Dialect {
    if let Some(dialect) = sep_line(head) {
        return dialect;
    }
    let mut best = (DELIMITERS[0], (0, 0));
    for delimiter in DELIMITERS {
        let score = score(head, delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    Dialect { delimiter: best.0, sep_line_bytes: 0 }
}

/// The line with which Excel is told the delimiter.
fn sep_line(head: &[u8]) -> Option<Dialect> {
    let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter, rest @ ..] = head else {
        return None;
    };
    let line_end = match rest {
        [] => 0,
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => return None,
    };
    let is_delimiter = delimiter.is_ascii() && !delimiter.is_ascii_alphanumeric() && !b"\"\r\n".contains(delimiter);
    is_delimiter.then_some(Dialect { delimiter: *delimiter, sep_line_bytes: "sep=,".len() + line_end })
}

fn score(head: &[u8], delimiter: u8) -> (usize, usize) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(head);
    let mut header = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut header).unwrap_or(false) {
        return (0, 0);
    }
    let is_known =
        |name: &&[u8]| std::str::from_utf8(name).is_ok_and(|name| Target::parse(name, &Bounds::default()).is_ok());
    (header.iter().filter(is_known).count(), header.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_one_that_makes_sense_of_the_header() {
        for (head, delimiter) in [
            ("phoneNumber,session.a\n1;2,3", b','),
            ("phoneNumber;session.a,b;user.c\n", b';'),
            ("phoneNumber\tsession.a\r\n", b'\t'),
            ("Mobile|Seat|x,y\n", b'|'),
            ("\n\n\"phone\nNumber, a\";session.a\n", b';'),
            ("phoneNumber\n1\n", b','),
            ("", b','),
        ] {
            assert_eq!(detect(head.as_bytes()), Dialect { delimiter, sep_line_bytes: 0 }, "{head:?}");
        }
    }

    #[test]
    fn a_sep_line_decides() {
        for (head, delimiter, sep_line_bytes) in
            [("sep=;\r\na,b", b';', 7), ("SEP=\t\na", b'\t', 6), ("sep=^\ra", b'^', 6), ("sep=,", b',', 5)]
        {
            assert_eq!(detect(head.as_bytes()), Dialect { delimiter, sep_line_bytes }, "{head:?}");
        }
        for none in ["sep=,x\n", "sep=\n", "sep=ab\n", "sep=\"\n"] {
            assert_eq!(detect(none.as_bytes()).sep_line_bytes, 0, "{none:?}");
        }
    }
}
