//! A row as one flat object: the mapped columns under their own names, then what came of it.

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::invocation::{Outcome, RESULT_COLUMNS, State, UnixMillis, mask_phone};
use crate::store::{AttemptView, Batch, InvocationView};
use crate::validate::{BodyValue, body_cells, without_phones};

const PHONE: &str = "phoneNumber";
const TIME_ZONE: &str = "timeZone";
const SERVICE: &str = "serviceId";

/// What stands for the number of a purged row.
const PURGED: &str = "purged";

/// The names of a batch's rows: the mapped columns, then what came of them.
pub fn columns_of(batch: &Batch) -> impl Iterator<Item = &str> {
    batch.columns.iter().map(String::as_str).chain(RESULT_COLUMNS)
}

/// Whether one attempt of a row was accepted, which was known too late, and a later one was accepted too.
#[must_use]
pub fn is_texted_twice(row: &InvocationView, attempts: &[AttemptView]) -> bool {
    let is_accepted = |attempt: &AttemptView| attempt.outcome == Outcome::Accepted.as_str();
    let first = attempts.iter().filter(|attempt| attempt.is_late && is_accepted(attempt)).map(|late| late.number).min();
    row.state == State::Accepted
        && first.is_some_and(|first| attempts.iter().any(|attempt| attempt.number > first && is_accepted(attempt)))
}

/// A field of a row.
pub type Field = (String, FieldValue);

/// The value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// A number as it stands in the body, with every digit: a float would lose some.
    Number(String),
    /// Any other value, and numbers that are this program's own.
    Other(Value),
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FieldValue::Number(text) => {
                let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
            FieldValue::Other(value) => value.serialize(serializer),
        }
    }
}

impl From<Value> for FieldValue {
    fn from(value: Value) -> FieldValue {
        FieldValue::Other(value)
    }
}

/// The row's fields in the order of [`columns_of`]. Numbers stay numbers; what is absent is null.
///
/// Variables stand under the names and in the order of the row's own body: read in again, the row makes the same one.
/// Phone numbers are masked unless `reveal`, also where a text only looks like one.
#[must_use]
pub fn flat_row(batch: &Batch, row: &InvocationView, reveal: bool) -> Vec<Field> {
    let mapped = mapped_fields(&batch.columns, &mapped_cells(batch, row, reveal));
    let time = |at: Option<UnixMillis>| at.map_or(Value::Null, |at| Value::from(at.to_string()));
    let results = [
        Value::from(row.line),
        Value::from(row.state.as_str()),
        Value::from(row.request_id.clone()),
        Value::from(row.http_status),
        Value::from(row.code),
        Value::from(row.message.clone()),
        Value::from(row.refused_by.clone()),
        Value::from(row.attempt),
        time(row.sent_at),
        time(row.finished_at),
    ];
    let results = results.into_iter().map(FieldValue::Other);
    mapped.into_iter().chain(RESULT_COLUMNS.into_iter().map(str::to_owned).zip(results)).collect()
}

/// A field for each column, of cells in the order of the row.
fn mapped_fields(columns: &[String], cells: &[Field]) -> Vec<Field> {
    let cell_of = |name: &str| cells.iter().position(|(other, _)| other.eq_ignore_ascii_case(name));
    let is_variable = |name: &str| name.contains('.');
    let is_mapped = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    let mut variables = cells.iter().enumerate().filter_map(|(place, field)| {
        let name = &field.0;
        (is_variable(name) && is_mapped(name) && cell_of(name) == Some(place)).then_some(field)
    });
    let mut field = |column: &String| match cell_of(column) {
        None => (column.clone(), FieldValue::Other(Value::Null)),
        Some(place) if is_variable(column) => variables.next().unwrap_or(&cells[place]).clone(),
        Some(place) => cells[place].clone(),
    };
    columns.iter().map(&mut field).collect()
}

/// The request's body with the phone number's middle hidden, and that of whatever else looks like one.
#[must_use]
pub fn masked_body(body: &str) -> String {
    let masked = match recipient_of(&body_cells(body)) {
        // The number stands first in the body that this program builds, and equal digits elsewhere are it as well.
        Some(number) => body.replace(number, &mask_phone(number)),
        None => body.to_owned(),
    };
    without_phones(&masked)
}

/// The digits of the number that a request is for.
fn recipient_of(cells: &[(String, BodyValue)]) -> Option<&str> {
    let phone = cells.iter().find(|(name, _)| name == PHONE);
    phone.map(|(_, BodyValue::String(number) | BodyValue::Number(number))| number.as_str())
}

/// A row's cells by mapped name: of its body, or of what was refused.
fn mapped_cells(batch: &Batch, row: &InvocationView, reveal: bool) -> Vec<Field> {
    let shown = |name: &str, text: String| match (name, reveal) {
        (PHONE, false) => Value::from(mask_phone(&text)).into(),
        (_, false) => Value::from(without_phones(&text)).into(),
        (_, true) => Value::from(text).into(),
    };
    let mut cells: Vec<Field> = Vec::new();
    match &row.body {
        // No phone number, so that nobody imports it as one.
        None if row.purged_at.is_some() => cells.push((PHONE.to_owned(), Value::from(PURGED).into())),
        Some(body) => {
            let body = body_cells(body);
            let recipient = recipient_of(&body).unwrap_or_default().to_owned();
            for (name, value) in body {
                let value = match value {
                    // A number stays one, unless it is the recipient's.
                    BodyValue::Number(number) if name != PHONE && (reveal || number != recipient) => {
                        FieldValue::Number(number)
                    }
                    BodyValue::Number(text) | BodyValue::String(text) => shown(&name, text),
                };
                cells.push((name, value));
            }
        }
        None => {
            for cell in &row.cells {
                let name = cell.column.strip_suffix(":number").unwrap_or(&cell.column);
                cells.push((name.to_owned(), shown(name, cell.text.clone())));
            }
        }
    }
    if let Some(zone) = &row.time_zone {
        cells.push((TIME_ZONE.to_owned(), Value::from(zone.clone()).into()));
    }
    if !cells.iter().any(|(name, _)| name == SERVICE) {
        cells.push((SERVICE.to_owned(), Value::from(batch.service.as_str()).into()));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(name: &str, digits: &str) -> Field {
        (name.to_owned(), FieldValue::Number(digits.to_owned()))
    }

    fn fields(columns: &[&str], cells: &[Field]) -> Vec<Field> {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        mapped_fields(&columns, cells)
    }

    #[test]
    fn a_number_keeps_every_digit() {
        for digits in ["49", "-0.5", "1.10", "-0", "12345678901234567890123"] {
            let written = serde_json::to_string(&FieldValue::Number(digits.to_owned())).expect("a number");
            assert_eq!(written, digits);
        }
    }

    #[test]
    fn variables_stand_in_the_order_and_spelling_of_the_row() {
        let null = |name: &str| (name.to_owned(), FieldValue::Other(Value::Null));
        let cells = [number("phoneNumber", "1"), number("user.b", "2"), number("session.A", "3")];
        assert_eq!(
            fields(&["session.a", "phoneNumber", "session.x", "user.b"], &cells),
            [number("user.b", "2"), number("phoneNumber", "1"), null("session.x"), number("session.A", "3")]
        );
        let twice = [number("session.a", "1"), number("session.A", "2"), number("session.b", "3")];
        assert_eq!(fields(&["session.a", "session.b"], &twice), [number("session.a", "1"), number("session.b", "3")]);
    }
}
