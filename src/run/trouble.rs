//! A store that cannot be written: nothing more is taken, and what is known is kept until it can be stored or is told.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::slots::Finished;
use super::{Ending, Event};
use crate::invocation::{Attempt, Effect};
use crate::{store, worker};

/// How long outcomes in memory are tried again before they go to the log.
const GRACE: Duration = Duration::from_secs(30);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What is open since a turn failed.
pub(super) struct Trouble {
    since: Instant,
    next_try: Instant,
    /// How many of the finished attempts were part of the turn whose commit was not confirmed.
    included: usize,
    /// The rows that this turn took, which were never handed out, each with its batch's place.
    taken: Vec<(Attempt, usize)>,
}

impl Trouble {
    pub(super) fn next_try(&self) -> Instant {
        self.next_try
    }

    fn try_later(&mut self) {
        self.next_try = Instant::now() + PAUSE;
    }
}

impl Engine<'_> {
    /// The store failed: nothing more is taken in this process.
    pub(super) fn fail(&mut self, error: &store::Error, included: usize, taken: Vec<(Attempt, usize)>) {
        (self.observer)(Event::StoreTrouble(error));
        let now = Instant::now();
        self.trouble = Some(Trouble { since: now, next_try: now + PAUSE, included, taken });
        self.slots.stop();
        self.ending = Some(Ending::StoreFailed(error.to_string(), 0));
    }

    /// Tries again to store what is known. The ending, once that is done or hopeless and nothing is in flight.
    pub(super) async fn mend(&mut self) -> Option<Ending> {
        if self.trouble.as_ref()?.next_try > Instant::now() {
            return None;
        }
        let stored = self.store_rest().await;
        let trouble = self.trouble.as_mut()?;
        trouble.try_later();
        match stored {
            Ok(()) if self.slots.in_flight() == 0 && self.finished.is_empty() => self.ending.take(),
            Ok(()) => None,
            Err(error) => {
                let known = self.finished.iter().filter(|finished| finished.slot.is_some()).count();
                let has_patience = trouble.since.elapsed() <= GRACE && !self.finished.is_empty();
                if self.slots.in_flight() > known || has_patience {
                    return None;
                }
                self.log_unstored();
                Some(Ending::StoreFailed(error.to_string(), self.finished.len()))
            }
        }
    }

    /// On a new connection: finds out whether the failed turn had committed after all, and stores what it did not.
    async fn store_rest(&mut self) -> store::Result<()> {
        self.store.forget_connections();
        let last = self.store.last_turn(&self.run).await?;
        let Some(trouble) = self.trouble.as_mut() else { return Ok(()) };
        let (included, taken) = (std::mem::take(&mut trouble.included), std::mem::take(&mut trouble.taken));
        if last == self.turns + 1 {
            self.committed(included);
            for (attempt, place) in taken {
                let settlement = worker::not_handed_out(attempt, &self.batches[place].route.policy);
                self.finished.push(Finished { slot: None, settlement, effect: Effect::None });
            }
        }
        let included = self.finished.len();
        if included == 0 {
            return Ok(());
        }
        if let Some(trouble) = self.trouble.as_mut() {
            trouble.included = included;
        }
        // Nothing is taken in trouble, so there is nothing to hand out.
        self.write_turn(included, &mut Vec::new()).await?;
        self.committed(included);
        if let Some(trouble) = self.trouble.as_mut() {
            trouble.included = 0;
        }
        Ok(())
    }

    /// Writes outcomes that could not be stored to the log, whole, so that `resolve` can be told of them.
    fn log_unstored(&self) {
        for Finished { settlement, .. } in &self.finished {
            let batch = self.batches.iter().find(|sending| sending.batch.id == settlement.id.batch());
            tracing::error!(
                batch = batch.map(|sending| sending.batch.name.as_str()),
                line = settlement.id.line(),
                attempt = settlement.attempt,
                outcome = settlement.outcome.as_str(),
                http_status = settlement.http_status,
                code = settlement.code,
                request_id = settlement.request_id,
                message = settlement.message,
                sent_at = settlement.sent_at.map(|at| at.to_string()),
                "this outcome could not be stored"
            );
        }
    }
}
