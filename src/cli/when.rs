//! A moment as people type it, and the hours that flags make of a batch's.

use std::str::FromStr;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::args::HoursArgs;
use super::failure::Usage;
use crate::invocation::{Schedule, UnixMillis, time_zone};
use crate::store::names_zones;

/// A moment, or a date and time that is one once its zone is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// With its offset.
    At(UnixMillis),
    /// As clocks show it.
    Local(DateTime),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(When::At(UnixMillis(at.as_millisecond())));
        }
        // A date alone would be midnight, which nobody means by `--not-after 2026-11-27`.
        let has_time = text.contains(['T', 't', ' ']) && text.contains(':');
        match text.parse() {
            Ok(local) if has_time => Ok(When::Local(local)),
            Ok(_) | Err(_) => {
                Err("expected a date and time (`2026-11-27T18:00`), with an offset (`+01:00`, `Z`) or without"
                    .to_owned())
            }
        }
    }
}

impl When {
    /// The moment. A time that clocks leave out is the one after it, one that they show twice the first.
    fn moment(self, zone: &TimeZone) -> anyhow::Result<UnixMillis> {
        match self {
            When::At(at) => Ok(at),
            When::Local(local) => {
                let at = local.to_zoned(zone.clone()).with_context(|| Usage(format!("`{local}` is no time")))?;
                Ok(UnixMillis(at.timestamp().as_millisecond()))
            }
        }
    }
}

/// The hours with what the flags name, for a file with these mapped names where they are known.
pub(super) fn schedule_of(flags: &HoursArgs, was: Schedule) -> anyhow::Result<Schedule> {
    let time_zone_name = flags.time_zone.as_ref().map_or(was.time_zone, |zone| zone.0.clone());
    let zone = time_zone_name.as_deref().and_then(time_zone).unwrap_or_else(TimeZone::system);
    let moment = |flag: &Option<super::args::OrNone<When>>, was| match flag {
        None => Ok(was),
        Some(given) => given.0.map(|when| when.moment(&zone)).transpose(),
    };
    let schedule = Schedule {
        window: flags.window.as_ref().map_or(was.window, |window| window.0),
        not_before: moment(&flags.not_before, was.not_before)?,
        not_after: moment(&flags.not_after, was.not_after)?,
        time_zone: time_zone_name,
    };
    if let (Some(begin), Some(end)) = (schedule.not_before, schedule.not_after)
        && begin >= end
    {
        bail!(Usage(format!(
            "nothing could ever be sent: `--not-before` is {begin}, and `--not-after` {end}\n\
             hint: the first has to be earlier; `none` takes one back"
        )));
    }
    Ok(schedule)
}

/// Refuses hours of the day that are in no zone at all: no row could ever leave.
pub(super) fn check_zones(schedule: &Schedule, columns: &[String]) -> anyhow::Result<()> {
    if let (Some(window), None) = (schedule.window, &schedule.time_zone)
        && !names_zones(columns)
    {
        bail!(Usage(format!(
            "`--window {window}` is in no time zone: the file has no `timeZone` column, so that no row could ever be sent\n\
             hint: `--time-zone ZONE` names the zone of all rows (`Europe/Berlin`), `--map 'HEADER=timeZone'` its column"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::OrNone;

    fn flags(zone: Option<&str>, not_before: Option<&str>, not_after: Option<&str>) -> HoursArgs {
        let when = |text: Option<&str>| text.map(|text| OrNone(Some(text.parse().expect("a moment"))));
        let time_zone = zone.map(|zone| OrNone(Some(zone.to_owned())));
        HoursArgs { window: None, time_zone, not_before: when(not_before), not_after: when(not_after) }
    }

    #[test]
    fn a_time_without_an_offset_is_one_of_the_batchs_zone() {
        for (zone, typed, moment) in [
            (Some("Europe/Berlin"), "2026-11-27T18:00", "2026-11-27T17:00:00.000Z"),
            (Some("America/New_York"), "2026-11-27 18:00:30", "2026-11-27T23:00:30.000Z"),
            (Some("Europe/Berlin"), "2026-11-27T18:00Z", "2026-11-27T18:00:00.000Z"),
            (None, "2026-11-27T18:00+02:00", "2026-11-27T16:00:00.000Z"),
            (Some("Europe/Berlin"), "2026-03-29T02:30", "2026-03-29T01:30:00.000Z"),
            (Some("Europe/Berlin"), "2026-10-25T02:30", "2026-10-25T00:30:00.000Z"),
        ] {
            let schedule = schedule_of(&flags(zone, Some(typed), None), Schedule::default()).expect("a schedule");
            assert_eq!(schedule.not_before.map(|at| at.to_string()).as_deref(), Some(moment), "{typed} in {zone:?}");
        }
        for bad in ["", "tomorrow", "2026-11-27", "18:00", "2026-13-01T00:00"] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_end_is_after_its_beginning_wherever_each_comes_from() {
        let was = Schedule { not_before: Some(UnixMillis(1_795_348_800_000)), ..Schedule::default() };
        let end = |text| schedule_of(&flags(None, None, Some(text)), was.clone());
        assert!(end("2026-11-22T12:00:00.001Z").is_ok());
        let told = end("2026-11-22T12:00Z").expect_err("the same moment").to_string();
        assert!(told.contains("nothing could ever be sent"), "{told}");
        let taken_back = HoursArgs { not_before: Some(OrNone(None)), ..flags(None, None, Some("2026-11-22T12:00Z")) };
        assert_eq!(schedule_of(&taken_back, was).expect("a schedule").not_before, None);
    }
}
