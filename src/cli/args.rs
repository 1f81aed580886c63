//! The commands and their flags. Names are a contract with scripts.

mod commands;
mod control;
mod hours;
mod ignore;
mod lines;
mod sending;
mod upkeep;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use commands::{
    CheckArgs, ExportArgs, FormatArg, ImportArgs, ListArgs, ReasonArg, ReportArgs, ResolveArgs, RetryArgs, RunArgs,
    ServeArgs, ShowArgs, SimulateArgs, StatusArgs, VerdictArg,
};
pub(super) use control::{CancelArgs, ControlArgs, ThrottleArgs};
pub(super) use hours::{HoursArgs, OrNone};
pub(super) use lines::Lines;
pub(super) use sending::{BatchArgs, InputArgs, SendingArgs, SuppressionArgs};
pub(super) use upkeep::{CompletionsArgs, DoctorArgs, ManArgs, PurgeArgs};
pub(super) use values::OffOr;

use crate::mep::PhoneNumberJson;
use values::{parse_off_or_number, parse_phone_number_json};

/// Sends a campaign file to OpenMarket's MEP Invoke Service API, a text message a row: never twice unless you ask, never
/// lost, and where nobody can know, the row says `unknown`.
#[derive(Debug, Parser)]
#[command(
    name = "mep-batch",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "A flag has an environment variable (`--rate`: MEP_BATCH_RATE) and a key in mep-batch.toml (`rate`), but for the few that \
                  are said anew each time: docs/reference.md names them. A flag beats the variable beats the file.\n\nExit codes: 0 complete, 1 error, 2 usage or not confirmed, 3 some rows \
                  rejected or failed, 4 some unknown, 5 incomplete by design, 6 stopped, 7 input refused, 8 another run holds \
                  the database, 9 the store failed, 130/143 interrupted."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// The queue: a SQLite file, or `postgres://USER@HOST/DATABASE`, which several machines may share; a password is given by
    /// MEP_BATCH_DB or PGPASSFILE [default: $XDG_DATA_HOME/mep-batch/queue.db]
    #[arg(long, global = true, value_name = "PATH|URL", hide_default_value = true, help_heading = "Global options")]
    pub(super) db: Option<String>,
    /// The configuration [default: $XDG_CONFIG_HOME/mep-batch/mep-batch.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(super) config: Option<PathBuf>,
    /// Print one JSON object (lists: one a line) on stdout
    #[arg(long, global = true, help_heading = "Global options")]
    pub(super) json: bool,
    /// Print nothing but what was asked for when the exit code is 0
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub(super) quiet: bool,
    /// Log more; twice: everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub(super) verbose: u8,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Global options")]
    pub(super) color: clap::ColorChoice,
    /// How to log to stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", help_heading = "Global options")]
    pub(super) log_format: LogFormat,
    /// The longest variable key in characters, or `off`: the vendor's own bound is not known
    #[arg(long, global = true, value_name = "N", default_value = "255", value_parser = parse_off_or_number, help_heading = "Contract options", hide = true)]
    pub(super) contract_key_length_max: OffOr,
    /// The longest variable value in characters, or `off`: the vendor's own bound is not known
    #[arg(long, global = true, value_name = "N", default_value = "255", value_parser = parse_off_or_number, help_heading = "Contract options", hide = true)]
    pub(super) contract_value_length_max: OffOr,
    /// How a phone number is written in the body
    #[arg(long, global = true, value_name = "HOW", default_value = "number", value_parser = parse_phone_number_json, help_heading = "Contract options", hide = true)]
    pub(super) contract_phone_number_json: PhoneNumberJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read and validate a file; touches no database and no network
    Check(Box<CheckArgs>),
    /// Check a file and store it as a batch of pending invocations
    Import(Box<ImportArgs>),
    /// Send what is due, and go on where it stopped: there is no other recovery command
    Run(Box<RunArgs>),
    /// Show counts by state, why rows wait and until when, and who runs
    Status(StatusArgs),
    /// List rows
    List(ListArgs),
    /// Show one row: its request, each attempt, each operator's action
    Show(ShowArgs),
    /// Write the results as CSV, NDJSON or JSON
    Export(ExportArgs),
    /// Write all that came of a batch as one HTML page, to be read, printed and handed in
    Report(ReportArgs),
    /// Put rejected, failed or skipped rows back to pending
    Retry(RetryArgs),
    /// Decide unknown rows; without `--as`, list them with what is known
    Resolve(ResolveArgs),
    /// Have no more of a batch sent until it is resumed
    Pause(ControlArgs),
    /// Let a paused batch go on
    Resume(ControlArgs),
    /// Withdraw what is left of a batch, for good
    Cancel(CancelArgs),
    /// Hold a batch to another rate until that is cleared
    Throttle(ThrottleArgs),
    /// Show the status page on this machine, live and only to look at
    Serve(ServeArgs),
    /// Stand in for the API on this machine
    Simulate(SimulateArgs),
    /// Make phone numbers and texts of old batches unreadable, or delete them; without `--apply`, say what would be done
    Purge(PurgeArgs),
    /// Check the machine, the credentials and the database; changes nothing
    Doctor(DoctorArgs),
    /// Show each setting, its value and where it came from
    Config,
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
