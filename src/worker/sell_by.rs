//! How long a taken row may wait before its request is written.

use std::time::Duration;

use super::clock::{QueueClock, since_boot};
use crate::invocation::UnixMillis;

/// A row that waited longer is given back: whoever stopped this process meanwhile may have judged it dead.
const SELL_BY: Duration = Duration::from_secs(5);

/// The moment after which a taken row may not be sent, on a clock that goes on while the machine sleeps, and the queue's clock
/// as the turn read it that took the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SellBy {
    until: Duration,
    clock: QueueClock,
}

impl SellBy {
    /// For rows that are taken now; to be asked before the commit that takes them.
    #[must_use]
    pub fn from_now(clock: QueueClock) -> Self {
        SellBy { until: since_boot() + SELL_BY, clock }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        since_boot() > self.until
    }

    /// What the queue's clock says now.
    #[must_use]
    pub fn queue_now(self) -> UnixMillis {
        self.clock.now()
    }
}
