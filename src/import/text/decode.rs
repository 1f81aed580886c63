//! Decodes a text, piece by piece, into UTF-8.

use std::fs::File;
use std::io::Read;

use encoding_rs::DecoderResult;

use super::encoding::TextEncoding;
use super::samples::Samples;
use super::spool::{Spool, read_some};
use super::utf8::{BadByte, LineCount};
use crate::import::limits::CHUNK_BYTES;
use crate::import::refused::FileFault;

/// A text that was decoded.
#[derive(Debug)]
pub(in crate::import) struct Decoded {
    /// It, as UTF-8 in a temporary file.
    pub(in crate::import) file: File,
    /// Some of its words with characters outside ASCII.
    pub(in crate::import) samples: Vec<String>,
}

/// Decodes all that can be read but its first bytes, a mark; a byte that has no meaning in the encoding refuses it.
pub(in crate::import) fn decoded(
    mut from: impl Read,
    encoding: TextEncoding,
    mark_bytes: usize,
) -> Result<Decoded, FileFault> {
    let mut output = Output::new(encoding)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut skip = mark_bytes;
    loop {
        let count = read_some(&mut from, &mut chunk).map_err(|error| FileFault::unreadable(&error))?;
        let skipped = skip.min(count);
        skip -= skipped;
        output.offset += skipped as u64;
        output.decode(&chunk[skipped..count], count == 0)?;
        if count == 0 {
            return Ok(Decoded { file: output.spool.finish()?, samples: output.samples.finish() });
        }
    }
}

struct Output {
    encoding: TextEncoding,
    decoder: encoding_rs::Decoder,
    text: Vec<u8>,
    spool: Spool,
    samples: Samples,
    lines: LineCount,
    /// Bytes of the file that were read so far.
    offset: u64,
}

impl Output {
    fn new(encoding: TextEncoding) -> Result<Output, FileFault> {
        Ok(Output {
            encoding,
            decoder: encoding.0.new_decoder_without_bom_handling(),
            text: vec![0; CHUNK_BYTES],
            spool: Spool::new()?,
            samples: Samples::default(),
            lines: LineCount::default(),
            offset: 0,
        })
    }

    fn decode(&mut self, mut piece: &[u8], is_last: bool) -> Result<(), FileFault> {
        loop {
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(piece, &mut self.text, is_last);
            let text = &self.text[..written];
            self.spool.write(text)?;
            self.samples.feed(text);
            self.lines.feed(text);
            self.offset += read as u64;
            piece = &piece[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bad, behind) => {
                    let offset = self.offset - u64::from(bad) - u64::from(behind);
                    return Err(meaningless(self.encoding, BadByte { line: self.lines.line(), offset }));
                }
            }
        }
    }
}

/// The fault of bytes that have no meaning in the encoding.
pub(in crate::import) fn meaningless(encoding: TextEncoding, bad: BadByte) -> FileFault {
    let fault = FileFault::new(
        format!("found a byte that is no {encoding}, at offset {} of the file; expected {encoding}", bad.offset),
        "save the file as UTF-8 (in Excel: `CSV UTF-8`), or name its encoding with `--encoding`",
    );
    match u32::try_from(bad.line) {
        Ok(line) => fault.at_line(line),
        Err(_) => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every character is cut.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }

    fn decode(bytes: &[u8], label: &str, mark_bytes: usize) -> Result<String, FileFault> {
        let decoded = decoded(Slowly(bytes), label.parse().expect("an encoding"), mark_bytes);
        decoded.map(|decoded| {
            let mut text = String::new();
            { decoded.file }.read_to_string(&mut text).expect("UTF-8");
            text
        })
    }

    #[test]
    fn a_text_is_decoded_wherever_its_pieces_are_cut() {
        for (bytes, label, mark_bytes, text) in [
            (&b"Zo\xeb;M\xfcller \x80"[..], "windows-1252", 0, "Zoë;Müller €"),
            (b"\xa4", "iso-8859-15", 0, "€"),
            (b"\xff\xfea\0\n\0\x3d\xd8\x00\xde", "utf-16le", 2, "a\n😀"),
            (b"\0a\x20\xac", "utf-16be", 0, "a€"),
            (b"\x93\xfa\x96{", "shift_jis", 0, "日本"),
            (b"", "utf-16le", 0, ""),
        ] {
            assert_eq!(decode(bytes, label, mark_bytes).as_deref(), Ok(text), "{label}");
        }
        let long = "\u{e9},".repeat(CHUNK_BYTES);
        let (bytes, _, _) = encoding_rs::WINDOWS_1252.encode(&long);
        assert_eq!(decode(&bytes, "latin1", 0), Ok(long));
    }

    #[test]
    fn a_byte_without_meaning_is_told_by_its_line_and_offset() {
        for (bytes, label, mark_bytes, line, offset) in [
            (&b"a\nb\nc\xe9d"[..], "utf-8", 0, 3, 5),
            (b"\xff\xfea\0\r\0\n\0\0\xd8a\0", "utf-16le", 2, 2, 8),
            (b"a\0\n\0b", "utf-16le", 0, 2, 4),
            (b"a\r\x81", "shift_jis", 0, 2, 2),
        ] {
            let fault = decode(bytes, label, mark_bytes).expect_err("a bad byte");
            assert_eq!(fault.line, Some(line), "{label}");
            assert!(fault.reason.contains(&format!("offset {offset} ")), "{label}: {}", fault.reason);
        }
    }
}
