//! The queue's clock: that of this machine, or of the server that several share. Read in each turn, and carried on without it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::invocation::UnixMillis;

/// How far a wall clock may go beyond what has passed, between two turns: more than a time server corrects at once, less than
/// would matter to anybody who is texted at the edge of a window.
const CLOCK_JUMP_MAX_MS: i64 = 30_000;

/// What the queue's clock said at one moment. It goes on with a clock that nobody sets, so that a jump of the wall clock
/// changes nothing before the next turn sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueClock {
    said: UnixMillis,
    at: Duration,
}

impl QueueClock {
    /// That it has just said so.
    #[must_use]
    pub fn says(said: UnixMillis) -> Self {
        QueueClock { said, at: since_boot() }
    }

    /// What it says now, unless it has been set.
    #[must_use]
    pub fn now(self) -> UnixMillis {
        self.said.after(since_boot().saturating_sub(self.at))
    }

    /// How many milliseconds it has jumped since an earlier reading, where that is more than a clock may.
    #[must_use]
    pub fn jump_since(self, earlier: QueueClock) -> Option<i64> {
        let passed_ms = i64::try_from(self.at.saturating_sub(earlier.at).as_millis()).unwrap_or(i64::MAX);
        let jump_ms = self.said.0.saturating_sub(earlier.said.0).saturating_sub(passed_ms);
        (jump_ms.saturating_abs() > CLOCK_JUMP_MAX_MS).then_some(jump_ms)
    }
}

/// `CLOCK_BOOTTIME`: the monotonic clock stands still while a laptop sleeps, and the wall clock jumps.
pub(super) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_on_has_not_jumped_and_one_that_was_set_has() {
        let reading = |said, at_ms| QueueClock { said: UnixMillis(said), at: Duration::from_millis(at_ms) };
        let earlier = reading(1_795_348_800_000, 5_000);
        for (later_ms, passed_ms, jump_ms) in [
            (1_000, 1_000, None),
            (0, 0, None),
            (31_000, 1_000, None),
            (31_001, 1_000, Some(30_001)),
            (-29_000, 1_000, None),
            (-29_001, 1_000, Some(-30_001)),
            // A night asleep is no jump, and an hour that a summer time set by hand adds is one.
            (28_800_000, 28_800_000, None),
            (3_601_000, 1_000, Some(3_600_000)),
            (-3_599_000, 1_000, Some(-3_600_000)),
        ] {
            let later = reading(earlier.said.0 + later_ms, 5_000 + passed_ms);
            assert_eq!(later.jump_since(earlier), jump_ms, "{later_ms} in {passed_ms}");
        }
    }
}
