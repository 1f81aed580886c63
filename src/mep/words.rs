//! The characters and words that keys and values may hold.

use super::scope::Scope;

/// Words that may not be a key. The vendor says that there are some, not which: these are its expression language's.
pub const RESERVED_WORDS: [&str; 16] = [
    "div",
    "mod",
    "eq",
    "ne",
    "lt",
    "gt",
    "le",
    "ge",
    "and",
    "or",
    "not",
    "empty",
    "true",
    "false",
    "null",
    "instanceof",
];

/// Variables that the platform sets itself and a request may not. A trailing dot means everything below it.
pub const BUILT_IN_VARIABLES: [(Scope, &str); 6] = [
    (Scope::User, "id"),
    (Scope::User, "adddate"),
    (Scope::User, "identifiers."),
    (Scope::Session, "initialkeyword."),
    (Scope::Session, "circle"),
    (Scope::Request, "initialkeyword."),
];

/// Whether a key may hold the character: ASCII letters, digits (not in the vendor's list, but in its example), `_`, `-` and `.`.
#[must_use]
pub fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether a value may hold the character: no control character except tab, line feed and carriage return.
#[must_use]
pub fn is_value_char(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r')
}

/// Whether the key is a reserved word, in any case.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    RESERVED_WORDS.iter().any(|word| word.eq_ignore_ascii_case(key))
}

/// Whether the variable is built in: an entry of [`BUILT_IN_VARIABLES`], in any case.
#[must_use]
pub fn is_built_in(scope: Scope, key: &str) -> bool {
    BUILT_IN_VARIABLES.iter().any(|(in_scope, name)| {
        *in_scope == scope
            && match name.strip_suffix('.') {
                None => key.eq_ignore_ascii_case(name),
                Some(stem) => {
                    key.eq_ignore_ascii_case(stem)
                        || key.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                }
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_variables_are_found_in_any_case_and_only_in_their_scope() {
        for (scope, key) in [
            (Scope::User, "ID"),
            (Scope::User, "addDate"),
            (Scope::User, "identifiers"),
            (Scope::User, "Identifiers.msisdn"),
            (Scope::Session, "initialKeyword.x"),
            (Scope::Session, "circle"),
            (Scope::Request, "initialkeyword.y"),
        ] {
            assert!(is_built_in(scope, key), "{scope}.{key}");
        }
        for (scope, key) in
            [(Scope::Session, "id"), (Scope::User, "identifiersX"), (Scope::Request, "circle"), (Scope::User, "ident")]
        {
            assert!(!is_built_in(scope, key), "{scope}.{key}");
        }
    }
}
