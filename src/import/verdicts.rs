//! A file of verdicts: what operators, or the vendor's support, say of unknown rows, a row a line.

use std::collections::HashMap;
use std::path::Path;

use super::input::Input;
use super::limits::VERDICT_FAULTS_TOLD;
use super::reading::Reading;
use super::refused::{FileFault, FileRefused};
use super::survey::Format;
use super::table::Records;
use super::table::columns::is_same_header;
use super::table::flags::in_one_line;
use super::table::record::Record;
use crate::invocation::{FiledWord, RESULT_COLUMNS, Verdict, Word};
use crate::validate::{is_spreadsheet_error, mask_cell, spreadsheet_error};

const LINE: &str = "line";
const VERDICT: &str = "as";
/// What a colleague calls that column.
const VERDICT_TOO: &str = "verdict";
const REQUEST_ID: &str = "requestId";
/// How people write that.
const REQUEST_ID_TOO: [&str; 2] = ["request ID", "request_id"];
const REASON: &str = "reason";
/// The attempt of which a line speaks: what was asked of an earlier one says nothing of a later.
const ATTEMPT: [&str; 2] = ["attempts", "attempt"];
/// Whom the row is for: a sheet may have been sorted by one column alone.
const PHONE: &str = "phoneNumber";

/// The longest reason in characters: it stands in a line of `show`.
const REASON_CHARS_MAX: usize = 500;

/// The longest request ID in characters; the vendor's have 23.
const REQUEST_ID_CHARS_MAX: usize = 200;

/// What a file of verdicts holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdicts {
    /// The verdicts, in the file's order, each on another row.
    pub words: Vec<FiledWord>,
    /// Rows of which the file says nothing.
    pub undecided: u64,
    /// Columns that mean nothing here.
    pub ignored: Vec<String>,
}

/// Where the columns stand.
struct Places {
    line: usize,
    verdict: usize,
    request_id: Option<usize>,
    reason: Option<usize>,
    attempt: Option<usize>,
    phone: Option<usize>,
}

impl Places {
    /// Whether what stands at that place is read.
    fn has(&self, place: usize) -> bool {
        let Places { line, verdict, request_id, reason, attempt, phone } = self;
        [Some(*line), Some(*verdict), *request_id, *reason, *attempt, *phone].contains(&Some(place))
    }
}

/// Reads a file of verdicts: a table with the columns `line` and `as`, and `requestId` and `reason` where there are such.
///
/// An export of unknown rows to which a column `as` was added is one: its attempt and its phone number, where they stand in
/// it, tell of what row a line speaks. The other columns of an export, which `own` adds to, are passed over in silence. A verdict without a reason has the `default` one.
///
/// # Errors
///
/// It cannot be read, is no such table, or some of its lines are not understood: all of them are told, up to a limit.
pub fn verdicts(path: &Path, own: &[String], default: Option<&str>) -> Result<Verdicts, FileRefused> {
    let input = Input::open(path, &Reading::default())?;
    let is_table = match input.survey().format {
        Format::Csv | Format::Xlsx => true,
        Format::Json | Format::Ndjson => false,
    };
    let (name, records) = input.into_records()?;
    if !is_table {
        return Err(no_header("JSON", None).in_file(&name));
    }
    read(records, own, default).map_err(|faults| FileRefused { file: name, faults })
}

fn read(mut records: Records, own: &[String], default: Option<&str>) -> Result<Verdicts, Vec<FileFault>> {
    let mut record = Record::new();
    if !records.read_filled(&mut record).map_err(|fault| vec![fault])? {
        return Err(vec![no_header("an empty file", None)]);
    }
    let places = places(&record).map_err(|fault| vec![fault])?;
    let mut verdicts = Verdicts { ignored: ignored(&record, &places, own), ..Verdicts::default() };
    let (mut faults, mut seen) = (Vec::new(), Seen::default());
    while records.read_filled(&mut record).map_err(|fault| vec![fault])? {
        match filed_word(&record, &places, default).and_then(|filed| seen.check(filed, record.span.line)) {
            Ok(Some(filed)) => verdicts.words.push(filed),
            Ok(None) => verdicts.undecided += 1,
            Err(fault) => faults.push(fault.at_line(record.span.line)),
        }
        if faults.len() > VERDICT_FAULTS_TOLD {
            faults.pop();
            faults.push(FileFault::new("more lines like these", "mend these first"));
            break;
        }
    }
    if faults.is_empty() { Ok(verdicts) } else { Err(faults) }
}

/// What was said before, and where: no row and no request ID stands twice.
#[derive(Default)]
struct Seen {
    lines: HashMap<u32, u32>,
    request_ids: HashMap<String, u32>,
}

impl Seen {
    fn check(&mut self, filed: Option<FiledWord>, at: u32) -> Result<Option<FiledWord>, FileFault> {
        let Some(filed) = filed else { return Ok(None) };
        if let Some(first) = self.lines.insert(filed.line, at) {
            let reason =
                format!("a second verdict on line {} of the batch; the first stands at line {first}", filed.line);
            return Err(FileFault::new(reason, "leave one of them"));
        }
        if let Some(request_id) = &filed.word.request_id
            && let Some(first) = self.request_ids.insert(request_id.clone(), at)
        {
            let reason = format!("the request ID of line {first} once more; expected one for each request");
            return Err(FileFault::new(reason, "ask for the right one, or leave the cell empty").in_column(REQUEST_ID));
        }
        Ok(Some(filed))
    }
}

fn places(header: &Record) -> Result<Places, FileFault> {
    let place = |names: &[&str]| {
        let is_named = |cell: &str| names.iter().any(|name| is_same_header(name, cell));
        let mut found = header.cells.iter().enumerate().filter(|(_, cell)| is_named(cell)).map(|(place, _)| place);
        match (found.next(), found.next()) {
            (place, None) => Ok(place),
            (_, Some(_)) => Err(FileFault::new(format!("two columns for `{}`", names[0]), "leave one of them out")),
        }
    };
    let at_header = |fault: FileFault| fault.at_line(header.span.line);
    let (line, verdict) = (place(&[LINE]).map_err(at_header)?, place(&[VERDICT, VERDICT_TOO]).map_err(at_header)?);
    match (line, verdict) {
        (Some(line), Some(verdict)) => Ok(Places {
            line,
            verdict,
            request_id: place(&[REQUEST_ID, REQUEST_ID_TOO[0], REQUEST_ID_TOO[1]]).map_err(at_header)?,
            reason: place(&[REASON]).map_err(at_header)?,
            attempt: place(&ATTEMPT).map_err(at_header)?,
            phone: place(&[PHONE]).map_err(at_header)?,
        }),
        (None, _) => Err(no_header("a header without `line`", Some(header.span.line))),
        (Some(_), None) => Err(no_header("a header without `as`", Some(header.span.line))),
    }
}

fn no_header(found: &str, line: Option<u32>) -> FileFault {
    let fault = FileFault::new(
        format!("found {found}, expected a table with the columns `line` and `as`"),
        "`mep-batch export BATCH --state unknown -o FILE.csv` writes one; add a column `as` to it",
    );
    match line {
        Some(line) => fault.at_line(line),
        None => fault,
    }
}

/// The columns that somebody may think are heeded.
fn ignored(header: &Record, places: &Places, own: &[String]) -> Vec<String> {
    let is_exported = |cell: &str| {
        let mut names = RESULT_COLUMNS.into_iter().chain(own.iter().map(String::as_str));
        names.any(|name| is_same_header(name, cell))
    };
    let cells = header.cells.iter().enumerate();
    cells
        .filter(|(place, cell)| !places.has(*place) && !cell.trim().is_empty() && !is_exported(cell))
        .map(|(_, cell)| mask_cell(&in_one_line(cell)))
        .collect()
}

/// The word of a line; `None` where its verdict is empty.
fn filed_word(record: &Record, places: &Places, default: Option<&str>) -> Result<Option<FiledWord>, FileFault> {
    let cell = |place: usize| in_one_line(record.cells.get(place).unwrap_or_default());
    let filled = |place: Option<usize>| place.map(cell).filter(|cell| !cell.is_empty());
    let verdict = cell(places.verdict);
    if verdict.is_empty() {
        return Ok(None);
    }
    let of_formula = |(place, cell)| (places.has(place) && is_spreadsheet_error(cell)).then(spreadsheet_error);
    let of_cell = record.faults.iter().find(|(place, _)| places.has(*place)).map(|(_, fault)| fault.clone());
    if let Some(fault) = of_cell.or_else(|| record.cells.iter().enumerate().find_map(of_formula)) {
        return Err(FileFault::new(fault.reason, fault.fix));
    }
    let line = cell(places.line);
    let line: u32 = line.parse().ok().filter(|line| *line > 0).ok_or_else(|| {
        let reason = format!("found `{}`, expected the row's line: a number from 1", mask_cell(&line));
        FileFault::new(reason, "write it as `list` and `export` do").in_column(LINE)
    })?;
    let verdict: Verdict = verdict.parse().map_err(|expected| {
        let reason = format!("found `{}`, {expected}", mask_cell(&verdict));
        FileFault::new(reason, "write one of them; leave the cell empty where nobody knows yet").in_column(VERDICT)
    })?;
    let reason = filled(places.reason).or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        FileFault::new("a verdict without a reason", "say in a column `reason`, or by `--reason TEXT`, how you know")
    })?;
    check_reason(&reason).map_err(|fault| fault.in_column(REASON))?;
    let request_id = filled(places.request_id).map(undefused);
    if let Some(request_id) = &request_id {
        check_request_id(request_id).map_err(|fault| fault.in_column(REQUEST_ID))?;
    }
    let attempt = filled(places.attempt).and_then(|cell| cell.parse().ok());
    let phone = filled(places.phone).and_then(|cell| cell.parse().ok());
    let word = Word { verdict, request_id, reason };
    Ok(Some(FiledWord { at: record.span.line, line, attempt, phone, word }))
}

/// The text of a cell before which an export has put an apostrophe, so that no spreadsheet runs it.
fn undefused(cell: String) -> String {
    cell.strip_prefix('\'').map(str::to_owned).unwrap_or(cell)
}

/// Whether a text will do for a reason.
///
/// # Errors
///
/// It is empty or too long, or has characters that no screen shows.
pub fn check_reason(text: &str) -> Result<(), FileFault> {
    let chars = text.chars().count();
    let fault = if text.trim().is_empty() {
        "an empty reason".to_owned()
    } else if chars > REASON_CHARS_MAX {
        format!("a reason of {chars} characters; expected {REASON_CHARS_MAX} at most")
    } else if text.chars().any(char::is_control) {
        "a control character in the reason".to_owned()
    } else {
        return Ok(());
    };
    Err(FileFault::new(fault, "say in a line how you know: it is kept with the rows"))
}

/// Whether a text will do for a request ID.
///
/// # Errors
///
/// It is empty or too long, or has other characters than those of a request ID.
pub fn check_request_id(text: &str) -> Result<(), FileFault> {
    let is_one = (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    if is_one {
        return Ok(());
    }
    Err(FileFault::new(
        format!("found `{}`, expected a request ID", mask_cell(text)),
        "write it as the vendor did, such as `7EYYG-EF3XM-5LSQ5-ILR73`",
    ))
}
