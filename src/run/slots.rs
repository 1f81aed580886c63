//! The slots: one worker each, and what each has in flight. A slot stays occupied until its outcome is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::invocation::{Attempt, Effect, NoAnswer, Settlement, Taken};
use crate::worker::{self, Route, SellBy};

/// A finished attempt that is not durable yet.
#[derive(Debug)]
pub(super) struct Finished {
    /// The slot that it occupies until it is durable; `None` for a row that was never handed out.
    pub(super) slot: Option<usize>,
    pub(super) settlement: Arc<Settlement>,
    pub(super) effect: Effect,
}

/// All slots of a run.
pub(super) struct Slots {
    slots: Vec<Slot>,
    idle: Vec<usize>,
    reports: mpsc::UnboundedReceiver<Report>,
    reporter: mpsc::UnboundedSender<Report>,
    workers: JoinSet<()>,
    stopping: Arc<AtomicBool>,
}

struct Slot {
    inbox: mpsc::Sender<Assignment>,
    in_flight: Option<(Attempt, Arc<Route>)>,
}

struct Assignment {
    taken: Taken,
    sell_by: SellBy,
    route: Arc<Route>,
}

/// What a worker says: the outcome, or nothing because it panicked.
struct Report {
    slot: usize,
    outcome: Option<(Settlement, Effect)>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Self {
        let (reporter, reports) = mpsc::unbounded_channel();
        let mut slots = Slots {
            slots: Vec::with_capacity(count),
            idle: (0..count).rev().collect(),
            reports,
            reporter,
            workers: JoinSet::new(),
            stopping: Arc::new(AtomicBool::new(false)),
        };
        for slot in 0..count {
            let inbox = slots.start_worker(slot);
            slots.slots.push(Slot { inbox, in_flight: None });
        }
        slots
    }

    /// Slots that may be filled.
    pub(super) fn free(&self) -> u32 {
        u32::try_from(self.idle.len()).unwrap_or(u32::MAX)
    }

    /// Rows taken whose outcome is not durable.
    pub(super) fn in_flight(&self) -> usize {
        self.slots.len() - self.idle.len()
    }

    /// Hands a row to a free slot. The commit that took it has been confirmed.
    pub(super) fn hand_out(&mut self, taken: Taken, sell_by: SellBy, route: &Arc<Route>) {
        let slot = self.idle.pop().expect("no more rows are taken than slots are free");
        self.slots[slot].in_flight = Some((taken.attempt, Arc::clone(route)));
        let assignment = Assignment { taken, sell_by, route: Arc::clone(route) };
        // A worker takes one row at a time and is replaced when it panics, so its inbox is open and empty.
        self.slots[slot].inbox.try_send(assignment).unwrap_or_else(|_| unreachable!("an idle slot's inbox is empty"));
    }

    /// Waits for the next outcome. May be dropped and called again; nothing is lost.
    pub(super) async fn next(&mut self) -> Finished {
        let report = self.reports.recv().await.expect("this struct holds a sender");
        self.finished(report)
    }

    /// An outcome that has come already.
    pub(super) fn try_next(&mut self) -> Option<Finished> {
        let report = self.reports.try_recv().ok()?;
        Some(self.finished(report))
    }

    /// Frees a slot: its outcome is durable.
    pub(super) fn free_up(&mut self, slot: usize) {
        self.slots[slot].in_flight = None;
        self.idle.push(slot);
    }

    /// From now on rows whose request has not been written are given back.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether a slot has the attempt, or its outcome is not durable yet.
    pub(super) fn hold(&self, attempt: &Attempt) -> bool {
        let is_it = |held: &Attempt| (held.id, held.number) == (attempt.id, attempt.number);
        self.slots.iter().any(|slot| slot.in_flight.as_ref().is_some_and(|(held, _)| is_it(held)))
    }

    /// Takes [`Slots::stop`] back. Rows that were taken before it are past their sell-by, or are this run's own still.
    pub(super) fn go_on(&self) {
        self.stopping.store(false, Ordering::Release);
    }

    /// Ends all workers where they are, and says what may have been sent of what they had.
    ///
    /// `finished` are the outcomes that are known already and not durable yet.
    pub(super) async fn abandon(&mut self, finished: &[Finished]) -> Vec<Finished> {
        self.workers.shutdown().await;
        let mut known: Vec<Finished> = Vec::new();
        while let Ok(report) = self.reports.try_recv() {
            if report.outcome.is_some() {
                known.push(self.finished(report));
            }
        }
        let has_outcome =
            |slot: usize, known: &[Finished]| known.iter().chain(finished).any(|known| known.slot == Some(slot));
        for (slot, held) in self.slots.iter().enumerate() {
            let Some((attempt, route)) = &held.in_flight else { continue };
            if !has_outcome(slot, &known) {
                let settlement = worker::lost(*attempt, NoAnswer::Abandoned, &route.policy);
                known.push(Finished { slot: Some(slot), settlement: settlement.into(), effect: Effect::None });
            }
        }
        known
    }

    fn finished(&mut self, report: Report) -> Finished {
        let slot = report.slot;
        if let Some((settlement, effect)) = report.outcome {
            return Finished { slot: Some(slot), settlement: settlement.into(), effect };
        }
        self.slots[slot].inbox = self.start_worker(slot);
        let (attempt, route) = self.slots[slot].in_flight.as_ref().expect("a worker panics only while it has a row");
        tracing::error!(
            line = attempt.id.line(),
            attempt = attempt.number,
            "a worker panicked; its row is unknown now"
        );
        let settlement = worker::lost(*attempt, NoAnswer::Panicked, &route.policy);
        Finished { slot: Some(slot), settlement: settlement.into(), effect: Effect::Ambiguous }
    }

    fn start_worker(&mut self, slot: usize) -> mpsc::Sender<Assignment> {
        let (inbox, assignments) = mpsc::channel(1);
        let reporter = self.reporter.clone();
        let stopping = Arc::clone(&self.stopping);
        self.workers.spawn(work(slot, assignments, reporter, stopping));
        inbox
    }
}

async fn work(
    slot: usize,
    mut assignments: mpsc::Receiver<Assignment>,
    reporter: mpsc::UnboundedSender<Report>,
    stopping: Arc<AtomicBool>,
) {
    while let Some(Assignment { taken, sell_by, route }) = assignments.recv().await {
        // Reports when it is dropped, so that a panic is heard of too.
        let mut duty = Duty { slot, outcome: None, reporter: &reporter };
        duty.outcome = Some(worker::attempt(taken, sell_by, &route, &stopping).await);
    }
}

struct Duty<'a> {
    slot: usize,
    outcome: Option<(Settlement, Effect)>,
    reporter: &'a mpsc::UnboundedSender<Report>,
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        // Nobody listens any more only when the run itself is gone.
        let _ = self.reporter.send(Report { slot: self.slot, outcome: self.outcome.take() });
    }
}
