//! One pass over a stored body, without a tree.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::mep::Scope;

use super::target::set_twice;

/// Where in a body a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'p> {
    /// `endUser.phoneNumber`.
    PhoneNumber,
    /// `endUser.mobileOperatorId`.
    MobileOperatorId,
    /// `variables.SCOPE.KEY`.
    Variable(Scope, &'p str),
}

/// Shows each value of a body, as its raw JSON, in the body's order.
///
/// # Errors
///
/// The first thing that is no body of the API: syntax, an unknown or repeated property, nothing in `variables` or in a
/// scope, no `endUser`; or whatever `see` refuses.
pub(super) fn walk_body<'de>(
    body: &'de str,
    mut see: impl FnMut(Place<'_>, &'de str) -> Result<(), String>,
) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_str(body);
    // An error of ours comes back with a place in the body behind it, which says nothing to an operator.
    let told = |error: serde_json::Error| {
        let text = error.to_string();
        text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
    };
    (&mut json).deserialize_map(Top { see: &mut see }).map_err(told)?;
    json.end().map_err(told)
}

struct Top<'s, F> {
    see: &'s mut F,
}

impl<'de, F: FnMut(Place<'_>, &'de str) -> Result<(), String>> Visitor<'de> for Top<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_user, mut has_variables) = (false, false);
        while let Some(key) = map.next_key_seed(Key)? {
            match &*key {
                "endUser" if !has_user => {
                    has_user = true;
                    map.next_value_seed(EndUser { see: self.see })?;
                }
                "variables" if !has_variables => {
                    has_variables = true;
                    map.next_value_seed(Variables { see: self.see })?;
                }
                "endUser" | "variables" => return Err(A::Error::custom("a property that stands twice")),
                _ => return Err(A::Error::custom("an unknown property")),
            }
        }
        if has_user { Ok(()) } else { Err(A::Error::custom("no `endUser`")) }
    }
}

struct EndUser<'s, F> {
    see: &'s mut F,
}

impl<'de, F: FnMut(Place<'_>, &'de str) -> Result<(), String>> Visitor<'de> for EndUser<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object for `endUser`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut has_phone, mut has_operator) = (false, false);
        while let Some(key) = map.next_key_seed(Key)? {
            let (place, seen) = match &*key {
                "phoneNumber" => (Place::PhoneNumber, &mut has_phone),
                "mobileOperatorId" => (Place::MobileOperatorId, &mut has_operator),
                _ => return Err(A::Error::custom("an unknown property in `endUser`")),
            };
            if std::mem::replace(seen, true) {
                return Err(A::Error::custom("a property of `endUser` that stands twice"));
            }
            let value: &'de RawValue = map.next_value()?;
            (self.see)(place, value.get()).map_err(A::Error::custom)?;
        }
        if has_phone { Ok(()) } else { Err(A::Error::custom("no phone number")) }
    }
}

struct Variables<'s, F> {
    see: &'s mut F,
}

impl<'de, F: FnMut(Place<'_>, &'de str) -> Result<(), String>> Visitor<'de> for Variables<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object for `variables`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = [false; Scope::ALL.len()];
        while let Some(key) = map.next_key_seed(Key)? {
            let scope = Scope::from_name(&key).ok_or_else(|| A::Error::custom("an unknown scope"))?;
            if std::mem::replace(&mut seen[scope as usize], true) {
                return Err(A::Error::custom(format_args!("{scope}: {}", set_twice().reason)));
            }
            map.next_value_seed(OneScope { scope, see: self.see })?;
        }
        if seen.contains(&true) { Ok(()) } else { Err(A::Error::custom("`variables` without a variable")) }
    }
}

struct OneScope<'s, F> {
    scope: Scope,
    see: &'s mut F,
}

impl<'de, F: FnMut(Place<'_>, &'de str) -> Result<(), String>> Visitor<'de> for OneScope<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object for the scope `{}`", self.scope)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let scope = self.scope;
        let mut keys = SeenKeys::default();
        while let Some(key) = map.next_key_seed(Key)? {
            let value: &'de RawValue = map.next_value()?;
            (self.see)(Place::Variable(scope, &key), value.get()).map_err(A::Error::custom)?;
            if !keys.add(key) {
                return Err(A::Error::custom(format_args!("a variable in `{scope}`: {}", set_twice().reason)));
            }
        }
        if keys.is_empty() { Err(A::Error::custom(format_args!("`{scope}` without a variable"))) } else { Ok(()) }
    }
}

macro_rules! seed_of_a_map {
    ($($visitor:ident),+) => {$(
        impl<'de, F: FnMut(Place<'_>, &'de str) -> Result<(), String>> DeserializeSeed<'de> for $visitor<'_, F> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
                json.deserialize_map(self)
            }
        }
    )+};
}

seed_of_a_map!(EndUser, Variables, OneScope);

/// A key, borrowed from the body unless it holds an escape.
pub(crate) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The keys of one scope, compared without regard to case.
#[derive(Default)]
struct SeenKeys<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<String>,
}

/// Up to here comparing each key with all others is faster than hashing; beyond it the cost would grow with the square.
const FEW_KEYS: usize = 32;

impl<'de> SeenKeys<'de> {
    fn is_empty(&self) -> bool {
        self.few.is_empty()
    }

    /// Whether the key is new.
    fn add(&mut self, key: Cow<'de, str>) -> bool {
        if self.few.iter().any(|seen| seen.eq_ignore_ascii_case(&key)) {
            return false;
        }
        if self.few.len() < FEW_KEYS {
            self.few.push(key);
            return true;
        }
        self.many.insert(key.to_ascii_lowercase())
    }
}
