//! A turn in which nothing has gone wrong and nothing has to be looked at first: in a file it is made in one way.

use super::gatekeeper::{Gatekeeper, Swing};
use super::order::{Done, Failure, Order, Outcome, Took, Wanted};
use crate::invocation::{BatchId, Effect, Settlement, State, UnixMillis};
use crate::store::{Plain, TurnWriter};
use crate::worker::{QueueClock, SellBy};

/// Makes the turn, if it is a plain one; `None` where it is not, or where the store finds that it is not: nothing is done then.
pub(super) async fn make(writer: &mut TurnWriter<'_>, order: &Order) -> Result<Option<Done>, Failure> {
    let now = UnixMillis::now();
    let Some(gates) = gates_if_plain(order, now) else { return Ok(None) };
    let settlements: Vec<&Settlement> = order.outcomes.iter().map(|outcome| &*outcome.settlement).collect();
    // Of the first only: the next turn takes of the others what this one leaves free.
    let wanted = order.wanted.first().map(|wanted| (wanted, gates[wanted.gate].allowance(order.free, now)));
    let wanted = wanted.filter(|(_, limit)| *limit > 0);
    let take: Option<(BatchId, u32)> = wanted.map(|(wanted, limit)| (wanted.batch, limit));
    if settlements.is_empty() && take.is_none() {
        return Ok(None);
    }
    // Read before the wait for other processes: what that takes is off the time in which the rows may be sent.
    let clock = QueueClock::says(now);
    let sell_by = SellBy::from_now(clock);
    let plain = Plain { number: order.number, now, settlements: &settlements, take };
    let made = writer.make_plain(&order.run, &plain).await;
    let Some(rows) = made.map_err(Failure::of_commit)? else { return Ok(None) };
    let taken = wanted.map(|(wanted, limit)| Took { place: wanted.place, rows, wanted: limit }).into_iter().collect();
    Ok(Some(Done {
        clock_ahead_ms: 0,
        clock,
        jump_ms: None,
        kept: Vec::new(),
        gates,
        swings: Vec::new(),
        taken,
        sell_by,
        is_ended: false,
        unsettled: Vec::new(),
    }))
}

/// The gates after what the order tells of, where the turn is a plain one: no gate is to be read or changed, no row becomes
/// pending, and no hours are kept.
fn gates_if_plain(order: &Order, now: UnixMillis) -> Option<Vec<Gatekeeper>> {
    let has_hours = |wanted: &Wanted| wanted.has_hours;
    let is_plain = |outcome: &Outcome| outcome.effect == Effect::None && outcome.settlement.state != State::Pending;
    if order.asks_unsettled
        || order.has_hours
        || !order.hours.is_empty()
        || !order.stops.is_empty()
        || order.wanted.iter().any(has_hours)
        || order.gates.iter().any(|gate| gate.is_contended(now) || gate.stopped_by_another().is_some())
        || !order.outcomes.iter().all(is_plain)
    {
        return None;
    }
    let mut gates = order.gates.clone();
    for Outcome { settlement, effect, gate } in &order.outcomes {
        if gates[*gate].observe(settlement, effect, now) != Swing::Stays {
            return None;
        }
    }
    gates.iter_mut().all(|gate| gate.take_change().is_none()).then_some(gates)
}
