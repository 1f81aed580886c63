//! The records of any table: header, titles and the rows below them.

pub(super) mod columns;
mod csv_records;
pub(super) mod delimiter;
pub(super) mod dialect;
pub(super) mod flags;
mod header_faults;
pub(super) mod mapped;
mod near_miss;
mod proposal;
pub(super) mod record;
pub(super) mod rivals;
pub(super) mod rows;
pub(super) mod scan;
mod sheet_records;

use std::collections::VecDeque;

use crate::validate::{is_phone, mask_cell};

use super::limits::FIRST_RECORDS;
use super::note::Note;
use super::options::Options;
use super::refused::FileFault;
use super::survey::{Format, Survey};
use super::text::Text;
use columns::{Columns, is_mended_header, names_the_number};
use csv_records::CsvRecords;
use record::Record;
use sheet_records::SheetRecords;

/// A table's records below its header, one after another; blank ones are passed over.
#[derive(Debug)]
pub(super) struct Table {
    records: Records,
    /// Records that were read before their turn.
    ahead: VecDeque<Record>,
    notes: Vec<Note>,
}

/// Where the records come from.
#[derive(Debug)]
pub(super) enum Records {
    Csv(Box<CsvRecords>),
    Sheet(Box<SheetRecords>),
}

impl Table {
    /// Finds and maps the header; a table of nothing but empty cells has no columns.
    pub(super) fn open(text: Text, survey: &Survey, options: &Options) -> Result<(Table, Columns), Vec<FileFault>> {
        let records = Records::open(text, survey).map_err(|fault| vec![fault])?;
        let mut table = Table { records, ahead: VecDeque::new(), notes: Vec::new() };
        table.ahead = table.first_records(FIRST_RECORDS)?.into();
        let columns = if table.ahead.is_empty() {
            Columns::none()
        } else if options.no_header {
            table.numbered_columns(options)?
        } else {
            table.find_header(options)?
        };
        Ok((table, columns))
    }

    /// Reads the next record that has more than empty cells; `false` at the end.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, FileFault> {
        if let Some(ahead) = self.ahead.pop_front() {
            *record = ahead;
            return Ok(true);
        }
        self.records.read_filled(record)
    }

    /// Whether no record follows.
    pub(super) fn is_at_end(&mut self) -> Result<bool, FileFault> {
        if self.ahead.is_empty() {
            let mut next = Record::new();
            if self.records.read_filled(&mut next)? {
                self.ahead.push_back(next);
            }
        }
        Ok(self.ahead.is_empty())
    }

    /// Whether a record may have fewer cells than the header: a sheet does not store the empty ones behind the last.
    pub(super) fn may_be_short(&self) -> bool {
        match self.records {
            Records::Csv(_) => false,
            Records::Sheet(_) => true,
        }
    }

    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// The columns of a table without a header: their names are their numbers. A mended file has a header all the same.
    fn numbered_columns(&mut self, options: &Options) -> Result<Columns, Vec<FileFault>> {
        let first = self.ahead.front().ok_or_else(|| vec![FileFault::changed()])?;
        let line = first.span.line;
        let headers: Vec<String> = first.cells.iter().map(str::to_owned).collect();
        if is_mended_header(&headers) {
            self.ahead.pop_front();
            return Columns::map(headers, line, options, &[]);
        }
        let numbers = (1..=headers.len()).map(|number| number.to_string()).collect();
        Columns::map(numbers, line, options, self.ahead.make_contiguous())
    }

    /// The header is the first record that names the phone number; what stands above it is a title.
    fn find_header(&mut self, options: &Options) -> Result<Columns, Vec<FileFault>> {
        let mut first = Vec::from(std::mem::take(&mut self.ahead));
        let place = header_place(&first, options);
        self.ahead = first.split_off(place + 1).into();
        let header = first.pop().ok_or_else(|| vec![FileFault::changed()])?;
        for title in &first {
            if let Some(fault) = number_above_header(title, &header) {
                return Err(vec![fault]);
            }
            let text = title.filled().next().unwrap_or_default();
            let note = format!("`{}` stands above the header and is no row", mask_cell(text));
            self.notes.push(Note::new(note, "").at_line(title.span.line));
        }
        let headers = header.cells.iter().map(str::to_owned).collect();
        Columns::map(headers, header.span.line, options, self.ahead.make_contiguous())
    }

    fn first_records(&mut self, count: usize) -> Result<Vec<Record>, Vec<FileFault>> {
        let mut first = Vec::new();
        let mut record = Record::new();
        while first.len() < count && self.records.read_filled(&mut record).map_err(|fault| vec![fault])? {
            first.push(std::mem::replace(&mut record, Record::new()));
        }
        Ok(first)
    }
}

impl Records {
    pub(super) fn open(text: Text, survey: &Survey) -> Result<Records, FileFault> {
        match survey.format {
            Format::Xlsx => SheetRecords::open(text, survey).map(|records| Records::Sheet(Box::new(records))),
            Format::Csv | Format::Json | Format::Ndjson => {
                CsvRecords::open(text, survey).map(|records| Records::Csv(Box::new(records)))
            }
        }
    }

    /// Reads the next record that has more than empty cells; `false` at the end.
    pub(super) fn read_filled(&mut self, record: &mut Record) -> Result<bool, FileFault> {
        loop {
            let found = match self {
                Records::Csv(records) => records.read(record)?,
                Records::Sheet(records) => records.read(record)?,
            };
            if !found || record.filled().next().is_some() {
                return Ok(found);
            }
        }
    }
}

/// Which record is the header: the one that names the phone number below nothing but shorter ones; where none does, the
/// first with several cells, so that what is said of it is said of the header and not of a title.
fn header_place(first: &[Record], options: &Options) -> usize {
    let is_below_titles = |place: &usize| {
        let filled = first[*place].filled().count();
        is_header(&first[*place], options) && first[..*place].iter().all(|above| above.filled().count() < filled)
    };
    let has_several = |record: &Record| record.filled().nth(1).is_some();
    let place = (0..first.len()).find(is_below_titles).or_else(|| first.iter().position(has_several));
    place.unwrap_or(0)
}

fn is_header(record: &Record, options: &Options) -> bool {
    record.filled().any(|cell| names_the_number(cell, options))
}

/// A title holds no phone number: where one stands, what was taken for a title may be somebody's row.
fn number_above_header(title: &Record, header: &Record) -> Option<FileFault> {
    title.filled().any(is_phone).then(|| {
        FileFault::new(
            format!("a phone number above the header at line {}", header.span.line),
            "put the header first, or take the line out",
        )
        .at_line(title.span.line)
    })
}
