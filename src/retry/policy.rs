//! The settings of a batch that say what is repeated, when and for how long.

use std::time::Duration;

use crate::mep::{VENDOR_RETRY_EVERY, VENDOR_RETRY_FOR};

/// What is repeated, when and for how long. Stored with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The backoff's first step.
    pub initial: Duration,
    /// The backoff's largest step.
    pub max: Duration,
    /// The delay after the vendor's 1010; `None` holds such a row as unknown instead.
    pub vendor_retry: Option<Duration>,
    /// Whether a 503 without a known code is repeated: for who knows that no gateway sends it after the service started.
    pub retry_503: bool,
    /// How long a row is repeated, from its first retry on.
    pub retry_for: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(5 * 60),
            vendor_retry: Some(VENDOR_RETRY_EVERY),
            retry_503: false,
            retry_for: VENDOR_RETRY_FOR,
        }
    }
}
