//! Which pending rows wait for their hours, and until when.

use super::status::WaitingFor;
use crate::invocation::{HELD_UNTIL, Hold, Leave, Schedule, UnixMillis};
use crate::store::{Batch, Waiting};

/// When a row that is due at that moment may be sent, as far as that is known without its zone.
pub(super) fn next_due(batch: &Batch, at: UnixMillis, now: UnixMillis) -> UnixMillis {
    if at > now { at } else { all_wait_until(batch, now).unwrap_or(at) }
}

/// The reasons for which rows wait that are due later, with those that are due and that no run has put off yet.
pub(super) fn waiting_for(batch: &Batch, due: i64, waiting: &[Waiting], now: UnixMillis) -> Vec<WaitingFor> {
    let mut waiting = waiting.to_vec();
    if let Some(until) = all_wait_until(batch, now).filter(|_| due > 0) {
        match waiting.iter_mut().find(|waiting| waiting.hold == Some(Hold::Window)) {
            Some(window) => (window.rows, window.next_due_at) = (window.rows + due, window.next_due_at.min(until)),
            None => {
                waiting.push(Waiting { hold: Some(Hold::Window), rows: due, next_due_at: until, last_due_at: until })
            }
        }
    }
    let told = |waiting: &Waiting| WaitingFor {
        reason: reason(batch, waiting.hold, now),
        until: Some(waiting.next_due_at).filter(|at| *at < HELD_UNTIL).map(|at| at.to_string()),
        rows: waiting.rows,
    };
    waiting.iter().map(told).collect()
}

/// The word for why rows that were put off wait.
pub(super) fn reason(batch: &Batch, hold: Option<Hold>, now: UnixMillis) -> &'static str {
    match hold {
        None => "retry",
        Some(Hold::Window) if batch.settings.schedule.not_before.is_some_and(|begin| begin > now) => "not-before",
        Some(Hold::Window) => "window",
        Some(Hold::TimeZone) => "time-zone",
    }
}

/// Until when no row of the batch may be sent, whatever it says itself; `None` where one may, or where rows name their zones.
fn all_wait_until(batch: &Batch, now: UnixMillis) -> Option<UnixMillis> {
    let schedule = &batch.settings.schedule;
    let leave = if batch.names_zones() {
        Schedule { window: None, ..schedule.clone() }.leave(None, now)
    } else {
        schedule.leave(None, now)
    };
    match leave {
        Leave::Later(until) => Some(until),
        Leave::Now | Leave::NoZone | Leave::Expired => None,
    }
}
