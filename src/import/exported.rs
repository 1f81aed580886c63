//! Rows and headers that this program itself wrote: the results of a batch, given back as an input.

use crate::invocation::{RESULT_COLUMNS, RefusedBy};
use crate::validate::{Fault, text_of};

use super::json::members::Members;
use super::note::Note;
use super::options::Options;
use super::refused::FileFault;
use super::table::columns::is_same_header;

/// Takes from an exported row what came of it: `Some` where it is one, with its fault where this tool had refused it.
///
/// The names count as a group, at the end and in their order; a row in which one of them is mapped by hand is no
/// export. What this tool refused has no body: some of its cells may be missing, so it cannot be judged anew.
pub(super) fn take_results(members: &mut Members<'_>, options: &Options) -> Option<Result<(), Fault>> {
    let start = members.len().checked_sub(RESULT_COLUMNS.len())?;
    let is_exported = members[start..].iter().map(|(name, _)| &**name).eq(RESULT_COLUMNS);
    if !is_exported || is_mapped(options) {
        return None;
    }
    let results = members.split_off(start);
    let text = |column| {
        let found = results.iter().find(|(name, _)| *name == column)?;
        text_of(found.1).ok()
    };
    // What is absent is null, and not a value of another type.
    members.retain(|(_, json)| *json != "null");
    if text("refusedBy").as_deref() != Some(RefusedBy::Tool.as_str()) {
        return Some(Ok(()));
    }
    let message = text("message").unwrap_or_default();
    Some(Err(Fault::new(
        format!("refused when it was first imported: {}", message.trim_start_matches("not sent: ")),
        "mend it in the `--rejected` file of the first import, and import that",
    )))
}

/// What is said of the first exported row.
pub(super) fn note_of_results(line: u32) -> Note {
    let [first, .., last] = RESULT_COLUMNS;
    Note::new(format!("rows of an export: what came of them, `{first}` to `{last}`, is left out"), "").at_line(line)
}

/// The fault of a table that is an export: its cells are made for spreadsheets and no longer what was sent.
pub(super) fn is_exported_table(headers: &[String], options: &Options) -> Option<FileFault> {
    let is_exported = headers.ends_with(&RESULT_COLUMNS.map(str::to_owned));
    let is_meant = options.ignore_unmapped || is_mapped(options) || is_ignored(options);
    (is_exported && !is_meant).then(|| {
        FileFault::new(
            "the results of a batch; as a table they do not tell texts from numbers, and formulas in them are defused",
            "write them with `export BATCH --format ndjson`, and import that",
        )
    })
}

fn is_mapped(options: &Options) -> bool {
    options.maps.iter().any(|map| is_result(&map.header))
}

fn is_ignored(options: &Options) -> bool {
    options.ignore.iter().chain(&options.ignore_if_there).any(|header| is_result(header))
}

fn is_result(header: &str) -> bool {
    RESULT_COLUMNS.iter().any(|name| is_same_header(name, header))
}
