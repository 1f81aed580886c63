//! Durations, counted by how long they were: of a fixed size, so that to note one more costs next to nothing.

use std::time::Duration;

/// Bounds of a histogram at most.
const BOUNDS_MAX: usize = 16;

/// The bounds of a request's time, from quicker than any network to the longest that is waited for by default.
pub(super) static REQUEST: [Duration; 13] =
    ms([5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000]);

/// The bounds of a commit's time: a good disk takes less than a millisecond, and one that takes a second is ill.
pub(super) static COMMIT: [Duration; 13] = ms([1, 2, 5, 10, 20, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]);

const fn ms<const N: usize>(bounds: [u64; N]) -> [Duration; N] {
    let mut durations = [Duration::ZERO; N];
    let mut place = 0;
    while place < N {
        durations[place] = Duration::from_millis(bounds[place]);
        place += 1;
    }
    durations
}

/// How many durations were no longer than each bound.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    bounds: &'static [Duration],
    /// Those up to a bound and above the one before it.
    counts: [u64; BOUNDS_MAX],
    count: u64,
    sum: Duration,
}

impl Histogram {
    pub(super) fn of(bounds: &'static [Duration]) -> Histogram {
        assert!(bounds.len() <= BOUNDS_MAX, "there is no place for more bounds");
        Histogram { bounds, counts: [0; BOUNDS_MAX], count: 0, sum: Duration::ZERO }
    }

    /// Notes that so many took that long.
    pub(super) fn note(&mut self, duration: Duration, times: u32) {
        if let Some(place) = self.bounds.iter().position(|bound| duration <= *bound) {
            self.counts[place] += u64::from(times);
        }
        self.count += u64::from(times);
        self.sum = self.sum.saturating_add(duration.saturating_mul(times));
    }

    /// Each bound with how many took no longer; in the end, without a bound, all.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let mut so_far = 0;
        let bounded = self.bounds.iter().zip(self.counts).map(move |(bound, count)| {
            so_far += count;
            (Some(*bound), so_far)
        });
        bounded.chain([(None, self.count)])
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }
}
