//! A suppression list: the numbers that are never to be sent to.
//!
//! A person whose number is not understood is not protected, so a line that is no number refuses the whole list.

use std::path::Path;

use csv::StringRecord;

use super::input::Input;
use super::limits::SUPPRESSED_MAX;
use super::options::{ColumnMap, Options};
use super::reading::Reading;
use super::refused::{FileFault, FileRefused};
use super::survey::Format;
use super::table::Records;
use super::table::columns::names_the_number;
use super::table::record::Record;
use crate::invocation::{Expressions, PhoneRules, RowContent, Suppressed};
use crate::mep::Bounds;
use crate::validate::{Problem, Rules, clean_phone, is_iso_date, is_phone, is_spreadsheet_error};

/// Digits from which on the first cell of a list is taken for a number that is badly written, and not for a header.
const LIKE_A_NUMBER: usize = 6;

/// What a spreadsheet writes for a number that is wider than its column: no comment, though it begins like one.
const TOO_NARROW: &str = "####";

/// Where the number of a line stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the first cell, because nothing says what the others are.
    First,
    /// In this column, which the header names among others.
    Column(usize),
}

/// Reads a list: one number a line, with blank lines and lines that begin with `#`; or any table that has a column for
/// the phone number. Numbers are cleaned as those of a campaign are.
///
/// # Errors
///
/// The file cannot be read, a line of it is no number, or it has none: what an export that failed leaves.
pub fn suppression_list(path: &Path, maps: &[ColumnMap], rules: &Rules) -> Result<Suppressed, FileRefused> {
    let input = Input::open(path, &Reading::default())?;
    let survey = input.survey().clone();
    let options = options(maps, rules);
    let numbers = match survey.format {
        Format::Csv | Format::Json | Format::Ndjson | Format::Xlsx if survey.is_blank => Vec::new(),
        Format::Csv | Format::Xlsx => {
            let (name, records) = input.into_records()?;
            numbers_of_lines(records, &options).map_err(|fault| fault.in_file(&name))?
        }
        Format::Json | Format::Ndjson => numbers_of_objects(input, options)?,
    };
    if numbers.is_empty() {
        return Err(no_numbers().in_file(&path.display().to_string()));
    }
    Ok(Suppressed::new(numbers))
}

/// Only the number of a row matters here.
fn options(maps: &[ColumnMap], rules: &Rules) -> Options {
    Options {
        maps: maps.to_vec(),
        ignore_unmapped: true,
        allow_empty: true,
        allow_no_service: true,
        rules: Rules {
            bounds: Bounds { key_length_max: None, value_length_max: None },
            ascii_only: false,
            expressions: Expressions::Allowed,
            // Whom a campaign is not for may be on the list all the same.
            phones: PhoneRules { only_countries: Vec::new(), ..rules.phones.clone() },
            ..rules.clone()
        },
        ..Options::default()
    }
}

fn numbers_of_lines(mut records: Records, options: &Options) -> Result<Vec<u64>, FileFault> {
    let (mut read, mut numbers, mut place) = (Record::new(), Vec::new(), None);
    while records.read_filled(&mut read)? {
        let (record, line) = (&read.cells, read.span.line);
        if is_comment(record) {
            continue;
        }
        let place = match place {
            Some(place) => place,
            None if is_number_like(record, &options.rules) => *place.insert(Place::First),
            None => {
                place = Some(place_in(record, options).map_err(|fault| fault.at_line(line))?);
                continue;
            }
        };
        let number = number_at(place, record, &options.rules).map_err(|fault| fault.at_line(line))?;
        push(&mut numbers, number)?;
    }
    Ok(numbers)
}

fn numbers_of_objects(input: Input, options: Options) -> Result<Vec<u64>, FileRefused> {
    let mut rows = input.rows(options)?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next_row()? {
        let fault = match (row.row.content, row.problems.first()) {
            (RowContent::Ready { phone, .. }, _) => push(&mut numbers, phone),
            (RowContent::Refused { .. }, Some(problem)) => Err(no_number(problem)),
            (RowContent::Refused { message, .. }, None) => Err(FileFault::new(message, "mend the line")),
        };
        fault.map_err(|fault| fault.at_line(row.row.line).in_file(rows.name()))?;
    }
    Ok(numbers)
}

fn push(numbers: &mut Vec<u64>, number: u64) -> Result<(), FileFault> {
    if numbers.len() == SUPPRESSED_MAX {
        return Err(FileFault::new(format!("more than {SUPPRESSED_MAX} numbers"), "take out those that stand twice"));
    }
    numbers.push(number);
    Ok(())
}

fn is_comment(record: &StringRecord) -> bool {
    let first = record.get(0).unwrap_or_default().trim();
    first.starts_with('#') && !first.starts_with(TOO_NARROW) && !is_spreadsheet_error(first)
}

/// Whether a first line is a number already, if only a badly written one: a header taken for a number refuses the list,
/// while a number taken for a header would leave a person unprotected.
fn is_number_like(record: &StringRecord, rules: &Rules) -> bool {
    let first = record.get(0).unwrap_or_default().trim();
    let digits = first.chars().filter(|c| c.is_numeric()).count();
    !first.starts_with(char::is_alphabetic) || digits >= LIKE_A_NUMBER || clean_phone(first, &rules.phones).is_ok()
}

/// The place of the number: the only column there is, or the one that maps to it.
fn place_in(header: &StringRecord, options: &Options) -> Result<Place, FileFault> {
    if header.len() == 1 {
        return Ok(Place::First);
    }
    let is_phone = |(_, name): &(usize, &str)| names_the_number(name, options);
    let mut columns = header.iter().enumerate().filter(is_phone).map(|(place, _)| place);
    match (columns.next(), columns.next()) {
        (Some(column), None) => Ok(Place::Column(column)),
        (Some(_), Some(_)) => Err(FileFault::new("two columns for the phone number", "leave one of them out")),
        (None, _) => {
            Err(FileFault::new("no column for the phone number", "name it `phoneNumber`, or write one number a line"))
        }
    }
}

fn number_at(place: Place, record: &StringRecord, rules: &Rules) -> Result<u64, FileFault> {
    let column = match place {
        Place::First if record.iter().skip(1).any(may_be_a_number) => {
            return Err(FileFault::new(
                "more than one cell may be a phone number; expected one number a line",
                "write one number a line, or put a header above them that names the numbers' column `phoneNumber`",
            ));
        }
        Place::First => 0,
        Place::Column(column) => column,
    };
    let cell = record.get(column).unwrap_or_default();
    let phone = clean_phone(cell, &rules.phones).map_err(|fault| no_number(&fault.at_phone("", Some(cell))))?;
    Ok(phone.number)
}

/// Whether a cell beside the first holds somebody's number; the zeros of a number as it is dialled at home are passed over.
fn may_be_a_number(cell: &str) -> bool {
    is_phone(cell.trim().trim_start_matches('0')) && !is_iso_date(cell)
}

fn no_numbers() -> FileFault {
    FileFault::new(
        "no numbers; expected at least one",
        "check what writes the list; leave out `--suppress` if nobody is to be left out",
    )
}

fn no_number(problem: &Problem) -> FileFault {
    let found = problem.shown_cell().map(|cell| format!("found `{}`, ", cell.text)).unwrap_or_default();
    let reason = format!("{found}expected a phone number: {}", problem.reason);
    FileFault::new(reason, format!("{}; a person whose number is not understood is not protected", problem.fix))
}
