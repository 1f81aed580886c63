//! `--version`: this program's, with what it keeps the queue in.

use std::ffi::OsString;

use clap::Command;

use crate::store;

/// The command with its long version, where that is asked for: the library has to be asked for its own.
pub(super) fn told(command: Command, arguments: &[OsString]) -> Command {
    if arguments.iter().any(|argument| argument == "--version") { command.long_version(long()) } else { command }
}

/// `0.1.0 (SQLite 3.51.3, schema 1)`.
fn long() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let schema = store::SCHEMA_VERSION;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    match runtime.map(|runtime| runtime.block_on(store::library_version())) {
        Ok(Ok(sqlite)) => format!("{version} (SQLite {sqlite}, schema {schema})"),
        Ok(Err(_)) | Err(_) => format!("{version} (schema {schema})"),
    }
}
