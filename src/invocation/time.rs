//! A moment on the wall clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z: how every time is stored. Shown as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// What the system's clock says. Called by `worker` and what is above it only: below them time is a parameter.
    #[must_use]
    pub fn now() -> Self {
        UnixMillis(jiff::Timestamp::now().as_millisecond())
    }

    /// The moment that much later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        UnixMillis(self.0.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment that much earlier.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        UnixMillis(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// When the day ends in which this moment lies, in that zone.
    #[must_use]
    pub fn day_ends(self, zone: &jiff::tz::TimeZone) -> UnixMillis {
        let day = jiff::Timestamp::from_millisecond(self.0).ok().map(|now| now.to_zoned(zone.clone()));
        let next = day.and_then(|now| now.tomorrow().ok()?.start_of_day().ok());
        next.map_or(self, |next| UnixMillis(next.timestamp().as_millisecond()))
    }

    /// How long it is from `earlier` to this moment; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: UnixMillis) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(UnixMillis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixMillis(1_795_000_000_123).to_string(), "2026-11-18T11:06:40.123Z");
    }
}
