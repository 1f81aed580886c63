//! The first pass over a file: what it is, and whether it can be read to its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::dialect;
use super::limits::{CHUNK_BYTES, RECORD_BYTES_MAX};
use super::note::Note;
use super::records::RecordScan;
use super::refused::FileFault;
use super::source::hex;
use super::utf8::{BadByte, Utf8Check};

/// What the first pass found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The hash of the whole content, in lower-case hexadecimal digits.
    pub sha256: String,
    /// The size of the content.
    pub bytes: u64,
    /// What it is.
    pub format: Format,
    /// The byte between the cells of a CSV.
    pub delimiter: Option<u8>,
    /// The byte that escapes a quote inside the quotes of a CSV, where that is not only a doubled quote.
    pub escape: Option<u8>,
    /// Whether there is nothing but white space.
    pub is_blank: bool,
    /// What there is to say about how it is read.
    pub notes: Vec<Note>,
    /// Bytes before the content: a byte order mark and a `sep=` line.
    pub(super) skipped_bytes: usize,
    /// The line at which the content begins.
    pub(super) first_line: u32,
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Cells parted by a delimiter, with a header; TSV is one.
    Csv,
    /// One JSON array.
    Json,
    /// A JSON object a line.
    Ndjson,
}

impl Format {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Surveys a file from its start; its name's extension tells the format where it is a known one.
pub(super) fn survey(file: &mut File, name: &Path) -> Result<Survey, FileFault> {
    let head = head_of(file)?;
    refuse_other_encodings(&head)?;
    let mark = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let text = &head[mark..];
    let format = by_extension(name).unwrap_or_else(|| by_content(text));
    let dialect = match format {
        Format::Csv => Some(dialect::detect(text)),
        Format::Json | Format::Ndjson => None,
    };
    let sep_line_bytes = dialect.map_or(0, |dialect| dialect.sep_line_bytes);
    let standard = Survey {
        sha256: String::new(),
        bytes: 0,
        format,
        delimiter: dialect.map(|dialect| dialect.delimiter),
        escape: None,
        is_blank: true,
        notes: Vec::new(),
        skipped_bytes: mark + sep_line_bytes,
        first_line: if sep_line_bytes == 0 { 1 } else { 2 },
    };
    drop(head);
    let surveyed = standard.pass_over(file);
    if format != Format::Csv || surveyed.as_ref().is_ok_and(|(_, stray_quotes)| *stray_quotes == 0) {
        return surveyed.map(|(survey, _)| survey);
    }
    // Quotes that make no sense doubled may make sense behind a backslash: the vendor's own bulk files are so.
    file.rewind().map_err(|error| FileFault::unreadable(&error))?;
    match (Survey { escape: Some(b'\\'), ..standard }).pass_over(file) {
        Ok((survey, 0)) => Ok(survey),
        Ok(_) | Err(_) => surveyed.map(|(survey, _)| survey),
    }
}

impl Survey {
    /// Reads the whole file; gives the survey with what only that tells, and the number of stray quotes.
    fn pass_over(&self, file: &mut File) -> Result<(Survey, u64), FileFault> {
        let mut survey = self.clone();
        let mut hash = Sha256::new();
        let mut utf8 = Utf8Check::new();
        let mut records = self.delimiter.map(|delimiter| RecordScan::new(delimiter, self.escape, self.first_line));
        let mut ended = VecDeque::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut skip = self.skipped_bytes;
        loop {
            let count = file.read(&mut chunk).map_err(|error| FileFault::unreadable(&error))?;
            let piece = &chunk[..count];
            if piece.is_empty() {
                break;
            }
            hash.update(piece);
            utf8.feed(piece).map_err(not_utf8)?;
            survey.bytes += count as u64;
            let content = &piece[skip.min(count)..];
            skip -= skip.min(count);
            survey.is_blank = survey.is_blank && content.iter().all(u8::is_ascii_whitespace);
            if let Some(records) = &mut records {
                records.feed(content, &mut ended)?;
                ended.clear();
            }
        }
        utf8.finish().map_err(not_utf8)?;
        let mut stray_quotes = 0;
        if let Some(records) = &mut records {
            records.finish(&mut ended)?;
            stray_quotes = records.stray_quotes();
        }
        survey.sha256 = hex(hash);
        Ok((survey, stray_quotes))
    }
}

/// Enough of the file to hold its header, however long; the file is rewound.
fn head_of(file: &mut File) -> Result<Vec<u8>, FileFault> {
    let mut head = Vec::new();
    let read = file.by_ref().take(RECORD_BYTES_MAX as u64).read_to_end(&mut head).and_then(|_| file.rewind());
    read.map(|()| head).map_err(|error| FileFault::unreadable(&error))
}

fn by_extension(name: &Path) -> Option<Format> {
    let extension = name.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "csv" | "tsv" => Some(Format::Csv),
        "json" => Some(Format::Json),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}

fn by_content(text: &[u8]) -> Format {
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => Format::Json,
        Some(b'{') => Format::Ndjson,
        Some(_) | None => Format::Csv,
    }
}

fn refuse_other_encodings(head: &[u8]) -> Result<(), FileFault> {
    let (found, fix) = match head {
        [0xff, 0xfe, ..] => ("UTF-16 (little-endian)", "save it as `CSV UTF-8`"),
        [0xfe, 0xff, ..] => ("UTF-16 (big-endian)", "save it as `CSV UTF-8`"),
        [0x1f, 0x8b, ..] => ("gzip", "unpack it first"),
        [b'P', b'K', 3, 4, ..] => ("a zip or an .xlsx", "export the sheet as `CSV UTF-8`"),
        _ => return Ok(()),
    };
    Err(FileFault::new(format!("found {found}; expected CSV, JSON or NDJSON as UTF-8 text"), fix))
}

fn not_utf8(bad: BadByte) -> FileFault {
    let fault = FileFault::new(
        format!("found a byte that is no UTF-8, at offset {} of the file; expected UTF-8", bad.offset),
        "save the file as UTF-8 (in Excel: `CSV UTF-8`)",
    );
    match u32::try_from(bad.line) {
        Ok(line) => fault.at_line(line),
        Err(_) => fault,
    }
}
