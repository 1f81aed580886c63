//! What `doctor` looks at that is no database: credentials, TLS, the configuration, the clock, time zones.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::args::DoctorArgs;
use super::super::context::Context;
use super::super::output::counted;
use super::super::{config, credentials};
use super::{Check, Health};
use crate::client::{self, Trusted};
use crate::invocation::UnixMillis;

/// A clock that stands before this was never set: 2026-01-01, when there was no such program yet.
const NEVER_BEFORE: UnixMillis = UnixMillis(1_767_225_600_000);

/// Where systems keep their time zones.
const ZONES: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

pub(super) fn checks(context: &Context, args: &DoctorArgs) -> Vec<Check> {
    vec![configuration(context), account(args), tls(), clock(UnixMillis::now()), zones()]
}

/// One that holds a password and that others can read is refused before any command begins.
fn configuration(context: &Context) -> Check {
    const NAME: &str = "configuration";
    let Some(file) = context.config.clone().or_else(config::usual_file) else {
        return Check::well(NAME, "none");
    };
    let mode = file.metadata().map(|metadata| metadata.permissions().mode() & 0o777);
    match mode {
        Ok(mode) if mode & 0o022 != 0 => Check::doubtful(
            NAME,
            format!("`{}` can be changed by others (mode {mode:03o})", file.display()),
            format!("chmod go-w {}", file.display()),
        ),
        Ok(mode) => Check::well(NAME, format!("`{}`, mode {mode:03o}", file.display())),
        Err(error) => Check::misconfigured(NAME, format!("`{}`: {error}", file.display()), "make it readable"),
    }
}

fn account(args: &DoctorArgs) -> Check {
    const NAME: &str = "credentials";
    let account = args.account.as_deref().filter(|account| !account.is_empty());
    match (account, credentials::source(args.password_file.as_deref())) {
        (_, Err(error)) => Check::failed(NAME, Health::Misconfigured, &error),
        (Some(account), Ok(Some(source))) => Check::well(NAME, format!("account {account}; {source}")),
        (None, Ok(None)) => Check::well(NAME, "none, which is enough for the simulator"),
        (Some(account), Ok(None)) => Check::doubtful(
            NAME,
            format!("account {account}, and no password where there is no terminal to ask on"),
            "--password-file FILE, or MEP_PASSWORD",
        ),
        (None, Ok(Some(source))) => {
            Check::doubtful(NAME, format!("no account; {source}"), "--account ID, or MEP_ACCOUNT")
        }
    }
}

fn tls() -> Check {
    match client::trusted() {
        Trusted::System(roots) => Check::well("TLS", format!("{} of the system", counted(roots as u64, "root"))),
        Trusted::BuiltIn(roots) => Check::doubtful(
            "TLS",
            format!("the system has no roots; {} that are built in are used", roots),
            "install the system's (often `ca-certificates`), which are kept up to date",
        ),
    }
}

fn clock(now: UnixMillis) -> Check {
    if now < NEVER_BEFORE {
        return Check::misconfigured(
            "clock",
            format!("it stands at {now}, which is long past"),
            "set it, by NTP for example",
        );
    }
    Check::well("clock", "set")
}

fn zones() -> Check {
    let named = std::env::var_os("TZDIR").map(std::path::PathBuf::from);
    let usual = ZONES.iter().map(|folder| Path::new(folder).to_owned());
    match named.into_iter().chain(usual).find(|folder| folder.is_dir()) {
        Some(folder) => Check::well("time zones", format!("the system's, in `{}`", folder.display())),
        None => Check::well("time zones", "those that are built in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_wrong() {
        assert_eq!(clock(UnixMillis(0)).health, Health::Misconfigured);
        assert_eq!(clock(NEVER_BEFORE).health, Health::Well);
    }
}
