//! How long something takes, and when, in the words and to the grain that people ask for.

use std::time::Duration;

/// Characters of a time up to its minute.
const MINUTE_CHARS: usize = 16;
/// Where hours, minutes and seconds stand in a time.
const TIME_OF_DAY: std::ops::Range<usize> = 11..19;

/// A duration in the units that fit: `40 s`, `12 min`, `1 h 20 min`, `3 days`.
pub(super) fn about(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is no less than 0, and ends at the largest"
    )]
    let minutes = (seconds / 60.0).round() as u64;
    match (seconds, minutes) {
        (seconds, _) if seconds < 100.0 => format!("{seconds} s"),
        (_, minutes @ 0..60) => format!("{minutes} min"),
        (_, minutes @ 60..2880) if minutes % 60 == 0 => format!("{} h", minutes / 60),
        (_, minutes @ 60..2880) => format!("{} h {} min", minutes / 60, minutes % 60),
        (_, minutes) => format!("{} days", (minutes + 720) / 1440),
    }
}

/// A time in RFC 3339 up to its minute: `2026-11-18T11:06Z`.
pub(super) fn minute(time: &str) -> String {
    time.get(..MINUTE_CHARS).map_or_else(|| time.to_owned(), |minute| format!("{minute}Z"))
}

/// The time of the day of a time in RFC 3339, up to its second: `11:06:40Z`.
pub(super) fn time_of_day(time: &str) -> String {
    time.get(TIME_OF_DAY).map_or_else(|| time.to_owned(), |second| format!("{second}Z"))
}

/// A rate with as many digits as it needs: `10`, `2.5`.
pub(super) fn rate(rate: f64) -> String {
    let tenths = (rate * 10.0).round() / 10.0;
    if tenths > 0.0 { format!("{tenths}") } else { format!("{rate}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_the_units_that_fit() {
        for (seconds, told) in [
            (0, "0 s"),
            (40, "40 s"),
            (99, "99 s"),
            (720, "12 min"),
            (5_400, "1 h 30 min"),
            (4_800 + 1_200, "1 h 40 min"),
            (7_200, "2 h"),
            (172_740, "47 h 59 min"),
            (260_000, "3 days"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn a_rate_has_as_many_digits_as_it_needs() {
        assert_eq!([10.0, 2.5, 9.87, 0.0, 0.02].map(rate), ["10", "2.5", "9.9", "0", "0.02"]);
    }

    #[test]
    fn a_time_is_told_up_to_its_minute_or_second() {
        assert_eq!(time_of_day("2026-11-18T11:06:40.123Z"), "11:06:40Z");
        assert_eq!(minute("2026-11-18T11:06:40.123Z"), "2026-11-18T11:06Z");
    }
}
