//! Where a setting comes from: a flag beats its environment variable beats the file.
//!
//! Both are added to the parser before it parses: the variable's name is the flag's, and a key of the file becomes
//! the flag's default. So every flag has all three without a word in its definition.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Arg, Command, CommandFactory};
use toml::{Table, Value};

use super::args::Cli;
use super::failure::Usage;
use super::{database, mapping};

/// The table of the file that holds the contract's bounds; its keys are flags that begin with its name.
const CONTRACT: &str = "contract";

/// What an operator says of one batch at one time: kept in a file it would be said of every batch to come.
const TYPED_ONLY: [&str; 16] = [
    "accept-history",
    "canary",
    "config",
    "confirm",
    "confirm-at-most",
    "again",
    "yes",
    "as",
    "all",
    "clear",
    "delete",
    "from",
    "apply",
    "reason",
    "reveal",
    "save-mapping",
];
/// The flag that says what an operator wants at this moment, though another command has a setting of its name.
const NO_SETTING: &str = "throttle_rate";

/// The parser, with variables and the file's defaults in it.
pub(super) fn command(arguments: &[OsString]) -> anyhow::Result<Command> {
    let mut command = with_variables(Cli::command(), true);
    command.build();
    if let Some(choice) = value_of(arguments, "--color").and_then(|choice| choice.to_str()?.parse().ok()) {
        command = command.color(choice); // help and errors come before the flag is parsed
    }
    let mut settings = Vec::new();
    if let Some(path) = file_to_read(arguments) {
        settings = read(&path, "the configuration")?;
        for (key, values) in &settings {
            command = with_default(command, &path, key, values)?;
        }
    }
    if let Some(file) = mapping_file(arguments, &settings) {
        command = with_mapping(command, &file)?;
    }
    Ok(command)
}

/// The mapping file, by the flag, its variable or the configuration.
fn mapping_file(arguments: &[OsString], settings: &[(String, Vec<String>)]) -> Option<PathBuf> {
    let setting = || settings.iter().find(|(key, _)| key == "mapping")?.1.first().map(PathBuf::from);
    let variable = || std::env::var_os("MEP_BATCH_MAPPING").map(PathBuf::from);
    value_of(arguments, "--mapping").map(PathBuf::from).or_else(variable).or_else(setting)
}

/// The mapping file's keys beat the configuration's. Its lists take the place of the configuration's, which speak of
/// other files, and are added to what is typed once that is known.
fn with_mapping(mut command: Command, file: &Path) -> anyhow::Result<Command> {
    let keys = mapping::read(file)?;
    for list in mapping::LISTS {
        command = set_default(command, list, &[]);
    }
    for (key, values) in keys.iter().filter(|(key, _)| !mapping::LISTS.contains(&key.as_str())) {
        command = with_default(command, file, key, values)?;
    }
    Ok(command)
}

/// Gives every flag its variable: `--rate` is `MEP_BATCH_RATE`. The account's is the vendor's own.
fn with_variables(command: Command, global_too: bool) -> Command {
    let command = command.mut_args(|arg| match arg.get_long() {
        Some("help" | "version") | None => arg,
        Some("accept-history" | "apply" | "canary" | "delete") => arg, // said once, by somebody who looks
        Some(_) if arg.get_id() == NO_SETTING => arg,
        Some("account") => arg.env("MEP_ACCOUNT").hide_env(true),
        Some(_) if arg.is_global_set() && !global_too => arg,
        Some(long) => {
            let variable = format!("MEP_BATCH_{}", long.to_uppercase().replace('-', "_"));
            arg.env(variable).hide_env(true)
        }
    });
    command.mut_subcommands(|sub| with_variables(sub, false))
}

/// The file that is named, or the one in the usual place if it is there.
fn file_to_read(arguments: &[OsString]) -> Option<PathBuf> {
    if let Some(path) = value_of(arguments, "--config") {
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

/// What stands after a flag, or after its `=`.
fn value_of<'a>(arguments: &'a [OsString], flag: &str) -> Option<&'a OsStr> {
    arguments.iter().enumerate().find_map(|(place, argument)| {
        if argument == flag {
            return arguments.get(place + 1).map(OsString::as_os_str);
        }
        argument.to_str()?.strip_prefix(flag)?.strip_prefix('=').map(OsStr::new)
    })
}

/// The keys of a file of this kind as flags' names, each with its values as they would be typed.
pub(super) fn read(path: &Path, kind: &str) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| Usage(format!("cannot read {kind} `{shown}`")))?;
    let table: Table = text.parse().with_context(|| Usage(format!("`{shown}` is no TOML")))?;
    let mut keys = Vec::new();
    for (key, value) in table {
        if let (CONTRACT, Value::Table(bounds)) = (key.as_str(), &value) {
            for (key, value) in bounds {
                keys.push((format!("{CONTRACT}-{}", key.replace('_', "-")), typed(path, key, value)?));
            }
        } else {
            keys.push((key.replace('_', "-"), typed(path, &key, &value)?));
        }
    }
    Ok(keys)
}

/// A value as it would be typed after its flag.
fn typed(path: &Path, key: &str, value: &Value) -> anyhow::Result<Vec<String>> {
    Ok(match value {
        Value::String(text) => vec![text.clone()],
        Value::Integer(number) => vec![number.to_string()],
        Value::Float(number) => vec![number.to_string()],
        Value::Boolean(yes) => vec![yes.to_string()],
        Value::Array(values) => {
            let mut all = Vec::new();
            for value in values {
                all.extend(typed(path, key, value)?);
            }
            all
        }
        Value::Table(_) | Value::Datetime(_) => {
            bail!(Usage(format!(
                "`{key}` in `{}` is of no use; expected a text, a number, true, false or a list",
                path.display()
            )))
        }
    })
}

fn with_default(command: Command, path: &Path, key: &str, values: &[String]) -> anyhow::Result<Command> {
    if TYPED_ONLY.contains(&key) {
        bail!(Usage(format!(
            "`{key}` has no place in `{}`: it is said anew each time\nhint: give `--{key}` on the command line",
            path.display()
        )));
    }
    let mut known = Vec::new();
    collect_longs(&command, &mut known);
    if !known.iter().any(|long| long == key) {
        let hint = closest(key, &known).map(|near| format!("\nhint: did you mean `{near}`?")).unwrap_or_default();
        bail!(Usage(format!("`{key}` in `{}` is no setting{hint}", path.display())));
    }
    if key == "db" {
        database::refuse_readable_password(path, values)?;
    }
    Ok(set_default(command, key, values))
}

fn set_default(command: Command, key: &str, values: &[String]) -> Command {
    let command = command.mut_args(|arg: Arg| {
        let is_it = arg.get_long() == Some(key) && arg.get_id() != NO_SETTING;
        if is_it { arg.default_values(values.to_vec()) } else { arg }
    });
    command.mut_subcommands(|sub| set_default(sub, key, values))
}

fn collect_longs(command: &Command, longs: &mut Vec<String>) {
    longs.extend(command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)));
    command.get_subcommands().for_each(|sub| collect_longs(sub, longs));
}

/// The known word that shares the longest beginning with the unknown one, if it is any like it.
pub(super) fn closest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a String> {
    let shared = |word: &&String| word.bytes().zip(unknown.bytes()).take_while(|(a, b)| a == b).count();
    known.iter().max_by_key(shared).filter(|word| shared(word) >= 3)
}
