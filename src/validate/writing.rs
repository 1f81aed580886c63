//! Writing of the body, by hand: compact, in a fixed order, and with numbers as the text that they came as.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::mep::{PhoneNumberJson, Scope};

use super::value::push_json_string;

/// A variable with its judged value.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) scope: Scope,
    pub(super) key: &'a str,
    pub(super) value: Value<'a>,
}

/// A judged value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// A text that JSON writes as it is.
    Plain(&'a str),
    /// A text with characters that JSON escapes.
    Escaped(Cow<'a, str>),
    /// The text of a number.
    Number(&'a str),
}

/// Bytes of a body besides its variables, generously.
const BODY_FRAME_LENGTH: usize = 160;

/// Quotes, colon and comma of a variable, with room for a few escapes.
const ENTRY_FRAME_LENGTH: usize = 8;

/// Writes a body. Scopes stand in the order of their first variable, so that a file's bodies are the same at every import.
pub(super) fn write_body(
    phone: u64,
    operator: Option<u64>,
    entries: &[Entry<'_>],
    phone_number_json: PhoneNumberJson,
) -> String {
    let text_length: usize =
        entries.iter().map(|entry| entry.key.len() + entry.value.text().len() + ENTRY_FRAME_LENGTH).sum();
    let mut body = String::with_capacity(BODY_FRAME_LENGTH + text_length);
    // Writing to a string cannot fail.
    let _ = match phone_number_json {
        PhoneNumberJson::Number => write!(body, r#"{{"endUser":{{"phoneNumber":{phone}"#),
        PhoneNumberJson::String => write!(body, r#"{{"endUser":{{"phoneNumber":"{phone}""#),
    };
    if let Some(operator) = operator {
        let _ = write!(body, r#","mobileOperatorId":{operator}"#);
    }
    body.push('}');
    if !entries.is_empty() {
        body.push_str(r#","variables":{"#);
        push_scopes(&mut body, entries);
        body.push('}');
    }
    body.push('}');
    body
}

fn push_scopes(body: &mut String, entries: &[Entry<'_>]) {
    let mut written = [false; Scope::ALL.len()];
    for (first, entry) in entries.iter().enumerate() {
        let scope = entry.scope;
        if std::mem::replace(&mut written[scope as usize], true) {
            continue;
        }
        body.push_str(if first == 0 { "\"" } else { ",\"" });
        body.push_str(scope.as_str());
        body.push_str("\":");
        let mut before = '{';
        for entry in entries[first..].iter().filter(|entry| entry.scope == scope) {
            body.push(before);
            before = ',';
            push_json_string(body, entry.key, true);
            body.push(':');
            match &entry.value {
                Value::Plain(text) => push_json_string(body, text, true),
                Value::Escaped(text) => push_json_string(body, text, false),
                Value::Number(text) => body.push_str(text),
            }
        }
        body.push('}');
    }
}

impl Value<'_> {
    fn text(&self) -> &str {
        match self {
            Value::Plain(text) | Value::Number(text) => text,
            Value::Escaped(text) => text,
        }
    }
}
