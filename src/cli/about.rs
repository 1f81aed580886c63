//! How fast something goes, and when, in the words and to the grain that people ask for.

pub(super) use crate::invocation::about;

/// Characters of a time up to its minute.
const MINUTE_CHARS: usize = 16;
/// Where hours, minutes and seconds stand in a time.
const TIME_OF_DAY: std::ops::Range<usize> = 11..19;

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
    fn a_rate_has_as_many_digits_as_it_needs() {
        assert_eq!([10.0, 2.5, 9.87, 0.0, 0.02].map(rate), ["10", "2.5", "9.9", "0", "0.02"]);
    }

    #[test]
    fn a_time_is_told_up_to_its_minute_or_second() {
        assert_eq!(time_of_day("2026-11-18T11:06:40.123Z"), "11:06:40Z");
        assert_eq!(minute("2026-11-18T11:06:40.123Z"), "2026-11-18T11:06Z");
    }
}
