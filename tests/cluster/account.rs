//! The account that a throw-away server runs as: PostgreSQL refuses to run as root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Accounts of a usual system that are not root's, the best first.
const UNPRIVILEGED: [&str; 3] = ["postgres", "nobody", "daemon"];

/// Another account, where this process is root's; `None` inside: its own will do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account(Option<(u32, u32)>);

impl Account {
    pub(super) fn find() -> Account {
        if !rustix::process::geteuid().is_root() {
            return Account(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").expect("the list of accounts");
        let found = UNPRIVILEGED.iter().find_map(|name| accounts.lines().find_map(|line| ids(line, name)));
        assert!(found.is_some(), "found none of {UNPRIVILEGED:?} in /etc/passwd, and PostgreSQL does not run as root");
        Account(found)
    }

    /// Has a command run as this account.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Account(Some((user, group))) = self {
            command.uid(user).gid(group);
        }
        command
    }

    pub(super) fn own(self, path: &Path) {
        if let Account(Some((user, group))) = self {
            chown(path, Some(user), Some(group)).expect("root gives a file away");
        }
    }
}

/// The numbers of the account and its group, if the line of /etc/passwd is the account's.
fn ids(line: &str, name: &str) -> Option<(u32, u32)> {
    let fields: Vec<&str> = line.split(':').collect();
    let &[found, _, user, group, ..] = fields.as_slice() else { return None };
    (found == name).then(|| Some((user.parse().ok()?, group.parse().ok()?)))?
}
