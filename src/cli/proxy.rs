//! The address of a proxy: its password is refused where others can read it, and never shown.

use std::ffi::OsString;

use anyhow::bail;

use super::failure::Usage;

/// The setting's name.
pub(super) const KEY: &str = "proxy";

/// The ways to give its password that nobody else on the machine can read.
pub(super) const WAYS: &str =
    "give the proxy by MEP_BATCH_PROXY, or as `proxy` in a configuration that only you can read";

/// Whether the text of a proxy's address holds a password; without a scheme too, which is a mistake that shows it no less.
pub(super) fn has_password(text: &str) -> bool {
    user_and_host(text).is_some_and(|(_, user, _)| user.contains(':'))
}

/// The address for a screen.
pub(super) fn shown(text: &str) -> String {
    match user_and_host(text) {
        Some((scheme, _, host)) => format!("{scheme}•••@{host}"),
        None => text.to_owned(),
    }
}

/// Refuses a password among the arguments: behind `--proxy`, and in whatever else is the address of a web server.
pub(super) fn refuse_typed_password(arguments: &[OsString]) -> anyhow::Result<()> {
    let flag = format!("--{KEY}");
    let mut is_value = false;
    for argument in arguments {
        let text = argument.to_string_lossy();
        let joined = text.strip_prefix(&flag).and_then(|rest| rest.strip_prefix('='));
        let proxy = joined.or_else(|| is_value.then_some(&*text));
        if proxy.is_some_and(has_password) || is_address_with_password(&text) {
            bail!(Usage(format!(
                "a password in an argument is refused: everybody on this machine could read it while the program runs, and \
                 the shell may keep it\nhint: {WAYS}; and change that password: it has been visible"
            )));
        }
        is_value = *text == *flag;
    }
    Ok(())
}

/// Whether it is the URL of a web server with a password before its host.
fn is_address_with_password(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme = scheme.rsplit('=').next().unwrap_or(scheme).to_ascii_lowercase();
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    matches!(scheme.as_str(), "http" | "https") && authority.contains('@') && has_password(authority)
}

/// The scheme with its slashes, what stands before the host, and the rest; `None` where nothing stands before it.
///
/// A password may hold a `/`, a `?` or an `@` that was not written with percent signs: the last `@` counts.
fn user_and_host(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find("://").map_or(0, |at| at + "://".len());
    let (user, host) = text[start..].rsplit_once('@')?;
    Some((&text[..start], user, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(line: &str) -> bool {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        refuse_typed_password(&arguments).is_err()
    }

    #[test]
    fn a_password_is_found_wherever_it_is_typed() {
        for line in [
            "run x --proxy http://ann:geheim@proxy:1",
            "--proxy=http://ann:geheim@proxy:1 run",
            "run --proxy ann:geheim@proxy:1",
            "run --proxy http:ann:geheim@proxy:1",
            "run --proxy http://ann:ge/he@im@proxy:1",
            "run http://ann:geheim@proxy:1",
            "run --endpoint=HTTPS://ann:geheim@host/x",
        ] {
            assert!(refuses(line), "{line}");
        }
        for line in [
            "run --proxy http://proxy:1",
            "run --proxy http://ann@proxy:1 --endpoint https://host:1/a@b",
            "run --proxy",
            "run a:b@c.csv",
        ] {
            assert!(!refuses(line), "{line}");
        }
    }

    #[test]
    fn what_stands_before_the_host_is_never_shown() {
        for (text, expected) in [
            ("http://ann:geheim@proxy:1", "http://•••@proxy:1"),
            ("http://ann@proxy:1", "http://•••@proxy:1"),
            ("ann:geheim@proxy:1", "•••@proxy:1"),
            ("http:ann:geheim@proxy:1", "•••@proxy:1"),
            ("http://ann:ge@heim/@proxy:1", "http://•••@proxy:1"),
            ("http://proxy:1", "http://proxy:1"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
