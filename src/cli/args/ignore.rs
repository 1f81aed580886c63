//! `--ignore`, which tells whether it was typed.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// The columns to leave out.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct IgnoreArgs {
    /// Their headers.
    pub(in crate::cli) columns: Vec<String>,
    /// Whether they were typed for this file: one that is not there is then a mistake, and not a standing list.
    pub(in crate::cli) are_typed: bool,
}

const IGNORE: &str = "ignore";

impl Args for IgnoreArgs {
    fn augment_args(command: Command) -> Command {
        let ignore = Arg::new(IGNORE).long(IGNORE).value_name("COLUMN").action(ArgAction::Append);
        command.arg(ignore.help("Leave a column out; once for each").help_heading("Input options"))
    }

    fn augment_args_for_update(command: Command) -> Command {
        IgnoreArgs::augment_args(command)
    }
}

impl FromArgMatches for IgnoreArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(IgnoreArgs {
            columns: matches.get_many(IGNORE).into_iter().flatten().cloned().collect(),
            are_typed: matches.value_source(IGNORE) == Some(ValueSource::CommandLine),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = IgnoreArgs::from_arg_matches(matches)?;
        Ok(())
    }
}
