//! Finds the encoding of a text that is not plain UTF-8, over the whole of it.

use std::io::Read;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{UTF_16BE, UTF_16LE};

use super::encoding::TextEncoding;
use super::spool::read_some;
use super::utf8::LineCount;
use crate::import::limits::CHUNK_BYTES;
use crate::import::refused::FileFault;

/// One of so many bytes is zero in any UTF-16 that has a table of numbers in it, and in no other text.
const ZEROS_IN_UTF_16: u64 = 16;
/// In UTF-16, for one zero in the rarer half of a character there are at least so many in the other.
const ZEROS_ON_ONE_SIDE: u64 = 8;

/// Reads all there is, and tells its encoding.
pub(in crate::import) fn encoding_of(mut from: impl Read) -> Result<TextEncoding, FileFault> {
    let mut census = Census::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = read_some(&mut from, &mut chunk).map_err(|error| FileFault::unreadable(&error))?;
        census.feed(&chunk[..count], count == 0);
        if count == 0 {
            return census.verdict();
        }
    }
}

/// What is counted of the bytes.
struct Census {
    bytes: u64,
    /// Zeros at even and at odd offsets.
    zeros: [u64; 2],
    lines: LineCount,
    /// Characters of two bytes or more, by the rules of UTF-8.
    multibyte: Occurrences,
    /// Places that are no UTF-8.
    invalid: Occurrences,
    /// The end of the last piece, where it may be half a character; then the next piece.
    pending: Vec<u8>,
    detector: EncodingDetector,
}

#[derive(Debug, Default)]
struct Occurrences {
    count: u64,
    first_line: Option<u64>,
}

impl Occurrences {
    fn add(&mut self, count: u64, line: impl FnOnce() -> u64) {
        self.count += count;
        if count > 0 && self.first_line.is_none() {
            self.first_line = Some(line());
        }
    }
}

impl Census {
    fn new() -> Census {
        Census {
            bytes: 0,
            zeros: [0; 2],
            lines: LineCount::default(),
            multibyte: Occurrences::default(),
            invalid: Occurrences::default(),
            pending: Vec::new(),
            detector: EncodingDetector::new(Iso2022JpDetection::Deny),
        }
    }

    fn feed(&mut self, piece: &[u8], is_last: bool) {
        self.detector.feed(piece, is_last);
        for zero in piece.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at as u64) {
            self.zeros[usize::from((self.bytes + zero) % 2 == 1)] += 1;
        }
        self.bytes += piece.len() as u64;
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(piece);
        let mut chunks = pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.valid(chunk.valid());
            let is_cut = || std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
            if !is_last && chunks.peek().is_none() && is_cut() {
                self.pending = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                self.invalid.add(1, || self.lines.line());
            }
        }
    }

    fn valid(&mut self, text: &str) {
        let starts = text.bytes().filter(|byte| *byte >= 0xc0).count() as u64;
        self.multibyte.add(starts, || {
            let before = text.find(|c: char| !c.is_ascii()).unwrap_or(0);
            self.lines.line_behind(&text.as_bytes()[..before])
        });
        self.lines.feed(text.as_bytes());
    }

    fn verdict(&self) -> Result<TextEncoding, FileFault> {
        let [even, odd] = self.zeros;
        if (even + odd) * ZEROS_IN_UTF_16 >= self.bytes {
            return if odd >= even * ZEROS_ON_ONE_SIDE {
                Ok(TextEncoding(UTF_16LE))
            } else if even >= odd * ZEROS_ON_ONE_SIDE {
                Ok(TextEncoding(UTF_16BE))
            } else {
                Err(binary())
            };
        }
        match (self.invalid.first_line, self.multibyte.first_line) {
            (None, _) => Ok(TextEncoding::UTF_8),
            (Some(_), _) if even + odd > 0 => Err(binary()),
            (Some(other), Some(utf_8)) if self.multibyte.count >= self.invalid.count => Err(mixture(utf_8, other)),
            (Some(_), _) => Ok(TextEncoding(self.detector.guess(None, Utf8Detection::Deny))),
        }
    }
}

fn binary() -> FileFault {
    FileFault::new(
        "found bytes of zero that no text has, and no UTF-16 either; expected CSV, JSON or NDJSON",
        "check the path; save it as `CSV UTF-8`",
    )
}

/// To read the one as the other would garble names without a word.
fn mixture(utf_8: u64, other: u64) -> FileFault {
    FileFault::new(
        format!("found two encodings: line {utf_8} has characters in UTF-8, and line {other} has some in another"),
        "save the parts it was put together from as UTF-8, and put those together; `--encoding NAME` reads all of it as one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict, however the pieces are cut.
    fn verdict(bytes: &[u8]) -> Result<&'static str, String> {
        let verdicts: Vec<_> = [1, 2, 3, 7, CHUNK_BYTES]
            .map(|piece| {
                let mut census = Census::new();
                bytes.chunks(piece).for_each(|piece| census.feed(piece, false));
                census.feed(b"", true);
                census.verdict().map(TextEncoding::as_str).map_err(|fault| fault.reason)
            })
            .into();
        assert!(verdicts.windows(2).all(|pair| pair[0] == pair[1]), "{verdicts:?}");
        verdicts[0].clone()
    }

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_needs_no_mark() {
        for text in [
            "phoneNumber,a\n1,x\n",
            "phoneNumber\r\n12515550130\r\n",
            "a,日本語日本語\n1,日本語",
            "Ādams,12515550130\n",
        ] {
            assert_eq!(verdict(&utf_16(text, u16::to_le_bytes)), Ok("UTF-16LE"), "{text}");
            assert_eq!(verdict(&utf_16(text, u16::to_be_bytes)), Ok("UTF-16BE"), "{text}");
        }
    }

    #[test]
    fn what_is_neither_utf_8_nor_utf_16_is_guessed() {
        assert_eq!(verdict("Zoë, Łódź".as_bytes()), Ok("UTF-8"));
        assert_eq!(verdict(b"phoneNumber,session.a\n1,a\0b\n2,b\n"), Ok("UTF-8"));
        assert_eq!(verdict(b"name\nM\xfcller\nZo\xeb\n"), Ok("windows-1252"));
        let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("名前、電話番号、住所は東京都です");
        assert_eq!(verdict(&japanese), Ok("Shift_JIS"));
        let (polish, _, _) = encoding_rs::WINDOWS_1250.encode("Łódź, Gdańsk, Świętochłowice, Żółć, Kraków, Śląsk");
        assert_eq!(verdict(&polish), Ok("windows-1250"));
    }

    #[test]
    fn a_mixture_of_encodings_is_no_guess() {
        let told = verdict(
            "name\nZoë\nM\u{fc}ller".as_bytes().iter().copied().chain(*b"\nM\xfcller\n").collect::<Vec<_>>().as_slice(),
        );
        let told = told.expect_err("a mixture");
        assert!(
            told.contains("line 2 has characters in UTF-8") && told.contains("line 4 has some in another"),
            "{told}"
        );
        assert_eq!(verdict(b"M\xfcller\nZo\xeb\n\xc3\xa9t\xe9\n"), Ok("windows-1252"));
    }

    #[test]
    fn a_binary_file_is_told() {
        for bytes in
            [&b"\0\0\0a\0\0\0b"[..], b"a\0\0\0b\0\0\0", &[b"\0\xff".as_slice(), &[b'a'; 100]].concat(), &[0; 64]]
        {
            assert!(verdict(bytes).expect_err("binary").contains("bytes of zero"), "{bytes:?}");
        }
    }
}
