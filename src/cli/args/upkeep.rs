//! The flags of the commands that keep the house: purging, looking whether all is well, what is printed for shells and `man`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::parse_time_or_0;

#[derive(Debug, Args)]
pub(in crate::cli) struct PurgeArgs {
    /// Batches whose last outcome, import or action is older: `90d`
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_0, required = true)]
    pub(in crate::cli) older_than: Duration,
    /// Delete all of them, and not only phone numbers and texts
    #[arg(long)]
    pub(in crate::cli) delete: bool,
    /// Do it; without this it is only said what would be done
    #[arg(long)]
    pub(in crate::cli) apply: bool,
    /// Why: kept with what was done
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// A file with the password, to be looked at too
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// The account, to be looked at too
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) account: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    pub(in crate::cli) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManArgs {
    /// A folder for one page for each command [default: the main page, to stdout]
    #[arg(long, short, value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
}
