//! What is still to be sent of a stored batch, as a forecast needs it.

use super::eta::{Group, Later, Load};
use crate::invocation::{Counts, Hold, State, UnixMillis};
use crate::store::{self, Batch, Confirmation, Store, Waiting};

/// When the last row of a batch leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eta {
    /// Nothing is left that would leave.
    Nothing,
    /// Nobody can tell: no rate is known, or an operator has to do something first.
    Unknown,
    /// Then.
    At(UnixMillis),
}

impl Eta {
    /// The moment as it is told.
    pub(super) fn told(self) -> Option<String> {
        match self {
            Eta::Nothing | Eta::Unknown => None,
            Eta::At(at) => Some(at.to_string()),
        }
    }
}

/// When the last row of a batch leaves, at the rate of late of the living runs that send it.
pub async fn eta(store: &Store, batch: &Batch, now: UnixMillis) -> store::Result<Eta> {
    let runs = store.open_runs().await?;
    let rate = runs.iter().filter(|run| run.is_alive && run.sends(batch.id)).map(|run| run.rate).sum();
    let (counts, put_off) = (store.counts_of(batch.id).await?, store.waiting(batch.id, now).await?);
    eta_of(store, batch, &counts, &put_off, rate, now).await
}

/// Likewise, where counts, rate and what is due later are known.
pub(super) async fn eta_of(
    store: &Store,
    batch: &Batch,
    counts: &Counts,
    put_off: &[Waiting],
    rate: f64,
    now: UnixMillis,
) -> store::Result<Eta> {
    let pending = counts[State::Pending];
    if pending == 0 {
        return Ok(Eta::Nothing);
    }
    let is_held = batch.paused_at.or(batch.cancelled_at).is_some()
        || batch.confirmation(pending) != Confirmation::Given
        || counts[State::Unknown] > batch.settings.unknown_limit(batch.rows);
    if is_held {
        return Ok(Eta::Unknown);
    }
    let load = load_of(store, batch, counts, put_off, rate, now).await?;
    Ok(load.eta().map_or(Eta::Unknown, Eta::At))
}

/// The load of a batch whose rows leave at `observed` requests a second of late; 0: nobody has seen any leave.
///
/// Rows that wait for an operator are left out. Rows that are due are taken for rows of the zone of the first of them: who
/// sends puts those off whose hours have not come.
pub(super) async fn load_of(
    store: &Store,
    batch: &Batch,
    counts: &Counts,
    put_off: &[Waiting],
    observed: f64,
    now: UnixMillis,
) -> store::Result<Load> {
    let schedule = batch.settings.schedule.clone();
    let due = counts[State::Pending] - put_off.iter().map(|rows| rows.rows).sum::<i64>();
    let zone = if schedule.window.is_some() { store.next_zone(batch.id).await? } else { None };
    let gate = store.find_gate(&batch.endpoint, &batch.account).await?;
    let begins = gate.and_then(|gate| gate.closed).map_or(now, |(until, _)| until.max(now));
    let later = later(put_off);
    Ok(Load { due: vec![Group { zone, rows: due }], later, rate: rate(batch.rate(), observed), schedule, begins })
}

/// The rows that are due later by themselves.
pub(super) fn later(put_off: &[Waiting]) -> Option<Later> {
    let mut due = put_off.iter().filter(|waiting| waiting.hold != Some(Hold::TimeZone)).map(|waiting| Later {
        rows: waiting.rows,
        first: waiting.next_due_at,
        last: waiting.last_due_at,
    });
    let first = due.next()?;
    Some(due.fold(first, |all, more| Later {
        rows: all.rows + more.rows,
        first: all.first.min(more.first),
        last: all.last.max(more.last),
    }))
}

/// The rate at which rows leave: what is observed, but no more than is allowed.
pub(super) fn rate(limit: Option<f64>, observed: f64) -> Option<f64> {
    let observed = Some(observed).filter(|rate| *rate > 0.0);
    match (limit, observed) {
        (Some(limit), Some(observed)) => Some(limit.min(observed)),
        (limit, observed) => limit.or(observed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_leave_at_what_is_observed_and_no_faster_than_is_allowed() {
        assert_eq!((rate(None, 0.0), rate(Some(10.0), 0.0), rate(None, 7.5)), (None, Some(10.0), Some(7.5)));
        assert_eq!((rate(Some(10.0), 7.5), rate(Some(10.0), 12.0)), (Some(7.5), Some(10.0)));
    }
}
