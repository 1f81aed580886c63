//! The rate of an endpoint and account: a token bucket whose state is one moment, kept in the gate's row.

use std::time::Duration;

/// The share of a second's worth that may go at once after a pause. Small, so that in any 10 seconds no more than
/// 10 seconds' worth and a second's leave, whatever the turns' delays.
const BURST: Duration = Duration::from_millis(500);

/// Requests a second; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rate {
    period_us: i64,
}

impl Rate {
    /// `None` for what is no positive number.
    pub(super) fn new(per_second: f64) -> Option<Rate> {
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and a period is at least 1 µs")]
        let period_us = (1_000_000.0 / per_second) as i64;
        (per_second.is_finite() && per_second > 0.0).then_some(Rate { period_us: period_us.max(1) })
    }

    /// The rate of one token in that time; `None` for none.
    pub(super) fn of_period(period_us: i64) -> Option<Rate> {
        (period_us > 0).then_some(Rate { period_us })
    }

    /// The slower of two rates, where there are any.
    pub(super) fn slower(one: Option<Rate>, other: Option<Rate>) -> Option<Rate> {
        one.max(other)
    }

    /// How many may be sent now, where the next token is due at `next_us`.
    pub(super) fn available(self, next_us: i64, now_us: i64) -> u32 {
        let next_us = self.sane(next_us, now_us);
        if next_us > now_us {
            return 0;
        }
        let tokens = 1 + (now_us - next_us) / self.period_us();
        u32::try_from(tokens.min(self.burst())).unwrap_or(u32::MAX)
    }

    /// When the next token is due after `taken` were used.
    pub(super) fn after(self, taken: u32, next_us: i64, now_us: i64) -> i64 {
        let oldest = now_us - (self.burst() - 1) * self.period_us();
        self.sane(next_us, now_us).max(oldest) + i64::from(taken) * self.period_us()
    }

    /// A token is never due later than one period from now, unless the clock was set back since.
    pub(super) fn sane(self, next_us: i64, now_us: i64) -> i64 {
        next_us.min(now_us + self.period_us())
    }

    fn burst(self) -> i64 {
        let burst_us = i64::try_from(BURST.as_micros()).unwrap_or(i64::MAX);
        (burst_us / self.period_us()).max(1)
    }

    /// The time between two tokens, in microseconds.
    pub(super) fn period_us(self) -> i64 {
        self.period_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_795_000_000_000_000;

    /// Takes whatever is available at each moment; how many in all.
    fn taken(rate: f64, moments_us: impl Iterator<Item = i64>) -> u32 {
        let rate = Rate::new(rate).expect("a rate");
        let mut next = 0;
        let mut all = 0;
        for moment in moments_us {
            let available = rate.available(next, moment);
            next = rate.after(available, next, moment);
            all += available;
        }
        all
    }

    #[test]
    fn no_ten_seconds_hold_more_than_ten_seconds_worth_and_a_burst() {
        for rate in [0.5, 1.0, 10.0, 333.0, 50_000.0] {
            for step_us in [1_000, 7_777, 100_000, 1_300_000] {
                let moments = (0..10_000_000 / step_us).map(|step| START_US + step * step_us);
                let all = taken(rate, moments);
                assert!(
                    f64::from(all) <= 10.0 * rate + (rate * 0.5).max(1.0),
                    "{all} at {rate} in steps of {step_us} µs"
                );
            }
        }
    }

    #[test]
    fn a_steady_taker_gets_the_whole_rate() {
        let all = taken(100.0, (0..10_000).map(|step| START_US + step * 1_000));
        assert!((1_000..=1_050).contains(&all), "{all}");
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up_for_longer_than_a_token() {
        let rate = Rate::new(10.0).expect("a rate");
        let next = rate.after(1, 0, START_US);
        let set_back = START_US - 3_600_000_000;
        assert_eq!(rate.available(next, set_back), 0);
        assert_eq!(rate.available(rate.after(0, next, set_back), set_back + 100_000), 1);
    }
}
