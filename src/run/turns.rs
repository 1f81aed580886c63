//! Turns: when one is due, what it is ordered to do, and what follows its commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::gatekeeper::Swing;
use super::hours::Kept;
use super::order::{self, Done, Failure, Keep, Made, Order, Outcome, Took, Wanted};
use super::patience::patiently;
use super::sending::{Due, Sending};
use super::{Ending, Event};
use crate::invocation::{Attempt, State, UnixMillis};
use crate::store::{self, Noting, TakenUpTo};
use crate::worker::SellBy;

/// A turn comes at least this often: what other processes changed is read with it.
const TURN_EVERY: Duration = Duration::from_secs(1);
/// The writer steps back this often, for this long, so that other processes' short transactions get in.
const STEP_BACK_EVERY: Duration = Duration::from_millis(400);
const STEP_BACK: Duration = Duration::from_millis(2);
/// How long the outcomes are waited for that come with the first: less than the runtime's clock can tell, which counts in
/// milliseconds, and well below what a turn takes.
const BURST: Duration = Duration::from_micros(400);
/// They are waited for where fewer than so many have come, and fewer than one in so many of those in flight: with more, a turn is
/// worth its price as it is.
const FEW: usize = 16;
const FEW_ONE_IN: usize = 8;
/// How often the log is looked for.
const LOG_SOUGHT_EVERY: Duration = Duration::from_millis(500);
/// Who waits for another process's transaction for longer than this says so: it may be one that nobody will end.
const LONG_WAIT: Duration = Duration::from_secs(10);
/// How long a batch is left alone whose due rows another run is just taking.
const LEFT_TO_OTHERS: Duration = Duration::from_millis(50);

impl Engine<'_> {
    /// Whether there is anything to store or to take, or it is time to show that this run lives.
    pub(super) fn is_turn_due(&self) -> bool {
        let has_work =
            !self.finished.is_empty() || !self.stops.is_empty() || self.can_take() || self.has_hours_to_keep();
        has_work || self.next_turn() <= Instant::now()
    }

    /// Takes in the outcomes that come right behind the first: what one turn has taken leaves together and comes back together,
    /// and who comes too late for a turn waits for all of it.
    ///
    /// It is this thread that rests: a run has one of its own, on which nothing else waits for anything.
    pub(super) fn gather_burst(&mut self) {
        let (finished, in_flight) = (self.finished.len(), self.slots.in_flight());
        let are_few = (1..FEW).contains(&finished) && finished * FEW_ONE_IN < in_flight;
        if are_few && self.slots.free() == 0 && self.stops.is_empty() && self.may_take() {
            std::thread::sleep(BURST);
            self.gather();
        }
    }

    /// When a turn is due though nothing has happened.
    pub(super) fn next_turn(&self) -> Instant {
        self.turned + TURN_EVERY
    }

    pub(super) fn may_take(&self) -> bool {
        self.ending.is_none() && self.trouble.is_none() && self.limit_left > 0
    }

    fn can_take(&self) -> bool {
        let now = self.now();
        let free = self.free();
        let open = |sending: &Sending| self.gates[sending.gate].keeper.allowance(free, now) > 0;
        self.may_take() && free > 0 && self.batches.iter().any(|s| s.is_due(now) && !s.is_held() && open(s))
    }

    /// Whether rows have to be put off or skipped before any is taken.
    pub(super) fn has_hours_to_keep(&self) -> bool {
        let now = self.now();
        self.may_take() && self.batches.iter().any(|sending| sending.has_hours_to_keep(now))
    }

    /// Slots that are free once the next turn is durable, within the rows that may still be taken.
    pub(super) fn free(&self) -> u32 {
        let freed = self.finished.iter().filter(|finished| finished.slot.is_some()).count();
        let free = u64::from(self.slots.free()) + freed as u64;
        u32::try_from(free.min(self.limit_left)).unwrap_or(u32::MAX)
    }

    /// One turn. Where it fails, what it would have stored stays in memory, and nothing that it took is handed out.
    pub(super) async fn turn(&mut self) {
        let included = self.finished.len();
        match self.make_turn(included, false).await {
            Ok(Made::Now(done)) => {
                self.committed(included);
                let has_jumped = done.jump_ms.is_some();
                self.take_over(*done).await;
                if has_jumped {
                    self.let_go().await;
                }
                self.seek_log();
                self.look_ahead().await;
                self.step_back().await;
            }
            Ok(Made::Before) => self.fail(&fenced("another process goes by its name"), None),
            Err(Failure { error, may_be_done: false }) if error.is_busy() => {
                // Whoever has lost patience waits for nobody.
                if self.is_abandoned { self.fail(&error, None) } else { self.wait_for_others(&error) }
            }
            Err(Failure { error, may_be_done }) => self.fail(&error, may_be_done.then_some(included)),
        }
    }

    /// Somebody else's transaction was in the way: to be waited for. Who cannot write may not judge others, who cannot either.
    pub(super) fn wait_for_others(&mut self, error: &store::Error) {
        let now = Instant::now();
        let (since, told) = self.waits_for_others.get_or_insert((now, false));
        if !*told && since.elapsed() >= LONG_WAIT {
            *told = true;
            tracing::warn!("nothing is sent: another process's transaction is waited for: {error}");
        } else {
            tracing::info!("waiting for another process's transaction: {error}");
        }
        self.judge.interrupted();
    }

    /// Has a turn made that stores the first outcomes of those that have come, and takes what it may.
    pub(super) async fn make_turn(&mut self, included: usize, asks_unsettled: bool) -> Result<Made, Failure> {
        if self.lock.as_ref().is_some_and(|lock| !lock.still_holds()) {
            let error = replaced();
            return Err(Failure { error, may_be_done: false });
        }
        let began = Instant::now();
        let order = self.order(included, asks_unsettled);
        let making = order::make(Arc::clone(&self.store), order);
        // A turn's own failure is an answer too: only silence is not.
        let made = patiently(&self.store, "make a turn", async { Ok(making.await) }).await;
        let made = made.unwrap_or_else(|error| Err(Failure { error, may_be_done: true }));
        if let Some(measures) = &self.options.measures {
            measures.turned(&made, began.elapsed());
        }
        made
    }

    fn order(&self, included: usize, asks_unsettled: bool) -> Order {
        let now = self.now();
        let outcome = |finished: &super::slots::Finished| Outcome {
            settlement: Arc::clone(&finished.settlement),
            effect: finished.effect.clone(),
            gate: self.gate_of_row(&finished.settlement),
        };
        let due = self.batches.iter().enumerate().filter(|(_, sending)| sending.is_due(now) && !sending.is_held());
        let want = |(place, sending): (usize, &Sending)| {
            let (batch, gate, has_hours) = (sending.batch.id, sending.gate, sending.hours.is_some());
            Wanted { batch, place, gate, has_hours }
        };
        let keep = |(place, sending): (usize, &Sending)| {
            let is_wanted = sending.is_due(now) || sending.has_hours_to_keep(now);
            let hours = sending.hours.clone().filter(|_| is_wanted && !sending.is_left)?;
            Some(Keep { batch: sending.batch.id, place, hours })
        };
        Order {
            run: self.run.clone(),
            number: self.turns + 1,
            outcomes: self.finished[..included].iter().map(outcome).collect(),
            gates: self.gates.iter().map(|gate| gate.keeper.clone()).collect(),
            stops: self.stops.clone(),
            clock: self.clock,
            has_hours: self.batches.iter().any(|sending| sending.hours.is_some()),
            hours: if self.may_take() {
                self.batches.iter().enumerate().filter_map(keep).collect()
            } else {
                Vec::new()
            },
            wanted: if self.may_take() { due.map(want).collect() } else { Vec::new() },
            free: self.free(),
            rate: self.pace.rate(Instant::now()),
            asks_unsettled,
        }
    }

    /// The turn is durable: its outcomes' slots are free.
    pub(super) fn committed(&mut self, included: usize) {
        self.turns += 1;
        self.turned = Instant::now();
        self.waits_for_others = None;
        let sent = self.finished[..included].iter().filter(|finished| finished.settlement.sent_at.is_some());
        self.pace.note(sent.count(), self.turned);
        if let Some(measures) = &self.options.measures {
            measures.stored(&self.finished[..included]);
        }
        for finished in self.finished.drain(..included) {
            if let Some(slot) = finished.slot {
                self.slots.free_up(slot);
            }
        }
    }

    /// Takes over what a turn has made: the gates as they stand now, and the rows that it has taken.
    pub(super) async fn take_over(&mut self, done: Done) {
        let jump_ms = self.clock.and_then(|earlier| done.clock.jump_since(earlier));
        (self.clock_ahead_ms, self.clock) = (done.clock_ahead_ms, Some(done.clock));
        if jump_ms.is_some_and(|jump_ms| jump_ms < 0) {
            self.was_set_back();
        }
        let taken = done.taken.iter().map(|took| took.rows.len()).sum::<usize>();
        if taken > 0 {
            tracing::debug!(turn = self.turns, rows = taken, "a turn has taken rows");
        }
        self.stops.clear();
        for (gate, keeper) in self.gates.iter_mut().zip(done.gates) {
            gate.keeper = keeper;
        }
        done.swings.into_iter().for_each(|(place, swing)| self.tell_swing(place, swing));
        done.kept.into_iter().for_each(|kept| self.take_over_hours(kept));
        self.note(&done.taken);
        if self.is_alone().await {
            done.taken.into_iter().for_each(|took| self.hand_out(took, done.sell_by));
        } else {
            let rows: Vec<Attempt> = done.taken.iter().flat_map(|took| &took.rows).map(|row| row.attempt).collect();
            self.give_back(&rows);
        }
        if let Some(jump_ms) = done.jump_ms {
            self.end(Ending::Stopped(jumped(jump_ms, self.store.is_shared())));
        }
        if let Some(why) = self.gates.iter().find_map(|gate| gate.keeper.stopped_by_another()) {
            self.end(Ending::Stopped(format!(
                "another run met a fault that stops all: {why}\n\
                 hint: mend it there and here, then type `mep-batch run` again"
            )));
        }
        if done.is_ended {
            self.end(Ending::StoreFailed(
                "another run has judged this one dead: for 30 s it showed no sign of life (stopped, asleep, or cut off from \
                 the database)\nhint: what it had in flight is stored as late; `mep-batch run` goes on with the rest"
                    .to_owned(),
                0,
            ));
        }
    }

    /// Notes how far the run has come: before any of what the turn has taken is handed out.
    fn note(&mut self, taken: &[Took]) {
        let Some(noting) = &mut self.noting else { return };
        let batches = &self.batches;
        let up_to = taken.iter().filter_map(|Took { place, rows, .. }| {
            let line = rows.iter().map(|row| row.attempt.id.line()).max()?;
            Some(TakenUpTo { batch: &batches[*place].batch, line })
        });
        noting.turned(self.turns, up_to, std::time::Instant::now());
    }

    /// Whether nobody has sent from another copy of the database, for all that is noted by now. Asked once, after the first note
    /// and before the first row is handed out; where somebody has, or nobody can tell, the run ends. Where the server is gone,
    /// or this process was stopped for longer than it is waited for, it is asked again once that is over.
    async fn is_alone(&mut self) -> bool {
        let Some(notes) = self.noting.as_ref().and_then(Noting::to_look_at) else { return true };
        let store = Arc::clone(&self.store);
        let look = async move { store.refuse_rolled_back(&notes).await };
        match patiently(&self.store, "hold it against what was noted", look).await {
            Ok(()) => {
                if let Some(noting) = &mut self.noting {
                    noting.goes_on();
                }
                true
            }
            Err(error) if error.is_lost() => {
                self.fail(&error, None);
                false
            }
            Err(error) => {
                if let Some(noting) = self.noting.take() {
                    noting.withdraw();
                }
                self.end(Ending::StoreFailed(error.to_string(), 0));
                false
            }
        }
    }

    /// Notes how far the run has come in the end.
    pub(super) fn end_note(&mut self) {
        if let Some(noting) = &mut self.noting {
            noting.end(self.turns, std::time::Instant::now());
        }
    }

    fn tell_swing(&mut self, place: usize, swing: Swing) {
        let endpoint = &self.gates[place].endpoint;
        match swing {
            Swing::Stays => {}
            Swing::Closed(because, until) => {
                tracing::info!(%endpoint, reason = because.as_str(), %until, "the gate is closed");
                (self.observer)(Event::GateClosed(endpoint, because, until));
            }
            Swing::Opened => {
                tracing::info!(%endpoint, "the gate is open");
                (self.observer)(Event::GateOpened(endpoint));
            }
            Swing::GivenUp(because) => self.end(Ending::Stopped(format!(
                "five probes in a row failed: {because}\n\
                 hint: look at the network and at the endpoint, then type `mep-batch run` again"
            ))),
        }
    }

    fn take_over_hours(&mut self, kept: Kept) {
        let may_take = kept.may_take();
        let sending = &mut self.batches[kept.place];
        (0..kept.expired).for_each(|_| sending.counts.moved(State::Pending, State::Skipped));
        if may_take && kept.put_off + kept.expired > 0 {
            sending.due = Due::Unclear { nothing: false };
        }
        if kept.is_stale {
            self.looked = None;
        }
        sending.hours = Some(kept.hours);
    }

    fn hand_out(&mut self, took: Took, sell_by: SellBy) {
        let Took { place, rows, wanted } = took;
        let sending = &mut self.batches[place];
        sending.due = match rows.len() {
            0 => Due::Unclear { nothing: true },
            some if some < wanted as usize => Due::Unclear { nothing: false },
            _ => Due::Now,
        };
        self.limit_left = self.limit_left.saturating_sub(rows.len() as u64);
        for taken in rows {
            sending.counts.moved(State::Pending, State::Sending);
            self.slots.hand_out(taken, sell_by, &sending.route);
        }
    }

    /// Finds out when the next rows of a batch are due that had fewer than were wanted.
    async fn look_ahead(&mut self) {
        for place in 0..self.batches.len() {
            let Due::Unclear { nothing } = self.batches[place].due else { continue };
            let (store, batch) = (Arc::clone(&self.store), self.batches[place].batch.id);
            let next = patiently(&self.store, "read what is due", async move { store.next_due(batch).await }).await;
            let soonest = if nothing { self.now().after(LEFT_TO_OTHERS) } else { UnixMillis(0) };
            match next {
                Ok(next) => self.batches[place].is_due_next(next, soonest),
                Err(error) => tracing::debug!("what is due next is not known yet: {error}"),
            }
        }
    }

    /// Takes no more where the log is not found any more that this process writes. What it knows it can still store, and when it
    /// ends all is folded into the database's file.
    fn seek_log(&mut self) {
        let Some(lock) = self.lock.as_ref().filter(|_| self.sought_log.elapsed() >= LOG_SOUGHT_EVERY) else { return };
        self.sought_log = Instant::now();
        if self.ending.is_none() && !lock.log_is_in_place() {
            self.end(Ending::StoreFailed(LOG_GONE.to_owned(), 0));
        }
    }

    async fn step_back(&mut self) {
        if self.stepped_back.elapsed() >= STEP_BACK_EVERY {
            tokio::time::sleep(STEP_BACK).await;
            self.stepped_back = Instant::now();
        }
    }
}

/// That a run has found another file at its database's path, or none.
pub(super) fn replaced() -> store::Error {
    fenced(REPLACED)
}

const REPLACED: &str = "the database or its lock file was deleted, moved or replaced while it ran
hint: what it knew is in the file that was there, and in the log above; put that back with its `-wal` before you type \
                        `mep-batch run` again";
/// Likewise, at the path of the database's log.
const LOG_GONE: &str = "the `-wal` or `-shm` file of the database was deleted or moved while it ran; nothing more is sent
hint: they are a part of the database; let this process end by itself, and it puts all that it knows into the database. Then \
                        type `mep-batch run` again";

/// What to do about a clock that has jumped.
fn jumped(jump_ms: i64, is_shared: bool) -> String {
    let (whose, by) =
        (if is_shared { "the database server's" } else { "this machine's" }, jump_ms.unsigned_abs() / 1_000);
    let where_to = if jump_ms > 0 { "forward" } else { "back" };
    format!(
        "{whose} clock jumped {where_to} by {by} s, and nobody is to be sent to at a wrong hour\n\
         hint: see that it is right (`date`, its time server), then type `mep-batch run` again"
    )
}

fn fenced(why: &str) -> store::Error {
    store::Error::Fenced(why.to_owned())
}
