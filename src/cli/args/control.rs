//! The flags of the commands that say something of a whole batch.

use clap::Args;

use super::values::parse_positive_rate;

/// What an operator says of a whole batch.
#[derive(Debug, Args)]
pub(in crate::cli) struct ControlArgs {
    /// The batch
    pub(in crate::cli) batch: String,
    /// Why: kept with the batch
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArgs,
    /// Do not ask on a terminal
    #[arg(long)]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["throttle_rate", "clear"]))]
pub(in crate::cli) struct ThrottleArgs {
    #[command(flatten)]
    pub(in crate::cli) control: ControlArgs,
    /// Requests a second from now on, instead of the batch's own rate
    #[arg(id = "throttle_rate", long = "rate", value_name = "R", value_parser = parse_positive_rate)]
    pub(in crate::cli) rate: Option<f64>,
    /// Go back to the batch's own rate
    #[arg(long)]
    pub(in crate::cli) clear: bool,
}
