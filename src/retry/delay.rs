//! Delays: the backoff before a retry, and the pause between probes of an endpoint that does not answer.

use std::time::Duration;

use backoff::ExponentialBackoffBuilder;
use backoff::backoff::Backoff;

use super::Policy;

/// The longest pause between two probes.
pub const PROBE_DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// The shortest delay before a retry: chance may come out as zero, and a due time is kept in milliseconds.
const DELAY_MIN: Duration = Duration::from_millis(1);

/// Doublings after which a step grows no more: from 1 ms they lead far past any cap.
const DOUBLINGS_MAX: u32 = 48;

const DOUBLE: f64 = 2.0;

/// The delay before a row is repeated: exponential from `initial`, capped at `max`, with full jitter.
///
/// `tries` is the stored count, without the attempt that has just finished, so that the backoff goes on after a
/// restart. `chance` is a number from 0 up to 1, without 1.
#[must_use]
pub fn backoff_delay(policy: &Policy, tries: u32, chance: f64) -> Duration {
    scaled(step(policy, tries), chance).max(DELAY_MIN)
}

/// The pause before the next probe: `probe_after`, doubled for each probe that failed, up to [`PROBE_DELAY_MAX`].
///
/// A longer `probe_after` is kept: an operator asked for it.
#[must_use]
pub fn probe_delay(probe_after: Duration, failed_probes: u32) -> Duration {
    let factor = 1_u32.checked_shl(failed_probes).unwrap_or(u32::MAX);
    probe_after.saturating_mul(factor).min(PROBE_DELAY_MAX.max(probe_after))
}

/// The duration times the factor; the duration itself where that is no duration.
pub(super) fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}

/// The upper end of the jitter after that many tries.
///
/// The calculator's own jitter comes after its cap and draws its own random number, so it is switched off (what is
/// left of it is a nanosecond, cut off below), and so is its clock, by having no limit on the time that has passed.
fn step(policy: &Policy, tries: u32) -> Duration {
    let mut backoff = ExponentialBackoffBuilder::new()
        .with_initial_interval(policy.initial)
        .with_max_interval(policy.max)
        .with_multiplier(DOUBLE)
        .with_randomization_factor(0.0)
        .with_max_elapsed_time(None)
        .build();
    for _ in 0..tries.min(DOUBLINGS_MAX) {
        backoff.next_backoff();
    }
    let step = backoff.next_backoff().unwrap_or(policy.max).min(policy.max);
    Duration::from_millis(u64::try_from(step.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_double_from_the_first_to_the_cap() {
        let policy = Policy::default();
        let steps: Vec<u64> = (0..11).map(|tries| step(&policy, tries).as_millis().try_into().unwrap()).collect();
        assert_eq!(steps, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
        assert_eq!(step(&policy, u32::MAX), policy.max);
    }

    #[test]
    fn the_jitter_spans_the_whole_step() {
        let policy = Policy::default();
        assert_eq!(backoff_delay(&policy, 3, 0.0), DELAY_MIN);
        assert_eq!(backoff_delay(&policy, 3, 0.5), Duration::from_secs(4));
        assert!(backoff_delay(&policy, 3, 0.999_999) > Duration::from_millis(7_999));
    }

    #[test]
    fn a_first_step_past_the_cap_is_the_cap() {
        let policy = Policy { initial: Duration::from_secs(60), max: Duration::from_secs(5), ..Policy::default() };
        assert_eq!(step(&policy, 0), policy.max);
        assert_eq!(step(&policy, 9), policy.max);
    }

    #[test]
    fn probes_double_to_fifteen_minutes() {
        let minutes = |failed| probe_delay(Duration::from_secs(60), failed).as_secs() / 60;
        assert_eq!((0..7).map(minutes).collect::<Vec<_>>(), [1, 2, 4, 8, 15, 15, 15]);
        assert_eq!(probe_delay(Duration::from_secs(60), u32::MAX), PROBE_DELAY_MAX);
        let an_hour = Duration::from_secs(3600);
        assert_eq!(probe_delay(an_hour, 0), an_hour);
        assert_eq!(probe_delay(an_hour, 3), an_hour);
    }

    proptest! {
        #[test]
        fn a_delay_never_exceeds_the_cap(
            initial_ms in 0_u64..=u64::MAX, max_ms in 1_u64..=u64::MAX, tries in any::<u32>(), chance in 0.0..1.0_f64
        ) {
            let (initial, max) = (Duration::from_millis(initial_ms), Duration::from_millis(max_ms));
            let policy = Policy { initial, max, ..Policy::default() };
            let delay = backoff_delay(&policy, tries, chance);
            prop_assert!(delay <= max && delay >= DELAY_MIN, "{delay:?}");
        }
    }
}
