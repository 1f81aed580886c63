//! The rows of a CSV.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

use csv::StringRecord;

use crate::invocation::Cell;
use crate::validate::{Draft, Fault, Given, Problem};

use super::columns::{Column, Columns};
use super::limits::{CELL_BYTES_MAX, CHUNK_BYTES};
use super::options::Options;
use super::records::{RecordScan, RecordSpan};
use super::refused::FileFault;
use super::rows::{Judge, Row, marker, put_sets};
use super::source::Source;
use super::survey::Survey;

/// Reads the rows of a CSV, whose header is mapped once.
#[derive(Debug)]
pub(super) struct CsvRows {
    reader: csv::Reader<Traced>,
    record: StringRecord,
    columns: Columns,
}

impl CsvRows {
    /// Reads and maps the header.
    pub(super) fn begin(file: File, survey: &Survey, options: &Options) -> Result<CsvRows, Vec<FileFault>> {
        let delimiter = survey.delimiter.unwrap_or(b',');
        let source = Source::open(file, survey).map_err(|fault| vec![fault])?;
        let scan = RecordScan::new(delimiter, survey.escape, survey.first_line);
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .escape(survey.escape)
            .buffer_capacity(CHUNK_BYTES)
            .from_reader(Traced { source, scan, ended: VecDeque::new() });
        let mut rows = CsvRows { reader, record: StringRecord::new(), columns: Columns::none() };
        let header = rows.read_record().map_err(|fault| vec![fault])?.ok_or_else(|| vec![FileFault::changed()])?;
        let headers = rows.record.iter().map(str::to_owned).collect();
        rows.columns = Columns::map(headers, header.line, options)?;
        Ok(rows)
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The record that was read last.
    pub(super) fn record(&self) -> &StringRecord {
        &self.record
    }

    pub(super) fn next_row(&mut self, judge: &mut Judge) -> Result<Option<Row>, FileFault> {
        match self.read_record()? {
            Some(span) => Ok(Some(self.judged(&span, judge))),
            None => self.reader.get_ref().source.verify().map(|()| None),
        }
    }

    /// Reads on to the next record that has more than empty cells.
    fn read_record(&mut self) -> Result<Option<RecordSpan>, FileFault> {
        loop {
            if !self.reader.read_record(&mut self.record).map_err(unreadable)? {
                return Ok(None);
            }
            let span = self.reader.get_mut().ended.pop_front().ok_or_else(FileFault::changed)?;
            if !self.record.iter().all(|cell| cell.trim().is_empty()) {
                return Ok(Some(span));
            }
        }
    }

    fn judged(&self, span: &RecordSpan, judge: &mut Judge) -> Row {
        if self.record.len() != self.columns.columns.len() {
            return self.ragged(span);
        }
        let Judge { options, rules, service, set_names } = judge;
        let mut draft = Draft::new(rules);
        let mut of_the_row = Vec::new();
        for ((cell, column), header) in self.record.iter().zip(&self.columns.columns).zip(&self.columns.headers) {
            let judged = match column {
                Column::Ignored => Ok(()),
                Column::Unnamed => unnamed(cell),
                Column::Service => service.check(Some(cell)),
                Column::Filled(_) if cell.len() > CELL_BYTES_MAX => Err(too_long()),
                Column::Filled(target) => {
                    draft.put(target, header, Given::Cell(cell));
                    Ok(())
                }
            };
            if let Err(fault) = judged {
                of_the_row.push(fault.at(header, Some(cell)));
            }
        }
        if span.has_stray_quote {
            of_the_row.push(stray_quote(span).at("", None));
        }
        put_sets(options, set_names, &mut draft);
        let markers: Vec<_> = of_the_row.iter().map(marker).collect();
        of_the_row.into_iter().for_each(|problem| draft.refuse(problem));
        Row::judged(span.line, draft.finish(), || {
            let sets = options.sets.iter().map(|set| Cell { column: set.target.to_string(), text: set.text.clone() });
            self.mapped_cells().chain(sets).chain(markers).collect()
        })
    }

    /// A row whose cells cannot be told apart: which of them is missing or too many, nobody knows.
    fn ragged(&self, span: &RecordSpan) -> Row {
        let (found, expected) = (self.record.len(), self.columns.columns.len());
        let reason = format!("the row has {found} cells, and the header has {expected}");
        let fix = match span.long_quote_line {
            Some(line) => long_quote(line),
            None => "add or remove cells; put a cell in quotes that holds the delimiter".to_owned(),
        };
        let problem = Problem { reason, fix, ..Fault::new("", "").at("", None) };
        let marker = marker(&problem);
        Row::judged(span.line, Err(vec![problem]), || self.mapped_cells().chain([marker]).collect())
    }

    fn mapped_cells(&self) -> impl Iterator<Item = Cell> {
        self.record.iter().zip(&self.columns.columns).filter_map(|(cell, column)| match column {
            Column::Filled(target) if !cell.is_empty() => {
                Some(Cell { column: target.to_string(), text: cell.to_owned() })
            }
            Column::Filled(_) | Column::Ignored | Column::Unnamed | Column::Service => None,
        })
    }
}

fn unnamed(cell: &str) -> Result<(), Fault> {
    if cell.trim().is_empty() {
        return Ok(());
    }
    Err(Fault::new("a cell in a column without a header", "give the column a header, or empty its cells"))
}

fn stray_quote(span: &RecordSpan) -> Fault {
    let fix = match span.long_quote_line {
        Some(line) => long_quote(line),
        None => "double a quote that is part of the text, as in `\"say \"\"hi\"\"\"`".to_owned(),
    };
    Fault::new("text behind a closing quote", fix)
}

fn long_quote(line: u32) -> String {
    format!("check the quote that opens at line {line} and closes on a later one")
}

fn too_long() -> Fault {
    Fault::new(format!("a cell longer than {CELL_BYTES_MAX} bytes"), "shorten it; check that a quote is not missing")
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
