//! How long something takes, in the words and to the grain that people ask for.

use std::time::Duration;

/// A duration in the units that fit: `40 s`, `12 min`, `1 h 20 min`, `3 days`.
#[must_use]
pub fn about(duration: Duration) -> String {
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
}
