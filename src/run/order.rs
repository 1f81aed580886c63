//! A turn as an order: what it is to write and to take, and what was made of it. Carried out by a task of its own, so
//! that it comes to its end whatever happens to the run; until it has, nothing that the run knows is changed.

use std::sync::Arc;

use super::gatekeeper::{Gatekeeper, Swing};
use super::hours::{Hours, Kept};
use super::plain;
use crate::invocation::{Attempt, BatchId, Effect, Settlement, Taken, UnixMillis};
use crate::store::{self, Claim, Run, Store, Turn};
use crate::worker::{QueueClock, SellBy};

/// What a turn is to do.
pub(super) struct Order {
    pub(super) run: Run,
    /// The turn's number: one more than the last that is known to have committed.
    pub(super) number: i64,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) gates: Vec<Gatekeeper>,
    /// Faults that stop all who send behind a gate, beyond those that an outcome tells of: the gate's place, and why.
    pub(super) stops: Vec<(usize, String)>,
    /// The queue's clock as the last turn read it.
    pub(super) clock: Option<QueueClock>,
    /// Whether rows of a batch may not be sent at any hour.
    pub(super) has_hours: bool,
    /// The batches of which due rows are to be held against their hours first.
    pub(super) hours: Vec<Keep>,
    /// The batches of which rows are wanted, in this order.
    pub(super) wanted: Vec<Wanted>,
    /// Rows to take at most, of all of them.
    pub(super) free: u32,
    /// Outcomes a second of late.
    pub(super) rate: f64,
    /// Whether to look for attempts of this run of which no outcome is stored.
    pub(super) asks_unsettled: bool,
}

/// What came of one attempt.
pub(super) struct Outcome {
    pub(super) settlement: Arc<Settlement>,
    pub(super) effect: Effect,
    /// The place of its gate.
    pub(super) gate: usize,
}

/// A batch that has hours.
pub(super) struct Keep {
    pub(super) batch: BatchId,
    /// The batch's place in the run.
    pub(super) place: usize,
    pub(super) hours: Hours,
}

/// A batch of which rows are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) batch: BatchId,
    /// The batch's place in the run.
    pub(super) place: usize,
    /// The place of its gate.
    pub(super) gate: usize,
    /// Whether its rows may not be sent at any hour, so that their zones are asked for.
    pub(super) has_hours: bool,
}

/// What a turn has done, durably.
pub(super) enum Made {
    /// It had been done before, and the answer to its commit was lost. What it took is not known.
    Before,
    /// It has been done now.
    Now(Box<Done>),
}

/// What a turn has done now.
pub(super) struct Done {
    /// How far the queue's clock was ahead of this machine's.
    pub(super) clock_ahead_ms: i64,
    /// What the queue's clock said.
    pub(super) clock: QueueClock,
    /// How many milliseconds it had jumped since the last turn, where that matters: then nothing was taken.
    pub(super) jump_ms: Option<i64>,
    /// What became of the hours that were to be kept.
    pub(super) kept: Vec<Kept>,
    pub(super) gates: Vec<Gatekeeper>,
    /// What became of the gates, each by its place.
    pub(super) swings: Vec<(usize, Swing)>,
    pub(super) taken: Vec<Took>,
    /// Until when the taken rows may be sent.
    pub(super) sell_by: SellBy,
    /// Whether somebody else has ended this run.
    pub(super) is_ended: bool,
    /// The attempts of this run of which no outcome is stored, where that was asked; what this turn took is not among them.
    pub(super) unsettled: Vec<Attempt>,
}

/// What was taken of one batch.
pub(super) struct Took {
    /// The batch's place in the run.
    pub(super) place: usize,
    pub(super) rows: Vec<Taken>,
    /// As many as were wanted at most.
    pub(super) wanted: u32,
}

/// Why a turn was not confirmed.
pub(super) struct Failure {
    pub(super) error: store::Error,
    /// Whether it may have been done all the same: the answer to its commit did not come, or said no, or nobody can tell how far
    /// its script came.
    pub(super) may_be_done: bool,
}

impl Failure {
    /// A commit was not confirmed. Whose was in the way of another transaction has been taken back, and says so.
    pub(super) fn of_commit(error: store::Error) -> Failure {
        Failure { may_be_done: !error.is_busy(), error }
    }
}

/// Makes a turn: claims its number, writes, takes, and commits.
pub(super) async fn make(store: Arc<Store>, order: Order) -> Result<Made, Failure> {
    let certain = |error| Failure { error, may_be_done: false };
    let mut writer = store.turn_writer().await.map_err(certain)?.at_rate(order.rate);
    if let Some(done) = plain::make(&mut writer, &order).await? {
        return Ok(Made::Now(Box::new(done)));
    }
    let claim = writer.begin(&order.run, order.number, UnixMillis::now()).await.map_err(certain)?;
    let Claim::Granted(mut turn) = claim else { return Ok(Made::Before) };
    let clock_ahead_ms = turn.clock_ahead_ms(UnixMillis::now());
    let done = fill(&mut turn, order, clock_ahead_ms).await.map_err(certain)?;
    let turn = turn.close().await.map_err(certain)?;
    turn.commit().await.map_err(Failure::of_commit)?;
    Ok(Made::Now(Box::new(done)))
}

async fn fill(turn: &mut Turn<'_>, order: Order, clock_ahead_ms: i64) -> store::Result<Done> {
    // Read after the wait for other processes, so that it does not eat up the time in which rows may be sent.
    let now = turn.now();
    let clock = QueueClock::says(UnixMillis(UnixMillis::now().0.saturating_add(clock_ahead_ms)));
    let sell_by = SellBy::from_now(clock);
    let settlements: Vec<&Settlement> = order.outcomes.iter().map(|outcome| &*outcome.settlement).collect();
    turn.settle(&settlements).await?;
    let unsettled = if order.asks_unsettled { turn.unsettled().await? } else { Vec::new() };
    let mut gates = order.gates;
    read_gates(turn, &mut gates, &order.outcomes, &order.stops).await?;
    let jump_ms = order.clock.and_then(|earlier| clock.jump_since(earlier));
    // Of several runs each would set it back once more; there a gate is closed for an hour at most.
    if let Some(back_ms) = jump_ms.filter(|jump_ms| *jump_ms < 0 && !turn.is_shared()) {
        gates.iter_mut().for_each(|gate| gate.clock_was_set(back_ms));
    }
    let mut swings = Vec::new();
    for Outcome { settlement, effect, gate } in &order.outcomes {
        match gates[*gate].observe(settlement, effect, now) {
            Swing::Stays => {}
            swing @ (Swing::Closed(..) | Swing::Opened | Swing::GivenUp(_)) => swings.push((*gate, swing)),
        }
    }
    order.stops.iter().for_each(|(gate, why)| gates[*gate].stop(why));
    let jump_ms = jump_ms.filter(|_| order.has_hours);
    let (kept, taken) = if jump_ms.is_some() {
        (Vec::new(), Vec::new())
    } else {
        let kept = keep_hours(turn, order.hours, clock).await?;
        let is_open = |wanted: &Wanted| kept.iter().all(|kept| kept.place != wanted.place || kept.may_take());
        let wanted: Vec<Wanted> = order.wanted.into_iter().filter(is_open).collect();
        let taken = take(turn, &mut gates, &wanted, order.free).await?;
        (kept, taken)
    };
    for gate in &mut gates {
        if let Some(changed) = gate.take_change() {
            turn.store_gate(&changed).await?;
        }
    }
    let is_ended = turn.is_ended();
    Ok(Done { clock_ahead_ms, clock, jump_ms, kept, gates, swings, taken, sell_by, is_ended, unsettled })
}

/// Reads the gates as they stand: exclusively where this turn may change one, so that no two runs spend one token or send
/// one probe each.
async fn read_gates(
    turn: &mut Turn<'_>,
    gates: &mut [Gatekeeper],
    outcomes: &[Outcome],
    stops: &[(usize, String)],
) -> store::Result<()> {
    if gates.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = gates.iter().map(Gatekeeper::id).collect();
    let now = turn.now();
    let mut exclusively = gates.iter().any(|gate| gate.is_contended(now))
        || outcomes.iter().any(|outcome| outcome.effect != Effect::None)
        || !stops.is_empty();
    // A file has one run at a time: an open gate in it is as this one knows it.
    if !exclusively && !turn.is_shared() {
        return Ok(());
    }
    loop {
        for found in turn.gates(&ids, exclusively).await? {
            gates.iter_mut().filter(|gate| gate.id() == found.id).for_each(|gate| gate.refresh(found.clone(), now));
        }
        if exclusively || !gates.iter().any(|gate| gate.is_contended(now)) {
            return Ok(());
        }
        exclusively = true; // another run has changed one since this one looked last
    }
}

/// Puts off and skips what of each batch may not be sent now.
async fn keep_hours(turn: &mut Turn<'_>, all: Vec<Keep>, clock: QueueClock) -> store::Result<Vec<Kept>> {
    let mut kept = Vec::with_capacity(all.len());
    for Keep { batch, place, hours } in all {
        kept.push(hours.keep(turn, batch, place, clock.now()).await?);
    }
    Ok(kept)
}

async fn take(
    turn: &mut Turn<'_>,
    gates: &mut [Gatekeeper],
    wanted: &[Wanted],
    mut free: u32,
) -> store::Result<Vec<Took>> {
    let mut taken = Vec::new();
    for Wanted { batch, place, gate, has_hours } in wanted {
        let (keeper, now) = (&mut gates[*gate], turn.now());
        let wanted = keeper.allowance(free, now);
        if wanted == 0 || keeper.stopped_by_another().is_some() {
            continue;
        }
        let rows =
            if *has_hours { turn.take_with_zones(*batch, wanted).await? } else { turn.take(*batch, wanted).await? };
        let ids: Vec<_> = rows.iter().map(|row| row.attempt.id).collect();
        keeper.took(&ids, now);
        free -= u32::try_from(rows.len()).unwrap_or(free);
        taken.push(Took { place: *place, rows, wanted });
    }
    Ok(taken)
}
