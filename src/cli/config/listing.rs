//! Every setting, its value and where that came from, as data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::origin::{Origin, fault_of, is_switch, origin_of};
use super::{Parser, TYPED_ONLY, is_no_setting, typed_value, variable_of};
use crate::cli::args::Cli;
use crate::cli::proxy;
use crate::store::Address;

/// One setting.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Listed {
    /// As in `--help`; flags that stand under no heading there have their commands' names.
    pub(in crate::cli) group: String,
    /// The flag's name, and the key in the file.
    pub(in crate::cli) key: String,
    /// What applies; `None`: nothing.
    pub(in crate::cli) value: Option<String>,
    /// What applies if nothing is said.
    pub(in crate::cli) default: Option<String>,
    /// Where the value was said.
    pub(in crate::cli) source: Source,
    /// Its variable; `None` where it has none.
    pub(in crate::cli) variable: Option<String>,
    /// Why the value cannot be used.
    pub(in crate::cli) fault: Option<String>,
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Source {
    /// Nowhere.
    Default,
    /// On the command line.
    Flag,
    /// In that variable.
    Variable(String),
    /// In that file, at that line.
    File(PathBuf, usize),
}

/// Every setting, in the order and the groups of `--help`.
pub(in crate::cli) fn listed(parser: &Parser) -> Vec<Listed> {
    let mut commands_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut found: Vec<Arg> = Vec::new();
    // Without what the variables and the files have put there.
    collect(&Cli::command(), &mut found, &mut commands_of);
    let mut listed: Vec<Listed> = found.iter().map(|arg| setting(parser, arg, &commands_of)).collect();
    let is_said_anew = |setting: &Listed| TYPED_ONLY.contains(&setting.key.as_str());
    listed.retain(|setting| !is_said_anew(setting) || setting.source != Source::Default);
    let groups: Vec<String> = listed.iter().map(|setting| setting.group.clone()).collect();
    listed.sort_by_key(|setting| (is_of_commands(setting), groups.iter().position(|group| *group == setting.group)));
    listed
}

fn is_of_commands(setting: &Listed) -> bool {
    setting.group.starts_with("Options of")
}

fn collect(command: &Command, found: &mut Vec<Arg>, commands_of: &mut BTreeMap<String, Vec<String>>) {
    for arg in command.get_arguments().filter(|arg| !is_no_setting(arg)) {
        let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
        commands_of.entry(long.to_owned()).or_default().push(command.get_name().to_owned());
        if !found.iter().any(|other| other.get_long() == Some(long)) {
            found.push(arg.clone());
        }
    }
    command.get_subcommands().for_each(|sub| collect(sub, found, commands_of));
}

fn setting(parser: &Parser, arg: &Arg, commands_of: &BTreeMap<String, Vec<String>>) -> Listed {
    let key = arg.get_long().unwrap_or_default().to_owned();
    let default = default_of(arg);
    let (source, said) = match (typed(arg, &parser.arguments), origin_of(arg, &parser.settings)) {
        (Some(value), _) => (Source::Flag, Some(vec![value])),
        (None, Some((Origin::Variable(name), values))) => (Source::Variable(name), Some(values)),
        (None, Some((Origin::File(setting), values))) => {
            (Source::File(setting.place.file, setting.place.line), Some(values))
        }
        (None, None) => (Source::Default, None),
    };
    let fault = said.as_ref().and_then(|values| fault_of(arg, values));
    let value = said.map(|values| shown(&key, &values.join(","))).or_else(|| default.clone());
    let group = match arg.get_help_heading() {
        Some(heading) => heading.to_owned(),
        None => format!("Options of {}", commands_of[&key].join(", ")),
    };
    Listed { group, value, default, source, variable: variable_of(arg), fault, key }
}

/// The value that was typed; of a switch, that it was.
fn typed(arg: &Arg, arguments: &[OsString]) -> Option<String> {
    let long = format!("--{}", arg.get_long()?);
    let short = arg.get_short();
    let times = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        let shorts = argument.strip_prefix('-').filter(|letters| letters.chars().all(|c| Some(c) == short));
        if argument == long { 1 } else { shorts.map_or(0, str::len) }
    };
    let times: usize = arguments.iter().map(times).sum();
    if is_switch(arg) {
        let is_counted = matches!(arg.get_action(), ArgAction::Count);
        return (times > 0).then(|| if is_counted { times.to_string() } else { "true".to_owned() });
    }
    typed_value(arguments, &long).map(|value| value.to_string_lossy().into_owned())
}

/// What applies if nothing is said: the parser's default, or what the help says.
pub(in crate::cli) fn default_of(arg: &Arg) -> Option<String> {
    let values = arg.get_default_values();
    if !values.is_empty() {
        return Some(values.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(","));
    }
    if is_switch(arg) {
        return Some(if matches!(arg.get_action(), ArgAction::Count) { "0" } else { "false" }.to_owned());
    }
    let help = arg.get_help()?.to_string();
    Some(help.split_once("[default: ")?.1.split(']').next()?.to_owned())
}

/// A value for a screen: never a password.
fn shown(key: &str, value: &str) -> String {
    if key == "db" {
        let address: Result<Address, _> = value.parse();
        return address.map_or_else(|_| "(not shown: it cannot be read)".to_owned(), |address| address.to_string());
    }
    if key == proxy::KEY || value.contains("://") { proxy::shown(value) } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::invocation::Settings;

    #[test]
    fn the_defaults_that_the_help_tells_are_those_of_a_batch() {
        let mut found = Vec::new();
        collect(&Cli::command(), &mut found, &mut BTreeMap::new());
        let told = |long: &str| {
            let arg = found.iter().find(|arg| arg.get_long() == Some(long)).expect("a flag");
            humantime::parse_duration(&default_of(arg).expect("a default")).expect("a time")
        };
        let settings = Settings::default();
        let never = Duration::ZERO;
        assert_eq!(told("retry-initial"), settings.retry_initial);
        assert_eq!(told("retry-max"), settings.retry_max);
        assert_eq!(told("vendor-retry"), settings.vendor_retry.unwrap_or(never));
        assert_eq!(told("retry-for"), settings.retry_for);
        assert_eq!(told("probe-after"), settings.probe_after);
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(shown("db", "postgres://ann:geheim@h/d"), "postgres://ann@h:5432/d");
        assert!(!shown("db", "postgres://ann:ge@heim@h/d").contains("heim"));
        assert_eq!(shown("proxy", "http://ann:geheim@proxy:1"), "http://•••@proxy:1");
        assert_eq!(shown("proxy", "ann:geheim@proxy:1"), "•••@proxy:1");
        assert_eq!(shown("map", "a@b=phoneNumber"), "a@b=phoneNumber");
        assert_eq!(shown("endpoint", "https://host/path"), "https://host/path");
    }
}
