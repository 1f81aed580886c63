//! A file of any bytes, read as `check` and `import` read it.

use std::cell::OnceCell;
use std::path::PathBuf;

use mep_batch::import::{Input, Options, Reading, Row, Survey};
use mep_batch::invocation::RowContent;
use mep_batch::validate::{Rules, check_body};
use tempfile::TempDir;

/// What a file came to that was read to its end.
pub(crate) struct Read {
    pub(crate) survey: Survey,
    pub(crate) rows: Vec<Row>,
}

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

/// Reads a file to its end: `None` where it is refused as a whole. Every row is one that can be sent or one that says why not;
/// what can be sent passes the check before sending, and reads back as what it is.
pub(crate) fn read(name: &str, content: &[u8], options: Options) -> Option<Read> {
    let (read, rules) = read_once(name, content, options)?;
    let bodies: Vec<&str> = read.rows.iter().filter_map(body).collect();
    for (row, line) in read.rows.iter().zip(std::iter::once(0).chain(read.rows.iter().map(|row| row.row.line))) {
        assert!(row.row.line > line, "line {} behind line {line}", row.row.line);
        check_row(row, &rules);
    }
    if !bodies.is_empty() {
        read_back(&bodies, rules);
    }
    Some(read)
}

fn body(row: &Row) -> Option<&str> {
    match &row.row.content {
        RowContent::Ready { body, .. } => Some(body),
        RowContent::Refused { .. } => None,
    }
}

fn check_row(row: &Row, rules: &Rules) {
    match &row.row.content {
        RowContent::Ready { body, phone, .. } => {
            assert!(row.problems.is_empty() && row.phone == Some(*phone), "{body}");
            assert_eq!(check_body(body, rules), Ok(*phone), "{body}");
            assert!(row.fingerprint.is_some_and(|told| told.phone == *phone && told.line == row.row.line));
        }
        RowContent::Refused { message, .. } => {
            assert!(message.starts_with("not sent: ") && !row.problems.is_empty(), "{message}");
            assert!(row.fingerprint.is_none());
        }
    }
}

/// Bodies, one a line, are read as the very same bodies: nothing is cleaned, completed or moved that was so already.
fn read_back(bodies: &[&str], mut rules: Rules) {
    rules.phones.national = None;
    let options = Options { rules, allow_no_service: true, ..Options::default() };
    let again = read_once("again.ndjson", bodies.join("\n").as_bytes(), options).expect("bodies can be read");
    let found: Vec<Option<&str>> = again.0.rows.iter().map(body).collect();
    let expected: Vec<Option<&str>> = bodies.iter().copied().map(Some).collect();
    assert_eq!(found, expected);
}

fn read_once(name: &str, content: &[u8], options: Options) -> Option<(Read, Rules)> {
    let file = path(name);
    std::fs::write(&file, content).expect("a file can be written");
    let input = Input::open(&file, &Reading::default()).ok()?;
    let survey = input.survey().clone();
    let mut reading = input.rows(options).ok()?;
    let mut rows = Vec::new();
    while let Some(row) = reading.next_row().ok()? {
        rows.push(row);
    }
    let rules = reading.rules().clone();
    Some((Read { survey, rows }, rules))
}

fn path(name: &str) -> PathBuf {
    FOLDER.with(|folder| folder.get_or_init(|| tempfile::tempdir().expect("a folder")).path().join(name))
}
