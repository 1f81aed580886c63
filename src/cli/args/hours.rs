//! Flags that say when rows may be sent.

use std::str::FromStr;

use clap::Args;

use crate::cli::time_zone;
use crate::cli::when::When;
use crate::invocation::Window;

/// When rows may be sent: stored with the batch.
#[derive(Debug, Args)]
pub(in crate::cli) struct HoursArgs {
    /// The hours of the day in which rows are sent, in each recipient's time zone: `09:00-20:00`, over midnight too; or `none`
    #[arg(long, value_name = "FROM-UNTIL|none", value_parser = parse_window, help_heading = "Sending options")]
    pub(in crate::cli) window: Option<OrNone<Window>>,
    /// The time zone of rows without a `timeZone` of their own: `Europe/Berlin`; or `none`
    #[arg(long, value_name = "ZONE|none", value_parser = parse_time_zone, help_heading = "Sending options")]
    pub(in crate::cli) time_zone: Option<OrNone<String>>,
    /// Send nothing before that moment: `2026-11-27T09:00Z`, or without an offset in the time zone of `--time-zone`, else the
    /// system's; or `none`
    #[arg(long, value_name = "WHEN|none", value_parser = parse_when, help_heading = "Sending options")]
    pub(in crate::cli) not_before: Option<OrNone<When>>,
    /// Send nothing from that moment on: what is left is skipped as expired; or `none`
    #[arg(long, value_name = "WHEN|none", value_parser = parse_when, help_heading = "Sending options")]
    pub(in crate::cli) not_after: Option<OrNone<When>>,
}

/// A setting that can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct OrNone<T>(pub(in crate::cli) Option<T>);

const NONE: &str = "none";

fn parse_window(text: &str) -> Result<OrNone<Window>, String> {
    or_none(text, Window::from_str)
}

fn parse_time_zone(text: &str) -> Result<OrNone<String>, String> {
    or_none(text, time_zone::parse)
}

fn parse_when(text: &str) -> Result<OrNone<When>, String> {
    or_none(text, When::from_str)
}

fn or_none<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<OrNone<T>, String> {
    if text == NONE { Ok(OrNone(None)) } else { parse(text).map(|value| OrNone(Some(value))) }
}
