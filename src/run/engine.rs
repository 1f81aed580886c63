//! The task that owns the writer: it gathers outcomes, makes turns, and decides when to stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::gatekeeper::{Gatekeeper, first_line};
use super::judge::Judge;
use super::pace::Pace;
use super::routes::Routes;
use super::sending::Sending;
use super::slots::{Finished, Slots};
use super::trouble::Trouble;
use super::{Ending, Event, Interrupt, Options};
use crate::invocation::{BatchId, Effect, InvocationId, Settlement, State, UnixMillis};
use crate::mep::Endpoint;
use crate::store::{Noting, Run, RunLock, Store};
use crate::worker::QueueClock;

/// Waits shorter than this are not worth a turn of their own: tokens of a high rate gather meanwhile.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// A run at work. Its turns are in `turns` and `order`, its look at other processes' changes in `batches`, and what it
/// does when the store fails in `trouble`.
pub(super) struct Engine<'a> {
    pub(super) store: Arc<Store>,
    pub(super) lock: Option<RunLock>,
    pub(super) run: Run,
    pub(super) options: Options,
    pub(super) routes: Routes,
    interrupts: watch::Receiver<Interrupt>,
    pub(super) observer: &'a mut (dyn FnMut(Event<'_>) + Send),
    pub(super) gates: Vec<Gate>,
    pub(super) batches: Vec<Sending>,
    /// Batches that this process cannot send, with the reason; each is told of once.
    pub(super) left: Vec<(BatchId, String)>,
    /// Batches of which rows became unknown because their run was dead.
    pub(super) settled: Vec<BatchId>,
    pub(super) judge: Judge,
    /// Whether it is known what there is to send.
    pub(super) has_looked: bool,
    /// Since when the store has failed, now and again, without having been read whole in between.
    pub(super) failing_since: Option<Instant>,
    /// Whether an operator has lost patience.
    pub(super) is_abandoned: bool,
    pub(super) slots: Slots,
    /// Outcomes that are not durable yet, in the order in which they came.
    pub(super) finished: Vec<Finished>,
    /// Faults that stop all who send behind a gate and are not stored yet: the gate's place, and why.
    pub(super) stops: Vec<(usize, String)>,
    /// How far the queue's clock is ahead of this machine's.
    pub(super) clock_ahead_ms: i64,
    /// What the queue's clock said in the last turn.
    pub(super) clock: Option<QueueClock>,
    /// The number of the last turn that committed.
    pub(super) turns: i64,
    pub(super) turned: Instant,
    pub(super) pace: Pace,
    pub(super) looked: Option<Instant>,
    pub(super) stepped_back: Instant,
    pub(super) sought_log: Instant,
    /// Since when another process's transaction is in the way, and whether that was told.
    pub(super) waits_for_others: Option<(Instant, bool)>,
    /// Rows that may still be taken.
    pub(super) limit_left: u64,
    pub(super) waited: Duration,
    pub(super) ending: Option<Ending>,
    pub(super) trouble: Option<Trouble>,
    /// The note of how far it has come.
    pub(super) noting: Option<Noting>,
}

/// A gate of this run's batches.
pub(super) struct Gate {
    pub(super) endpoint: Endpoint,
    pub(super) account: String,
    pub(super) keeper: Gatekeeper,
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        store: Arc<Store>,
        lock: Option<RunLock>,
        run: Run,
        options: Options,
        routes: Routes,
        interrupts: watch::Receiver<Interrupt>,
        observer: &'a mut (dyn FnMut(Event<'_>) + Send),
    ) -> Self {
        let now = Instant::now();
        Engine {
            store,
            lock,
            run,
            routes,
            interrupts,
            observer,
            gates: Vec::new(),
            batches: Vec::new(),
            left: Vec::new(),
            settled: Vec::new(),
            judge: Judge::new(),
            has_looked: false,
            failing_since: None,
            is_abandoned: false,
            slots: Slots::new(options.concurrency.get()),
            finished: Vec::new(),
            stops: Vec::new(),
            clock_ahead_ms: 0,
            clock: None,
            turns: 0,
            turned: now,
            pace: Pace::new(now),
            looked: None,
            stepped_back: now,
            sought_log: now,
            waits_for_others: None,
            limit_left: options.limit.unwrap_or(u64::MAX),
            waited: Duration::ZERO,
            ending: None,
            trouble: None,
            noting: None,
            options,
        }
    }

    /// The whole run. Returns once nothing is in flight and everything known is stored, or told where it cannot be.
    pub(super) async fn send_until_done(&mut self) -> Ending {
        loop {
            self.heed_interrupt().await;
            self.gather();
            self.gather_burst();
            let ended = if self.trouble.is_some() {
                self.mend().await
            } else {
                // Who is only finishing what is in flight need not know what others have changed.
                if self.ending.is_none() {
                    self.look_around().await;
                }
                if self.trouble.is_none() && self.is_turn_due() {
                    self.turn().await;
                }
                self.ended()
            };
            if let Some(ending) = ended {
                return ending;
            }
            self.tell_progress();
            self.wait().await;
        }
    }

    async fn heed_interrupt(&mut self) {
        if !self.interrupts.has_changed().unwrap_or(false) {
            return;
        }
        let interrupt = *self.interrupts.borrow_and_update();
        match interrupt {
            Interrupt::None => {}
            Interrupt::Drain(signal) => self.end(Ending::Interrupted(signal, 0)),
            Interrupt::Abandon(signal) => {
                self.slots.stop();
                self.is_abandoned = true;
                let mut abandoned = self.slots.abandon(&self.finished).await;
                abandoned.iter_mut().for_each(|finished| self.tell_by_queues_clock(finished));
                let unknown = abandoned.iter().filter(|f| f.settlement.state == State::Unknown).count();
                self.finished.extend(abandoned);
                match self.ending {
                    // These say more than that somebody lost patience.
                    Some(Ending::Stopped(_) | Ending::StoreFailed(..)) => {}
                    Some(Ending::Done | Ending::Waiting(_) | Ending::LimitReached | Ending::Interrupted(..)) | None => {
                        self.ending = Some(Ending::Interrupted(signal, unknown));
                    }
                }
            }
        }
    }

    /// Takes in every outcome that has come.
    pub(super) fn gather(&mut self) {
        while let Some(finished) = self.slots.try_next() {
            self.take_in(finished);
        }
    }

    fn take_in(&mut self, mut finished: Finished) {
        self.tell_by_queues_clock(&mut finished);
        let Finished { settlement, effect, .. } = &finished;
        let Some(sending) = self.batches.iter_mut().find(|sending| sending.batch.id == settlement.id.batch()) else {
            unreachable!("only rows of these batches are handed out");
        };
        tracing::debug!(
            batch = sending.batch.name,
            line = settlement.id.line(),
            attempt = settlement.attempt,
            outcome = settlement.outcome.as_str(),
            http_status = settlement.http_status,
            code = settlement.code,
            duration_ms = settlement.sent_at.map(|at| settlement.finished_at.0 - at.0),
            "an attempt has ended"
        );
        let mut stop = match effect {
            Effect::Stop(why) => Some(why.clone()),
            Effect::None | Effect::Throttle(_) | Effect::Unreachable | Effect::Ambiguous => None,
        };
        if let Some(text) = sending.settled(settlement) {
            let why = format!(
                "twenty rows in a row were refused with the same text: {text}\n\
                 hint: a mistake in the mapping or in every row; mend it, then `mep-batch retry` what is right after all"
            );
            self.stops.push((sending.gate, first_line(&why).to_owned()));
            stop = Some(why);
        }
        self.finished.push(finished);
        if let Some(why) = stop {
            self.end(Ending::Stopped(why));
        }
    }

    /// Tells by the queue's clock when the row of a new outcome is due again.
    pub(super) fn tell_by_queues_clock(&self, finished: &mut Finished) {
        let settlement = Arc::get_mut(&mut finished.settlement).expect("a turn shares it only later");
        if settlement.state == State::Pending {
            settlement.due_at = UnixMillis(settlement.due_at.0.saturating_add(self.clock_ahead_ms));
        }
    }

    /// What the queue's clock says, as far as is known: with it is decided what is due and what a gate lets through.
    pub(super) fn now(&self) -> UnixMillis {
        UnixMillis(UnixMillis::now().0.saturating_add(self.clock_ahead_ms))
    }

    /// The batch of a row, if this run has it.
    pub(super) fn batch_of(&self, row: InvocationId) -> Option<&Sending> {
        self.batches.iter().find(|sending| sending.batch.id == row.batch())
    }

    /// The place of the gate through which an outcome's request went.
    pub(super) fn gate_of_row(&self, settlement: &Settlement) -> usize {
        self.batch_of(settlement.id).map(|sending| sending.gate).expect("only rows of these batches are taken")
    }

    /// Waits for the next outcome, interrupt or moment at which something can be done.
    async fn wait(&mut self) {
        if self.trouble.is_none() && self.is_turn_due() {
            tokio::task::yield_now().await;
            return;
        }
        let waiting_since = self.is_waiting().then(Instant::now);
        let until = self.next_moment();
        tokio::select! {
            finished = self.slots.next() => self.take_in(finished),
            _ = self.interrupts.changed() => self.interrupts.mark_changed(),
            () = tokio::time::sleep_until(until) => {}
        }
        if let Some(since) = waiting_since {
            self.waited += since.elapsed();
        }
    }

    fn next_moment(&self) -> Instant {
        if let Some(trouble) = &self.trouble {
            return trouble.next_try();
        }
        let (now, clock) = (self.now(), Instant::now());
        let mut until = self.next_turn();
        if self.ending.is_none() {
            until = until.min(self.next_look());
        }
        if let Some(wait) = self.options.wait {
            until = until.min(clock + wait.saturating_sub(self.waited));
        }
        if self.may_take() && self.free() > 0 {
            for sending in self.batches.iter().filter(|s| !s.is_done() && !s.is_held()) {
                let opens = self.gates[sending.gate].keeper.opens_at(now);
                if let (Some(due), Some(opens)) = (sending.next_due(now), opens) {
                    until = until.min(clock + due.max(opens).since(now).max(SHORTEST_WAIT));
                }
            }
        }
        until
    }
}
