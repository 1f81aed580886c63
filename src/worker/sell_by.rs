//! How long a taken row may wait before its request is written.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A row that waited longer is given back: whoever stopped this process meanwhile may have judged it dead.
const SELL_BY: Duration = Duration::from_secs(5);

/// The moment after which a taken row may not be sent, on a clock that goes on while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SellBy(Duration);

impl SellBy {
    /// For rows that are taken now; to be asked before the commit that takes them.
    #[must_use]
    pub fn from_now() -> Self {
        SellBy(since_boot() + SELL_BY)
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        since_boot() > self.0
    }
}

/// `CLOCK_BOOTTIME`: the monotonic clock stands still while a laptop sleeps, and the wall clock jumps.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
