//! The environment's part of the settings: which variable belongs to which flag, and which belongs to none.

use std::collections::BTreeSet;

use clap::{Arg, Command};

use super::is_no_setting;
use super::near::closest;

/// The account's is the vendor's own.
const ACCOUNT: &str = "MEP_ACCOUNT";
/// Belongs to no flag: a password is never typed.
pub(in crate::cli) const PASSWORD: &str = "MEP_PASSWORD";
const PREFIX: &str = "MEP_BATCH_";
/// What the project's own tests are told by.
const OF_THE_TESTS: [&str; 2] = ["MEP_BATCH_TEST_", "MEP_BATCH_AUDIT_"];

/// The variable of a flag: `--rate` is `MEP_BATCH_RATE`.
pub(in crate::cli) fn variable_of(arg: &Arg) -> Option<String> {
    match arg.get_long()? {
        _ if is_no_setting(arg) => None,
        "help" | "version" => None,
        "accept-history" | "apply" | "canary" | "delete" => None, // said once, by somebody who has looked
        "account" => Some(ACCOUNT.to_owned()),
        long => Some(format!("{PREFIX}{}", long.to_uppercase().replace('-', "_"))),
    }
}

/// Gives each flag its variable, where it has one.
pub(super) fn with_variables(command: Command, global_too: bool) -> Command {
    let command = command.mut_args(|arg| match variable_of(&arg) {
        None => arg,
        Some(_) if arg.is_global_set() && !global_too => arg,
        Some(variable) => arg.env(variable).hide_env(true),
    });
    command.mut_subcommands(|sub| with_variables(sub, false))
}

/// What to say of variables that look like settings and are none: one that is mistyped would be passed over in silence.
pub(super) fn unknown(command: &Command) -> Vec<String> {
    let mut known = BTreeSet::from([PASSWORD.to_owned()]);
    collect(command, &mut known);
    let known: Vec<String> = known.into_iter().collect();
    let set: BTreeSet<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    set.iter().filter(|name| !known.contains(name)).filter_map(|name| text_of(name, &known)).collect()
}

fn text_of(name: &str, known: &[String]) -> Option<String> {
    if !name.starts_with("MEP_") || OF_THE_TESTS.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    // What all of them begin with makes no two of them alike.
    let rest = |name: &str| name.trim_start_matches(PREFIX).trim_start_matches("MEP_").to_owned();
    let rests: Vec<String> = known.iter().map(|name| rest(name)).collect();
    let near = closest(&rest(name), &rests).and_then(|near| rests.iter().position(|rest| rest == near));
    let hint = near.map(|place| format!("\nhint: did you mean {}?", known[place]));
    // The vendor's other programs may have variables of their own.
    if hint.is_none() && !name.starts_with(PREFIX) {
        return None;
    }
    Some(format!("warning: the variable {name} is no setting and is passed over{}\n", hint.unwrap_or_default()))
}

fn collect(command: &Command, variables: &mut BTreeSet<String>) {
    variables.extend(command.get_arguments().filter_map(variable_of));
    command.get_subcommands().for_each(|sub| collect(sub, variables));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    /// The flags of all commands that no variable changes, each with its command.
    fn without() -> Vec<String> {
        let cli = Cli::command();
        let all = cli.get_subcommands().flat_map(|command| command.get_arguments().map(move |arg| (command, arg)));
        let is_without = |(_, arg): &(&Command, &Arg)| arg.get_long().is_some() && variable_of(arg).is_none();
        let mut without: Vec<String> = all
            .filter(is_without)
            .map(|(command, arg)| format!("{} --{}", command.get_name(), arg.get_long().unwrap_or_default()))
            .collect();
        without.sort();
        without
    }

    #[test]
    fn each_flag_has_a_variable_but_those_that_are_said_anew_each_time() {
        let known = [
            "purge --apply",
            "purge --delete",
            "resolve --apply",
            "run --accept-history",
            "run --canary",
            "serve --listen",
            "serve --password-file",
            "throttle --rate",
        ];
        assert_eq!(without(), known);
    }
}
