//! A file of settings: its keys as flags' names, each with its values as they would be typed, and where it stands.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::CONTRACT;
use crate::cli::failure::Usage;

/// One key of a file.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Setting {
    /// The flag's name: `retry-max` for `retry_max`, `contract-key-length-max` for `key_length_max` of `[contract]`.
    pub(in crate::cli) key: String,
    /// As they would be typed after the flag.
    pub(in crate::cli) values: Vec<String>,
    /// Where it stands.
    pub(in crate::cli) place: Place,
}

/// A place in a file, for a person who opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Place {
    pub(in crate::cli) file: PathBuf,
    pub(in crate::cli) line: usize,
    column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}, column {}", self.file.display(), self.line, self.column)
    }
}

/// The keys of a file of this kind.
pub(in crate::cli) fn read(file: &Path, kind: &str) -> anyhow::Result<Vec<Setting>> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| Usage(format!("cannot read {kind} `{shown}`")))?;
    let place = |span: Range<usize>| {
        let before = text.get(..span.start).unwrap_or(&text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Place { file: file.to_owned(), line: before.matches('\n').count() + 1, column }
    };
    // The error's own text shows the line itself, which may hold a password.
    let table = DeTable::parse(&text).map_err(|error| {
        let at = error.span().map(|span| format!(": {}", place(span))).unwrap_or_default();
        Usage(format!("`{shown}` is no TOML{at}: {}", error.message()))
    })?;
    let mut settings: Vec<Setting> = Vec::new();
    let mut add = |prefix: &str, key: &Spanned<_>, value: &Spanned<DeValue<'_>>| -> anyhow::Result<()> {
        let (name, place): (&std::borrow::Cow<'_, str>, _) = (key.get_ref(), place(key.span()));
        let key = format!("{prefix}{}", name.replace('_', "-"));
        if let Some(first) = settings.iter().find(|setting| setting.key == key) {
            bail!(Usage(format!("`{name}` in {place} stands in line {} already", first.place.line)));
        }
        settings.push(Setting { values: typed(value.get_ref(), name, &place)?, key, place });
        Ok(())
    };
    let mut keys: Vec<_> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        match (key.get_ref().as_ref(), value.get_ref()) {
            (CONTRACT, DeValue::Table(bounds)) => {
                bounds.iter().try_for_each(|(key, value)| add(&format!("{CONTRACT}-"), key, value))?;
            }
            (_, _) => add("", key, value)?,
        }
    }
    Ok(settings)
}

/// A value as it would be typed after its flag.
fn typed(value: &DeValue<'_>, name: &str, place: &Place) -> anyhow::Result<Vec<String>> {
    Ok(match value {
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Integer(number) => vec![match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.to_string(),
            Err(_) => number.to_string(), // larger than any setting: the flag says what it expects
        }],
        DeValue::Float(number) => vec![number.as_str().to_owned()],
        DeValue::Boolean(yes) => vec![yes.to_string()],
        DeValue::Array(values) => {
            let mut all = Vec::new();
            for value in values.iter() {
                all.extend(typed(value.get_ref(), name, place)?);
            }
            all
        }
        DeValue::Table(_) => bail!(Usage(format!(
            "the table `{name}` in {place} is not known; `[{CONTRACT}]` is the only one\n\
             hint: the other settings stand above it, one a line and in no table"
        ))),
        DeValue::Datetime(_) => bail!(Usage(format!(
            "`{name}` in {place} is a date without quotes; expected a text, a number, true, false or a list\n\
             hint: {name} = \"…\""
        ))),
    })
}
