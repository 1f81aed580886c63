//! Who types: recorded with each action.

use crate::store::Actor;

/// The user, the machine and this program's version.
pub(super) fn actor() -> Actor {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let who = variable("SUDO_USER")
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Actor { who, host, version: env!("CARGO_PKG_VERSION").to_owned() }
}
