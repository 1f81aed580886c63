//! Where the records of a CSV begin and end, by the rules of the `csv` crate.
//!
//! The crate itself tells the place at which it began to look for a record, which with CRLF or blank lines is a line
//! too early, and it swallows the rest of the file after a quote that is never closed. This scan knows both.

use std::collections::VecDeque;

use memchr::{memchr_iter, memchr3};

use crate::import::limits::RECORD_BYTES_MAX;
use crate::import::refused::FileFault;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct RecordSpan {
    /// The line at which it begins, from 1.
    pub(in crate::import) line: u32,
    /// The line at which the first quote opened that closed on another line.
    pub(in crate::import) long_quote_line: Option<u32>,
    /// Whether there is text behind a closing quote, which the `csv` crate takes as part of the cell.
    pub(in crate::import) has_stray_quote: bool,
    /// The bytes of the content that it takes, without its line end.
    pub(in crate::import) bytes: (u64, u64),
    /// How many cells it has.
    pub(in crate::import) cells: usize,
}

impl RecordSpan {
    pub(in crate::import) fn at(line: u32) -> Self {
        RecordSpan { line, long_quote_line: None, has_stray_quote: false, bytes: (0, 0), cells: 1 }
    }
}

/// The state of a scan over pieces of a file.
#[derive(Debug)]
pub(in crate::import) struct RecordScan {
    delimiter: u8,
    /// The byte that takes the meaning from the next one inside quotes, besides a doubled quote.
    escape: Option<u8>,
    state: State,
    line: u32,
    /// Whether the last byte was a carriage return, with which a line feed makes one line end.
    after_return: bool,
    /// The byte before the next one, where that matters: only at the start of a cell a quote opens.
    last: u8,
    quote_line: u32,
    span: RecordSpan,
    /// Bytes of the content before the next one.
    position: u64,
    length: usize,
    stray_quotes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a record: line ends are skipped.
    Between,
    /// In a record, outside quotes.
    Unquoted,
    /// Inside quotes.
    Quoted,
    /// Inside quotes, behind the escape.
    Escaped,
    /// Behind a quote inside quotes: a second one is a quote character, anything else is outside.
    AfterQuote,
}

impl RecordScan {
    /// A scan of a text that begins at a line.
    pub(in crate::import) fn new(delimiter: u8, escape: Option<u8>, line: u32) -> Self {
        RecordScan {
            delimiter,
            escape,
            state: State::Between,
            line,
            after_return: false,
            last: delimiter,
            quote_line: line,
            span: RecordSpan::at(line),
            position: 0,
            length: 0,
            stray_quotes: 0,
        }
    }

    /// Scans the next piece and appends each record that ends in it.
    pub(in crate::import) fn feed(&mut self, piece: &[u8], ended: &mut VecDeque<RecordSpan>) -> Result<(), FileFault> {
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            let passed = match self.state {
                State::Between => self.between(rest[0]),
                State::Unquoted => self.unquoted(rest, ended),
                State::Quoted => self.quoted(rest),
                State::Escaped => self.escaped(rest[0]),
                State::AfterQuote => self.after_quote(rest[0]),
            };
            at += passed;
            self.position += passed as u64;
            if self.length > RECORD_BYTES_MAX {
                return Err(self.too_long());
            }
        }
        if self.line == u32::MAX {
            return Err(FileFault::new("too many lines: they are counted with 32 bits", "split the file"));
        }
        Ok(())
    }

    /// The end of the file: the last record needs no line end, but its quotes must be closed.
    pub(in crate::import) fn finish(&mut self, ended: &mut VecDeque<RecordSpan>) -> Result<(), FileFault> {
        match self.state {
            State::Between => {}
            State::Unquoted | State::AfterQuote => self.end_record(0, ended),
            State::Quoted | State::Escaped => {
                return Err(FileFault::new(
                    "a quote that opens here is never closed",
                    "close it, or double a quote that is part of the text and put the cell in quotes",
                )
                .at_line(self.quote_line));
            }
        }
        self.state = State::Between;
        Ok(())
    }

    /// How many cells had text behind a closing quote.
    pub(in crate::import) fn stray_quotes(&self) -> u64 {
        self.stray_quotes
    }

    fn between(&mut self, byte: u8) -> usize {
        if matches!(byte, b'\r' | b'\n') {
            self.line_end(byte);
            return 1;
        }
        self.after_return = false;
        self.span = RecordSpan { bytes: (self.position, self.position), ..RecordSpan::at(self.line) };
        self.length = 0;
        self.last = self.delimiter;
        self.state = State::Unquoted;
        0
    }

    fn unquoted(&mut self, rest: &[u8], ended: &mut VecDeque<RecordSpan>) -> usize {
        let Some(at) = memchr3(b'"', b'\r', b'\n', rest) else {
            self.last = rest[rest.len() - 1];
            self.count_cells(rest);
            return self.inside(rest.len());
        };
        self.count_cells(&rest[..at]);
        let before = if at == 0 { self.last } else { rest[at - 1] };
        if rest[at] != b'"' {
            self.end_record(at, ended);
            self.state = State::Between;
            return self.inside(at);
        }
        if before == self.delimiter {
            self.state = State::Quoted;
            self.quote_line = self.line;
        }
        self.last = b'"';
        self.inside(at + 1)
    }

    fn quoted(&mut self, rest: &[u8]) -> usize {
        let at = match self.escape {
            Some(escape) => rest.iter().position(|byte| matches!(byte, b'"' | b'\r' | b'\n') || *byte == escape),
            None => memchr3(b'"', b'\r', b'\n', rest),
        };
        let Some(at) = at else {
            self.after_return = false;
            return self.inside(rest.len());
        };
        self.after_return &= at == 0;
        match rest[at] {
            byte @ (b'\r' | b'\n') => self.line_end(byte),
            byte => {
                self.after_return = false;
                self.state = if byte == b'"' { State::AfterQuote } else { State::Escaped };
            }
        }
        self.inside(at + 1)
    }

    fn escaped(&mut self, byte: u8) -> usize {
        if matches!(byte, b'\r' | b'\n') {
            self.line_end(byte);
        }
        self.state = State::Quoted;
        self.inside(1)
    }

    fn after_quote(&mut self, byte: u8) -> usize {
        if byte == b'"' {
            self.state = State::Quoted;
            return self.inside(1);
        }
        if self.line != self.quote_line && self.span.long_quote_line.is_none() {
            self.span.long_quote_line = Some(self.quote_line);
        }
        if byte != self.delimiter && !matches!(byte, b'\r' | b'\n') {
            self.span.has_stray_quote = true;
            self.stray_quotes += 1;
        }
        self.last = b'"';
        self.state = State::Unquoted;
        0
    }

    /// The record ends so many bytes behind the position.
    fn end_record(&mut self, behind: usize, ended: &mut VecDeque<RecordSpan>) {
        self.span.bytes.1 = self.position + behind as u64;
        ended.push_back(self.span);
    }

    fn count_cells(&mut self, outside_quotes: &[u8]) {
        let delimiter = self.delimiter;
        self.span.cells += memchr_iter(delimiter, outside_quotes).count();
    }

    fn inside(&mut self, bytes: usize) -> usize {
        self.length += bytes;
        bytes
    }

    fn line_end(&mut self, byte: u8) {
        if byte == b'\r' || !self.after_return {
            self.line = self.line.saturating_add(1);
        }
        self.after_return = byte == b'\r';
    }

    fn too_long(&self) -> FileFault {
        let reason = format!("a record that begins here is longer than {RECORD_BYTES_MAX} bytes");
        match self.state {
            State::Quoted | State::Escaped | State::AfterQuote => FileFault::new(
                format!("{reason}; a quote opened at line {} and is still open", self.quote_line),
                "close the quote",
            ),
            State::Between | State::Unquoted => FileFault::new(reason, "check that this is a CSV file with line ends"),
        }
        .at_line(self.span.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str, piece: usize) -> Result<Vec<u32>, Option<u32>> {
        lines_escaped(text, None, piece)
    }

    fn lines_escaped(text: &str, escape: Option<u8>, piece: usize) -> Result<Vec<u32>, Option<u32>> {
        let mut scan = RecordScan::new(b',', escape, 1);
        let mut ended = VecDeque::new();
        text.as_bytes().chunks(piece).try_for_each(|piece| scan.feed(piece, &mut ended)).map_err(|fault| fault.line)?;
        scan.finish(&mut ended).map_err(|fault| fault.line)?;
        Ok(ended.into_iter().map(|span| span.line).collect())
    }

    fn cells_escaped(text: &str, escape: Option<u8>, piece: usize) -> Vec<usize> {
        let mut scan = RecordScan::new(b',', escape, 1);
        let mut ended = VecDeque::new();
        for piece in text.as_bytes().chunks(piece) {
            scan.feed(piece, &mut ended).expect("a good text");
        }
        scan.finish(&mut ended).expect("a good text");
        ended.into_iter().map(|span| span.cells).collect()
    }

    #[test]
    fn a_records_line_is_where_it_begins() {
        for (text, expected) in [
            ("a\nb\nc", vec![1, 2, 3]),
            ("a\r\nb\r\n\r\nc\r\n", vec![1, 2, 4]),
            ("a\rb\r\rc", vec![1, 2, 4]),
            ("\n\na\n", vec![3]),
            ("\"a\nb\",c\nd", vec![1, 3]),
            ("\"a\r\nb\r\n\",c\r\nd", vec![1, 4]),
            ("a\"b\nc\"\nd", vec![1, 2, 3]),
            ("\"a\"\"\n\"\nb", vec![1, 3]),
            ("\"a\"b\"\nc", vec![1, 2]),
            ("\"\"\n\"\"", vec![1, 2]),
            ("a,\"\n\n\",b\nc", vec![1, 4]),
            ("", vec![]),
        ] {
            for piece in 1..6 {
                assert_eq!(lines(text, piece), Ok(expected.clone()), "{text:?}");
            }
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_where_it_opened() {
        for (text, line) in [("a\nb,\"c\nd\ne", 2), ("\"", 1), ("a\r\n\r\n\"x\"\"", 3), ("\"a\"\n\"b", 2)] {
            assert_eq!(lines(text, 2), Err(Some(line)), "{text:?}");
        }
    }

    #[test]
    fn a_record_that_spans_lines_tells_where_its_quote_opened() {
        let mut scan = RecordScan::new(b';', None, 1);
        let mut ended = VecDeque::new();
        scan.feed(b"a;\"b\"\n\nc;\"d\";\"e\nf\"\n", &mut ended).expect("a good text");
        let expected = [
            RecordSpan { cells: 2, bytes: (0, 5), ..RecordSpan::at(1) },
            RecordSpan { cells: 3, long_quote_line: Some(3), bytes: (7, 18), ..RecordSpan::at(3) },
        ];
        assert_eq!(ended, expected);
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let long = "x,".repeat(RECORD_BYTES_MAX / 2 + 1);
        assert_eq!(lines(&format!("a\n{long}"), 4096), Err(Some(2)));
        assert_eq!(lines(&format!("a\n\n\"{long}"), 4096), Err(Some(3)));
    }

    proptest! {
        #[test]
        fn the_scan_finds_as_many_records_and_cells_as_the_csv_crate(
            text in "[ab,\"\\\\\r\n]{0,40}",
            piece in 1..9_usize,
            escape in proptest::option::of(Just(b'\\')),
        ) {
            if let Ok(lines) = lines_escaped(&text, escape, piece) {
                let mut builder = csv::ReaderBuilder::new();
                let mut reader = builder.has_headers(false).flexible(true).escape(escape).from_reader(text.as_bytes());
                let cells: Vec<usize> = reader.byte_records().map(|record| record.map_or(0, |record| record.len())).collect();
                prop_assert_eq!(cells, cells_escaped(&text, escape, piece));
                let last_line = text.replace("\r\n", "\n").replace('\r', "\n").split('\n').count();
                prop_assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(lines.iter().all(|line| *line as usize <= last_line));
            }
        }
    }
}
