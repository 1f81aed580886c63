//! Results as files: CSV for spreadsheets, NDJSON and JSON for programs.

use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::row::{Field, FieldValue, columns_of, flat_row};
use crate::store::{AttemptView, Batch, Filter, InvocationView, Store};

/// Rows that are read from the store at once.
const PAGE_ROWS: u32 = 1_000;

/// What a spreadsheet takes for the beginning of a formula: in some countries the wide forms too.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// White space before it that spreadsheets pass over.
const PASSED_OVER: [char; 4] = ['\t', '\r', '\n', '\0'];

/// Where another cell begins for a spreadsheet that parts them otherwise than this file does, as those of many countries do:
/// to such a one the quotes around a cell are a part of its text.
const OTHER_PARTS: [char; 4] = [';', '\t', '\r', '\n'];

/// The name of the batch's name.
const BATCH: &str = "batch";

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A header line, then a line a row; a cell that a spreadsheet would run as a formula is defused.
    Csv,
    /// An object a line.
    Ndjson,
    /// One array of objects.
    Json,
}

/// Which rows are written, and how much of them.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Those that it selects.
    pub filter: &'a Filter,
    /// No more than so many.
    pub limit: Option<u64>,
    /// With phone numbers in full.
    pub reveal: bool,
    /// With the batch's name first: for rows of several.
    pub names_batch: bool,
}

/// Fields of an object, kept in their order.
struct Fields<'a>(&'a [Field]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Writes rows; how many.
pub async fn rows(
    store: &Store,
    batch: &Batch,
    wanted: Wanted<'_>,
    format: Format,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<u64> {
    let first = wanted.names_batch.then(|| (BATCH.to_owned(), FieldValue::Other(batch.name.as_str().into())));
    let header = first.iter().map(|(name, _)| name.as_str()).chain(columns_of(batch)).map(str::to_owned).collect();
    let mut writer = Writer::begin(format, header, out)?;
    let mut left = wanted.limit.unwrap_or(u64::MAX);
    let mut after = 0;
    while left > 0 {
        let limit = u32::try_from(left.min(u64::from(PAGE_ROWS))).unwrap_or(PAGE_ROWS);
        let page = store.page(batch.id, wanted.filter, after, limit).await?;
        let Some(last) = page.last() else { break };
        after = last.line;
        left -= page.len() as u64;
        for row in &page {
            let fields: Vec<Field> = first.iter().cloned().chain(flat_row(batch, row, wanted.reveal)).collect();
            writer.object(&fields)?;
        }
    }
    Ok(writer.end()?)
}

/// Writes a line an attempt of the rows that the filter selects; how many.
pub async fn attempts(
    store: &Store,
    batch: &Batch,
    filter: &Filter,
    reveal: bool,
    format: Format,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<u64> {
    let header = ATTEMPT_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    let mut writer = Writer::begin(format, header, out)?;
    let mut after = 0;
    loop {
        let page = store.page(batch.id, filter, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.line;
        let ids: Vec<_> = page.iter().map(|row| row.id).collect();
        for attempt in store.attempts(&ids).await? {
            // The page is in the order of its rows, and every attempt is of one of them.
            if let Ok(place) = page.binary_search_by_key(&attempt.row, |row| row.id) {
                writer.object(&flat_attempt(batch, &page[place], &attempt, reveal))?;
            }
        }
    }
    Ok(writer.end()?)
}

const ATTEMPT_COLUMNS: [&str; 12] = [
    "line",
    "phoneNumber",
    "attempt",
    "outcome",
    "requestId",
    "httpStatus",
    "code",
    "message",
    "sentAt",
    "finishedAt",
    "run",
    "who",
];

fn flat_attempt(batch: &Batch, row: &InvocationView, attempt: &AttemptView, reveal: bool) -> Vec<Field> {
    let phone = flat_row(batch, row, reveal).into_iter().find(|(name, _)| name == "phoneNumber");
    let values = [
        Value::from(row.line).into(),
        phone.map_or(Value::Null.into(), |(_, value)| value),
        Value::from(attempt.number).into(),
        Value::from(attempt.outcome.clone()).into(),
        Value::from(attempt.request_id.clone()).into(),
        Value::from(attempt.http_status).into(),
        Value::from(attempt.code).into(),
        Value::from(attempt.message.clone()).into(),
        Value::from(attempt.sent_at.map(|at| at.to_string())).into(),
        Value::from(attempt.finished_at.to_string()).into(),
        Value::from(attempt.run.clone()).into(),
        Value::from(attempt.who.clone()).into(),
    ];
    ATTEMPT_COLUMNS.into_iter().map(str::to_owned).zip(values).collect()
}

/// Writes objects one after another in a format.
struct Writer<'a> {
    format: Format,
    header: Vec<String>,
    out: &'a mut (dyn Write + Send),
    written: u64,
}

impl<'a> Writer<'a> {
    fn begin(format: Format, header: Vec<String>, out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        match format {
            Format::Csv => write_csv(out, header.iter().map(|name| defused(name.clone())))?,
            Format::Json => out.write_all(b"[")?,
            Format::Ndjson => {}
        }
        Ok(Writer { format, header, out, written: 0 })
    }

    fn object(&mut self, fields: &[Field]) -> io::Result<()> {
        match self.format {
            Format::Csv => {
                // Rows may spell a variable in other cases than the first one did.
                let is_of = |field: &str, name: &str| field.eq_ignore_ascii_case(name);
                let cell = |name: &String| fields.iter().find(|(field, _)| is_of(field, name)).map(|(_, value)| value);
                write_csv(self.out, self.header.iter().map(|name| cell(name).map_or_else(String::new, csv_cell)))?;
            }
            Format::Ndjson => {
                serde_json::to_writer(&mut *self.out, &Fields(fields))?;
                self.out.write_all(b"\n")?;
            }
            Format::Json => {
                self.out.write_all(if self.written == 0 { b"\n  " } else { b",\n  " })?;
                serde_json::to_writer(&mut *self.out, &Fields(fields))?;
            }
        }
        self.written += 1;
        Ok(())
    }

    fn end(self) -> io::Result<u64> {
        if self.format == Format::Json {
            self.out.write_all(b"\n]\n")?;
        }
        self.out.flush()?;
        Ok(self.written)
    }
}

fn write_csv(out: &mut (dyn Write + Send), cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut line = csv::WriterBuilder::new().from_writer(Vec::new());
    line.write_record(cells)?;
    let line = line.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    out.write_all(&line)
}

fn csv_cell(value: &FieldValue) -> String {
    match value {
        FieldValue::Number(digits) => digits.clone(),
        FieldValue::Other(Value::Null) => String::new(),
        FieldValue::Other(Value::String(text)) => defused(text.clone()),
        FieldValue::Other(value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            value.to_string()
        }
    }
}

/// The text with an apostrophe where a spreadsheet would run it: a recipient's name must not become code.
fn defused(text: String) -> String {
    if !text.contains(FORMULA_STARTS) && !text.starts_with(PASSED_OVER) {
        return text;
    }
    let mut cell = String::with_capacity(text.len() + 1);
    if text.starts_with(PASSED_OVER) {
        cell.push('\'');
    }
    let mut begins = true;
    for c in text.chars() {
        if begins && FORMULA_STARTS.contains(&c) && !cell.ends_with('\'') {
            cell.push('\'');
        }
        cell.push(c);
        begins = OTHER_PARTS.contains(&c) || (begins && matches!(c, ' ' | '"' | '\0'));
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_defused_in_csv_and_a_number_is_left_alone() {
        assert_eq!(csv_cell(&Value::from("=1+1").into()), "'=1+1");
        assert_eq!(csv_cell(&Value::from("@x").into()), "'@x");
        assert_eq!(csv_cell(&Value::from(-3).into()), "-3");
        for (text, cell) in [
            ("a=1", "a=1"),
            ("+1+cmd", "'+1+cmd"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("\n=1", "'\n'=1"),
            ("＝1", "'＝1"),
            ("  =1", "  '=1"),
            ("a;=1", "a;'=1"),
            ("a; \"=1\"", "a; \"'=1\""),
            ("a\n@x\n", "a\n'@x\n"),
            ("a - b; c-d", "a - b; c-d"),
            ("'=1", "'=1"),
        ] {
            assert_eq!(csv_cell(&Value::from(text).into()), cell);
        }
        assert_eq!(csv_cell(&Value::Null.into()), "");
    }
}
