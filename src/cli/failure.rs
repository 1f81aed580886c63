//! How errors are told, and which exit code each has.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use serde_json::json;

use super::exit::Exit;
use super::steering::steers;
use super::{logs, output, typed};
use crate::import::{FileRefused, TooManyRejected};
use crate::store;

/// Usage or configuration is wrong: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Told in full already: only the exit code is left.
#[derive(Debug, thiserror::Error)]
#[error("exit code {}", .0.code())]
pub(super) struct Told(pub(super) Exit);

/// Tells an error, on stdout too where JSON is asked for; its exit code.
pub(super) fn tell(json: bool, error: &anyhow::Error) -> Exit {
    if let Some(Told(exit)) = error.downcast_ref::<Told>() {
        return *exit;
    }
    let exit = exit_of(error);
    let text = typed::whole(&format!("{error:#}")).into_owned();
    output::stderr(&format!("error: {text}\n"));
    if json {
        output::stdout_last(&json!({ "error": text, "exitCode": exit.code() }).to_string());
    }
    exit
}

/// Tells what is wrong before the flags are known, such as the configuration.
pub(super) fn before_parsing(arguments: &[OsString], error: &anyhow::Error) -> ExitCode {
    tell(asks_for_json(arguments), error).into()
}

/// Tells what is wrong with the arguments; help and version are no errors.
pub(super) fn of_arguments(arguments: &[OsString], error: &clap::Error) -> ExitCode {
    let is_error = error.use_stderr();
    // What was typed is repeated in it, and a file's name may be anybody's.
    let is_told_here = is_error && (logs::is_json() || steers(&error.to_string()));
    if is_told_here {
        output::stderr(&error.to_string());
    }
    match if is_told_here { Ok(()) } else { error.print() } {
        // Whoever read it has seen enough.
        Err(unread) if unread.kind() == io::ErrorKind::BrokenPipe => {}
        Err(_) => return Exit::Error.into(),
        Ok(()) => {}
    }
    if !is_error {
        return Exit::Complete.into();
    }
    if asks_for_json(arguments) {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        output::stdout_last(&json!({ "error": first, "exitCode": Exit::Usage.code() }).to_string());
    }
    Exit::Usage.into()
}

fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--json")
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<store::Error>() {
        return match error {
            store::Error::Held { .. } => Exit::Held,
            store::Error::Conflict(_) => Exit::Usage,
            store::Error::NotFound(_)
            | store::Error::Unsuitable { .. }
            | store::Error::Fenced(_)
            | store::Error::Overtaken
            | store::Error::Silent { .. }
            | store::Error::Narrow { .. }
            | store::Error::Database { .. } => Exit::Store,
        };
    }
    if error.is::<FileRefused>() || error.is::<TooManyRejected>() {
        return Exit::InputRefused;
    }
    if error.is::<Usage>() { Exit::Usage } else { Exit::Error }
}
