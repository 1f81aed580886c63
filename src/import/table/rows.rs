//! The rows of a table: a CSV or a sheet.

use crate::invocation::Cell;
use crate::mep::PHONE_DIGITS;
use crate::validate::{Draft, Fault, Given, Problem, Target, is_spreadsheet_error, mask_cell, spreadsheet_error};

use super::columns::{Column, Columns};
use super::mapped::{MappedColumn, Samples};
use super::record::Record;
use super::scan::RecordSpan;
use crate::import::limits::CELL_BYTES_MAX;
use crate::import::note::Note;
use crate::import::options::Options;
use crate::import::refused::FileFault;
use crate::import::rows::{Judge, Row, marker, put_sets};
use crate::import::survey::Survey;
use crate::import::table::Table;
use crate::import::text::Text;
use crate::import::unmended::unmended;

/// Reads the rows of a table, whose header is mapped once.
#[derive(Debug)]
pub(in crate::import) struct TableRows {
    table: Table,
    columns: Columns,
    record: Record,
    samples: Samples,
    /// The sum of the phone numbers so far, which a row of totals may have for one.
    sum: u64,
}

impl TableRows {
    /// Finds and maps the header.
    pub(in crate::import) fn begin(
        text: Text,
        survey: &Survey,
        options: &Options,
    ) -> Result<TableRows, Vec<FileFault>> {
        let (table, columns) = Table::open(text, survey, options)?;
        Ok(TableRows { table, columns, record: Record::new(), samples: Samples::default(), sum: 0 })
    }

    pub(in crate::import) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// What the columns are mapped to, with samples of the rows read so far.
    pub(in crate::import) fn mapping(&self) -> Vec<MappedColumn> {
        let sampled = |(place, (column, header)): (usize, (&Column, &String))| MappedColumn {
            header: header.clone(),
            target: column.target().map(|target| target.to_string()),
            sample: self.samples.of(place).map(str::to_owned),
        };
        self.columns.iter().enumerate().map(sampled).collect()
    }

    /// What there is to say about the table.
    pub(in crate::import) fn notes(&self) -> &[Note] {
        self.table.notes()
    }

    pub(in crate::import) fn next_row(&mut self, judge: &mut Judge) -> Result<Option<Row>, FileFault> {
        if !self.table.read(&mut self.record)? {
            return Ok(None);
        }
        let row = self.judged(judge);
        let columns = &self.columns.columns;
        self.samples.look_at(&self.record.cells, |place| columns.get(place) == Some(&PHONE_COLUMN));
        if (!row.problems.is_empty() || row.phone == Some(self.sum))
            && let Some(note) = self.note_of_totals(&row)
            && self.table.is_at_end()?
        {
            self.table.note(note);
            return Ok(None);
        }
        self.sum = self.sum.wrapping_add(row.phone.unwrap_or_default());
        Ok(Some(row))
    }

    /// What is said of a row of totals: it has a word for them, and no phone number but perhaps the sum of those above.
    fn note_of_totals(&self, row: &Row) -> Option<Note> {
        let phone = self.columns.columns.iter().position(|column| *column == PHONE_COLUMN)?;
        let cell = self.record.cells.get(phone).unwrap_or_default();
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        let is_somebodys = digits >= *PHONE_DIGITS.start() && row.phone != Some(self.sum);
        let word = self.record.filled().find(|cell| is_total_word(cell)).filter(|_| !is_somebodys)?;
        let text = format!("`{}` begins a row of totals, which is nobody's", mask_cell(word));
        Some(Note::new(text, "if it is somebody's, give it a phone number").at_line(self.record.span.line))
    }

    fn judged(&self, judge: &mut Judge) -> Row {
        let Record { span, cells, faults } = &self.record;
        let (found, expected) = (cells.len(), self.columns.columns.len());
        if found > expected || (found < expected && !self.table.may_be_short()) {
            return self.ragged(span);
        }
        let Judge { options, rules, service, set_names } = judge;
        let mut draft = Draft::new(rules);
        let mut markers = Vec::new();
        let padded = cells.iter().chain(std::iter::repeat(""));
        for ((place, cell), (column, header)) in padded.enumerate().zip(self.columns.iter()) {
            let judged = match (column, faults.iter().find(|(of, _)| *of == place)) {
                (Column::Ignored, _) => Ok(()),
                (_, Some((_, fault))) => Err(fault.clone()),
                (Column::Unnamed, None) => unnamed(cell),
                (Column::Service, None) => service.check(Some(cell)),
                (Column::Filled(_), None) if is_spreadsheet_error(cell) => Err(spreadsheet_error()),
                (Column::Filled(_), None) if cell.len() > CELL_BYTES_MAX => Err(too_long()),
                (Column::Filled(target), None) => {
                    draft.put(target, header, Given::Cell(cell));
                    Ok(())
                }
            };
            if let Err(fault) = judged {
                let problem = fault.at(header, Some(cell));
                markers.push(marker(&problem));
                match column {
                    Column::Filled(target) => draft.refuse_value(target, problem),
                    Column::Ignored | Column::Unnamed | Column::Service => draft.refuse(problem),
                }
            }
        }
        if span.has_stray_quote {
            let problem = stray_quote(span).at("", None);
            markers.push(marker(&problem));
            draft.refuse(problem);
        }
        let left = self.columns.reason_place.filter(|_| !options.allow_shared_numbers);
        if let Some(problem) = unmended(&draft, left.and_then(|place| cells.get(place))) {
            markers.push(marker(&problem));
            draft.refuse(problem);
        }
        put_sets(options, set_names, &mut draft);
        let phone = draft.phone();
        Row::judged(span.line, phone, draft.finish(), || {
            let sets = options.sets.iter().map(|set| Cell { column: set.target.to_string(), text: set.text.clone() });
            self.mapped_cells().chain(sets).chain(markers).collect()
        })
    }

    /// A row whose cells cannot be told apart: which of them is missing or too many, nobody knows.
    fn ragged(&self, span: &RecordSpan) -> Row {
        let (found, expected) = (self.record.cells.len(), self.columns.columns.len());
        let cells = if found == 1 { "cell" } else { "cells" };
        let reason = format!("the row has {found} {cells}, and the header has {expected}");
        let fix = match span.long_quote_line {
            Some(line) => long_quote(line),
            None if found < expected => {
                "add the missing cells, if only empty ones; check that no line is cut in two".to_owned()
            }
            None => {
                "remove the extra cells; one that holds the delimiter itself belongs in quotes, as in `\"Li, Ann\"`"
                    .to_owned()
            }
        };
        let problem = Problem { reason, fix, ..Fault::new("", "").at("", None) };
        let marker = marker(&problem);
        Row::judged(span.line, None, Err(vec![problem]), || self.mapped_cells().chain([marker]).collect())
    }

    fn mapped_cells(&self) -> impl Iterator<Item = Cell> {
        self.record.cells.iter().zip(&self.columns.columns).filter_map(|(cell, column)| match column {
            Column::Filled(target) if !cell.is_empty() => {
                Some(Cell { column: target.to_string(), text: cell.to_owned() })
            }
            Column::Filled(_) | Column::Ignored | Column::Unnamed | Column::Service => None,
        })
    }
}

/// The column of the phone numbers.
const PHONE_COLUMN: Column = Column::Filled(Target::PhoneNumber);

fn unnamed(cell: &str) -> Result<(), Fault> {
    if cell.trim().is_empty() {
        return Ok(());
    }
    Err(Fault::new(
        "a cell in a column without a header",
        "give the column a header in the first line, or empty its cells",
    ))
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

/// Words with which spreadsheets begin a row of totals.
const TOTAL_WORDS: [&str; 10] =
    ["total", "totals", "grand total", "subtotal", "sum", "count", "average", "summe", "gesamt", "anzahl"];

fn is_total_word(cell: &str) -> bool {
    let word = cell.trim_end_matches(|c: char| c.is_ascii_digit() || " :=.,".contains(c)).to_lowercase();
    TOTAL_WORDS.contains(&word.as_str())
}
