//! When a row may be sent: the hours of the day in its recipient's zone, and the moments before and after which nothing is.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::UnixMillis;

/// The hours of a day in which rows may be sent: `09:00-20:00`, or over midnight `22:00-06:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The minute of the day from which on rows may be sent.
    from: u16,
    /// The minute of the day from which on they may not; 1440 is midnight.
    until: u16,
}

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

const MINUTES_OF_DAY: u16 = 24 * 60;
/// Days that are looked at for the next opening: each zone's day has the hour, if only after its clocks were changed; a day
/// that a zone left out (it moved over the date line) is followed by one that it has.
const DAYS_AHEAD: i8 = 3;

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
}

/// The zone of that name in the IANA database (`Europe/Berlin`), if there is one.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name.trim()).ok().filter(|zone| !zone.is_unknown())
}

impl Window {
    /// When it opens next in that zone; `None` where it is open.
    #[must_use]
    pub fn opening(self, zone: &TimeZone, now: UnixMillis) -> Option<UnixMillis> {
        let now = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone());
        if self.is_open_at(now.time()) {
            return None;
        }
        let days = (0..=DAYS_AHEAD).filter_map(|day| now.date().checked_add(jiff::Span::new().days(day)).ok());
        let openings = days.flat_map(|day| self.openings_on(zone, day));
        openings.filter(|opening| *opening > now.timestamp()).min().map(|at| UnixMillis(at.as_millisecond()))
    }

    fn is_open_at(self, time: Time) -> bool {
        let minute = u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0);
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// The moments at which it opens on that day: one, or two where the clocks are set back over its beginning.
    fn openings_on(self, zone: &TimeZone, day: Date) -> Vec<Timestamp> {
        let time = Time::midnight().saturating_add(jiff::Span::new().minutes(self.from));
        let begin = zone.to_ambiguous_timestamp(day.to_datetime(time));
        match begin.offset() {
            AmbiguousOffset::Unambiguous { .. } => begin.unambiguous().into_iter().collect(),
            AmbiguousOffset::Fold { .. } => [begin.earlier(), begin.later()].into_iter().flatten().collect(),
            // The clocks are set forward over it: it opens when they are, if that is inside it.
            AmbiguousOffset::Gap { .. } => {
                let before = begin.earlier().into_iter();
                let change = before.filter_map(|before| zone.following(before).next()).map(|change| change.timestamp());
                change.filter(|at| self.is_open_at(at.to_zoned(zone.clone()).time())).collect()
            }
        }
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no window; expected two times of a day, as in `09:00-20:00`");
        let (from, until) = text.split_once('-').ok_or_else(wrong)?;
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let is_short = |part: &str| matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
            let (hour, minute): (u16, u16) = if is_short(hour) && minute.len() == 2 {
                (hour.parse().ok()?, minute.parse().ok()?)
            } else {
                return None;
            };
            (minute < 60 && hour * 60 + minute <= MINUTES_OF_DAY).then_some(hour * 60 + minute)
        };
        let (from, until) = (minute(from).ok_or_else(wrong)?, minute(until).ok_or_else(wrong)?);
        if from == until || from == MINUTES_OF_DAY {
            return Err(format!("{}, the second after the first, or before it for a window over midnight", wrong()));
        }
        Ok(Window { from, until })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
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
}
