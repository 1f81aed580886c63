//! `completions` and `man`: made from the flags alone, whatever this machine's settings are.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory, FromArgMatches};
use clap_complete::Shell;

use super::args::{Cli, Command, CompletionsArgs, ManArgs};
use super::exit::Exit;
use super::{failure, output};

/// A command that prints what is made of the parser alone.
pub(super) enum Generated {
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// The command, where it is one of these: known before any variable or file is read, so that neither can be in what they print.
pub(super) fn command(arguments: &[OsString]) -> Option<Generated> {
    let matches = Cli::command().try_get_matches_from(arguments).ok()?;
    matches!(matches.subcommand_name(), Some("completions" | "man")).then_some(())?;
    let command = Cli::from_arg_matches(&matches).ok()?.command;
    if let Command::Completions(args) = command {
        return Some(Generated::Completions(args));
    }
    if let Command::Man(args) = command { Some(Generated::Man(args)) } else { None }
}

/// Prints what such a command asks for.
pub(super) fn print(command: &Generated) -> ExitCode {
    let printed = match command {
        Generated::Completions(args) => completions(args),
        Generated::Man(args) => man(args),
    };
    match printed {
        Ok(()) => Exit::Complete.into(),
        Err(error) if output::is_closed_pipe(&error) => Exit::Complete.into(),
        Err(error) => failure::tell(false, &error).into(),
    }
}

fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    if args.shell == Shell::Bash {
        text = hyphen_mended(text);
    }
    Ok(output::stdout_bytes(&text)?)
}

/// Has the bash script complete what follows a command: `clap_complete` 4.6 sets one name there and asks for another where
/// the program's own name has a hyphen (clap-rs/clap#6421).
fn hyphen_mended(script: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(script) {
        Ok(text) => text.replace("mep__subcmd__batch__", "mep__batch__").into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    }
}

fn man(args: &ManArgs) -> anyhow::Result<()> {
    let mut command = Cli::command();
    command.build();
    match &args.output {
        None => Ok(output::stdout_bytes(&page(command)?)?),
        Some(folder) => write_pages(command, folder),
    }
}

/// Writes `mep-batch.1`, and `mep-batch-run.1` and so on.
fn write_pages(command: clap::Command, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let name = command.get_name().to_owned();
    // The parser's own `help` is told of on each page.
    let commands: Vec<clap::Command> =
        command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned().collect();
    write_page(&name, command, folder)?;
    for sub in commands {
        let full = format!("{name}-{}", sub.get_name());
        // `mep-batch run` is how it is typed, and its page is found by `man mep-batch-run`.
        let typed = format!("{name} {}", sub.get_name());
        write_page(&full, sub.display_name(full.clone()).bin_name(typed), folder)?;
    }
    Ok(())
}

fn write_page(name: &str, command: clap::Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The page, without a date: the same program makes the same pages.
fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let source = format!("mep-batch {}", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(&mut text)?;
    Ok(text)
}
