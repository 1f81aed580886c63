//! The account and the password: from a file, systemd, a variable or a prompt, and never from a flag.

use std::fs::File;
use std::io::{BufRead, IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::failure::Usage;
use super::output;
use crate::client::Credentials;

/// The credentials of an account; `None` where nothing was given and nothing is needed.
pub(super) fn credentials(
    account: Option<&str>,
    file: Option<&Path>,
    needed: bool,
) -> anyhow::Result<Option<Credentials>> {
    let Some(account) = account.filter(|account| !account.is_empty()) else {
        return Ok(None); // whoever needs one says so, with the batch's name
    };
    let Some(password) = password(account, file, needed)? else { return Ok(None) };
    let credentials = Credentials::new(account, &password);
    Ok(Some(credentials.map_err(|error| anyhow::Error::new(Usage(format!("{error:#}"))))?))
}

fn password(account: &str, file: Option<&Path>, needed: bool) -> anyhow::Result<Option<String>> {
    if let Some(file) = file {
        return read_file(file).map(Some);
    }
    let systemd = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join("mep-batch"));
    if let Some(file) = systemd.filter(|file| file.exists()) {
        return read_file(&file).map(Some);
    }
    if let Some(password) = std::env::var_os("MEP_PASSWORD") {
        let text = password.into_string().map_err(|_| Usage("MEP_PASSWORD is no UTF-8".to_owned()))?;
        return Ok(Some(text));
    }
    if needed && std::io::stdin().is_terminal() {
        return prompt(account).map(Some);
    }
    Ok(None)
}

/// Where a password would come from, without a prompt; `None`: from nowhere. A file that others can read is refused.
pub(super) fn source(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let systemd = std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| PathBuf::from(folder).join("mep-batch"));
    let file = file.map(Path::to_owned).or_else(|| systemd.filter(|file| file.exists()));
    if let Some(file) = file {
        read_file(&file)?;
        return Ok(Some(format!("the password is in `{}`, which only its owner can read", file.display())));
    }
    Ok(std::env::var_os("MEP_PASSWORD").map(|_| "the password is in MEP_PASSWORD".to_owned()))
}

/// The password of the status page, from a file that only its owner can read.
pub(super) fn page_password(file: &Path) -> anyhow::Result<String> {
    let password = read_file(file)?;
    if password.is_empty() {
        bail!(Usage(format!(
            "the password file `{}` is empty\nhint: put a password into it, in one line",
            file.display()
        )));
    }
    Ok(password)
}

fn read_file(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let unreadable = || Usage(format!("cannot read the password file `{shown}`"));
    // What is judged is what is read, whatever the path leads to meanwhile.
    let mut opened = File::open(file).with_context(unreadable)?;
    let mode = opened.metadata().with_context(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(Usage(format!(
            "the password file `{shown}` can be read by others (mode {:03o})\nhint: chmod 600 {shown}",
            mode & 0o777
        )));
    }
    let mut text = String::new();
    opened.read_to_string(&mut text).with_context(unreadable)?;
    // Editors end a file with a line feed; a password that does is not known to exist.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks on the terminal, which shows nothing of what is typed.
fn prompt(account: &str) -> anyhow::Result<String> {
    let terminal = std::io::stdin();
    let shown = tcgetattr(&terminal)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    output::stderr(&format!("Password of account {account}: "));
    tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
    let mut typed = String::new();
    let read = terminal.lock().read_line(&mut typed);
    tcsetattr(&terminal, OptionalActions::Flush, &shown)?;
    output::stderr("\n");
    read?;
    Ok(typed.trim_end_matches(['\r', '\n']).to_owned())
}
