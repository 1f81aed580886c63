//! The reference of commands, settings, exit codes and states, made of what the program itself parses and returns.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::args::Cli;
use super::config::{CONTRACT, TYPED_ONLY, default_of, is_no_setting, variable_of};
use super::exit::Exit;
use crate::invocation::State;

/// Commands, settings, exit codes and states, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut root = Cli::command();
    root.build();
    let mut text = String::new();
    push_commands(&mut text, &mut root);
    push_shared(&mut text, &root);
    push_settings(&mut text, &root);
    push_exit_codes(&mut text);
    push_states(&mut text);
    text
}

/// Whether the words after `mep-batch` are a command with flags that exist; else what is wrong with them.
///
/// # Errors
///
/// What the program would say on a terminal.
pub fn parses(words: &[String]) -> Result<(), String> {
    let command = with_files_unread(Cli::command());
    let words = std::iter::once("mep-batch").chain(words.iter().map(String::as_str));
    match command.try_get_matches_from(words) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(()), // help and the version are no errors
    }
}

/// A flag of which the value is a file that is read while it is parsed takes any name.
fn with_files_unread(command: Command) -> Command {
    let is_read = |arg: &Arg| arg.get_long() == Some("mapping");
    let any = |arg: Arg| arg.value_parser(clap::builder::NonEmptyStringValueParser::new());
    let command = command.mut_args(|arg| if is_read(&arg) { any(arg) } else { arg });
    command.mut_subcommands(with_files_unread)
}

fn push_commands(text: &mut String, root: &mut Command) {
    let _ = writeln!(text, "## Commands\n");
    for command in root.get_subcommands_mut().filter(|command| is_shown(command)) {
        let name = command.get_name().to_owned();
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "### `{name}`\n\n{about}.\n\n```text\n{usage}\n```\n");
        let own: Vec<&Arg> = command.get_arguments().filter(|arg| arg.get_help_heading().is_none()).collect();
        own.iter().filter(|arg| !is_help(arg)).for_each(|arg| push_arg(text, arg, None));
        let headings = headings(command);
        if !headings.is_empty() {
            let _ = writeln!(text, "- and: {}", headings.join(", "));
        }
        text.push('\n');
    }
}

/// The flags that several commands share, by the headings of `--help`.
fn push_shared(text: &mut String, root: &Command) {
    let mut shared: Vec<(String, Vec<&Arg>)> = Vec::new();
    let mut commands_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for command in std::iter::once(root).chain(root.get_subcommands().filter(|command| is_shown(command))) {
        for arg in command.get_arguments() {
            let (Some(heading), Some(long)) = (arg.get_help_heading(), arg.get_long()) else { continue };
            commands_of.entry(long).or_default().push(command.get_name());
            let place = shared.iter().position(|(other, _)| other == heading).unwrap_or(shared.len());
            if place == shared.len() {
                shared.push((heading.to_owned(), Vec::new()));
            }
            if !shared[place].1.iter().any(|other| other.get_long() == Some(long)) {
                shared[place].1.push(arg);
            }
        }
    }
    for (heading, args) in shared {
        let _ = writeln!(text, "### {heading}\n");
        for arg in args {
            let commands = &commands_of[arg.get_long().unwrap_or_default()];
            let commands = (!arg.is_global_set()).then(|| commands.join(", "));
            push_arg(text, arg, commands.as_deref());
        }
        text.push('\n');
    }
}

fn push_arg(text: &mut String, arg: &Arg, commands: Option<&str>) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let commands = commands.map(|commands| format!(" ({commands})")).unwrap_or_default();
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .into_iter()
        .filter(|value| arg.get_action().takes_values() && !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let values = if values.is_empty() { String::new() } else { format!("; one of {}", values.join(", ")) };
    let _ = writeln!(text, "- {short}`{}`{commands}: {help}{values}", written(arg));
}

/// A flag with its value, or an argument, as the usage writes it.
fn written(arg: &Arg) -> String {
    let names: Vec<&str> = arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
    match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => format!("--{long} {}", names.join(" ")),
        Some(long) => format!("--{long}"),
        None if names.is_empty() => arg.get_id().as_str().to_uppercase(),
        None => names.join(" "),
    }
}

fn push_settings(text: &mut String, root: &Command) {
    text.push_str("## Settings\n\nA flag beats its variable, which beats the file.\n\n");
    text.push_str("| flag | variable | key in mep-batch.toml | default |\n|---|---|---|---|\n");
    let mut seen: Vec<String> = Vec::new();
    for command in std::iter::once(root).chain(root.get_subcommands().filter(|command| is_shown(command))) {
        for arg in command.get_arguments().filter(|arg| !is_help(arg) && !is_no_setting(arg)) {
            let Some(long) = arg.get_long().filter(|long| !seen.iter().any(|other| other == long)) else { continue };
            seen.push(long.to_owned());
            let variable = variable_of(arg).map_or_else(|| "-".to_owned(), |name| format!("`{name}`"));
            let bound = long.strip_prefix(CONTRACT).and_then(|rest| rest.strip_prefix('-'));
            let key = match bound {
                _ if TYPED_ONLY.contains(&long) => "-".to_owned(),
                Some(bound) => format!("`{}` of `[{CONTRACT}]`", bound.replace('-', "_")),
                None => format!("`{long}`"),
            };
            let default = default_of(arg).unwrap_or_else(|| "-".to_owned());
            let _ = writeln!(text, "| `--{long}` | {variable} | {key} | {} |", default.replace('|', "\\|"));
        }
    }
    text.push_str("| (none) | `MEP_PASSWORD` | - | - |\n\n");
    let without: Vec<String> = root
        .get_subcommands()
        .flat_map(|command| command.get_arguments().filter(|arg| is_no_setting(arg)).map(move |arg| (command, arg)))
        .map(|(command, arg)| format!("`{} --{}`", command.get_name(), arg.get_long().unwrap_or_default()))
        .collect();
    let _ =
        writeln!(text, "Neither a variable nor a key changes {}: they are said anew each time.\n", without.join(", "));
}

fn push_exit_codes(text: &mut String) {
    text.push_str("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit.code(), exit.meaning());
    }
    text.push_str("\nOf 9, 6, 4, 5 and 3 the first that holds is the code.\n\n");
}

fn push_states(text: &mut String) {
    text.push_str("## States of a row\n\n| state | meaning | what moves it out |\n|---|---|---|\n");
    for state in State::ALL {
        let (meaning, way_out) = (state.meaning(), state.way_out());
        let _ = writeln!(text, "| `{state}` | {meaning} | {way_out} |");
    }
    text.push('\n');
}

fn headings(command: &Command) -> Vec<String> {
    let mut headings: Vec<String> = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
        if let Some(heading) = arg.get_help_heading()
            && !headings.iter().any(|other| other == heading)
        {
            headings.push(heading.to_owned());
        }
    }
    headings
}

fn is_shown(command: &Command) -> bool {
    command.get_name() != "help" && !command.is_hide_set()
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_long(), Some("help" | "version"))
}
