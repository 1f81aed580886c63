//! When the last row leaves, as far as rate, window and retries tell.

use std::time::Duration;

use crate::invocation::{Leave, Schedule, UnixMillis};

/// What does not end in that time is not foretold.
const HORIZON: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Rows of one zone that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their zone, where they name one.
    pub zone: Option<String>,
    /// How many.
    pub rows: i64,
}

/// Rows that are due later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// How many.
    pub rows: i64,
    /// When the first of them is due.
    pub first: UnixMillis,
    /// When the last of them is due.
    pub last: UnixMillis,
}

/// What is still to be sent, and what holds it back. Rows that wait for an operator are no part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Rows that are due, by zone.
    pub due: Vec<Group>,
    /// Rows that are due later.
    pub later: Option<Later>,
    /// Requests a second; `None`: as fast as answers come, which nobody knows beforehand.
    pub rate: Option<f64>,
    /// When rows may be sent.
    pub schedule: Schedule,
    /// The moment from which on rows are sent: now, or when a closed gate is tried again.
    pub begins: UnixMillis,
}

impl Load {
    /// When the last row leaves; `None` where that cannot be foretold: no rate is known, or the window never opens.
    #[must_use]
    pub fn eta(&self) -> Option<UnixMillis> {
        let has_due = self.due.iter().any(|group| group.rows > 0);
        self.rate.or((!has_due && self.later.is_none()).then_some(f64::INFINITY))?;
        let horizon = self.begins.after(HORIZON);
        let Drained { ends, left } = self.drain(horizon);
        if left > 0 {
            return None;
        }
        let Some(later) = self.later else { return Some(ends) };
        // They go one after another too, once the first of them is due and those before them have left.
        let begins = if has_due { ends.max(later.first) } else { self.begins.max(later.first) };
        let behind = self.behind(later.rows, begins);
        let Drained { ends, left } = behind.drain(horizon.max(behind.begins.after(HORIZON)));
        (left == 0).then_some(ends.max(later.last))
    }

    /// Rows that are due from that moment on. In which zone they are is not known: in one whose hours it is.
    fn behind(&self, rows: i64, begins: UnixMillis) -> Load {
        let zones = self.due.iter().map(|group| group.zone.clone()).chain([None]);
        let zone = zones.into_iter().find(|zone| self.schedule.leave(zone.as_deref(), begins) == Leave::Now);
        let schedule = match zone {
            Some(_) => self.schedule.clone(),
            None => Schedule { window: None, ..self.schedule.clone() },
        };
        Load { due: vec![Group { zone: zone.flatten(), rows }], later: None, schedule, begins, ..self.clone() }
    }

    /// How many of the rows that are due have not left by then.
    #[must_use]
    pub fn left_by(&self, until: UnixMillis) -> i64 {
        self.drain(until).left
    }

    /// Follows the rows that are due through the hours of their zones, at the rate that they share.
    fn drain(&self, until: UnixMillis) -> Drained {
        #[expect(clippy::cast_precision_loss, reason = "a forecast for people")]
        let mut left: Vec<f64> = self.due.iter().map(|group| group.rows as f64).collect();
        let (mut at, mut ends) = (self.begins, self.begins);
        while at < until {
            let (mut next, mut due, mut has_closed) = (until, 0.0, false);
            let mut open = Vec::new();
            for (place, group) in self.due.iter().enumerate().filter(|(place, _)| left[*place] > 0.0) {
                let zone = group.zone.as_deref();
                match self.schedule.leave(zone, at) {
                    Leave::Now => {
                        due += left[place];
                        open.push(place);
                        next = self.schedule.leave_ends(zone, at).map_or(next, |end| next.min(end));
                    }
                    Leave::Later(opening) => {
                        has_closed = true;
                        next = next.min(opening);
                    }
                    Leave::NoZone | Leave::Expired => {}
                }
            }
            if open.is_empty() && !has_closed {
                break;
            }
            let capacity = self.rate.map_or(f64::INFINITY, |rate| rate * next.since(at).as_secs_f64());
            if due > 0.0 {
                let takes = Duration::try_from_secs_f64(due.min(capacity) / self.rate.unwrap_or(f64::INFINITY));
                ends = at.after(takes.unwrap_or(HORIZON));
            }
            let share = if due > capacity { 1.0 - capacity / due } else { 0.0 };
            open.into_iter().for_each(|place| left[place] *= share);
            at = next;
        }
        // A row that is left but for the error of the sum has left.
        #[expect(clippy::cast_possible_truncation, reason = "no more than there were")]
        let left = (left.iter().sum::<f64>() - 0.01).ceil() as i64;
        Drained { ends, left }
    }
}

/// What has become of rows that are due.
struct Drained {
    /// When the last of those that left did.
    ends: UnixMillis,
    /// How many have not.
    left: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Noon in UTC.
    const NOON: UnixMillis = UnixMillis(1_795_003_200_000);

    fn load(rows: i64, rate: Option<f64>) -> Load {
        let due = vec![Group { zone: None, rows }];
        Load { due, later: None, rate, schedule: Schedule::default(), begins: NOON }
    }

    fn within(window: &str, load: Load) -> Load {
        let window = Some(window.parse().expect("a window"));
        Load { schedule: Schedule { window, time_zone: Some("UTC".to_owned()), ..Schedule::default() }, ..load }
    }

    fn hours(load: &Load) -> Option<f64> {
        load.eta().map(|eta| eta.since(NOON).as_secs_f64() / 3600.0)
    }

    fn later(rows: i64, first: u32, last: u32) -> Option<Later> {
        Some(Later { rows, first: NOON.after(HOUR * first), last: NOON.after(HOUR * last) })
    }

    #[test]
    fn the_end_follows_from_rate_window_and_retries() {
        let one_a_second = |rows| load(rows, Some(1.0));
        for (what, load, expected) in [
            ("nothing", load(0, None), Some(0.0)),
            ("a rate that nobody knows", load(10, None), None),
            ("one hour's worth", one_a_second(3600), Some(1.0)),
            ("behind a closed gate", Load { begins: NOON.after(HOUR), ..one_a_second(3600) }, Some(2.0)),
            ("within the window", within("09:00-20:00", one_a_second(8 * 3600)), Some(8.0)),
            ("spilling over to the next day", within("09:00-20:00", one_a_second(9 * 3600)), Some(22.0)),
            ("over three days", within("11:00-13:00", one_a_second(4 * 3600)), Some(48.0)),
            ("before the window", within("14:00-20:00", one_a_second(3600)), Some(3.0)),
            ("a retry in five hours", Load { later: later(1, 5, 5), ..one_a_second(3600) }, Some(5.0 + 1.0 / 3600.0)),
            ("retries among the rest", Load { later: later(3600, 0, 1), ..one_a_second(3600) }, Some(2.0)),
            (
                "put off to the opening of another zone",
                Load { later: later(3600, 14, 14), ..within("09:00-20:00", one_a_second(3600)) },
                Some(15.0),
            ),
            ("all put off to an opening", Load { later: later(7200, 3, 3), ..one_a_second(0) }, Some(5.0)),
            (
                "no zone, so never",
                Load {
                    schedule: Schedule { time_zone: None, ..within("09:00-20:00", one_a_second(1)).schedule },
                    ..one_a_second(1)
                },
                None,
            ),
            (
                "after its time",
                Load { schedule: Schedule { not_after: Some(NOON), ..Schedule::default() }, ..one_a_second(1) },
                None,
            ),
        ] {
            let told = hours(&load);
            let is_near = match (told, expected) {
                (Some(told), Some(expected)) => (told - expected).abs() < 0.001,
                (told, expected) => told == expected,
            };
            assert!(is_near, "{what}: {told:?} and not {expected:?}");
        }
    }

    #[test]
    fn zones_share_the_rate_and_keep_their_hours() {
        let group = |zone: &str, rows| Group { zone: Some(zone.to_owned()), rows };
        // 12:00 in UTC is 07:00 in New York and 21:00 in Tokyo.
        let due = vec![group("UTC", 3600), group("America/New_York", 3600), group("Asia/Tokyo", 3600)];
        let load = within("09:00-20:00", Load { due, ..load(0, Some(1.0)) });
        assert_eq!(hours(&load), Some(13.0));
        let midnight = NOON.after(12 * HOUR);
        assert_eq!(load.left_by(midnight), 3600);
        assert_eq!(Load { rate: Some(0.5), ..load.clone() }.left_by(NOON.after(HOUR)), 3 * 3600 - 1800);
        assert_eq!(Load { rate: None, ..load }.left_by(NOON.after(HOUR)), 2 * 3600);
    }
}
