//! The rows of a file, one after another.

use std::slice;

use crate::invocation::{Cell, Fingerprint, ImportedRow, RowContent};
use crate::mep::ServiceId;
use crate::validate::{Draft, Given, Problem, REFUSED_COLUMN, Ready, Rules, Target, reasons, refusal};

use super::constants::faults_of_sets;
use super::json::JsonRows;
use super::limits::ROWS_MAX;
use super::note::Note;
use super::options::Options;
use super::raw_rows::RawRows;
use super::refused::{FileFault, FileRefused};
use super::service::ServiceCheck;
use super::survey::{Format, Survey};
use super::table::mapped::MappedColumn;
use super::table::rows::TableRows;
use super::text::Text;

/// A row of the input, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is stored of it.
    pub row: ImportedRow,
    /// What tells it from other requests; `None` where it is refused.
    pub fingerprint: Option<Fingerprint>,
    /// All that is wrong with it; empty where it can be sent.
    pub problems: Vec<Problem>,
    /// Its phone number, if that is a good one.
    pub phone: Option<u64>,
    /// How many of its cells were cleaned.
    pub cleaned: u32,
    /// Whether its phone number got the country code that it lacked.
    pub completed: bool,
    /// Whether a value passed although it is outside ASCII.
    pub is_non_ascii: bool,
}

/// Reads a file row by row.
#[derive(Debug)]
pub struct Rows {
    name: String,
    text: Text,
    survey: Survey,
    judge: Judge,
    reader: Reader,
    count: u64,
    ended: bool,
}

#[derive(Debug)]
enum Reader {
    Blank,
    Table(Box<TableRows>),
    Json(Box<JsonRows>),
}

/// What all rows are held against.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) options: Options,
    pub(super) rules: Rules,
    pub(super) service: ServiceCheck,
    /// The constants' names.
    pub(super) set_names: Vec<String>,
}

impl Rows {
    pub(super) fn begin(name: String, text: Text, survey: Survey, options: Options) -> Result<Rows, FileRefused> {
        let rules = options.effective_rules();
        let mut faults = faults_of_sets(&options, &rules);
        let again = text.again().map_err(|error| FileFault::unreadable(&error).in_file(&name))?;
        let reader = match survey.format {
            Format::Csv | Format::Json | Format::Ndjson | Format::Xlsx if survey.is_blank => Ok(Reader::Blank),
            Format::Csv | Format::Xlsx => {
                TableRows::begin(text, &survey, &options).map(|rows| Reader::Table(Box::new(rows)))
            }
            Format::Json | Format::Ndjson => JsonRows::begin(text, &survey).map(|rows| Reader::Json(Box::new(rows))),
        };
        let reader = match reader {
            Ok(reader) if faults.is_empty() => reader,
            Ok(_) => return Err(FileRefused { file: name, faults }),
            Err(more) => {
                faults.extend(more);
                return Err(FileRefused { file: name, faults });
            }
        };
        let service = ServiceCheck::new(options.service.clone(), options.allow_no_service);
        let set_names = options.sets.iter().map(|set| set.target.name()).collect();
        let judge = Judge { options, rules, service, set_names };
        Ok(Rows { name, text: again, survey, judge, reader, count: 0, ended: false })
    }

    /// The next row; `None` once the file is read to its end and its content proved the same as surveyed.
    ///
    /// # Errors
    ///
    /// The file is refused as a whole: nothing that was read of it counts.
    pub fn next_row(&mut self) -> Result<Option<Row>, FileRefused> {
        if self.ended {
            return Ok(None);
        }
        let next = match &mut self.reader {
            Reader::Table(rows) => rows.next_row(&mut self.judge),
            Reader::Json(rows) => rows.next_row(&mut self.judge),
            Reader::Blank => Ok(None),
        };
        let next = next.and_then(|row| self.counted(row));
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|fault| fault.in_file(&self.name))
    }

    /// The file's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The names under which the rows' values are shown (`phoneNumber`, `session.seat`): of a CSV in the header's
    /// order, of JSON in order of first appearance so far, the service before them; constants last.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names = match &self.reader {
            Reader::Table(rows) => rows.columns().names(),
            Reader::Json(rows) => {
                let service = self.judge.service.is_named().then(|| Target::ServiceId.name());
                service.into_iter().chain(rows.columns().map(str::to_owned)).collect()
            }
            Reader::Blank => Vec::new(),
        };
        for name in &self.judge.set_names {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// What the columns are mapped to: of a table all of them in the header's order, of JSON the properties that were
    /// not left out, in order of first appearance so far. Samples are those of the rows read so far.
    #[must_use]
    pub fn mapping(&self) -> Vec<MappedColumn> {
        match &self.reader {
            Reader::Table(rows) => rows.mapping(),
            Reader::Json(rows) => rows.mapping(),
            Reader::Blank => Vec::new(),
        }
    }

    /// Reads the file once more, for what its rows looked like.
    pub(super) fn again(&self) -> Result<RawRows, FileRefused> {
        let raw = RawRows::open(&self.text, &self.survey, &self.judge.options);
        raw.map_err(|faults| FileRefused { file: self.name.clone(), faults })
    }

    /// Whether rows of the file may share a phone number.
    pub(super) fn allows_shared_numbers(&self) -> bool {
        self.judge.options.allow_shared_numbers
    }

    /// The refusal of the file as a whole.
    pub(super) fn refused(&self, fault: FileFault) -> FileRefused {
        fault.in_file(&self.name)
    }

    /// The service: the one given, or the first that a row names.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceId> {
        self.judge.service.id()
    }

    /// The rules that the rows are held against, with leave for the constants' expressions: to be stored with the batch.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.judge.rules
    }

    /// What there is to say about the file and how it was read; all of it once the last row has been read.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        let of_the_rows = match &self.reader {
            Reader::Table(rows) => rows.notes(),
            Reader::Json(rows) => rows.notes(),
            Reader::Blank => &[],
        };
        self.survey.notes.iter().chain(of_the_rows).cloned().collect()
    }

    /// What the survey found out: format, delimiter, hash.
    #[must_use]
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    fn counted(&mut self, row: Option<Row>) -> Result<Option<Row>, FileFault> {
        if row.is_some() {
            self.count += 1;
            if self.count > ROWS_MAX {
                return Err(FileFault::new(format!("more than {ROWS_MAX} rows"), "split the file"));
            }
        } else if self.count == 0 && !self.judge.options.allow_empty {
            return Err(FileFault::new(
                "no rows",
                "check that this is the right file and that its export went through; `--allow-empty` lets it pass",
            ));
        } else if self.count > 0 && self.judge.service.is_in_rows() && self.service().is_none() {
            return Err(FileFault::new(
                "no service ID",
                "give it with `--service ID`, or as `serviceId` with the same value in every row",
            ));
        }
        Ok(row)
    }
}

/// Gives a row the constants.
pub(super) fn put_sets<'a>(options: &'a Options, names: &[String], draft: &mut Draft<'a>) {
    for (set, name) in options.sets.iter().zip(names) {
        draft.put_once(&set.target, name, Given::Cell(&set.text));
    }
}

impl Row {
    /// A judged row; a refused one may have a good phone number all the same, and `cells` is asked only of it.
    pub(super) fn judged(
        line: u32,
        phone: Option<u64>,
        judged: Result<Ready, Vec<Problem>>,
        cells: impl FnOnce() -> Vec<Cell>,
    ) -> Row {
        match judged {
            Ok(Ready { body, request_hash, phone: number, time_zone, cleaned, completed, is_non_ascii }) => {
                let fingerprint = Some(Fingerprint { phone: number, request_hash, line });
                let content = RowContent::Ready { body, phone: number, time_zone };
                let row = ImportedRow { line, content };
                Row { row, fingerprint, problems: Vec::new(), phone, cleaned, completed, is_non_ascii }
            }
            Err(problems) => {
                let content = RowContent::Refused { message: refusal(&problems), cells: cells() };
                let row = ImportedRow { line, content };
                Row { row, fingerprint: None, problems, phone, cleaned: 0, completed: false, is_non_ascii: false }
            }
        }
    }
}

/// The cell that keeps a row refused for what its other cells do not show.
pub(super) fn marker(problem: &Problem) -> Cell {
    Cell { column: REFUSED_COLUMN.to_owned(), text: reasons(slice::from_ref(problem)) }
}
