//! The real stand-in as a process of its own, and its receipts.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::process::{Running, until};
use crate::audit::{Receipt, receipts_of};

/// A stand-in that is alive. Shows itself as its URL.
pub(crate) struct Simulator {
    _running: Running,
    url: String,
    receipts: PathBuf,
}

impl Simulator {
    pub(super) fn start(command: &mut Command, receipts: PathBuf) -> Simulator {
        let running = Running::start(command, b"");
        let first: Value = serde_json::from_str(&running.first_line()).expect("a line of JSON");
        let url = first["listening"].as_str().expect("where it listens").to_owned();
        Simulator { _running: running, url, receipts }
    }

    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        receipts_of(&self.receipts)
    }

    pub(crate) fn received(&self) -> usize {
        self.receipts().len()
    }

    /// Waits until that many requests have come.
    #[track_caller]
    pub(crate) fn until_received(&self, count: usize) {
        until("requests", || self.received() >= count);
    }
}

impl fmt::Display for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}
