//! The records of a CSV, with the lines at which they begin.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::record::Record;
use super::scan::{RecordScan, RecordSpan};
use crate::import::limits::CHUNK_BYTES;
use crate::import::refused::FileFault;
use crate::import::source::Source;
use crate::import::survey::Survey;
use crate::import::text::Text;

/// Reads the records of a CSV one by one.
#[derive(Debug)]
pub(in crate::import) struct CsvRecords {
    reader: csv::Reader<Traced>,
}

impl CsvRecords {
    pub(in crate::import) fn open(text: Text, survey: &Survey) -> Result<CsvRecords, FileFault> {
        let delimiter = survey.delimiter.unwrap_or(b',');
        let scan = RecordScan::new(delimiter, survey.escape, survey.first_line);
        let source = Source::open(text, survey)?;
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .escape(survey.escape)
            .buffer_capacity(CHUNK_BYTES)
            .from_reader(Traced { source, scan, ended: VecDeque::new() });
        Ok(CsvRecords { reader })
    }

    /// Reads the next record; `false` at the end, where the content has proved the same as surveyed.
    pub(in crate::import) fn read(&mut self, record: &mut Record) -> Result<bool, FileFault> {
        if !self.reader.read_record(&mut record.cells).map_err(unreadable)? {
            return self.reader.get_ref().source.verify().map(|()| false);
        }
        record.span = self.reader.get_mut().ended.pop_front().ok_or_else(FileFault::changed)?;
        Ok(true)
    }
}

/// The survey found the file readable, so whatever is no I/O error is a change.
fn unreadable(error: csv::Error) -> FileFault {
    if let csv::ErrorKind::Io(error) = error.kind()
        && error.get_ref().is_none()
    {
        return FileFault::unreadable(error);
    }
    FileFault::changed()
}

/// A source that notes where each record begins while the `csv` crate reads it.
#[derive(Debug)]
struct Traced {
    source: Source,
    scan: RecordScan,
    ended: VecDeque<RecordSpan>,
}

impl Read for Traced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let scanned = match count {
            0 => self.scan.finish(&mut self.ended),
            _ => self.scan.feed(&buffer[..count], &mut self.ended),
        };
        scanned.map(|()| count).map_err(|fault| io::Error::other(fault.to_string()))
    }
}
