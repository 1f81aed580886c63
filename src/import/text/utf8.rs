//! Whether a file is UTF-8, read piece by piece.

use memchr::memchr_iter;

/// Where the first byte stands that is no UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct BadByte {
    /// Its line, from 1.
    pub(in crate::import) line: u64,
    /// Its offset in the file, from 0.
    pub(in crate::import) offset: u64,
}

/// Checks pieces of a text that may be cut anywhere.
#[derive(Debug)]
pub(in crate::import) struct Utf8Check {
    lines: LineCount,
    offset: u64,
    /// The start of a character that the last piece cut.
    cut: Vec<u8>,
}

impl Utf8Check {
    pub(in crate::import) fn new() -> Self {
        Utf8Check { lines: LineCount::default(), offset: 0, cut: Vec::new() }
    }

    pub(in crate::import) fn feed(&mut self, mut piece: &[u8]) -> Result<(), BadByte> {
        while !self.cut.is_empty() {
            let Some((first, rest)) = piece.split_first() else {
                return Ok(());
            };
            self.cut.push(*first);
            piece = rest;
            match std::str::from_utf8(&self.cut) {
                Ok(_) => {
                    self.offset += self.cut.len() as u64;
                    self.cut.clear();
                }
                Err(error) if error.error_len().is_some() => return self.finish(),
                Err(_) => {}
            }
        }
        let good = match std::str::from_utf8(piece) {
            Ok(_) => piece.len(),
            Err(error) => {
                let good = error.valid_up_to();
                self.cut.extend_from_slice(&piece[good..]);
                if error.error_len().is_some() {
                    self.pass(&piece[..good]);
                    return self.finish();
                }
                good
            }
        };
        self.pass(&piece[..good]);
        Ok(())
    }

    /// The end of the text: a cut character is none.
    pub(in crate::import) fn finish(&self) -> Result<(), BadByte> {
        if self.cut.is_empty() { Ok(()) } else { Err(BadByte { line: self.lines.line(), offset: self.offset }) }
    }

    fn pass(&mut self, good: &[u8]) {
        self.offset += good.len() as u64;
        self.lines.feed(good);
    }
}

/// Counts the lines of a text, whichever of the three line ends it has.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::import) struct LineCount {
    feeds: u64,
    returns: u64,
}

impl LineCount {
    pub(in crate::import) fn feed(&mut self, piece: &[u8]) {
        self.feeds += memchr_iter(b'\n', piece).count() as u64;
        self.returns += memchr_iter(b'\r', piece).count() as u64;
    }

    /// The line behind what was fed and a piece more.
    pub(in crate::import) fn line_behind(&self, piece: &[u8]) -> u64 {
        let mut lines = *self;
        lines.feed(piece);
        lines.line()
    }

    /// The line behind what was fed, from 1.
    pub(in crate::import) fn line(&self) -> u64 {
        // With CRLF both are as many; else one of them is the line end, and the other hardly occurs.
        1 + self.feeds.max(self.returns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &[u8], piece: usize) -> Result<(), BadByte> {
        let mut check = Utf8Check::new();
        text.chunks(piece).try_for_each(|piece| check.feed(piece))?;
        check.finish()
    }

    #[test]
    fn the_pieces_may_be_cut_anywhere() {
        for piece in 1..8 {
            assert_eq!(checked("aé\n€🛫z".as_bytes(), piece), Ok(()));
            assert_eq!(checked(b"a\nb\nc\xe9d", piece), Err(BadByte { line: 3, offset: 5 }));
            assert_eq!(checked(b"\xc3\xa9\n\xf0\x9f\x9b", piece), Err(BadByte { line: 2, offset: 3 }));
            assert_eq!(checked(b"a\r\nb\r\n\xe9", piece), Err(BadByte { line: 3, offset: 6 }));
            assert_eq!(checked(b"a\rb\r\xe9", piece), Err(BadByte { line: 3, offset: 4 }));
            assert_eq!(checked(b"\n\xe2\x82z", piece), Err(BadByte { line: 2, offset: 1 }));
        }
    }
}
