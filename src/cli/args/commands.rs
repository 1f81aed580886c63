//! The flags of each command.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::lines::Lines;
use super::sending::{BatchArgs, InputArgs, SendingArgs, SuppressionArgs};
use super::values::{parse_line, parse_reason, parse_request_id, parse_time, parse_time_or_0};
use crate::import::ColumnMap;
use crate::invocation::State;
use crate::simulator::{FaultShare, Latency};

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// The file; `-` is stdin
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    #[command(flatten)]
    pub(in crate::cli) suppression: SuppressionArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// The file; `-` is stdin
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) batch: BatchArgs,
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    #[command(flatten)]
    pub(in crate::cli) sending: SendingArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// Batches or files; none: every confirmed batch
    #[arg(value_name = "BATCH or FILE")]
    pub(in crate::cli) what: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) batch: BatchArgs,
    /// Confirm that exactly N people may be texted
    #[arg(long, value_name = "N", conflicts_with = "confirm_at_most")]
    pub(in crate::cli) confirm: Option<i64>,
    /// Confirm that up to N people may be texted: for a nightly file
    #[arg(long, value_name = "N")]
    pub(in crate::cli) confirm_at_most: Option<i64>,
    /// Show what would be sent; send and store nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// First send the first row's text to this number, your own, and ask whether it arrived
    #[arg(long, value_name = "PHONE", conflicts_with = "dry_run")]
    pub(in crate::cli) canary: Option<String>,
    /// Requests in flight at most [default: 4 for production and cie, else 16]
    #[arg(long, value_name = "N", help_heading = "Process options")]
    pub(in crate::cli) concurrency: Option<NonZeroUsize>,
    /// Send at most N rows
    #[arg(long, value_name = "N", help_heading = "Process options")]
    pub(in crate::cli) limit: Option<u64>,
    /// How long, in all, to wait while nothing can be sent [default: until nothing is left]
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_0, help_heading = "Process options")]
    pub(in crate::cli) wait: Option<Duration>,
    /// For a whole request
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "60s", help_heading = "Process options")]
    pub(in crate::cli) timeout: Duration,
    /// For a connection
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "10s", help_heading = "Process options")]
    pub(in crate::cli) connect_timeout: Duration,
    /// How long a run that sends looks for its database server when that is gone, before it ends and logs what it could not
    /// store
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_0, default_value = "5m", help_heading = "Process options")]
    pub(in crate::cli) db_grace: Duration,
    /// Send though the database server has another history than at the last run: a standby took over, a backup was restored
    #[arg(long, help_heading = "Process options")]
    pub(in crate::cli) accept_history: bool,
    /// A file that holds the password and that only its owner can read
    #[arg(long, value_name = "FILE", help_heading = "Process options")]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// Keep figures for Prometheus in this file while it runs: written anew every 5 s and at the end, for node_exporter's textfile
    /// collector
    #[arg(long, value_name = "FILE", help_heading = "Process options")]
    pub(in crate::cli) metrics_file: Option<PathBuf>,
    /// An HTTP proxy; the usual variables name none. A password in it: by MEP_BATCH_PROXY
    #[arg(long, value_name = "URL", hide_default_value = true, help_heading = "Process options")]
    pub(in crate::cli) proxy: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) input: InputArgs,
    #[command(flatten)]
    pub(in crate::cli) sending: SendingArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// The batch; none: all
    pub(in crate::cli) batch: Option<String>,
    /// Show it again and again until nothing runs; elsewhere than on a terminal: at each change
    #[arg(long)]
    pub(in crate::cli) watch: bool,
    /// Exit with the code that what is stored deserves
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
}

/// Which rows.
#[derive(Debug, Args)]
pub(in crate::cli) struct FilterArgs {
    /// In these states
    #[arg(long, value_name = "STATE,…", value_delimiter = ',')]
    pub(in crate::cli) state: Vec<State>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// The batch; none: all
    pub(in crate::cli) batch: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    /// With this code
    #[arg(long, value_name = "CODE")]
    pub(in crate::cli) code: Option<u32>,
    /// At these lines
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = parse_line)]
    pub(in crate::cli) line: Vec<u32>,
    /// To this phone number
    #[arg(long, value_name = "NUMBER")]
    pub(in crate::cli) phone: Option<String>,
    /// With this request ID
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) request_id: Option<String>,
    /// At most N rows
    #[arg(long, value_name = "N", default_value = "50")]
    pub(in crate::cli) limit: u64,
    /// Show phone numbers in full
    #[arg(long)]
    pub(in crate::cli) reveal: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The batch
    pub(in crate::cli) batch: String,
    /// The row's line in the file, or its place in a JSON array
    #[arg(value_parser = parse_line)]
    pub(in crate::cli) line: u32,
    /// Show the phone number in full
    #[arg(long)]
    pub(in crate::cli) reveal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FormatArg {
    Csv,
    Ndjson,
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// The batch
    pub(in crate::cli) batch: String,
    /// How to write it [default: csv; with --json: ndjson]
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) format: Option<FormatArg>,
    /// Where to [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) filter: FilterArgs,
    /// One line a request instead of one a row
    #[arg(long)]
    pub(in crate::cli) attempts: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    /// The batch
    pub(in crate::cli) batch: String,
    /// Where to: one file that needs nothing else
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: PathBuf,
    /// Show phone numbers in full
    #[arg(long)]
    pub(in crate::cli) reveal: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    /// The batch
    pub(in crate::cli) batch: String,
    /// Rows in these states: rejected, failed or skipped
    #[arg(long, value_name = "STATE,…", value_delimiter = ',', required = true)]
    pub(in crate::cli) state: Vec<State>,
    /// With this code
    #[arg(long, value_name = "CODE")]
    pub(in crate::cli) code: Option<u32>,
    /// At these lines
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = parse_line)]
    pub(in crate::cli) line: Vec<u32>,
    /// Skipped or rejected for this reason
    #[arg(long, value_name = "REASON")]
    pub(in crate::cli) reason_is: Option<ReasonArg>,
    /// Map a column of the batch's suppression list by hand: 'Mobile=phoneNumber'
    #[arg(long, value_name = "HEADER=TARGET")]
    pub(in crate::cli) map: Vec<ColumnMap>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReasonArg {
    Duplicate,
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum VerdictArg {
    /// The service did accept it
    Accepted,
    /// It was not sent: send it
    NotSent,
    /// It may have been sent: send it again all the same
    Resend,
    /// Leave it: never send it again
    Abandoned,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("many").args(["from", "rolled_back"]))]
pub(in crate::cli) struct ResolveArgs {
    /// The batch; none: only with `--rolled-back`
    #[arg(required_unless_present = "rolled_back", conflicts_with = "rolled_back")]
    pub(in crate::cli) batch: Option<String>,
    /// The rows at these lines: `17`, `17,20`, and `30-45` for those among them that are unknown
    #[arg(long, value_name = "N,…", value_delimiter = ',', conflicts_with = "all")]
    pub(in crate::cli) line: Vec<Lines>,
    /// All unknown rows
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// What became of them
    #[arg(long = "as", value_name = "WHAT", requires = "reason")]
    pub(in crate::cli) verdict: Option<VerdictArg>,
    /// How you know: kept with the rows
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(in crate::cli) reason: Option<String>,
    /// The service's request ID, if you learned it
    #[arg(long, value_name = "ID", value_parser = parse_request_id, requires = "verdict")]
    pub(in crate::cli) request_id: Option<String>,
    /// A table with the columns `line` and `as`, and `requestId` and `reason` if you like; `-` is stdin. Says what it would
    /// do
    #[arg(long, value_name = "FILE", conflicts_with_all = ["line", "all", "verdict", "request_id"])]
    pub(in crate::cli) from: Option<PathBuf>,
    /// Says which rows of a database that is older than what was sent from it (a backup that was put back, a copy) may have been
    /// sent in what it has lost; with `--apply` they become unknown, and the next run goes on
    #[arg(long, conflicts_with_all = ["line", "all", "verdict", "request_id", "yes", "reveal"])]
    pub(in crate::cli) rolled_back: bool,
    /// Do what `--from` or `--rolled-back` says: all of it, or nothing
    #[arg(long, requires = "many", conflicts_with_all = ["line", "all", "verdict"])]
    pub(in crate::cli) apply: bool,
    /// Do not wait for 15 minutes after the attempt was last possibly on the wire, and ask nothing
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Show phone numbers in full
    #[arg(long)]
    pub(in crate::cli) reveal: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SimulateArgs {
    /// The address; loopback unless you say otherwise
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(in crate::cli) listen: std::net::SocketAddr,
    /// How long an answer takes: `50ms`, or `20ms..200ms`
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) latency: Option<Latency>,
    /// A fault and its share of the requests: `1010=3%`; an unknown kind lists all
    #[arg(long, value_name = "KIND=SHARE")]
    pub(in crate::cli) fault: Vec<FaultShare>,
    /// Makes the faults repeatable
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seed: Option<u64>,
    /// A file for one NDJSON line a request, written before the answer
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) receipts: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// The address; loopback unless you say otherwise; port 0: any that is free
    #[arg(id = "serve_listen", long = "listen", value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    pub(in crate::cli) listen: std::net::SocketAddr,
    /// A file with a password, which only its owner can read, that whoever looks has to know, instead of the token in the URL;
    /// needed where other machines can look
    #[arg(id = "serve_password_file", long = "password-file", value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
}
