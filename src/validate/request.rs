//! What a body asks for, whatever order and case its bytes have.

use sha2::{Digest, Sha256};

use super::body::{text_of, unquoted};
use super::walk::{Place, walk_body};

/// Room for the marks of a part beside its text, and for a few parts.
const MARKS_LENGTH: usize = 64;

/// A hash of the request that a body makes: the start of a SHA-256. Only rows with one phone number are compared by it.
///
/// Bodies that differ in the order of their properties, in the case of a key, in how a text is escaped, or in whether the
/// phone number is a string are one request: the API makes no difference between them.
#[must_use]
pub fn request_hash(body: &str) -> i64 {
    let mut text = Vec::with_capacity(body.len() + MARKS_LENGTH);
    let mut parts = Vec::new();
    let walked = walk_body(body, |place, json| {
        let start = text.len();
        push_part(&mut text, place, json)?;
        parts.push(start..text.len());
        Ok(())
    });
    let mut digest = Sha256::new();
    match walked {
        Ok(()) => {
            parts.sort_unstable_by(|one, other| text[one.clone()].cmp(&text[other.clone()]));
            for part in parts {
                digest.update(part.len().to_le_bytes()); // so that no part runs into the next
                digest.update(&text[part]);
            }
        }
        // No body of the API: it is the same as its equal alone.
        Err(_) => digest.update(body),
    }
    let mut start = [0; 8];
    start.copy_from_slice(&digest.finalize()[..8]);
    i64::from_be_bytes(start)
}

/// Writes a value behind its place: a mark for the place, the key in lower case, a mark for the type.
fn push_part(text: &mut Vec<u8>, place: Place<'_>, json: &str) -> Result<(), String> {
    match place {
        Place::PhoneNumber => {
            text.push(b'p');
            text.extend_from_slice(unquoted(json).as_bytes());
        }
        Place::MobileOperatorId => {
            text.push(b'o');
            text.extend_from_slice(json.as_bytes());
        }
        Place::Variable(scope, key) => {
            text.extend_from_slice(scope.as_str().as_bytes());
            text.push(b'.');
            text.extend(key.bytes().map(|byte| byte.to_ascii_lowercase()));
            // No key has either mark in it.
            if json.starts_with('"') {
                text.push(b'"');
                text.extend_from_slice(text_of(json).map_err(|fault| fault.reason)?.as_bytes());
            } else {
                text.push(b'=');
                text.extend_from_slice(json.as_bytes());
            }
        }
    }
    Ok(())
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
