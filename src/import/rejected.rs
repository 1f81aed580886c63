//! The file of refused rows: as they came, with what is wrong with each, to be mended and imported.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::earlier::keep_earlier;
use super::json::members::read_members;
use super::judgement::{COLLISION_FIX, collision, says_number_repeats};
use super::raw_rows::Raw;
use super::rows::Rows;
use super::survey::{Format, Survey};
use super::table::columns::{ADDED_COLUMNS, is_added};
use super::table::dialect::DELIMITERS;
use super::table::record::Record;
use crate::store::{Refused, Scratch};
use crate::validate::is_spreadsheet_error;

/// Refused rows that are read from the temporary database at once.
const PAGE_ROWS: u32 = 1_000;

/// What a cell is written as whose sheet has no text for it: it is refused in any file, until somebody mends it.
const NO_TEXT: &str = "#VALUE!";

/// The property that keeps the text of a row that is no JSON object.
const TEXT_PROPERTY: &str = "_text";

/// The form of the file of refused rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectedForm {
    /// Cells between these bytes.
    Csv(u8),
    /// One array.
    Json,
    /// An object a line.
    Ndjson,
}

impl RejectedForm {
    /// The form for the refused rows of a file: that of the file, so that they go in by the same flags.
    ///
    /// # Errors
    ///
    /// The path's extension says that another form is wanted.
    pub fn of(survey: &Survey, path: &Path) -> Result<RejectedForm, String> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let wanted = extension.to_ascii_lowercase();
        match (survey.format, wanted.as_str()) {
            (Format::Csv | Format::Xlsx, "json" | "ndjson" | "jsonl" | "xlsx" | "xls" | "ods" | "gz") => {
                Err(format!("the refused rows are written as CSV, not as `.{wanted}`"))
            }
            (Format::Json | Format::Ndjson, "csv" | "tsv" | "txt" | "xlsx" | "xls" | "ods" | "gz") => {
                Err(format!("the refused rows are written as JSON, not as `.{wanted}`"))
            }
            (Format::Csv | Format::Xlsx, _) => Ok(RejectedForm::Csv(survey.delimiter.unwrap_or(b','))),
            (Format::Json | Format::Ndjson, "json") | (Format::Json, "") => Ok(RejectedForm::Json),
            (Format::Json | Format::Ndjson, _) => Ok(RejectedForm::Ndjson),
        }
    }
}

/// A file of refused rows that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRejects {
    /// Where.
    pub path: PathBuf,
    /// How many rows are in it.
    pub rows: u64,
    /// Where the one is now that was there before, if it had rows.
    pub kept: Option<PathBuf>,
}

/// Writes the refused rows of a file that has been read to its end, once its content has proved the same for a third time.
/// An earlier such file of that name is kept under another one.
pub(super) async fn write(path: &Path, rows: &Rows, scratch: &mut Scratch) -> anyhow::Result<WrittenRejects> {
    let form = RejectedForm::of(rows.survey(), path).map_err(anyhow::Error::msg)?;
    let failed = || format!("cannot write the refused rows to `{}`", path.display());
    let mut raw = rows.again()?;
    let mut file =
        RejectedFile::begin(path, form, &preamble(rows.survey(), form), raw.headers()).with_context(failed)?;
    let mut after = 0;
    loop {
        let mut page = scratch.refused_after(after, PAGE_ROWS).await?;
        if !rows.allows_shared_numbers() {
            page.iter_mut().for_each(note_same_number);
        }
        let Some(last) = page.last() else { break };
        after = last.line;
        for refused in &page {
            let row = raw.row_at(refused.line).map_err(|fault| rows.refused(fault))?;
            file.add(&row, refused).with_context(failed)?;
        }
    }
    raw.read_to_end().map_err(|fault| rows.refused(fault))?;
    file.finish(path).with_context(failed)
}

/// A row that is refused for something else may have another row's number besides: mended, it would text that person too.
fn note_same_number(refused: &mut Refused) {
    if let (Some(phone), Some(earlier)) = (refused.phone, refused.same_number)
        && !says_number_repeats(&refused.reason, phone)
    {
        refused.reason.push_str("; ");
        refused.reason.push_str(&collision(phone, refused.line, earlier));
        refused.fix.push_str("; ");
        refused.fix.push_str(COLLISION_FIX);
    }
}

/// What stands first: a byte order mark where the file was no plain UTF-8, so that neither a spreadsheet nor the flags of that
/// file make something else of it, and a `sep=` line for a delimiter that is not found out by itself.
fn preamble(survey: &Survey, form: RejectedForm) -> Vec<u8> {
    let needs_mark = survey.format == Format::Xlsx || !survey.encoding.is_utf8() || survey.skipped_bytes > 0;
    let mut preamble = if needs_mark { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
    match form {
        RejectedForm::Csv(delimiter) if !DELIMITERS.contains(&delimiter) => {
            preamble.extend_from_slice(b"sep=");
            preamble.push(delimiter);
            preamble.push(b'\n');
        }
        RejectedForm::Csv(_) | RejectedForm::Json | RejectedForm::Ndjson => {}
    }
    preamble
}

/// A file of refused rows in the making: it has its name once it is whole.
struct RejectedFile {
    out: BufWriter<NamedTempFile>,
    form: RejectedForm,
    /// For each of the operator's columns, whether it is written: what an earlier such file added is not.
    kept: Vec<bool>,
    rows: u64,
}

impl RejectedFile {
    fn begin(path: &Path, form: RejectedForm, preamble: &[u8], headers: &[String]) -> io::Result<RejectedFile> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let kept = headers.iter().map(|header| !is_added(header)).collect();
        let out = BufWriter::new(NamedTempFile::new_in(folder)?);
        let mut file = RejectedFile { out, form, kept, rows: 0 };
        file.out.write_all(preamble)?;
        match form {
            RejectedForm::Csv(delimiter) => {
                let kept = headers.iter().zip(&file.kept).filter(|(_, kept)| **kept).map(|(header, _)| header.as_str());
                let header: Vec<&str> = kept.chain(ADDED_COLUMNS).collect();
                write_cells(&mut file.out, delimiter, &header)?;
            }
            RejectedForm::Json => file.out.write_all(b"[")?,
            RejectedForm::Ndjson => {}
        }
        Ok(file)
    }

    fn add(&mut self, row: &Raw<'_>, refused: &Refused) -> io::Result<()> {
        let line = refused.line.to_string();
        let added = [line.as_str(), &refused.reason, &refused.fix];
        match (row, self.form) {
            (Raw::Cells(record), RejectedForm::Csv(delimiter)) => {
                let cells: Vec<&str> = kept_cells(record, &self.kept).chain(added).collect();
                write_cells(&mut self.out, delimiter, &cells)?;
            }
            (Raw::Text(text), RejectedForm::Csv(delimiter)) => {
                self.out.write_all(text.as_bytes())?;
                self.out.write_all(&[delimiter])?;
                write_cells(&mut self.out, delimiter, &added)?;
            }
            (Raw::Json(json), RejectedForm::Json | RejectedForm::Ndjson) => {
                let separator: &[u8] = match (self.form, self.rows) {
                    (RejectedForm::Json, 0) => b"\n",
                    (RejectedForm::Json, _) => b",\n",
                    (RejectedForm::Csv(_) | RejectedForm::Ndjson, _) => b"",
                };
                self.out.write_all(separator)?;
                self.out.write_all(object_of(json, refused).as_bytes())?;
                if self.form == RejectedForm::Ndjson {
                    self.out.write_all(b"\n")?;
                }
            }
            (Raw::Cells(_) | Raw::Text(_), RejectedForm::Json | RejectedForm::Ndjson)
            | (Raw::Json(_), RejectedForm::Csv(_)) => unreachable!("`RejectedForm::of` follows the file's format"),
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(mut self, path: &Path) -> anyhow::Result<WrittenRejects> {
        match (self.form, self.rows) {
            (RejectedForm::Json, _) => self.out.write_all(b"\n]\n")?,
            // A file of no bytes at all would not be known for one of refused rows.
            (RejectedForm::Ndjson, 0) => self.out.write_all(b"\n")?,
            (RejectedForm::Csv(_) | RejectedForm::Ndjson, _) => {}
        }
        let Ok(file) = self.out.into_inner() else { bail!("not all of it could be written") };
        file.as_file().sync_all()?;
        let kept = keep_earlier(path)?;
        file.persist(path)?;
        Ok(WrittenRejects { path: path.to_owned(), rows: self.rows, kept })
    }
}

/// A row that has fewer or more cells than the header keeps them all, so that it is refused again until it is mended.
fn kept_cells<'a>(record: &'a Record, kept: &'a [bool]) -> impl Iterator<Item = &'a str> {
    let text = |(place, cell)| {
        let has_text = is_spreadsheet_error(cell) || !record.faults.iter().any(|(of, _)| *of == place);
        if has_text { cell } else { NO_TEXT }
    };
    let is_whole = record.cells.len() == kept.len();
    let is_kept = move |(place, _): &(usize, &str)| !is_whole || kept[*place];
    record.cells.iter().enumerate().filter(is_kept).map(text)
}

fn write_cells(out: &mut impl Write, delimiter: u8, cells: &[&str]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).flexible(true).from_writer(out);
    writer.write_record(cells)?;
    writer.flush()
}

/// The object with what is wrong with it; a text that is no object is kept in a property.
fn object_of(json: &str, refused: &Refused) -> String {
    let mut object = format!(
        "{{\"{}\":{},\"{}\":{},\"{}\":{}",
        ADDED_COLUMNS[0],
        refused.line,
        ADDED_COLUMNS[1],
        Value::from(refused.reason.as_str()),
        ADDED_COLUMNS[2],
        Value::from(refused.fix.as_str())
    );
    let members = if json.trim_start().starts_with('{') { read_members(json.trim()).ok() } else { None };
    let Some(members) = members else {
        let _ = write!(object, ",\"{TEXT_PROPERTY}\":{}}}", Value::from(json)); // writing to a string cannot fail
        return object;
    };
    for (key, value) in members.iter().filter(|(key, _)| !is_added(key)) {
        // In JSON a line end can only stand between tokens.
        let _ = write!(object, ",{}:{}", Value::from(&**key), value.replace(['\r', '\n'], " ")); // likewise
    }
    object.push('}');
    object
}
