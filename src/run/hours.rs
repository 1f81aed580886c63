//! A batch's hours: due rows that may not be sent now are put off together, before any of them is taken.
//!
//! What is due is read once, in the order in which it came due, and again from its start when a window may have closed.
//! The worker asks once more for each row, right before it is sent; this only spares most rows the way there and back.

use std::collections::HashMap;

use crate::invocation::{BatchId, Leave, Schedule, UnixMillis};
use crate::store::{self, DuePlace, DueRow, PutOff, Turn};

/// Rows that one turn holds against their hours: few enough that outcomes need not wait long for their turn.
const CHUNK_ROWS: u32 = 5_000;
/// How long rows are left alone whose time has passed and which another run is just skipping.
const LEFT_TO_OTHERS_MS: i64 = 1_000;

/// How far the due rows of a batch have been held against its hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hours {
    schedule: Schedule,
    /// The last row that was looked at.
    after: DuePlace,
    /// Whether rows were left that were due when it was looked last.
    has_more: bool,
    /// Whether those are rows that are skipped because their time has passed.
    pub(super) is_skipping: bool,
    /// When what was looked at must be looked at again; `None`: never.
    again_at: Option<UnixMillis>,
}

/// What a turn found of a batch's hours.
#[derive(Debug)]
pub(super) struct Kept {
    /// The batch's place in the run.
    pub(super) place: usize,
    pub(super) hours: Hours,
    /// Rows that were put off.
    pub(super) put_off: u64,
    /// Rows that were skipped because their time had passed.
    pub(super) expired: u64,
    /// Whether other hours are stored than this run knows of: nothing of the batch may be taken before it does.
    pub(super) is_stale: bool,
}

impl Kept {
    /// Whether rows of the batch may be taken in the same turn.
    pub(super) fn may_take(&self) -> bool {
        !self.is_stale && !self.hours.has_more
    }
}

impl Hours {
    /// Of a batch of which nothing has been looked at; `None` where its rows may be sent at any time.
    pub(super) fn of(schedule: &Schedule) -> Option<Hours> {
        let hours = Hours {
            schedule: schedule.clone(),
            after: DuePlace::START,
            has_more: true,
            is_skipping: false,
            again_at: None,
        };
        (!schedule.is_always()).then_some(hours)
    }

    /// Whether rows have to be looked at before anything else is taken, of which some may be due.
    pub(super) fn are_to_be_kept(&self, has_due: bool, now: UnixMillis) -> bool {
        let is_time = self.again_at.is_some_and(|at| at <= now);
        is_time || (self.has_more && (has_due || self.are_over(now)))
    }

    /// Whether nothing of the batch may be sent any more: then all that is pending is skipped.
    pub(super) fn are_over(&self, now: UnixMillis) -> bool {
        self.schedule.not_after.is_some_and(|end| end <= now)
    }

    /// Has what is due from that moment on looked at once more: rows have come before the last that was looked at.
    pub(super) fn reach_back(&mut self, due_at: UnixMillis) {
        self.after = self.after.min(DuePlace { due_at, ..DuePlace::START });
    }

    /// Has everything that is due looked at once more.
    fn look_again(&mut self) {
        (self.after, self.has_more, self.again_at) = (DuePlace::START, true, None);
    }

    /// Looks at the next rows that are due.
    pub(super) async fn keep(
        mut self,
        turn: &mut Turn<'_>,
        batch: BatchId,
        place: usize,
        now: UnixMillis,
    ) -> store::Result<Kept> {
        let is_stale = turn.schedule(batch).await? != self.schedule;
        let kept = |hours, put_off, expired| Kept { place, hours, put_off, expired, is_stale };
        if is_stale {
            return Ok(kept(self, 0, 0));
        }
        if self.are_over(now) {
            let expired = turn.expire(batch, CHUNK_ROWS).await?;
            self.has_more = expired == u64::from(CHUNK_ROWS);
            self.is_skipping = self.has_more;
            self.again_at = (!self.has_more).then_some(UnixMillis(now.0 + LEFT_TO_OTHERS_MS));
            return Ok(kept(self, 0, expired));
        }
        if self.again_at.is_some_and(|at| at <= now) {
            self.look_again();
        }
        let rows = turn.due_rows(batch, self.after, CHUNK_ROWS, now).await?;
        let put_off = turn.put_off(&self.judge(&rows, now)).await?;
        self.after = rows.last().map_or(self.after, |row| row.place);
        self.has_more = rows.len() == CHUNK_ROWS as usize;
        Ok(kept(self, put_off, 0))
    }

    /// Those of the rows that may not be sent now. Notes when one of the others may not any more.
    fn judge(&mut self, rows: &[DueRow], now: UnixMillis) -> Vec<PutOff> {
        let mut known: HashMap<Option<&str>, Leave> = HashMap::new();
        let mut put_off = Vec::new();
        let mut again_at = self.again_at.into_iter().chain(self.schedule.not_after).min();
        for DueRow { place, time_zone } in rows {
            let leave = *known.entry(time_zone.as_deref()).or_insert_with_key(|zone| {
                let leave = self.schedule.leave(*zone, now);
                if leave == Leave::Now {
                    again_at = again_at.into_iter().chain(self.schedule.leave_ends(*zone, now)).min();
                }
                leave
            });
            let until = match leave {
                Leave::Now | Leave::Expired => continue,
                Leave::Later(until) => Some(until),
                Leave::NoZone => None,
            };
            put_off.push(PutOff { place: *place, until });
        }
        self.again_at = again_at;
        put_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::InvocationId;

    /// 2026-11-22T12:00Z.
    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);
    const HOUR_MS: i64 = 3_600_000;

    fn hours() -> Hours {
        let window = Some("09:00-20:00".parse().expect("a window"));
        Hours::of(&Schedule { window, ..Schedule::default() }).expect("hours")
    }

    fn rows(zones: &[Option<&str>]) -> Vec<DueRow> {
        let place = |id| DuePlace { due_at: UnixMillis(0), id: InvocationId(id) };
        zones
            .iter()
            .zip(1..)
            .map(|(zone, id)| DueRow { place: place(id), time_zone: zone.map(str::to_owned) })
            .collect()
    }

    fn at(hours: i64) -> UnixMillis {
        UnixMillis(NOON.0 + hours * HOUR_MS)
    }

    #[test]
    fn what_may_not_leave_is_put_off_and_what_may_is_looked_at_again_when_the_first_zone_closes() {
        let mut hours = hours();
        let zones = [Some("UTC"), Some("Etc/GMT-9"), None, Some("Etc/GMT-4"), Some("Etc/GMT+5")];
        let rows = rows(&zones);
        let put_off = hours.judge(&rows, NOON);
        let told: Vec<_> = put_off.iter().map(|row| (row.place.id.0, row.until)).collect();
        assert_eq!(told, [(2, Some(at(12))), (3, None), (5, Some(at(2)))]);
        assert_eq!(hours.again_at, Some(at(4)));
        assert!(!hours.are_to_be_kept(false, at(3)) && hours.are_to_be_kept(false, at(4)));
    }

    #[test]
    fn a_row_that_comes_before_the_last_is_reached_back_to() {
        let mut hours = hours();
        hours.after = DuePlace { due_at: at(1), id: InvocationId(7) };
        hours.reach_back(at(2));
        assert_eq!(hours.after, DuePlace { due_at: at(1), id: InvocationId(7) });
        hours.reach_back(at(1));
        assert!(hours.after < DuePlace { due_at: at(1), id: InvocationId(1) });
        hours.reach_back(UnixMillis(0));
        assert!(hours.after < DuePlace { due_at: UnixMillis(0), id: InvocationId(1) });
    }

    #[test]
    fn the_end_is_looked_for_though_nothing_is_due() {
        let schedule = Schedule { not_after: Some(at(1)), ..Schedule::default() };
        let mut hours = Hours::of(&schedule).expect("hours");
        assert!(hours.judge(&[], NOON).is_empty());
        assert_eq!(hours.again_at, Some(at(1)));
        hours.has_more = false;
        assert!(!hours.are_to_be_kept(true, NOON) && hours.are_to_be_kept(false, at(1)));
    }

    #[test]
    fn a_batch_that_is_sent_at_any_time_has_no_hours() {
        assert_eq!(Hours::of(&Schedule::default()), None);
        let zone_only = Schedule { time_zone: Some("UTC".to_owned()), ..Schedule::default() };
        assert_eq!(Hours::of(&zone_only), None);
    }
}
