//! A row as one flat object: the mapped columns under their own names, then what came of it.

use serde_json::Value;

use crate::invocation::{UnixMillis, mask_phone};
use crate::store::{Batch, InvocationView};
use crate::validate::{BodyValue, body_cells};

/// The names of what came of a row, in their order.
pub(super) const RESULT_COLUMNS: [&str; 10] =
    ["line", "state", "requestId", "httpStatus", "code", "message", "refusedBy", "attempts", "sentAt", "finishedAt"];

const PHONE: &str = "phoneNumber";
const TIME_ZONE: &str = "timeZone";
const SERVICE: &str = "serviceId";

/// The names of a batch's rows: the mapped columns, then what came of them.
pub fn columns_of(batch: &Batch) -> impl Iterator<Item = &str> {
    batch.columns.iter().map(String::as_str).chain(RESULT_COLUMNS)
}

/// The row's fields in the order of [`columns_of`]. Numbers stay numbers; what is absent is null.
///
/// Phone numbers are masked unless `reveal`, also where a refused cell only looks like one.
#[must_use]
pub fn flat_row(batch: &Batch, row: &InvocationView, reveal: bool) -> Vec<(String, Value)> {
    let cells = mapped_cells(batch, row, reveal);
    let mapped = batch.columns.iter().map(|column| {
        let value = cells.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone());
        (column.clone(), value.unwrap_or(Value::Null))
    });
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
    mapped.chain(RESULT_COLUMNS.into_iter().map(str::to_owned).zip(results)).collect()
}

/// The request's body with the phone number's middle hidden.
#[must_use]
pub fn masked_body(body: &str) -> String {
    let phone = body_cells(body).into_iter().find(|(name, _)| name == PHONE);
    match phone {
        Some((_, BodyValue::String(number) | BodyValue::Number(number))) => {
            // The number stands first in the body that this program builds, and equal digits elsewhere are it as well.
            body.replace(&number, &mask_phone(&number))
        }
        None => body.to_owned(),
    }
}

/// A row's cells by mapped name: of its body, or of what was refused.
fn mapped_cells(batch: &Batch, row: &InvocationView, reveal: bool) -> Vec<(String, Value)> {
    let shown = |name: &str, text: String| match (name, reveal) {
        (PHONE, false) => Value::from(mask_phone(&text)),
        (_, _) => Value::from(text),
    };
    let mut cells: Vec<(String, Value)> = Vec::new();
    match &row.body {
        Some(body) => {
            for (name, value) in body_cells(body) {
                let value = match value {
                    BodyValue::Number(number) if name != PHONE => number_value(number),
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
        cells.push((TIME_ZONE.to_owned(), Value::from(zone.clone())));
    }
    if !cells.iter().any(|(name, _)| name == SERVICE) {
        cells.push((SERVICE.to_owned(), Value::from(batch.service.as_str())));
    }
    cells
}

/// A number as it stands in the body where JSON's reader keeps it; else its text, so that no digit is lost.
fn number_value(text: String) -> Value {
    let read = serde_json::from_str::<Value>(&text).ok();
    read.filter(|value| value.to_string().as_str() == text).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_one_unless_a_reader_would_lose_a_digit_of_it() {
        assert_eq!(number_value("49".to_owned()), Value::from(49));
        assert_eq!(number_value("-0.5".to_owned()), Value::from(-0.5));
        for kept_as_text in ["1.10", "12345678901234567890123"] {
            assert_eq!(number_value(kept_as_text.to_owned()), Value::from(kept_as_text));
        }
    }
}
