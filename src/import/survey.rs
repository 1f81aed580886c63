//! The first pass over a file: what it is, and whether it can be read to its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::limits::{CHUNK_BYTES, RECORD_BYTES_MAX};
use super::note::Note;
use super::reading::Reading;
use super::refused::FileFault;
use super::source::hex;
use super::table::dialect;
use super::table::rivals;
use super::table::scan::RecordScan;
use super::text::Text;
use super::text::census;
use super::text::decode::meaningless;
use super::text::encoding::{Mark, TextEncoding, UTF_8_MARK};
use super::text::gzip::unpacked_name;
use super::text::spool::read_some;
use super::text::utf8::Utf8Check;

/// What the first pass found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The hash of the text, unpacked and decoded, in lower-case hexadecimal digits: the same however it was saved.
    pub sha256: String,
    /// The hash of the file itself.
    pub file_sha256: String,
    /// The size of the text.
    pub bytes: u64,
    /// What it is.
    pub format: Format,
    /// How the file is encoded.
    pub encoding: TextEncoding,
    /// The sheet of a workbook that is read.
    pub sheet: Option<String>,
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
    /// A workbook, of which one sheet is read.
    Xlsx,
}

impl Format {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Xlsx => "xlsx",
        }
    }
}

/// Whether it is certain that a text is UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Somebody or something says so: what is no UTF-8 is a fault.
    Certain,
    /// Most are: what is no UTF-8, or hardly would be, is looked at more closely.
    Assumed,
}

/// Why a pass over a text ended before the text did.
enum Halt {
    Refused(FileFault),
    InDoubt,
}

impl From<FileFault> for Halt {
    fn from(fault: FileFault) -> Halt {
        Halt::Refused(fault)
    }
}

/// Surveys a text from its start, decoding it first where it is no UTF-8; its name's extension tells the format where
/// it is a known one.
pub(super) fn survey(mut text: Text, name: &Path, reading: &Reading) -> Result<(Text, Survey), FileFault> {
    let mark = Mark::of(&text.head(4)?)?;
    let (marked, told) = (mark.map(|mark| mark.encoding), reading.encoding);
    let (mut text, mut survey) = match marked.or(told) {
        Some(encoding) => survey_as(text, encoding, mark, name, reading)?,
        None => match survey_utf8(&mut text, name, reading, Trust::Assumed) {
            Ok(survey) => (text, survey),
            Err(Halt::Refused(fault)) => return Err(fault),
            Err(Halt::InDoubt) => {
                let encoding = text.rewound().and_then(census::encoding_of)?;
                survey_as(text, encoding, None, name, reading)?
            }
        },
    };
    if let (Some(marked), Some(told)) = (marked, told)
        && marked != told
    {
        let contradiction = format!("the file has the byte order mark of {marked}, which beats `--encoding {told}`");
        survey.notes.insert(0, Note::new(contradiction, ""));
    }
    survey.file_sha256 = text.origin_sha256().unwrap_or(&survey.sha256).to_owned();
    text.rewound()?;
    Ok((text, survey))
}

/// Surveys a text of which the encoding is known.
fn survey_as(
    mut text: Text,
    encoding: TextEncoding,
    mark: Option<Mark>,
    name: &Path,
    reading: &Reading,
) -> Result<(Text, Survey), FileFault> {
    let mut samples = Vec::new();
    if !encoding.is_utf8() {
        (text, samples) = text.decoded(encoding, mark.map_or(0, |mark| mark.bytes))?;
    }
    let mut survey = match survey_utf8(&mut text, name, reading, Trust::Certain) {
        Ok(survey) => survey,
        Err(Halt::Refused(fault)) => return Err(fault),
        Err(Halt::InDoubt) => unreachable!("what is certain is not doubted"),
    };
    survey.encoding = encoding;
    if !encoding.is_utf8() {
        survey.notes.insert(0, read_as(encoding, &samples, mark));
    }
    Ok((text, survey))
}

fn read_as(encoding: TextEncoding, samples: &[String], mark: Option<Mark>) -> Note {
    let words: Vec<_> = samples.iter().map(|word| format!("`{word}`")).collect();
    let fix = "`--encoding NAME` where these words are wrong";
    match (words.as_slice(), mark) {
        ([], _) => Note::new(format!("read as {encoding}"), ""),
        (_, Some(_)) => Note::new(format!("read as {encoding}: {}", words.join(", ")), ""),
        (_, None) => Note::new(format!("read as {encoding}: {}", words.join(", ")), fix),
    }
}

fn survey_utf8(text: &mut Text, name: &Path, reading: &Reading, trust: Trust) -> Result<Survey, Halt> {
    // Enough to hold a header, however long.
    let head = text.head(RECORD_BYTES_MAX)?;
    let file = &mut text.file;
    let marks = utf8_marks(&head);
    let content = &head[marks..];
    let format = by_extension(name).unwrap_or_else(|| by_content(content, reading));
    let mut standard = Survey {
        sha256: String::new(),
        file_sha256: String::new(),
        bytes: 0,
        format,
        encoding: TextEncoding::UTF_8,
        sheet: None,
        delimiter: None,
        escape: None,
        is_blank: true,
        notes: Vec::new(),
        skipped_bytes: marks,
        first_line: 1,
    };
    if format == Format::Csv {
        standard.part(file, content, reading)?;
    }
    drop(head);
    let surveyed = standard.pass_over(file, trust);
    if format != Format::Csv || surveyed.as_ref().is_ok_and(|(_, stray_quotes)| *stray_quotes == 0) {
        return surveyed.map(|(survey, _)| survey);
    }
    if matches!(surveyed, Err(Halt::InDoubt)) {
        return Err(Halt::InDoubt);
    }
    // Quotes that make no sense doubled may make sense behind a backslash: the vendor's own bulk files are so.
    match (Survey { escape: Some(b'\\'), ..standard }).pass_over(file, trust) {
        Ok((survey, 0)) => Ok(survey),
        Ok(_) | Err(_) => surveyed.map(|(survey, _)| survey),
    }
}

impl Survey {
    /// Finds out how the cells of a CSV are parted.
    fn part(&mut self, file: &mut File, head: &[u8], reading: &Reading) -> Result<(), FileFault> {
        let dialect = dialect::detect(head, reading.delimiter);
        let (mut delimiter, mut note) = (dialect.delimiter, dialect.note);
        if dialect.sep_line_bytes > 0 {
            self.skipped_bytes += dialect.sep_line_bytes;
            self.first_line += 1;
        }
        if dialect.rivals.len() > 1 {
            let start = SeekFrom::Start(self.skipped_bytes as u64);
            file.seek(start).map_err(|error| FileFault::unreadable(&error))?;
            (delimiter, note) = rivals::settled(file, &dialect.rivals)?;
        }
        self.delimiter = Some(delimiter.byte());
        self.notes.extend(note);
        Ok(())
    }

    /// Reads the whole file; gives the survey with what only that tells, and the number of stray quotes.
    fn pass_over(&self, file: &mut File, trust: Trust) -> Result<(Survey, u64), Halt> {
        file.rewind().map_err(|error| FileFault::unreadable(&error))?;
        let mut survey = self.clone();
        let mut hash = Sha256::new();
        let mut utf8 = Utf8Check::new();
        let mut records = self.delimiter.map(|delimiter| RecordScan::new(delimiter, self.escape, self.first_line));
        let mut ended = VecDeque::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut skip = self.skipped_bytes;
        let no_utf8 = |bad| match trust {
            Trust::Certain => Halt::Refused(meaningless(TextEncoding::UTF_8, bad)),
            Trust::Assumed => Halt::InDoubt,
        };
        loop {
            let count = read_some(file, &mut chunk).map_err(|error| FileFault::unreadable(&error))?;
            let piece = &chunk[..count];
            if piece.is_empty() {
                break;
            }
            if trust == Trust::Assumed && piece.contains(&0) {
                return Err(Halt::InDoubt); // most of UTF-16 is UTF-8 too, with zeros
            }
            hash.update(piece);
            utf8.feed(piece).map_err(no_utf8)?;
            survey.bytes += count as u64;
            let content = &piece[skip.min(count)..];
            skip -= skip.min(count);
            survey.is_blank = survey.is_blank && content.iter().all(u8::is_ascii_whitespace);
            if let Some(records) = &mut records {
                records.feed(content, &mut ended)?;
                ended.clear();
            }
        }
        utf8.finish().map_err(no_utf8)?;
        let mut stray_quotes = 0;
        if let Some(records) = &mut records {
            records.finish(&mut ended)?;
            stray_quotes = records.stray_quotes();
        }
        survey.sha256 = hex(hash);
        Ok((survey, stray_quotes))
    }
}

/// Bytes of the marks before a text: programs that put files together leave several, and no reader knows more than one.
fn utf8_marks(head: &[u8]) -> usize {
    let marks = head.chunks_exact(UTF_8_MARK.len()).take_while(|bytes| *bytes == UTF_8_MARK).count();
    marks * UTF_8_MARK.len()
}

fn by_extension(name: &Path) -> Option<Format> {
    let extension = unpacked_name(name).extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "csv" | "tsv" => Some(Format::Csv),
        "json" => Some(Format::Json),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        _ => None,
    }
}

fn by_content(text: &[u8], reading: &Reading) -> Format {
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(_) if reading.delimiter.is_some() => Format::Csv,
        Some(b'[') => Format::Json,
        Some(b'{') => Format::Ndjson,
        Some(_) | None => Format::Csv,
    }
}
