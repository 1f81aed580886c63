//! OpenMarket's error codes, and the tolerant reading of an error body whose field names are not documented.

use std::time::Duration;

use serde_json::Value;

/// The role of the account does not allow this API.
pub const ROLE_NOT_ALLOWED: u32 = 12001;
/// The JSON or its content is invalid; the message says what.
pub const INVALID_CONTENT: u32 = 12002;
/// The HTTP method is not POST.
pub const METHOD_NOT_ALLOWED: u32 = 12003;
/// A permanent error of the service.
pub const PERMANENT_ERROR: u32 = 1000;
/// A temporary error of the service: 'retry every 15 minutes for up to 24 hours'.
pub const TEMPORARY_ERROR: u32 = 1010;

/// The vendor's interval between repeats after [`TEMPORARY_ERROR`].
pub const VENDOR_RETRY_EVERY: Duration = Duration::from_secs(15 * 60);
/// The vendor's limit on repeats after [`TEMPORARY_ERROR`].
pub const VENDOR_RETRY_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What could be read of an error body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorBody {
    /// OpenMarket's code: a number, or a string of digits.
    pub code: Option<u32>,
    /// The text that goes with it.
    pub message: Option<String>,
}

/// Reads the code and the text of an error body.
///
/// The shape is undocumented, so the code is looked for under `code`, `errorCode` or `openMarketCode` and the
/// text under `message`, `description` or `errorMessage`: at the top, inside `error`, or inside the first of
/// `errors`. Anything else, however malformed, reads as 'nothing found'.
#[must_use]
pub fn read_error_body(body: &[u8]) -> ErrorBody {
    let Ok(top) = serde_json::from_slice::<Value>(body) else {
        return ErrorBody::default();
    };
    let places = [Some(&top), top.get("error"), top.get("errors").and_then(|errors| errors.get(0))];
    let mut found = ErrorBody::default();
    for place in places.into_iter().flatten() {
        found.code = found.code.or_else(|| first_of(place, &["code", "errorCode", "openMarketCode"], code_of));
        found.message = found.message.or_else(|| first_of(place, &["message", "description", "errorMessage"], text_of));
    }
    found
}

fn first_of<T>(place: &Value, names: &[&str], read: fn(&Value) -> Option<T>) -> Option<T> {
    names.iter().find_map(|name| place.get(name).and_then(read))
}

fn code_of(value: &Value) -> Option<u32> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.and_then(|number| u32::try_from(number).ok())
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_each_likely_shape() {
        let shapes = [
            r#"{"code":12002,"message":"no"}"#,
            r#"{"errorCode":"12002","errorMessage":"no"}"#,
            r#"{"openMarketCode":12002,"description":"no"}"#,
            r#"{"error":{"code":12002,"description":"no"}}"#,
            r#"{"errors":[{"code":" 12002 ","message":"no"},{"code":1}]}"#,
        ];
        for shape in shapes {
            let read = read_error_body(shape.as_bytes());
            assert_eq!(read, ErrorBody { code: Some(12002), message: Some("no".to_owned()) }, "{shape}");
        }
    }

    #[test]
    fn what_is_no_error_body_reads_as_nothing_found() {
        for body in
            ["", "<html>", "[]", "7", "null", r#"{"error":"no"}"#, r#"{"code":-1}"#, r#"{"code":1e99}"#, "{\"code\":12"]
        {
            assert_eq!(read_error_body(body.as_bytes()), ErrorBody::default(), "{body}");
        }
    }
}
