//! The database's address: by a flag, a variable or the file, and a password never where others can read it.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::failure::Usage;
use crate::store::Address;

/// The ways to give a password that nobody else on the machine can read.
const WAYS: &str = "give the address by MEP_BATCH_DB, or the password alone by PGPASSFILE or PGPASSWORD";

/// Where the queue is: one file for each user if nothing is said, so that cron and a terminal mean the same.
pub(super) fn address(flag: Option<&str>) -> anyhow::Result<Address> {
    if let Some(text) = flag {
        return text.parse().map_err(|why| {
            let ways = "`--db PATH`, or `--db postgres://USER@HOST/DATABASE`";
            Usage(format!("the database's address cannot be read: {why}\nhint: {ways}")).into()
        });
    }
    let data = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
    match data {
        Some(data) => Ok(Address::File(data.join("mep-batch/queue.db"))),
        None => {
            bail!(Usage("neither XDG_DATA_HOME nor HOME is set\nhint: `--db PATH` names the database".to_owned()))
        }
    }
}

/// The folder for what is kept for each user beside the data: `$XDG_STATE_HOME/mep-batch`.
pub(super) fn state_folder() -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    state.map(|state| state.join("mep-batch"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Refuses a password among the arguments, wherever it stands, before anything repeats them.
pub(super) fn refuse_typed_password(arguments: &[OsString]) -> anyhow::Result<()> {
    let has_password = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        Address::has_password(argument.strip_prefix("--db=").unwrap_or(&argument))
    };
    if arguments.iter().any(has_password) {
        bail!(Usage(format!(
            "a password in an argument is refused: everybody on this machine could read it while the program runs, and the \
             shell may keep it\nhint: {WAYS}; and change that password: it has been visible"
        )));
    }
    Ok(())
}

/// Refuses a password in the settings' file unless only its owner can read it, as with a password file: a file is in no
/// list of processes.
pub(super) fn refuse_readable_password(file: &Path, addresses: &[String]) -> anyhow::Result<()> {
    if addresses.iter().any(|address| Address::has_password(address)) {
        refuse_readable(file, "db", WAYS)?;
    }
    Ok(())
}

/// Refuses a file of settings, of which this key holds a password, unless only its owner can read it.
pub(super) fn refuse_readable(file: &Path, key: &str, ways: &str) -> anyhow::Result<()> {
    let (shown, mode) = (file.display(), file.metadata()?.permissions().mode());
    if mode & 0o077 != 0 {
        bail!(Usage(format!(
            "`{key}` in `{shown}` holds a password, and others can read the file (mode {:03o})\n\
             hint: chmod 600 {shown}, or {ways}; and change that password: it has been visible",
            mode & 0o777
        )));
    }
    Ok(())
}
