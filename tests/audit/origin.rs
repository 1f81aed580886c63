//! Invariant 1, row by row: what is stored is what the files hold, each line once and with its own number.

use std::collections::BTreeMap;

use super::evidence::{Batch, Evidence, Row};
use super::input::Input;

/// How a batch and the files that are at hand belong together.
pub(super) enum Origin<'a> {
    Of(&'a Input, BTreeMap<i64, String>),
    /// A file has its source's name, and another content.
    Other(&'a Input),
    /// The file is not at hand, or no text with a column `phoneNumber`.
    Unread,
}

pub(super) fn origin_of<'a>(batch: &Batch, files: &'a [Input]) -> Origin<'a> {
    let content = batch.file_sha256();
    if let Some(file) = files.iter().find(|file| content == Some(file.sha256().as_str())) {
        return file.rows().map_or(Origin::Unread, |rows| Origin::Of(file, rows));
    }
    files.iter().find(|file| file.is_named(&batch.source_name)).map_or(Origin::Unread, Origin::Other)
}

/// Rows that no file was held against.
pub(super) fn unread_rows(evidence: &Evidence, files: &[Input]) -> usize {
    let unread = |batch: &&Batch| matches!(origin_of(batch, files), Origin::Unread);
    let unread: Vec<i64> = evidence.batches.iter().filter(unread).map(|batch| batch.id).collect();
    evidence.rows.iter().filter(|row| unread.contains(&row.batch)).count()
}

/// Files of which no batch was made.
pub(super) fn files_without_batch(evidence: &Evidence, files: &[Input], found: &mut Vec<String>) {
    let is_there =
        |file: &Input| evidence.batches.iter().any(|batch| batch.file_sha256() == Some(file.sha256().as_str()));
    found.extend(files.iter().filter(|file| !is_there(file)).map(|file| format!("1: nothing was made of `{file}`")));
}

pub(super) fn rows_are_those_of_the_files(evidence: &Evidence, files: &[Input], found: &mut Vec<String>) {
    for batch in &evidence.batches {
        match origin_of(batch, files) {
            Origin::Of(file, rows) => {
                let stored = evidence.rows.iter().filter(|row| row.batch == batch.id);
                hold_against(batch, file, rows, stored, found);
            }
            Origin::Other(file) => {
                found.push(format!("1: `{}` was made of another content than `{file}` has", batch.name))
            }
            Origin::Unread => {}
        }
    }
}

fn hold_against<'a>(
    batch: &Batch,
    file: &Input,
    mut rows: BTreeMap<i64, String>,
    stored: impl Iterator<Item = &'a Row>,
    found: &mut Vec<String>,
) {
    let written = rows.len();
    if batch.row_count.cast_unsigned() != written as u64 {
        found.push(format!("1: `{file}` has {written} rows, and {} were counted", batch.row_count));
    }
    for row in stored {
        match rows.remove(&row.line) {
            None => found.push(format!("1: {row} is not in `{file}`, or stored twice")),
            Some(number) if !is_number_of(row, &number, batch.completes_numbers()) => {
                found.push(format!("1: {row} has another number than that line of `{file}`"));
            }
            Some(_) => {}
        }
    }
    found.extend(rows.keys().map(|line| format!("1: line {line} of `{file}` is not stored")));
}

/// Whether a row goes to the number that is written so. One that was refused keeps it as it was written.
fn is_number_of(row: &Row, written: &str, is_completed: bool) -> bool {
    if row.is_purged {
        return true;
    }
    if let Some(cells) = &row.cells {
        let cells: Vec<(String, String)> = serde_json::from_str(cells).expect("cells are pairs of texts");
        let kept = cells.iter().find(|(column, _)| column == "phoneNumber");
        return kept.is_none_or(|(_, text)| text.trim() == written.trim());
    }
    let stored = row.phone.to_string();
    let digits = digits_of(written);
    stored == digits || (is_completed && stored.ends_with(&digits))
}

/// The digits of a number, without the zeros of an exit code before it and of a spreadsheet behind it.
fn digits_of(written: &str) -> String {
    let written = written.trim().trim_end_matches(['"', '\'']);
    let whole = written.strip_suffix(".00").or_else(|| written.strip_suffix(".0")).unwrap_or(written);
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}
