//! Where a setting comes from: a flag beats its environment variable beats the file.
//!
//! Both are added to the parser before it parses: the variable's name is the flag's, and a key of the file becomes
//! the flag's default. So a flag has all three without a word in its definition, but for those
//! that are said anew each time.

mod file;
mod listing;
mod near;
mod origin;
mod variables;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::bail;
use clap::{Arg, Command, CommandFactory};

pub(super) use file::{Setting, read};
pub(super) use listing::{Listed, Source, default_of, listed};
pub(super) use near::closest;
pub(super) use variables::{PASSWORD, variable_of};

use super::args::Cli;
use super::failure::Usage;
use super::{database, mapping, proxy};

/// The table of the file that holds the contract's bounds; its keys are flags that begin with its name.
pub(super) const CONTRACT: &str = "contract";

/// What an operator says of one batch at one time: kept in a file it would be said of every batch to come.
pub(super) const TYPED_ONLY: [&str; 17] = [
    "accept-history",
    "again",
    "all",
    "apply",
    "as",
    "canary",
    "clear",
    "config",
    "confirm",
    "confirm-at-most",
    "delete",
    "from",
    "reason",
    "reveal",
    "rolled-back",
    "save-mapping",
    "yes",
];

/// Flags that say what an operator wants at this moment, though another command has a setting of their name: the password of the
/// vendor's account is not to become the status page's.
const NO_SETTING: [&str; 3] = ["throttle_rate", "serve_listen", "serve_password_file"];

/// Whether a flag is one of them.
pub(super) fn is_no_setting(arg: &Arg) -> bool {
    NO_SETTING.contains(&arg.get_id().as_str())
}

/// The parser, and what was put into it.
#[derive(Debug, Clone)]
pub(super) struct Parser {
    /// With variables and the files' defaults in it.
    pub(super) command: Command,
    /// The configuration, where there is one.
    pub(super) file: Option<PathBuf>,
    /// The keys of the configuration, then those of the mapping file, which beat them.
    settings: Vec<Setting>,
    arguments: Vec<OsString>,
}

impl Parser {
    /// Reads what lies beneath the flags.
    pub(super) fn new(arguments: &[OsString]) -> anyhow::Result<Parser> {
        let mut command = variables::with_variables(Cli::command(), true);
        command.build();
        if let Some(choice) = typed_value(arguments, "--color").and_then(|choice| choice.to_str()?.parse().ok()) {
            command = command.color(choice); // help and errors come before the flag is parsed
        }
        let file = file_to_read(arguments);
        let mut settings = Vec::new();
        if let Some(path) = &file {
            settings = read(path, "the configuration")?;
            for setting in &settings {
                command = with_default(command, setting)?;
            }
        }
        if let Some(path) = mapping_file(arguments, &settings) {
            let of_table = mapping::read(&path)?;
            command = with_mapping(command, &of_table)?;
            settings.extend(of_table);
        }
        Ok(Parser { command, file, settings, arguments: arguments.to_owned() })
    }

    /// An error of the parser in the operator's terms, where it is about a value that was not typed.
    pub(super) fn explained(&self, error: &clap::Error) -> Option<anyhow::Error> {
        origin::explained(&self.command, &self.settings, &self.arguments, error)
    }

    /// Warnings of variables that look like settings and are none.
    pub(super) fn unknown_variables(&self) -> Vec<String> {
        variables::unknown(&self.command)
    }
}

/// The mapping file, by the flag, its variable or the configuration.
fn mapping_file(arguments: &[OsString], settings: &[Setting]) -> Option<PathBuf> {
    let setting = || settings.iter().find(|setting| setting.key == "mapping")?.values.first().map(PathBuf::from);
    let variable = || std::env::var_os("MEP_BATCH_MAPPING").map(PathBuf::from);
    typed_value(arguments, "--mapping").map(PathBuf::from).or_else(variable).or_else(setting)
}

/// The mapping file's keys beat the configuration's. Its lists take the place of the configuration's, which speak of
/// other files, and are added to what is typed once that is known.
fn with_mapping(mut command: Command, settings: &[Setting]) -> anyhow::Result<Command> {
    for list in mapping::LISTS {
        command = set_default(command, list, &[]);
    }
    for setting in settings.iter().filter(|setting| !mapping::LISTS.contains(&setting.key.as_str())) {
        command = with_default(command, setting)?;
    }
    Ok(command)
}

/// The file that is named, or the one in the usual place if it is there.
fn file_to_read(arguments: &[OsString]) -> Option<PathBuf> {
    if let Some(path) = typed_value(arguments, "--config") {
        return Some(PathBuf::from(path));
    }
    if let Some(path) = std::env::var_os("MEP_BATCH_CONFIG") {
        return Some(PathBuf::from(path));
    }
    usual_file()
}

/// The file in the usual place, if it is there.
pub(super) fn usual_file() -> Option<PathBuf> {
    let folder = match std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".config"),
    };
    Some(folder.join("mep-batch/mep-batch.toml")).filter(|path| path.exists())
}

/// What stands after a flag, or after its `=`; empty where nothing does.
pub(super) fn typed_value<'a>(arguments: &'a [OsString], flag: &str) -> Option<&'a OsStr> {
    arguments.iter().enumerate().find_map(|(place, argument)| {
        if argument == flag {
            return arguments.get(place + 1).map(OsString::as_os_str);
        }
        argument.to_str()?.strip_prefix(flag)?.strip_prefix('=').map(OsStr::new)
    })
}

fn with_default(command: Command, setting: &Setting) -> anyhow::Result<Command> {
    let Setting { key, values, place } = setting;
    if TYPED_ONLY.contains(&key.as_str()) {
        bail!(Usage(format!(
            "`{key}` has no place in {place}: it is said anew each time\nhint: give `--{key}` on the command line"
        )));
    }
    let mut known = Vec::new();
    collect_longs(&command, &mut known);
    if !known.contains(key) {
        bail!(Usage(unknown_text(setting, &known)));
    }
    if key == "db" {
        database::refuse_readable_password(&place.file, values)?;
    }
    if key == proxy::KEY && values.iter().any(|value| proxy::has_password(value)) {
        database::refuse_readable(&place.file, key, proxy::WAYS)?;
    }
    Ok(set_default(command, key, values))
}

fn unknown_text(Setting { key, place, .. }: &Setting, known: &[String]) -> String {
    let suggested: Vec<&str> = known.iter().map(String::as_str).filter(|long| !TYPED_ONLY.contains(long)).collect();
    let Some(bound) = bound_of(key) else {
        let hint = match closest(key, &suggested) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`mep-batch config` lists the settings".to_owned(),
        };
        return format!("`{key}` in {place} is no setting\nhint: {hint}");
    };
    let text = format!("`{bound}` below `[{CONTRACT}]` in {place} is no bound of the contract\nhint: ");
    if suggested.contains(&bound) {
        return format!("{text}put `{bound}` above `[{CONTRACT}]`");
    }
    let bounds: Vec<&str> = suggested.iter().filter_map(|long| bound_of(long)).collect();
    match closest(bound, &bounds) {
        Some(near) => format!("{text}did you mean `{near}`?"),
        None => format!("{text}there is: {}", bounds.join(", ")),
    }
}

/// The key of a contract's bound below `[contract]`.
fn bound_of(key: &str) -> Option<&str> {
    key.strip_prefix(CONTRACT)?.strip_prefix('-')
}

fn set_default(command: Command, key: &str, values: &[String]) -> Command {
    let command = command.mut_args(|arg: Arg| {
        let is_it = arg.get_long() == Some(key) && !is_no_setting(&arg);
        if is_it { arg.default_values(values.to_vec()) } else { arg }
    });
    command.mut_subcommands(|sub| set_default(sub, key, values))
}

fn collect_longs(command: &Command, longs: &mut Vec<String>) {
    longs.extend(command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)));
    command.get_subcommands().for_each(|sub| collect_longs(sub, longs));
}
