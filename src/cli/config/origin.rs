//! Where a value that cannot be used was said: the parser speaks of flags, also of those that nobody typed.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use super::file::Setting;
use super::typed_value;
use super::variables::variable_of;
use crate::cli::failure::Usage;

/// Where an untyped value comes from.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Origin {
    /// This variable.
    Variable(String),
    /// This key of a file.
    File(Setting),
}

impl Origin {
    fn shown(&self) -> String {
        match self {
            Origin::Variable(name) => format!("the variable {name}"),
            Origin::File(setting) => setting.place.to_string(),
        }
    }
}

/// The origin of a flag's value, and the value, where the flag is not typed: the variable beats the file.
pub(super) fn origin_of(arg: &Arg, settings: &[Setting]) -> Option<(Origin, Vec<String>)> {
    if let Some(name) = variable_of(arg)
        && let Some(value) = std::env::var_os(&name)
    {
        return Some((Origin::Variable(name), vec![value.to_string_lossy().into_owned()]));
    }
    let setting = settings.iter().rfind(|setting| Some(setting.key.as_str()) == arg.get_long())?;
    Some((Origin::File(setting.clone()), setting.values.clone()))
}

/// The error in the operator's terms, where it is about a value that was not typed.
pub(super) fn explained(
    command: &Command,
    settings: &[Setting],
    arguments: &[OsString],
    error: &clap::Error,
) -> Option<anyhow::Error> {
    let typed = |arg: &Arg| arg.get_long().is_some_and(|long| typed_value(arguments, &format!("--{long}")).is_some());
    let mentioned = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => arg_named(command, text),
        _ => None,
    };
    let untyped = |kind| mentioned(kind).filter(|arg| !typed(arg));
    if let ErrorKind::ValueValidation | ErrorKind::InvalidValue = error.kind() {
        let arg = untyped(ContextKind::InvalidArg)?;
        let (origin, values) = origin_of(arg, settings)?;
        let wrong = match error.get(ContextKind::InvalidValue) {
            Some(ContextValue::String(value)) => value.clone(),
            _ => values.join(","),
        };
        let (key, origin) = (arg.get_long().unwrap_or_default(), origin.shown());
        return Some(Usage(format!("`{key}` is `{wrong}` in {origin}: {}", expected(error))).into());
    }
    if error.kind() == ErrorKind::ArgumentConflict {
        let args = [untyped(ContextKind::InvalidArg), untyped(ContextKind::PriorArg)];
        let hints = args.into_iter().flatten().filter_map(|arg| {
            let (origin, _) = origin_of(arg, settings)?;
            Some(format!("\nhint: `--{}` is set by {}", arg.get_long()?, origin.shown()))
        });
        let hints: String = hints.collect();
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return (!hints.is_empty()).then(|| Usage(format!("{first}{hints}")).into());
    }
    None
}

/// What is wrong with these values of a flag, wherever they were said.
pub(super) fn fault_of(arg: &Arg, values: &[String]) -> Option<String> {
    let mut alone = Arg::new("value").long("value");
    alone = if matches!(arg.get_action(), ArgAction::Count) {
        alone.value_parser(clap::value_parser!(u8))
    } else if is_switch(arg) {
        alone.value_parser(clap::value_parser!(bool))
    } else {
        alone.action(arg.get_action().clone()).value_parser(arg.get_value_parser().clone())
    };
    if let Some(delimiter) = arg.get_value_delimiter() {
        alone = alone.value_delimiter(delimiter);
    }
    let typed = values.iter().map(|value| format!("--value={value}"));
    let parsed = Command::new("alone").no_binary_name(true).arg(alone).try_get_matches_from(typed);
    parsed.err().map(|error| expected(&error))
}

/// Whether the flag takes no value when it is typed; its variable and its key do.
pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count)
}

/// What a parser says was expected.
fn expected(error: &clap::Error) -> String {
    if let Some(cause) = error.source() {
        return cause.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(valid)) if !valid.is_empty() => format!("expected one of {}", valid.join(", ")),
        _ => "this value cannot be used".to_owned(),
    }
}

/// The flag that the parser writes as `--rate <R>`.
fn arg_named<'a>(command: &'a Command, shown: &str) -> Option<&'a Arg> {
    let long = shown.strip_prefix("--")?.split([' ', '=', '[']).next()?;
    find(command, long)
}

fn find<'a>(command: &'a Command, long: &str) -> Option<&'a Arg> {
    let own = command.get_arguments().find(|arg| arg.get_long() == Some(long));
    own.or_else(|| command.get_subcommands().find_map(|sub| find(sub, long)))
}
