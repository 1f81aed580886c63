//! What a body asks for, whatever order and case its bytes have.

use std::io::Write;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::body::{text_of, unquoted};
use super::walk::{Place, walk_body};
use super::writing::{Entry, Value};
use crate::mep::Scope;

/// Room for the marks of a part beside its text, and for a few parts.
const MARKS_LENGTH: usize = 64;
const USUAL_PARTS: usize = 16;

/// A hash of the request that a body makes: the start of a SHA-256. Only rows with one phone number are compared by it.
///
/// Bodies that differ in the order of their properties, in the case of a key, in how a text is escaped, or in whether the
/// phone number is a string are one request: the API makes no difference between them.
#[must_use]
pub fn request_hash(body: &str) -> i64 {
    let mut parts = Parts::with_capacity(body.len());
    match walk_body(body, |place, json| parts.push_json(place, json)) {
        Ok(()) => parts.hash(),
        // No body of the API: it is the same as its equal alone.
        Err(_) => hash_of(body.as_bytes()),
    }
}

/// The same hash of the body that is written from these values, without reading it.
pub(super) fn hash_of_values(phone: u64, operator: Option<u64>, entries: &[Entry<'_>], body_length: usize) -> i64 {
    let mut parts = Parts::with_capacity(body_length);
    // Writing to a vector cannot fail.
    parts.push(|text| {
        let _ = write!(text, "p{phone}");
    });
    if let Some(operator) = operator {
        parts.push(|text| {
            let _ = write!(text, "o{operator}");
        });
    }
    for Entry { scope, key, value } in entries {
        parts.push(|text| match value {
            Value::Plain(value) => push_variable(text, *scope, key, TEXT, value),
            Value::Escaped(value) => push_variable(text, *scope, key, TEXT, value),
            Value::Number(value) => push_variable(text, *scope, key, OTHER, value),
        });
    }
    parts.hash()
}

/// What a request says, part by part: each a mark or name for its place, a mark for the type, and the value.
struct Parts {
    text: Vec<u8>,
    parts: Vec<Range<usize>>,
}

/// Between the name of a variable and its value; no name has either in it.
const TEXT: u8 = b'"';
const OTHER: u8 = b'=';

impl Parts {
    fn with_capacity(body_length: usize) -> Parts {
        Parts { text: Vec::with_capacity(body_length + MARKS_LENGTH), parts: Vec::with_capacity(USUAL_PARTS) }
    }

    fn push<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let start = self.text.len();
        let written = write(&mut self.text);
        self.parts.push(start..self.text.len());
        written
    }

    fn push_json(&mut self, place: Place<'_>, json: &str) -> Result<(), String> {
        self.push(|text| {
            match place {
                Place::PhoneNumber => {
                    text.push(b'p');
                    text.extend_from_slice(unquoted(json).as_bytes());
                }
                Place::MobileOperatorId => {
                    text.push(b'o');
                    text.extend_from_slice(json.as_bytes());
                }
                Place::Variable(scope, key) if json.starts_with('"') => {
                    push_variable(text, scope, key, TEXT, &text_of(json).map_err(|fault| fault.reason)?);
                }
                Place::Variable(scope, key) => push_variable(text, scope, key, OTHER, json),
            }
            Ok(())
        })
    }

    /// In an order of their own, each behind its length, so that none runs into the next.
    fn hash(mut self) -> i64 {
        let text = self.text;
        self.parts.sort_unstable_by(|one, other| text[one.clone()].cmp(&text[other.clone()]));
        let mut in_order = Vec::with_capacity(text.len() + self.parts.len() * size_of::<usize>());
        for part in self.parts {
            in_order.extend_from_slice(&part.len().to_le_bytes());
            in_order.extend_from_slice(&text[part]);
        }
        hash_of(&in_order)
    }
}

fn push_variable(text: &mut Vec<u8>, scope: Scope, key: &str, mark: u8, value: &str) {
    text.extend_from_slice(scope.as_str().as_bytes());
    text.push(b'.');
    text.extend(key.bytes().map(|byte| byte.to_ascii_lowercase()));
    text.push(mark);
    text.extend_from_slice(value.as_bytes());
}

fn hash_of(bytes: &[u8]) -> i64 {
    let mut start = [0; 8];
    start.copy_from_slice(&Sha256::digest(bytes)[..8]);
    i64::from_be_bytes(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":383},"variables":{"session":{"seat":"aisle","flight":49},"user":{"name":"Zo\u00eb"}}}"#;

    #[test]
    fn order_case_and_writing_make_no_other_request() {
        for same in [
            r#"{"variables":{"user":{"name":"Zo\u00eb"},"session":{"flight":49,"seat":"aisle"}},"endUser":{"mobileOperatorId":383,"phoneNumber":12515550130}}"#,
            r#"{"endUser":{"phoneNumber":"12515550130","mobileOperatorId":383},"variables":{"SESSION":{"Seat":"aisle","fLIGHT":49},"user":{"NAME":"Zoë"}}}"#,
            r#" {"endUser": {"phoneNumber": 12515550130, "mobileOperatorId": 383}, "variables": {"session": {"seat": "\u0061isle", "flight": 49}, "user": {"name": "Zo\u00EB"}}} "#,
        ] {
            assert_eq!(request_hash(same), request_hash(GUIDE), "{same}");
        }
    }

    #[test]
    fn whatever_a_person_would_be_told_otherwise_is_another_request() {
        for (was, is) in [
            ("12515550130", "12515550131"),
            ("383", "384"),
            (r#","mobileOperatorId":383"#, ""),
            ("aisle", "Aisle"),
            ("aisle", "aisle "),
            ("49", r#""49""#),
            ("49", "49.0"),
            ("session", "request"),
            (r#""seat":"aisle","flight":49"#, r#""seat":"aisle""#),
            (r#""seat":"aisle","flight":49"#, r#""seat":"aisle\u0000session.flight=49""#),
            (r#""seat":"aisle","flight":49"#, r#""flight":"aisle","seat":49"#),
        ] {
            let other = GUIDE.replace(was, is);
            assert!(other != GUIDE && request_hash(&other) != request_hash(GUIDE), "{other}");
        }
    }

    #[test]
    fn what_is_no_body_is_the_same_as_its_equal_alone() {
        let broken = GUIDE.trim_end_matches('}');
        assert_eq!(request_hash(broken), request_hash(broken));
        assert_ne!(request_hash(broken), request_hash(&broken.replace("aisle", "front")));
    }
}
