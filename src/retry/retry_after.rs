//! Reads `Retry-After`.

use std::time::{Duration, UNIX_EPOCH};

use crate::invocation::UnixMillis;

/// The longest that the service's word is taken for: a typo at the vendor must not stop a batch for a year.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Reads `Retry-After`: a number of seconds or an HTTP date. `None` for anything else.
///
/// A moment that has passed, or a negative number, is zero. The caller caps it at [`RETRY_AFTER_MAX`].
#[must_use]
pub fn retry_after(raw: &str, now: UnixMillis) -> Option<Duration> {
    let raw = raw.trim();
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit is a number all the same, and a large one.
        let seconds = digits.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(if digits.len() < raw.len() { 0 } else { seconds }));
    }
    let date = httpdate::parse_http_date(raw).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(UnixMillis(0).after(since_epoch).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T12:00:00Z.
    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    #[test]
    fn seconds_and_dates_are_read() {
        for (raw, seconds) in [
            ("0", 0),
            ("7", 7),
            (" 120 ", 120),
            ("007", 7),
            ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
            ("Sunday, 22-Nov-26 12:01:00 GMT", 60),
            ("Sun Nov 22 13:00:00 2026", 3600),
        ] {
            assert_eq!(retry_after(raw, NOON), Some(Duration::from_secs(seconds)), "{raw}");
        }
    }

    #[test]
    fn what_has_passed_is_zero() {
        for raw in ["-1", "-99999999999999999999", "Sun, 22 Nov 2026 11:59:59 GMT", "Fri, 02 Jan 1970 00:00:00 GMT"] {
            assert_eq!(retry_after(raw, NOON), Some(Duration::ZERO), "{raw}");
        }
    }

    #[test]
    fn garbage_is_nothing() {
        for raw in ["", " ", "-", "soon", "1.5", "1e3", "0x10", "5s", "10, 20", "Sun, 99 Nov 2026 12:00:30 GMT", "１２"]
        {
            assert_eq!(retry_after(raw, NOON), None, "{raw}");
        }
    }

    #[test]
    fn a_number_that_fits_nowhere_is_a_long_time() {
        assert!(retry_after("99999999999999999999999", NOON) > Some(RETRY_AFTER_MAX));
    }
}
