//! The records of a sheet, from the text that was made of it.

use std::io::{BufRead, BufReader};

use super::record::Record;
use super::scan::RecordSpan;
use crate::import::refused::FileFault;
use crate::import::source::Source;
use crate::import::survey::Survey;
use crate::import::text::Text;
use crate::import::workbook::row::SheetRow;

/// Reads the rows of a sheet one by one.
#[derive(Debug)]
pub(in crate::import) struct SheetRecords {
    reader: BufReader<Source>,
    line: String,
}

impl SheetRecords {
    pub(in crate::import) fn open(text: Text, survey: &Survey) -> Result<SheetRecords, FileFault> {
        Ok(SheetRecords { reader: BufReader::new(Source::open(text, survey)?), line: String::new() })
    }

    /// Reads the next row; `false` at the end, where the text has proved the same as surveyed.
    pub(in crate::import) fn read(&mut self, record: &mut Record) -> Result<bool, FileFault> {
        self.line.clear();
        if self.reader.read_line(&mut self.line).map_err(|error| FileFault::unreadable(&error))? == 0 {
            return self.reader.get_ref().verify().map(|()| false);
        }
        let row: SheetRow = serde_json::from_str(&self.line).map_err(|_| FileFault::changed())?;
        record.span = RecordSpan::at(row.row);
        record.cells.clear();
        row.cells.iter().for_each(|cell| record.cells.push_field(cell));
        record.faults = row.faults.into_iter().map(|(place, fault)| (place, fault.told())).collect();
        Ok(true)
    }
}
