//! How the stand-in behaves.

use std::path::PathBuf;

use super::latency::Latency;
use super::share::Faults;

/// How the stand-in behaves. The default answers every request at once and on its merits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// How long an answer takes.
    pub latency: Latency,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// Makes draws and request IDs the same at every start, in the order of the requests; random without it.
    pub seed: Option<u64>,
    /// The file to which a line is added for each request, before it is answered. Created for its owner alone.
    pub receipts: Option<PathBuf>,
}
