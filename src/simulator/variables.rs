//! The contract's rules for `variables`.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::content::{Scalar, members, shown};
use crate::mep::{BUILT_IN_VARIABLES, Bounds, RESERVED_WORDS, Scope};

/// Checks `variables`: at least one scope, each once in any case, each with at least one variable.
pub(super) fn check_variables(variables: &RawValue) -> Result<(), String> {
    let scopes = members(variables.get(), "`variables`")?;
    if scopes.is_empty() {
        return Err("`variables` is empty; expected at least one variable, or no `variables`".to_owned());
    }
    let mut seen = Vec::with_capacity(Scope::ALL.len());
    for (name, variables) in scopes {
        let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == name.to_ascii_lowercase());
        let scope = scope.ok_or_else(|| format!("`variables.{}` is no scope", shown(&name)))?;
        if seen.contains(&scope) {
            return Err(format!("`variables.{scope}` stands twice"));
        }
        seen.push(scope);
        check_scope(scope, variables)?;
    }
    Ok(())
}

fn check_scope(scope: Scope, variables: &RawValue) -> Result<(), String> {
    let variables = members(variables.get(), &format!("`variables.{scope}`"))?;
    if variables.is_empty() {
        return Err(format!("`variables.{scope}` is empty; expected at least one variable"));
    }
    let mut seen = HashSet::with_capacity(variables.len());
    for (key, value) in variables {
        let key = key.to_ascii_lowercase();
        let refused = check_key(scope, &key).and_then(|()| check_value(value));
        refused.map_err(|reason| format!("`variables.{scope}.{}` {reason}", shown(&key)))?;
        if let Some(twice) = seen.replace(key) {
            return Err(format!("`variables.{scope}.{}` stands twice; case does not count", shown(&twice)));
        }
    }
    Ok(())
}

/// Takes the key in lower case.
fn check_key(scope: Scope, key: &str) -> Result<(), String> {
    let max = Bounds::default().key_length_max.unwrap_or(usize::MAX);
    let length = key.chars().count();
    if !(1..=max).contains(&length) {
        return Err(format!("has a key of {length} characters; expected 1 to {max}"));
    }
    if let Some(found) = key.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '.')) {
        return Err(format!("has `{}` in its key; expected letters, digits, `_`, `-` and `.`", found.escape_debug()));
    }
    if RESERVED_WORDS.contains(&key) {
        return Err("is a reserved word".to_owned());
    }
    let built_in = BUILT_IN_VARIABLES.iter().any(|(in_scope, name)| {
        // A trailing dot stands for the name itself and everything below it.
        let below = name.strip_suffix('.').is_some_and(|stem| key == stem || key.starts_with(name));
        *in_scope == scope && (below || key == *name)
    });
    if built_in { Err("is built in and cannot be set".to_owned()) } else { Ok(()) }
}

fn check_value(value: &RawValue) -> Result<(), String> {
    let max = Bounds::default().value_length_max.unwrap_or(usize::MAX);
    let length = match Scalar::read(value) {
        Some(Scalar::Text(text)) => {
            if let Some(found) = text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
                return Err(format!("has the control character U+{:04X} in its value", u32::from(found)));
            }
            text.chars().count()
        }
        Some(Scalar::Number(digits)) => {
            if !digits.parse::<f64>().is_ok_and(f64::is_finite) {
                return Err("is a number beyond every range".to_owned());
            }
            digits.len()
        }
        None => return Err("is neither a string nor a number".to_owned()),
    };
    if length > max {
        return Err(format!("has a value of {length} characters; expected at most {max}"));
    }
    Ok(())
}
