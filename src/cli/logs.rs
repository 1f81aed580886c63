//! The log, to stderr: warnings unless more is asked for.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use super::args::{Global, LogFormat};
use super::bar;

/// Sets up the log. Other crates' lines are left out: they may hold URLs, and nobody here promised what they say.
pub(super) fn begin(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let filter = EnvFilter::new(format!("off,mep_batch={level}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| bar::Log).with_target(false);
    let done = match global.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    debug_assert!(done.is_ok(), "the log is set up once");
}
