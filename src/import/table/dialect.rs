//! How the cells of a CSV are parted.

use super::delimiter::Delimiter;
use super::rivals::Rival;
use crate::import::limits::FIRST_RECORDS;
use crate::import::note::Note;
use crate::mep::Bounds;
use crate::validate::Target;

/// How a CSV begins and how its cells are parted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Dialect {
    /// The byte between cells.
    pub(in crate::import) delimiter: Delimiter,
    /// Bytes of a `sep=` line, its line end included.
    pub(in crate::import) sep_line_bytes: usize,
    /// The delimiters between which the header does not decide, if there are several.
    pub(in crate::import) rivals: Vec<Rival>,
    /// What there is to say about the choice.
    pub(in crate::import) note: Option<Note>,
}

/// The delimiters that are tried; of equals the first wins.
pub(in crate::import) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads the dialect off the beginning of a file, without its byte order mark.
///
/// The operator's word decides, then a `sep=` line. Else it is the delimiter that makes most names of the header known
/// ones; equals that the header has are rivals, and until they are settled the one that makes most columns is named.
pub(in crate::import) fn detect(head: &[u8], told: Option<Delimiter>) -> Dialect {
    let sep_line = sep_line(head);
    let sep_line_bytes = sep_line.map_or(0, |(_, bytes)| bytes);
    let settled = |delimiter| Dialect { delimiter, sep_line_bytes, rivals: Vec::new(), note: None };
    match (told, sep_line) {
        (Some(told), Some((named, _))) if told != named => {
            let note =
                Note::new(format!("the `sep=` line names {named}, and `--delimiter` {told} was taken"), "").at_line(1);
            Dialect { note: Some(note), ..settled(told) }
        }
        (Some(delimiter), _) | (None, Some((delimiter, _))) => settled(delimiter),
        (None, None) => by_header(head),
    }
}

fn by_header(head: &[u8]) -> Dialect {
    let tried = DELIMITERS.into_iter().filter_map(Delimiter::of);
    if let Some(delimiter) = tried.clone().find(|delimiter| score(head, *delimiter, First::Record).is_none()) {
        // Nothing but it stands in the file: with any other one its lines would be names.
        return Dialect { delimiter, sep_line_bytes: 0, rivals: Vec::new(), note: None };
    }
    let scores_of = |first| tried.clone().filter_map(move |delimiter| score(head, delimiter, first));
    let mut scores: Vec<_> = scores_of(First::Record).collect();
    if scores.iter().all(|(known, rival)| *known == 0 && rival.columns <= 1) {
        scores = scores_of(First::WithCells).collect();
    }
    scores.sort_by_key(|(known, rival)| std::cmp::Reverse((*known, rival.columns)));
    let most_known = scores.first().map_or(0, |(known, _)| *known);
    let delimiter = scores.first().map_or(Delimiter::COMMA, |(_, rival)| rival.delimiter);
    scores.retain(|(known, rival)| *known == most_known && rival.columns > 1);
    let rivals = scores.into_iter().map(|(_, rival)| rival).collect();
    Dialect { delimiter, sep_line_bytes: 0, rivals, note: None }
}

/// The line with which Excel is told the delimiter, and its length.
fn sep_line(head: &[u8]) -> Option<(Delimiter, usize)> {
    let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter, rest @ ..] = head else {
        return None;
    };
    let line_end = match rest {
        [] => 0,
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => return None,
    };
    Delimiter::of(*delimiter).map(|delimiter| (delimiter, "sep=,".len() + line_end))
}

/// Which record is taken for the header.
#[derive(Debug, Clone, Copy)]
enum First {
    /// The first that is not blank.
    Record,
    /// The first that has several cells: what stands above it is a title, which nothing parts.
    WithCells,
}

/// How many names of the header are known ones with a delimiter, and how many there are; `None`: there is no header.
fn score(head: &[u8], delimiter: Delimiter, first: First) -> Option<(usize, Rival)> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter.byte()).from_reader(head);
    let is_blank = |record: &csv::ByteRecord| record.iter().all(|name| name.trim_ascii().is_empty());
    let records = reader.byte_records().map_while(Result::ok).filter(|record| !is_blank(record));
    let header = match first {
        First::Record => records.take(1).next(),
        First::WithCells => records.take(FIRST_RECORDS).find(|record| record.len() > 1),
    }?;
    let is_known =
        |name: &&[u8]| std::str::from_utf8(name).is_ok_and(|name| Target::parse(name, &Bounds::default()).is_ok());
    Some((header.iter().filter(is_known).count(), Rival { delimiter, columns: header.len() }))
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
            ("Guests of July\n\nMobile;Seat;Note\n1;2,3;4\n", b';'),
            ("", b','),
        ] {
            let dialect = detect(head.as_bytes(), None);
            assert_eq!((dialect.delimiter.byte(), dialect.sep_line_bytes), (delimiter, 0), "{head:?}");
        }
    }

    #[test]
    fn a_sep_line_decides() {
        for (head, delimiter, sep_line_bytes) in
            [("sep=;\r\na,b", b';', 7), ("SEP=\t\na", b'\t', 6), ("sep=^\ra", b'^', 6), ("sep=,", b',', 5)]
        {
            let dialect = detect(head.as_bytes(), None);
            assert_eq!((dialect.delimiter.byte(), dialect.sep_line_bytes), (delimiter, sep_line_bytes), "{head:?}");
        }
        for none in ["sep=,x\n", "sep=\n", "sep=ab\n", "sep=\"\n"] {
            assert_eq!(detect(none.as_bytes(), None).sep_line_bytes, 0, "{none:?}");
        }
    }

    #[test]
    fn delimiters_of_equal_sense_are_rivals() {
        for (head, rivals) in [
            ("phoneNumber;session.a\n", vec![b';']),
            ("phoneNumber\n", vec![]),
            ("", vec![]),
            ("Mobile;Name, first;Seat\n", vec![b';', b',']),
            (";;;\nMobile;Seat\n", vec![b';']),
        ] {
            let found: Vec<u8> =
                detect(head.as_bytes(), None).rivals.iter().map(|rival| rival.delimiter.byte()).collect();
            assert_eq!(found, rivals, "{head:?}");
        }
    }

    #[test]
    fn the_operators_word_beats_a_sep_line_which_is_no_header_all_the_same() {
        let dialect = detect(b"sep=;\na,b", Delimiter::of(b','));
        assert_eq!((dialect.delimiter.byte(), dialect.sep_line_bytes), (b',', 6));
        let note = dialect.note.expect("a note");
        assert_eq!(note.text, "the `sep=` line names `;`, and `--delimiter` `,` was taken");
        assert_eq!(detect(b"sep=;\na;b", Delimiter::of(b';')).note, None);
    }
}
