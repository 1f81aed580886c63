//! The members of a JSON object, as they stand.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::validate::Key;

/// Keys with the text of their values, in order and with equal keys kept.
pub(in crate::import) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Reads the members of an object.
pub(in crate::import) fn read_members(object: &str) -> serde_json::Result<Members<'_>> {
    serde_json::Deserializer::from_str(object).deserialize_map(MembersVisitor)
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            let value: &'de RawValue = map.next_value()?;
            members.push((key, value.get()));
        }
        Ok(members)
    }
}
