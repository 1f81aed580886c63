//! Where an axis is marked: few round values, each with its text.

use crate::invocation::UnixMillis;
use crate::web::words::told;

/// Steps between two marks of time, in seconds.
const STEPS: [i64; 24] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 345_600,
    604_800, 1_209_600, 2_592_000, 7_776_000,
];

const DAY: i64 = 86_400;

/// Round values from 0 on: the last is no less than the largest, and there are `most` besides 0 at most.
pub(super) fn values(largest: f64, most: u32) -> Vec<f64> {
    if largest.is_nan() || largest <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = largest / f64::from(most);
    let magnitude = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    // A hair less, so that what is a step but for the last digit is one.
    let step =
        steps.into_iter().find(|step| step * f64::from(most) >= largest * (1.0 - 1e-9)).unwrap_or(magnitude * 10.0);
    let mut values = vec![0.0];
    while values.last().is_none_or(|last| *last < largest * (1.0 - 1e-9)) {
        values.push(step * values.len() as f64);
    }
    values
}

/// Round moments within the bounds, in seconds, each with its text; `most` at most.
pub(super) fn times(from: i64, until: i64, most: i64) -> Vec<(i64, String)> {
    let fits = |step: &&i64| until.div_euclid(**step) - (from - 1).div_euclid(**step) <= most;
    let step = STEPS.iter().find(fits).copied().unwrap_or((until - from) / most.max(1) + 1);
    let first = from + (-from).rem_euclid(step);
    let crosses_days = from.div_euclid(DAY) != (until - 1).div_euclid(DAY);
    let mut times = Vec::new();
    let mut at = first;
    while at <= until {
        let pattern = match step {
            step if step >= DAY => "%-d %b",
            _ if crosses_days && at.rem_euclid(DAY) == 0 => "%-d %b",
            step if step >= 60 => "%H:%M",
            _ => "%H:%M:%S",
        };
        times.push((at, told(UnixMillis(at * 1_000), pattern)));
        at += step;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_few_and_round_and_reach_the_largest() {
        assert_eq!(values(0.0, 4), [0.0, 1.0]);
        assert_eq!(values(1.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(values(37.0, 4), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(values(81.0, 4), [0.0, 50.0, 100.0]);
        assert_eq!(values(66_666.0, 4), [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0]);
        for largest in [0.003, 0.9, 1.1, 5.0, 99.0, 12_345.0] {
            let values = values(largest, 4);
            assert!(values.len() <= 5 && values.last().is_some_and(|last| *last >= largest), "{largest}: {values:?}");
        }
    }

    #[test]
    fn times_are_round_and_told_to_the_grain_of_their_step() {
        let texts = |from, until| times(from, until, 6).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts(1_795_000_000, 1_795_000_003), ["11:06:40", "11:06:41", "11:06:42", "11:06:43"]);
        assert_eq!(texts(1_795_000_000, 1_795_001_800), ["11:10", "11:15", "11:20", "11:25", "11:30", "11:35"]);
        // Over midnight the new day is named where it begins.
        let night = ["22:00", "23:00", "19 Nov", "01:00", "02:00", "03:00"];
        assert_eq!(texts(1_795_036_000, 1_795_060_000), night);
        assert_eq!(texts(1_795_000_000, 1_795_604_800), ["19 Nov", "21 Nov", "23 Nov", "25 Nov"]);
    }
}
