//! The rows of a file as they came: read once more for the file of those that are refused.

use super::json::elements::Elements;
use super::options::Options;
use super::refused::FileFault;
use super::survey::{Format, Survey};
use super::table::Table;
use super::table::columns::Columns;
use super::table::record::Record;
use super::text::Text;

/// Reads the rows of a surveyed file without judging them.
#[derive(Debug)]
pub(super) enum RawRows {
    /// Records below a header.
    Table(Box<RawTable>),
    /// Objects, one after another.
    Json(Box<Elements>),
}

/// The records of a table, and its header.
#[derive(Debug)]
pub(super) struct RawTable {
    table: Table,
    columns: Columns,
    record: Record,
    text: Text,
    /// Bytes of the file before its content.
    skipped_bytes: u64,
}

/// A row as it came.
#[derive(Debug)]
pub(super) enum Raw<'a> {
    /// The cells of a table's row; it may have fewer or more than the header.
    Cells(&'a Record),
    /// A row whose quotes make no sense, so that only its text says what it is.
    Text(String),
    /// The text of a JSON row.
    Json(&'a str),
}

impl RawRows {
    pub(super) fn open(text: &Text, survey: &Survey, options: &Options) -> Result<RawRows, Vec<FileFault>> {
        let again = || text.again().map_err(|error| vec![FileFault::unreadable(&error)]);
        match survey.format {
            Format::Csv | Format::Xlsx => {
                let (table, columns) = Table::open(again()?, survey, options)?;
                let (record, skipped_bytes) = (Record::new(), survey.skipped_bytes as u64);
                Ok(RawRows::Table(Box::new(RawTable { table, columns, record, text: again()?, skipped_bytes })))
            }
            Format::Json | Format::Ndjson => {
                let elements = Elements::open(again()?, survey).map_err(|fault| vec![fault])?;
                Ok(RawRows::Json(Box::new(elements)))
            }
        }
    }

    /// The headers of a table.
    pub(super) fn headers(&self) -> &[String] {
        match self {
            RawRows::Table(rows) => &rows.columns.headers,
            RawRows::Json(_) => &[],
        }
    }

    /// Reads on to the end, where the content proves the same as surveyed.
    pub(super) fn read_to_end(&mut self) -> Result<(), FileFault> {
        match self {
            RawRows::Table(rows) => while rows.table.read(&mut rows.record)? {},
            RawRows::Json(elements) => while elements.next_element()?.is_some() {},
        }
        Ok(())
    }

    /// Goes on to the row of that line, which lies ahead.
    pub(super) fn row_at(&mut self, line: u32) -> Result<Raw<'_>, FileFault> {
        match self {
            RawRows::Table(rows) => {
                while rows.record.span.line != line || rows.record.cells.is_empty() {
                    if !rows.table.read(&mut rows.record)? {
                        return Err(FileFault::changed());
                    }
                }
                rows.fill_up();
                rows.row()
            }
            RawRows::Json(elements) => {
                while let Some(element) = elements.next_element()? {
                    if element.row == line {
                        // The survey found it to be UTF-8.
                        let text = std::str::from_utf8(elements.text()).map_err(|_| FileFault::changed())?;
                        return Ok(Raw::Json(text));
                    }
                }
                Err(FileFault::changed())
            }
        }
    }
}

impl RawTable {
    /// Adds the empty cells that a sheet does not store: in the file of refused rows, others stand behind them.
    fn fill_up(&mut self) {
        if self.table.may_be_short() {
            let missing = self.columns.headers.len().saturating_sub(self.record.cells.len());
            (0..missing).for_each(|_| self.record.cells.push_field(""));
        }
    }

    fn row(&self) -> Result<Raw<'_>, FileFault> {
        if !self.record.span.has_stray_quote {
            return Ok(Raw::Cells(&self.record));
        }
        let (start, end) = self.record.span.bytes;
        let length = usize::try_from(end - start).map_err(|_| FileFault::changed())?;
        let read = self.text.bytes_at(self.skipped_bytes + start, length);
        let bytes = read.map_err(|error| FileFault::unreadable(&error))?;
        String::from_utf8(bytes).map(Raw::Text).map_err(|_| FileFault::changed())
    }
}
