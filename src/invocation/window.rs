//! The hours of a day in which rows may be sent, in a time zone whose clocks are changed now and then.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};
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

const MINUTES_OF_DAY: u16 = 24 * 60;
/// Days that are looked at for the next opening: each zone's day has the hour, if only after its clocks were changed; a day
/// that a zone left out (it moved over the date line) is followed by one that it has.
const DAYS_AHEAD: i8 = 3;

impl Window {
    /// When it opens next in that zone; `None` where it is open.
    #[must_use]
    pub fn opening(self, zone: &TimeZone, now: UnixMillis) -> Option<UnixMillis> {
        let now = Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone());
        if self.is_open_at(now.time()) {
            return None;
        }
        // It opens at its first minute, or where the clocks are changed from outside it to inside. Yesterday has such a
        // minute to come where the clocks are set back over midnight.
        let days = (-1..=DAYS_AHEAD).filter_map(|day| now.date().checked_add(Span::new().days(day)).ok());
        let openings = days.flat_map(|day| self.openings_on(zone, day));
        let changes = zone.following(now.timestamp()).map(|change| change.timestamp());
        let last = now.timestamp().checked_add(Span::new().hours(24 * i64::from(DAYS_AHEAD))).ok()?;
        let openings = openings.chain(changes.take_while(|change| *change <= last));
        let is_open = |at: &Timestamp| self.is_open_at(at.to_zoned(zone.clone()).time());
        openings.filter(|at| *at > now.timestamp() && is_open(at)).min().map(|at| UnixMillis(at.as_millisecond()))
    }

    /// When it closes next in that zone, where it is open; `None` where it never does.
    #[must_use]
    pub fn closing(self, zone: &TimeZone, now: UnixMillis) -> Option<UnixMillis> {
        let (from, until) = (self.until % MINUTES_OF_DAY, self.from);
        let rest = Window { from, until: if until == 0 { MINUTES_OF_DAY } else { until } };
        if from == until { None } else { rest.opening(zone, now) }
    }

    fn is_open_at(self, time: Time) -> bool {
        let minute = u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0);
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// The moments at which its first minute begins on that day: one, two where the clocks are set back over it, none where
    /// they are set forward over it.
    fn openings_on(self, zone: &TimeZone, day: Date) -> Vec<Timestamp> {
        let time = Time::midnight().saturating_add(Span::new().minutes(self.from));
        let begin = zone.to_ambiguous_timestamp(day.to_datetime(time));
        match begin.offset() {
            AmbiguousOffset::Unambiguous { .. } => begin.unambiguous().into_iter().collect(),
            AmbiguousOffset::Fold { .. } => [begin.earlier(), begin.later()].into_iter().flatten().collect(),
            AmbiguousOffset::Gap { .. } => Vec::new(),
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
    use proptest::prelude::*;

    const MINUTE_MS: i64 = 60_000;

    /// Zones and the days around which their clocks were changed: an hour, half of one, at midnight, over the date line.
    const CHANGES: [(&str, &str); 11] = [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("America/St_Johns", "2010-03-14"),
        ("America/St_Johns", "2010-11-07"),
        ("Pacific/Apia", "2011-12-30"),
        ("America/Sao_Paulo", "2018-02-18"),
        ("America/Sao_Paulo", "2018-11-04"),
        ("Asia/Kathmandu", "2026-06-01"),
    ];

    fn window(text: &str) -> Window {
        text.parse().expect("a window")
    }

    fn midnight(day: &str, zone: &TimeZone) -> i64 {
        let day: Date = day.parse().expect("a day");
        let start = day.to_zoned(zone.clone()).expect("a day of the zone");
        start.timestamp().as_millisecond().div_euclid(MINUTE_MS) * MINUTE_MS
    }

    fn is_open(window: Window, zone: &TimeZone, at: i64) -> bool {
        let at = Timestamp::from_millisecond(at).expect("a moment of this age");
        window.is_open_at(at.to_zoned(zone.clone()).time())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn it_opens_and_closes_at_the_first_minute_at_which_it_does(
            change in 0..CHANGES.len(), from in 0..MINUTES_OF_DAY, length in 1..MINUTES_OF_DAY,
            begin in -1_500..1_500_i64, second in 0..60_i64
        ) {
            let (name, day) = CHANGES[change];
            let zone = TimeZone::get(name).expect("a zone");
            let window = Window { from, until: match (from + length) % MINUTES_OF_DAY { 0 => MINUTES_OF_DAY, until => until } };
            let now = midnight(day, &zone) + begin * MINUTE_MS + second * 1_000;
            let minutes = (now.div_euclid(MINUTE_MS) + 1..).map(|minute| minute * MINUTE_MS);
            let open = is_open(window, &zone, now);
            let change = minutes.take(3 * 1_440).find(|at| is_open(window, &zone, *at) != open).map(UnixMillis);
            let (opening, closing) = (window.opening(&zone, UnixMillis(now)), window.closing(&zone, UnixMillis(now)));
            prop_assert!(change.is_some(), "{} in {} from {}", window, name, UnixMillis(now));
            prop_assert_eq!(opening, change.filter(|_| !open), "{} in {} from {}", window, name, UnixMillis(now));
            if open {
                prop_assert_eq!(closing, change, "{} in {} from {}", window, name, UnixMillis(now));
            }
        }
    }

    #[test]
    fn midnight_is_24_00_at_the_end_and_a_whole_day_never_closes() {
        let utc = TimeZone::UTC;
        let noon = UnixMillis(midnight("2026-06-01", &utc) + 12 * 60 * MINUTE_MS);
        assert_eq!(window("09:00-24:00").closing(&utc, noon), Some(UnixMillis(midnight("2026-06-02", &utc))));
        assert_eq!(window("22:00-24:00").opening(&utc, noon), Some(UnixMillis(noon.0 + 10 * 60 * MINUTE_MS)));
        let always = window("00:00-24:00");
        assert_eq!((always.opening(&utc, noon), always.closing(&utc, noon)), (None, None));
    }

    #[test]
    fn a_window_is_two_times_of_a_day() {
        for (text, shown) in
            [("9:00-20:00", "09:00-20:00"), (" 22:00 - 06:00 ", "22:00-06:00"), ("0:00-24:00", "00:00-24:00")]
        {
            assert_eq!(window(text).to_string(), shown);
        }
        for bad in ["", "09:00", "9-20", "09:00-09:00", "24:00-06:00", "09:60-20:00", "09:00-24:01", "09:00-20:0"] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }
}
