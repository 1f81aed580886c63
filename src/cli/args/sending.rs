//! Flags that several commands share: how a file is read, and how a batch is sent.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::hours::HoursArgs;
use super::ignore::IgnoreArgs;
use super::values::{
    RateArg, VendorRetryArg, parse_absolute, parse_batch_name, parse_rate, parse_time, parse_time_or_0,
    parse_vendor_retry,
};
use crate::cli::mapping::Mapping;
use crate::import::{ColumnMap, Constant, Delimiter, Duplicates, RejectedMax, SheetChoice, TextEncoding};
use crate::invocation::{CallingCode, NationalLength};
use crate::mep::{Endpoint, ServiceId};

/// How a file is read.
#[derive(Debug, Args)]
pub(in crate::cli) struct InputArgs {
    /// The encoding of the file's text: windows-1252, utf-16le… [default: found out]
    #[arg(long, value_name = "NAME", help_heading = "Input options")]
    pub(in crate::cli) encoding: Option<TextEncoding>,
    /// What stands between the cells: `,` `;` `|` `tab` or another character [default: found out]
    #[arg(long, value_name = "CHAR", help_heading = "Input options")]
    pub(in crate::cli) delimiter: Option<Delimiter>,
    /// The service to invoke; or a `serviceId` column with the same value in every row
    #[arg(long, value_name = "ID", help_heading = "Input options")]
    pub(in crate::cli) service: Option<ServiceId>,
    /// The sheet of a workbook: its name, or its number from 1 (.xlsx only) [default: the only one with cells]
    #[arg(long, value_name = "NAME|N", help_heading = "Input options")]
    pub(in crate::cli) sheet: Option<SheetChoice>,
    /// Map a column by hand: 'Mobile=phoneNumber', 'Seat=session.seatLocation'
    #[arg(long, value_name = "HEADER=TARGET", help_heading = "Input options")]
    pub(in crate::cli) map: Vec<ColumnMap>,
    /// Give every row a value: session.flightAirline=AwesomeAirways
    #[arg(long, value_name = "TARGET=TEXT", help_heading = "Input options")]
    pub(in crate::cli) set: Vec<Constant>,
    #[command(flatten)]
    pub(in crate::cli) ignore: IgnoreArgs,
    /// Leave out every column that maps to nothing
    #[arg(long, help_heading = "Input options")]
    pub(in crate::cli) ignore_unmapped: bool,
    /// Read the file as this mapping file says; flags add to it
    #[arg(long, value_name = "FILE", value_parser = Mapping::read, help_heading = "Input options")]
    pub(in crate::cli) mapping: Option<Mapping>,
    /// Keep the mapping in a file, for `--mapping` with the next one
    #[arg(long, value_name = "FILE", help_heading = "Input options")]
    pub(in crate::cli) save_mapping: Option<PathBuf>,
    /// Write the refused rows there, with what is wrong with each: mend that file and import it
    #[arg(long, value_name = "FILE", help_heading = "Input options")]
    pub(in crate::cli) rejected: Option<PathBuf>,
    /// The first row is no header: columns are named by number, as in `--map 1=phoneNumber`
    #[arg(long, help_heading = "Input options")]
    pub(in crate::cli) no_header: bool,
    /// Let values hold `${…}`, which the platform runs: everywhere, or in these columns
    #[arg(long, value_name = "COLUMN,…", num_args = 0..=1, require_equals = true, default_missing_value = "*", value_delimiter = ',', help_heading = "Input options")]
    pub(in crate::cli) allow_expressions: Option<Vec<String>>,
    /// Refuse values outside ASCII
    #[arg(long, help_heading = "Input options")]
    pub(in crate::cli) ascii_only: bool,
    /// The country code of numbers that lack it: put before those of `--national-length` digits, never behind + or 00
    #[arg(long, value_name = "CODE", help_heading = "Input options")]
    pub(in crate::cli) country_code: Option<CallingCode>,
    /// How many digits a number without its country code has
    #[arg(long, value_name = "DIGITS", help_heading = "Input options")]
    pub(in crate::cli) national_length: Option<NationalLength>,
    /// Refuse every number that begins with none of these country codes: 1,44
    #[arg(long, value_name = "CODE,…", value_delimiter = ',', help_heading = "Input options")]
    pub(in crate::cli) only_countries: Vec<CallingCode>,
    /// A later row with the number of an earlier one and other content: reject, skip or allow
    #[arg(long, value_name = "WHAT", default_value = "reject", help_heading = "Input options")]
    pub(in crate::cli) duplicates: Duplicates,
    /// Refuse the file where more rows than this are refused: a number or a share (`2%`)
    #[arg(long, value_name = "N|P%", help_heading = "Input options")]
    pub(in crate::cli) max_rejected: Option<RejectedMax>,
    /// Let a file without rows pass
    #[arg(long, help_heading = "Input options")]
    pub(in crate::cli) allow_empty: bool,
}

/// How a batch is sent: stored with it.
#[derive(Debug, Args)]
pub(in crate::cli) struct SendingArgs {
    /// The account ID [env: MEP_ACCOUNT]
    #[arg(long, value_name = "ID", help_heading = "Sending options")]
    pub(in crate::cli) account: Option<String>,
    /// Requests a second, or `unlimited` [default: 10 for production, 1 for cie, else unlimited]
    #[arg(long, value_name = "R", value_parser = parse_rate, help_heading = "Sending options")]
    pub(in crate::cli) rate: Option<RateArg>,
    /// The first step of the backoff [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Sending options")]
    pub(in crate::cli) retry_initial: Option<Duration>,
    /// Its longest step [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Sending options")]
    pub(in crate::cli) retry_max: Option<Duration>,
    /// How long after the service's 1010 to repeat, or `never`: then such a row is unknown [default: 15m]
    #[arg(long, value_name = "TIME|never", value_parser = parse_vendor_retry, help_heading = "Sending options")]
    pub(in crate::cli) vendor_retry: Option<VendorRetryArg>,
    /// Repeat a bare 503: for who knows that the gateway passes no such request on
    #[arg(long, value_name = "YES", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Sending options")]
    pub(in crate::cli) retry_503: Option<bool>,
    /// How long after its first retry a row is retried [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Sending options")]
    pub(in crate::cli) retry_for: Option<Duration>,
    /// How long after the gate closed the first probe goes [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = "Sending options")]
    pub(in crate::cli) probe_after: Option<Duration>,
    /// Unknown rows beyond which nothing is taken [default: the larger of 20 and 1 % of the batch]
    #[arg(long, value_name = "N", help_heading = "Sending options")]
    pub(in crate::cli) max_unknown: Option<u64>,
    #[command(flatten)]
    pub(in crate::cli) hours: HoursArgs,
    #[command(flatten)]
    pub(in crate::cli) suppression: SuppressionArgs,
}

/// Who is never sent to.
#[derive(Debug, Args)]
pub(in crate::cli) struct SuppressionArgs {
    /// A file of numbers that are never sent to, one a line; stored as a path and read again at each start
    #[arg(long, value_name = "FILE", value_parser = parse_absolute, help_heading = "Sending options")]
    pub(in crate::cli) suppress: Option<PathBuf>,
}

/// What an import needs beyond the file.
#[derive(Debug, Args)]
pub(in crate::cli) struct BatchArgs {
    /// Where to send: production, cie, simulator or a URL. There is no default
    #[arg(long, value_name = "ENDPOINT")]
    pub(in crate::cli) endpoint: Option<Endpoint>,
    /// The batch's name [default: the file's, then -2, -3]
    #[arg(long, value_name = "NAME", value_parser = parse_batch_name)]
    pub(in crate::cli) batch: Option<String>,
    /// Import content that is a batch already, and rows that another batch has sent
    #[arg(long)]
    pub(in crate::cli) again: bool,
    /// How long a row that another batch has sent is not sent again; 0: other batches do not count
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_0, default_value = "30d")]
    pub(in crate::cli) seen_within: Duration,
}
