//! When a row may be sent: the hours of the day in its recipient's zone, and the moments before and after which nothing is.

use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{UnixMillis, Window};

/// When rows of a batch may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// The hours of the day, in each recipient's zone; `None`: all.
    pub window: Option<Window>,
    /// The zone of rows that name none.
    #[serde(rename = "timeZone")]
    pub time_zone: Option<String>,
    /// Nothing is sent before that moment.
    #[serde(rename = "notBeforeMs")]
    pub not_before: Option<UnixMillis>,
    /// Nothing is sent from that moment on.
    #[serde(rename = "notAfterMs")]
    pub not_after: Option<UnixMillis>,
}

/// Whether a row may be sent, at the moment that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Now,
    /// It may not before that moment.
    Later(UnixMillis),
    /// Its zone is not known, so that nobody can tell: it is held until somebody names the zone.
    NoZone,
    /// Its time has passed.
    Expired,
}

/// Why a pending row was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Its window is closed, or the moment has not come before which nothing is sent. It is due when it may leave.
    Window,
    /// Its zone is not known. It is due at [`HELD_UNTIL`], or as soon as an operator changes the batch's schedule.
    TimeZone,
}

impl Hold {
    /// The word for it in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Hold::Window => "window",
            Hold::TimeZone => "time-zone",
        }
    }
}

impl FromStr for Hold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Hold::Window, Hold::TimeZone].into_iter().find(|hold| hold.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no reason for which a row is put off"))
    }
}

/// When a row is due whose zone is not known: at the end of the year 9999, which is shown to nobody.
pub const HELD_UNTIL: UnixMillis = UnixMillis(253_402_300_799_000);

impl Schedule {
    /// Whether rows may be sent at any time.
    #[must_use]
    pub fn is_always(&self) -> bool {
        *self == Schedule { time_zone: self.time_zone.clone(), ..Schedule::default() }
    }

    /// Whether a row of that zone, or of none, may be sent at that moment.
    #[must_use]
    pub fn leave(&self, zone: Option<&str>, now: UnixMillis) -> Leave {
        if self.not_after.is_some_and(|end| end <= now) {
            return Leave::Expired;
        }
        let earliest = self.not_before.filter(|begin| *begin > now);
        let Some(window) = self.window else { return earliest.map_or(Leave::Now, Leave::Later) };
        let Some(zone) = zone.or(self.time_zone.as_deref()).and_then(time_zone) else { return Leave::NoZone };
        match (window.opening(&zone, earliest.unwrap_or(now)), earliest) {
            (Some(at), _) => Leave::Later(at),
            (None, Some(earliest)) => Leave::Later(earliest),
            (None, None) => Leave::Now,
        }
    }

    /// Until when a row of that zone may be sent that may be sent at that moment; `None`: for ever.
    #[must_use]
    pub fn leave_ends(&self, zone: Option<&str>, now: UnixMillis) -> Option<UnixMillis> {
        let zone = zone.or(self.time_zone.as_deref()).and_then(time_zone);
        let closing = self.window.zip(zone).and_then(|(window, zone)| window.closing(&zone, now));
        closing.into_iter().chain(self.not_after).min()
    }
}

/// The zone of that name in the IANA database (`Europe/Berlin`), if there is one.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name.trim()).ok().filter(|zone| !zone.is_unknown())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Zoned;

    fn at(text: &str) -> UnixMillis {
        let moment: Zoned = text.parse().expect("a moment with its zone");
        UnixMillis(moment.timestamp().as_millisecond())
    }

    fn day() -> Schedule {
        Schedule { window: Some("09:00-20:00".parse().expect("a window")), ..Schedule::default() }
    }

    #[test]
    fn a_row_leaves_in_the_hours_of_its_own_zone() {
        let now = at("2026-11-27T12:00[Europe/Berlin]");
        let leaves = |zone| day().leave(Some(zone), now);
        assert_eq!(leaves("Europe/Berlin"), Leave::Now);
        assert_eq!(leaves("America/New_York"), Leave::Later(at("2026-11-27T09:00[America/New_York]")));
        assert_eq!(leaves("Asia/Tokyo"), Leave::Later(at("2026-11-28T09:00[Asia/Tokyo]")));
        assert_eq!((leaves("Middle/Earth"), day().leave(None, now)), (Leave::NoZone, Leave::NoZone));
        let with_zone = Schedule { time_zone: Some("Europe/Berlin".to_owned()), ..day() };
        assert_eq!(with_zone.leave(None, now), Leave::Now);
    }

    #[test]
    fn the_first_minute_is_inside_and_the_last_is_not() {
        let leaves = |time: &str| day().leave(Some("UTC"), at(&format!("2026-11-27T{time}[UTC]")));
        assert_eq!(leaves("08:59:59.999"), Leave::Later(at("2026-11-27T09:00[UTC]")));
        assert_eq!((leaves("09:00"), leaves("19:59:59.999")), (Leave::Now, Leave::Now));
        assert_eq!(leaves("20:00"), Leave::Later(at("2026-11-28T09:00[UTC]")));
    }

    #[test]
    fn a_window_ends_where_the_rest_of_the_day_begins() {
        let ends = |window: &str, time: &str| {
            let schedule = Schedule { window: Some(window.parse().expect("a window")), ..Schedule::default() };
            schedule.leave_ends(Some("UTC"), at(&format!("2026-11-27T{time}[UTC]")))
        };
        assert_eq!(ends("09:00-20:00", "12:00"), Some(at("2026-11-27T20:00[UTC]")));
        assert_eq!(ends("22:00-06:00", "23:00"), Some(at("2026-11-28T06:00[UTC]")));
        assert_eq!(ends("00:00-06:00", "01:00"), Some(at("2026-11-27T06:00[UTC]")));
        assert_eq!(ends("18:00-24:00", "19:00"), Some(at("2026-11-28T00:00[UTC]")));
        assert_eq!(ends("00:00-24:00", "19:00"), None);
        let end = at("2026-11-27T13:00[UTC]");
        assert_eq!(
            Schedule { not_after: Some(end), ..day() }.leave_ends(Some("UTC"), at("2026-11-27T12:00[UTC]")),
            Some(end)
        );
    }

    #[test]
    fn the_beginning_and_the_end_hold_in_every_zone_and_the_window_within_them() {
        let (begin, end) = (at("2026-11-27T19:30[UTC]"), at("2026-11-29T12:00[UTC]"));
        let bounds = Schedule { not_before: Some(begin), not_after: Some(end), ..Schedule::default() };
        let leaves = |schedule: &Schedule, zone, time| schedule.leave(zone, at(time));
        assert_eq!(leaves(&bounds, None, "2026-11-27T12:00[UTC]"), Leave::Later(begin));
        assert_eq!(leaves(&bounds, None, "2026-11-27T19:30[UTC]"), Leave::Now);
        assert_eq!(leaves(&bounds, None, "2026-11-29T12:00[UTC]"), Leave::Expired);
        let both = Schedule { window: day().window, ..bounds };
        let noon = "2026-11-27T12:00[UTC]";
        assert_eq!(leaves(&both, Some("UTC"), noon), Leave::Later(begin));
        let in_tokyo = at("2026-11-28T09:00[Asia/Tokyo]");
        assert_eq!(
            leaves(&both, Some("Asia/Tokyo"), noon),
            Leave::Later(in_tokyo),
            "its window is closed when it begins"
        );
        assert_eq!(leaves(&both, None, "2026-11-29T12:00[UTC]"), Leave::Expired, "whatever its zone is");
        let ends = |zone, time| both.leave_ends(zone, at(time));
        assert_eq!(ends(Some("UTC"), "2026-11-28T12:00[UTC]"), Some(at("2026-11-28T20:00[UTC]")));
        assert_eq!(ends(Some("UTC"), "2026-11-29T11:00[UTC]"), Some(end));
        assert_eq!(Schedule::default().leave_ends(None, begin), None);
    }
}
