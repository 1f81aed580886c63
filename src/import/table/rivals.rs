//! Decides between delimiters that make equal sense of a header, by all the rows below it.

use std::collections::VecDeque;
use std::io::Read;

use super::delimiter::Delimiter;
use super::scan::{RecordScan, RecordSpan};
use crate::import::limits::CHUNK_BYTES;
use crate::import::note::Note;
use crate::import::refused::FileFault;
use crate::import::text::spool::read_some;

/// A delimiter that a header may be parted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Rival {
    pub(in crate::import) delimiter: Delimiter,
    /// How many columns the header has with it.
    pub(in crate::import) columns: usize,
}

/// Reads a text to its end; gives the delimiter with which most rows have as many cells as the header, and a note where
/// others have not.
pub(in crate::import) fn settled(
    mut text: impl Read,
    rivals: &[Rival],
) -> Result<(Delimiter, Option<Note>), FileFault> {
    let mut trials: Vec<_> = rivals.iter().map(|rival| Trials::new(*rival)).collect();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = read_some(&mut text, &mut chunk).map_err(|error| FileFault::unreadable(&error))?;
        if count == 0 {
            break;
        }
        trials.iter_mut().for_each(|trials| trials.feed(&chunk[..count]));
    }
    let mut tallies: Vec<_> = trials.into_iter().map(Trials::finish).collect();
    tallies.sort_by_key(|tally| std::cmp::Reverse((tally.agreeing, tally.rival.columns)));
    let [first, rest @ ..] = tallies.as_slice() else { unreachable!("nobody is rival to nobody") };
    Ok((first.rival.delimiter, doubt(first, rest)))
}

fn doubt(first: &Tally, rest: &[Tally]) -> Option<Note> {
    let second = rest.first().filter(|_| first.agreeing < first.rows)?;
    let Tally { rival, agreeing, rows } = first;
    Some(Note::new(
        format!(
            "the header can be parted by {} or by {}: {agreeing} of {rows} lines have as many cells as it with {}",
            rival.delimiter, second.rival.delimiter, rival.delimiter
        ),
        "`--delimiter CHAR` where that is wrong",
    ))
}

/// One delimiter, with quotes doubled and with quotes behind a backslash.
struct Trials {
    doubled: Trial,
    escaped: Trial,
}

impl Trials {
    fn new(rival: Rival) -> Trials {
        Trials { doubled: Trial::new(rival, None), escaped: Trial::new(rival, Some(b'\\')) }
    }

    fn feed(&mut self, piece: &[u8]) {
        self.doubled.feed(piece);
        self.escaped.feed(piece);
    }

    /// The one that makes sense of the quotes; with doubled ones if both do or none does.
    fn finish(mut self) -> Tally {
        let (doubled, escaped) = (self.doubled.finish(), self.escaped.finish());
        if !doubled && escaped { self.escaped.tally } else { self.doubled.tally }
    }
}

/// What comes of a text that is parted in one way.
struct Trial {
    scan: RecordScan,
    ended: VecDeque<RecordSpan>,
    is_broken: bool,
    tally: Tally,
}

#[derive(Debug)]
struct Tally {
    rival: Rival,
    /// Rows with as many cells as the header, which is one of them.
    agreeing: u64,
    rows: u64,
}

impl Trial {
    fn new(rival: Rival, escape: Option<u8>) -> Trial {
        Trial {
            scan: RecordScan::new(rival.delimiter.byte(), escape, 1),
            ended: VecDeque::new(),
            is_broken: false,
            tally: Tally { rival, agreeing: 0, rows: 0 },
        }
    }

    fn feed(&mut self, piece: &[u8]) {
        self.is_broken = self.is_broken || self.scan.feed(piece, &mut self.ended).is_err();
        self.count();
    }

    /// Whether all quotes made sense.
    fn finish(&mut self) -> bool {
        self.is_broken = self.is_broken || self.scan.finish(&mut self.ended).is_err();
        self.count();
        if self.is_broken {
            self.tally.agreeing = 0; // with this delimiter the file could not be read at all
        }
        !self.is_broken && self.scan.stray_quotes() == 0
    }

    fn count(&mut self) {
        for span in self.ended.drain(..) {
            self.tally.rows += 1;
            self.tally.agreeing += u64::from(span.cells == self.tally.rival.columns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(text: &str) -> (u8, Option<String>) {
        let rivals: Vec<_> = [b',', b';', b'|']
            .into_iter()
            .filter_map(Delimiter::of)
            .map(|delimiter| {
                let header = text.lines().next().unwrap_or_default();
                Rival { delimiter, columns: header.bytes().filter(|byte| *byte == delimiter.byte()).count() + 1 }
            })
            .filter(|rival| rival.columns > 1)
            .collect();
        let (delimiter, note) = settled(text.as_bytes(), &rivals).expect("readable");
        (delimiter.byte(), note.map(|note| note.text))
    }

    #[test]
    fn the_rows_decide() {
        for (text, delimiter) in [
            ("a,b;c,d;e\n1;2;3\n4;5;6\n", b';'),
            ("a,b;c\n1,2;x\n3,4\n", b','),
            ("a,b;c\n\"1;2\",3\n\"1;2;3\",4", b','),
            ("a,b;c\n\"x \\\"; y\",3\n\"1;2;3\",4", b','),
            ("a,b;c;d\n", b';'),
            ("a,b;c\n1,2\n3,4\nx;\"5,6\n", b','),
            ("a,b;c\n1,2\n3,4\n5,\"6;7\n", b';'),
            ("a,b;c\n1,2;3\n", b','),
        ] {
            assert_eq!(settle(text).0, delimiter, "{text}");
        }
    }

    #[test]
    fn rows_that_disagree_are_told() {
        assert_eq!(settle("a,b;c\n1,2\n3,4\n"), (b',', None));
        let (delimiter, note) = settle("a,b;c\n1,2\n3;4\n5,6\n");
        assert_eq!(delimiter, b',');
        assert_eq!(
            note.as_deref(),
            Some("the header can be parted by `,` or by `;`: 3 of 4 lines have as many cells as it with `,`")
        );
    }
}
