//! What a run is about to do with a batch: how many people now, how many later and why, how many not today.

use std::time::Duration;

use serde::Serialize;

use super::eta::{Group, Later, Load};
use super::{forecast, masked_body};
use crate::invocation::{Hold, Leave, State, UnixMillis};
use crate::store::{self, Batch, ClosedBecause, Store, Waiting};

/// A batch's plan, by the names of the JSON of `run --dry-run`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The batch's name.
    pub batch: String,
    /// Where it is sent.
    pub endpoint: String,
    /// The service that it invokes.
    pub service_id: String,
    /// Whose credentials; null where none was named.
    pub account: Option<String>,
    /// People who are still to be texted: rows that are pending.
    pub people: i64,
    /// Of them, those who may be texted at once.
    pub now: i64,
    /// Those who may not yet.
    pub later: Vec<PutOffFor>,
    /// Those whose time has passed: they are skipped.
    pub expired: i64,
    /// Those who are not texted before the day ends.
    pub not_today: Vec<NotToday>,
    /// When the day ends.
    pub day_ends_at: String,
    /// Requests a second; null: as fast as answers come.
    pub rate: Option<f64>,
    /// How long this run takes from now on; null where nobody can tell.
    pub duration_ms: Option<u64>,
    /// When the last of its rows leaves; null where nobody can tell.
    pub eta: Option<String>,
    /// The first request's body, masked.
    pub first: Option<String>,
}

/// Rows that may not be sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PutOffFor {
    /// Why: as in a status, `window`, `not-before`, `time-zone`, `retry`, or why the gate is closed.
    pub reason: &'static str,
    /// Until when the first of them wait, where a time ends it.
    pub until: Option<String>,
    /// How many.
    pub rows: i64,
}

/// Rows that do not leave today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotToday {
    /// Why: `window` (or another reason to wait beyond the day), `limit`, `rate`.
    pub reason: &'static str,
    /// How many.
    pub rows: i64,
}

/// What a plan is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Prospect {
    /// Rows that are due, by zone.
    pub due: Vec<Group>,
    /// Rows that are due later.
    pub put_off: Vec<Waiting>,
    /// How many of them are due when the day is over.
    pub put_off_beyond_day: i64,
    /// Until when the gate is closed, and why.
    pub gate: Option<(UnixMillis, ClosedBecause)>,
    /// The first request's body.
    pub first: Option<String>,
    /// How many rows the run takes at most.
    pub limit: Option<u64>,
    /// The moment at which it is made.
    pub now: UnixMillis,
    /// When the day ends.
    pub day_ends: UnixMillis,
}

/// Reads what a plan of a stored batch is made of. `suppressed` of its pending rows are about to be skipped.
pub async fn prospect(
    store: &Store,
    batch: &Batch,
    suppressed: i64,
    limit: Option<u64>,
    now: UnixMillis,
    day_ends: UnixMillis,
) -> store::Result<Prospect> {
    let put_off = store.waiting(batch.id, now).await?;
    let beyond_day = store.waiting(batch.id, day_ends).await?;
    let put_off_beyond_day = beyond_day.iter().map(|waiting| waiting.rows).sum();
    let due = if batch.settings.schedule.is_always() {
        let pending = store.counts_of(batch.id).await?[State::Pending];
        vec![(None, pending - put_off.iter().map(|rows| rows.rows).sum::<i64>())]
    } else {
        store.due_by_zone(batch.id, now).await?
    };
    let mut due: Vec<Group> = due.into_iter().map(|(zone, rows)| Group { zone, rows }).collect();
    // In which zones they are would have to be looked up one by one; the largest can spare them.
    if let Some(largest) = due.iter_mut().max_by_key(|group| group.rows) {
        largest.rows = (largest.rows - suppressed).max(0);
    }
    let first = store.first_pending(batch.id).await?.and_then(|row| row.body);
    let gate = store.find_gate(&batch.endpoint, &batch.account).await?.and_then(|gate| gate.closed);
    let gate = gate.filter(|(until, _)| *until > now);
    Ok(Prospect { due, put_off, put_off_beyond_day, gate, first, limit, now, day_ends })
}

/// Makes the plan of a batch.
#[must_use]
pub fn plan(batch: &Batch, prospect: Prospect) -> Plan {
    let Prospect { put_off, gate, first, limit, now, day_ends, .. } = &prospect;
    let mut sorted = Sorted::default();
    prospect.due.iter().for_each(|group| sorted.sort(batch, group, *now));
    let due_now = sorted.now;
    if let Some((until, because)) = gate.filter(|_| due_now > 0) {
        sorted.put_off(because.as_str(), Some(until), due_now);
        sorted.now = 0;
    }
    for rows in put_off {
        let until = Some(rows.next_due_at).filter(|_| rows.hold != Some(Hold::TimeZone));
        sorted.put_off(reason_of(rows.hold), until, rows.rows);
    }
    // What nobody but an operator ends comes last.
    sorted.later.sort_by_key(|wait| (wait.until.is_none(), wait.until, wait.reason));
    let load = load_of(batch, &prospect);
    let people = sorted.expired + sorted.now + sorted.later.iter().map(|later| later.rows).sum::<i64>();
    // By the hours alone; then by the limit; then by the rate.
    let sendable: i64 = load.due.iter().map(|group| group.rows).sum();
    let closed = Load { rate: None, ..load.clone() }.left_by(*day_ends);
    let beyond_limit = limit.map_or(0, |limit| (people - i64::try_from(limit).unwrap_or(i64::MAX)).max(0));
    let over_limit = (beyond_limit - closed).clamp(0, (sendable - closed).max(0));
    let too_slow = (load.left_by(*day_ends) - closed - over_limit).max(0);
    let not_today = [("window", closed + prospect.put_off_beyond_day), ("limit", over_limit), ("rate", too_slow)];
    let not_today = not_today.into_iter().filter(|(_, rows)| *rows > 0);
    let eta = limited(load, *limit).eta();
    Plan {
        batch: batch.name.clone(),
        endpoint: batch.endpoint.to_string(),
        service_id: batch.service.to_string(),
        account: Some(batch.account.clone()).filter(|account| !account.is_empty()),
        people,
        now: sorted.now,
        later: sorted.later.into_iter().map(Wait::told).collect(),
        expired: sorted.expired,
        not_today: not_today.map(|(reason, rows)| NotToday { reason, rows }).collect(),
        day_ends_at: day_ends.to_string(),
        rate: batch.rate(),
        duration_ms: eta.map(|eta| eta.since(*now)).map(millis),
        eta: eta.map(|eta| eta.to_string()),
        first: first.as_deref().map(masked_body),
    }
}

/// Rows by whether and until when they wait.
#[derive(Default)]
struct Sorted {
    now: i64,
    expired: i64,
    later: Vec<Wait>,
}

struct Wait {
    reason: &'static str,
    until: Option<UnixMillis>,
    rows: i64,
}

impl Sorted {
    fn sort(&mut self, batch: &Batch, group: &Group, now: UnixMillis) {
        let schedule = &batch.settings.schedule;
        let reason = if schedule.not_before.is_some_and(|begin| begin > now) { "not-before" } else { "window" };
        match schedule.leave(group.zone.as_deref(), now) {
            Leave::Now => self.now += group.rows,
            Leave::Later(at) => self.put_off(reason, Some(at), group.rows),
            Leave::NoZone => self.put_off("time-zone", None, group.rows),
            Leave::Expired => self.expired += group.rows,
        }
    }

    fn put_off(&mut self, reason: &'static str, until: Option<UnixMillis>, rows: i64) {
        match self.later.iter_mut().find(|wait| wait.reason == reason) {
            _ if rows == 0 => {}
            Some(wait) => {
                wait.rows += rows;
                wait.until = [wait.until, until].into_iter().flatten().min();
            }
            None => self.later.push(Wait { reason, until, rows }),
        }
    }
}

impl Wait {
    fn told(self) -> PutOffFor {
        PutOffFor { reason: self.reason, until: self.until.map(|until| until.to_string()), rows: self.rows }
    }
}

fn reason_of(hold: Option<Hold>) -> &'static str {
    hold.map_or("retry", Hold::as_str)
}

/// What leaves by itself: rows without a zone and those whose time has passed do not.
fn load_of(batch: &Batch, prospect: &Prospect) -> Load {
    let schedule = batch.settings.schedule.clone();
    let leaves = |group: &&Group| match schedule.leave(group.zone.as_deref(), prospect.now) {
        Leave::Now | Leave::Later(_) => true,
        Leave::NoZone | Leave::Expired => false,
    };
    Load {
        due: prospect.due.iter().filter(leaves).cloned().collect(),
        later: forecast::later(&prospect.put_off),
        rate: batch.rate(),
        begins: prospect.gate.map_or(prospect.now, |(until, _)| until),
        schedule,
    }
}

/// What a run that takes so many rows at most leaves with: rows that are due come before those that are not.
fn limited(mut load: Load, limit: Option<u64>) -> Load {
    let Some(limit) = limit else { return load };
    let mut left = i64::try_from(limit).unwrap_or(i64::MAX);
    for group in &mut load.due {
        group.rows = group.rows.min(left);
        left -= group.rows;
    }
    load.later = load.later.map(|later| Later { rows: later.rows.min(left), ..later }).filter(|later| later.rows > 0);
    load
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{BatchId, Findings, Settings};

    /// Noon in UTC.
    const NOON: UnixMillis = UnixMillis(1_795_003_200_000);

    fn later(hours: u64) -> UnixMillis {
        NOON.after(Duration::from_secs(hours * 3600))
    }

    fn planned(rate: Option<f64>, window: Option<&str>, change: impl FnOnce(&mut Prospect)) -> Plan {
        let mut settings = Settings { rate, ..Settings::default() };
        settings.schedule.window = window.map(|window| window.parse().expect("a window"));
        settings.schedule.time_zone = Some("UTC".to_owned());
        let batch = Batch {
            id: BatchId(1),
            name: "friday".to_owned(),
            service: "ABC123".parse().expect("an ID"),
            endpoint: "simulator".parse().expect("an endpoint"),
            account: String::new(),
            source_name: String::new(),
            source_sha256: String::new(),
            columns: Vec::new(),
            settings,
            findings: Findings::default(),
            rows: 100_000,
            imported_at: NOON,
            confirmed_at: None,
            paused_at: None,
            cancelled_at: None,
            throttle: None,
            purge: None,
        };
        let mut prospect = Prospect {
            due: vec![Group { zone: None, rows: 100_000 }],
            put_off: Vec::new(),
            put_off_beyond_day: 0,
            gate: None,
            first: None,
            limit: None,
            now: NOON,
            day_ends: later(12),
        };
        change(&mut prospect);
        plan(&batch, prospect)
    }

    fn not_today(plan: &Plan) -> Vec<(&'static str, i64)> {
        plan.not_today.iter().map(|not_today| (not_today.reason, not_today.rows)).collect()
    }

    #[test]
    fn what_does_not_leave_today_is_counted_once() {
        assert_eq!(not_today(&planned(None, None, |_| {})), []);
        assert_eq!(not_today(&planned(Some(1.0), None, |_| {})), [("rate", 100_000 - 12 * 3600)]);
        assert_eq!(not_today(&planned(Some(1.0), Some("09:00-20:00"), |_| {})), [("rate", 100_000 - 8 * 3600)]);
        assert_eq!(not_today(&planned(Some(1.0), Some("09:00-11:00"), |_| {})), [("window", 100_000)]);
        let limited = planned(Some(1.0), None, |prospect| prospect.limit = Some(50_000));
        assert_eq!(not_today(&limited), [("limit", 50_000), ("rate", 50_000 - 12 * 3600)]);
        assert_eq!(limited.duration_ms, Some(50_000_000));
        let all = planned(Some(1.0), Some("09:00-20:00"), |prospect| {
            prospect.limit = Some(10_000);
            prospect.due.push(Group { zone: Some("Asia/Tokyo".to_owned()), rows: 5_000 });
        });
        // In Tokyo it is 21:00, and 09:00 when the day ends in UTC.
        assert_eq!(not_today(&all), [("window", 5_000), ("limit", 90_000)]);
    }

    #[test]
    fn a_closed_gate_has_all_wait_but_those_who_wait_anyway() {
        let gate = Some((later(1), ClosedBecause::Throttled));
        let put_off = |hold, rows| Waiting { hold, rows, next_due_at: later(2), last_due_at: later(3) };
        let plan = planned(Some(10.0), None, |prospect| {
            prospect.gate = gate;
            prospect.put_off = vec![put_off(None, 7), put_off(Some(Hold::TimeZone), 3)];
        });
        let waits: Vec<_> = plan.later.iter().map(|later| (later.reason, later.rows)).collect();
        assert_eq!(waits, [("throttled", 100_000), ("retry", 7), ("time-zone", 3)]);
        assert_eq!((plan.people, plan.now), (100_010, 0));
        assert_eq!(plan.duration_ms, Some(3_600_000 + 10_000_000 + 700));
    }
}
