//! The contract's rules for the content of a request, written without a look at the client's own.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::variables::check_variables;
use crate::mep::{MOBILE_OPERATOR_ID_MAX, PHONE_DIGITS};

/// Checks a request's body. The error is the reason, which names the field and never holds a phone number.
pub(super) fn check_content(body: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    let mut end_user = None;
    let mut variables = None;
    for (name, value) in members(text, "the body")? {
        let place = match name.as_ref() {
            "endUser" => &mut end_user,
            "variables" => &mut variables,
            unknown => return Err(format!("`{}` is no property of a request", shown(unknown))),
        };
        if place.replace(value).is_some() {
            return Err(format!("`{name}` stands twice"));
        }
    }
    check_end_user(end_user.ok_or("`endUser` is missing")?)?;
    variables.map_or(Ok(()), check_variables)
}

fn check_end_user(end_user: &RawValue) -> Result<(), String> {
    let mut phone = None;
    let mut operator = None;
    for (name, value) in members(end_user.get(), "`endUser`")? {
        let place = match name.as_ref() {
            "phoneNumber" => &mut phone,
            "mobileOperatorId" => &mut operator,
            unknown => return Err(format!("`{}` is no property of `endUser`", shown(unknown))),
        };
        if place.replace(value).is_some() {
            return Err(format!("`endUser.{name}` stands twice"));
        }
    }
    check_phone(phone.ok_or("`endUser.phoneNumber` is missing")?)?;
    operator.map_or(Ok(()), check_operator)
}

fn check_phone(phone: &RawValue) -> Result<(), String> {
    let digits = match Scalar::read(phone) {
        Some(Scalar::Text(text)) => text,
        Some(Scalar::Number(text)) => Cow::Borrowed(text),
        None => return Err("`endUser.phoneNumber` is neither a number nor a string".to_owned()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("`endUser.phoneNumber` is not all digits".to_owned());
    }
    if digits.starts_with('0') {
        return Err("`endUser.phoneNumber` begins with 0".to_owned());
    }
    if !PHONE_DIGITS.contains(&digits.len()) {
        return Err(format!(
            "`endUser.phoneNumber` has {} digits; expected {} to {}",
            digits.len(),
            PHONE_DIGITS.start(),
            PHONE_DIGITS.end()
        ));
    }
    Ok(())
}

fn check_operator(operator: &RawValue) -> Result<(), String> {
    match operator.get().parse::<u64>() {
        Ok(1..=MOBILE_OPERATOR_ID_MAX) => Ok(()),
        Ok(_) | Err(_) => Err("`endUser.mobileOperatorId` is no positive integer".to_owned()),
    }
}

/// The members of a JSON object in their order, equal names included, the values unread.
pub(super) fn members<'a>(text: &'a str, place: &str) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, String> {
    match serde_json::from_str::<Members<'a>>(text) {
        Ok(members) => Ok(members.0),
        Err(error) if error.is_data() => Err(format!("{place} is no JSON object")),
        Err(error) => Err(format!("{place} is no valid JSON: {error}")),
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// A string or a number, as written.
pub(super) enum Scalar<'a> {
    /// A string's text, its escapes resolved.
    Text(Cow<'a, str>),
    /// A number's digits.
    Number(&'a str),
}

impl<'a> Scalar<'a> {
    /// `None` for a value of another type, and for a string that no escape rule can read (half a surrogate pair).
    pub(super) fn read(value: &'a RawValue) -> Option<Self> {
        let raw = value.get();
        match raw.as_bytes().first()? {
            b'"' if raw.contains('\\') => serde_json::from_str(raw).ok().map(|text| Scalar::Text(Cow::Owned(text))),
            b'"' => raw.get(1..raw.len() - 1).map(|text| Scalar::Text(Cow::Borrowed(text))),
            b'-' | b'0'..=b'9' => Some(Scalar::Number(raw)),
            _ => None,
        }
    }
}

/// The most characters of a name that a reason repeats.
const SHOWN_MAX: usize = 80;

/// A name from outside, short and printable enough for a reason.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}
