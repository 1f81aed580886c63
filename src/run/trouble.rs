//! A store that cannot be written: nothing more is taken, and what is known is kept until it can be stored or is told.
//!
//! A server that is gone comes back: then the run goes on. Of a store that refuses to write nothing more is taken in this
//! process.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::order::{Failure, Made};
use super::slots::Finished;
use super::{Ending, Event};
use crate::invocation::{Attempt, Effect};
use crate::{store, worker};

/// How long outcomes in memory are tried again before they go to the log, where the store refuses them or the run is to
/// end anyway.
const GRACE: Duration = Duration::from_secs(30);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// What is open since a turn failed.
pub(super) struct Trouble {
    next_try: Instant,
    /// Whether the server is only gone.
    is_lost: bool,
    /// The finished attempts of a turn whose commit was not confirmed: how many they were.
    unconfirmed: Option<usize>,
    /// What the store said.
    why: String,
}

impl Trouble {
    pub(super) fn next_try(&self) -> Instant {
        self.next_try
    }
}

impl Engine<'_> {
    /// The store failed: nothing is taken until it has been found again, or never more in this process.
    ///
    /// `unconfirmed`: how many of the finished attempts were part of a turn that may have been done all the same.
    pub(super) fn fail(&mut self, error: &store::Error, unconfirmed: Option<usize>) {
        let grace = self.grace(error.is_lost());
        (self.observer)(Event::StoreTrouble(error, grace));
        let now = Instant::now();
        self.failing_since.get_or_insert(now);
        let (why, is_lost) = (error.to_string(), error.is_lost());
        self.trouble = Some(Trouble { next_try: now + PAUSE, is_lost, unconfirmed, why });
        self.slots.stop();
        self.judge.interrupted();
        if !error.is_lost() {
            self.ending = Some(Ending::StoreFailed(error.to_string(), 0));
        }
    }

    fn grace(&self, is_lost: bool) -> Duration {
        match (is_lost, &self.ending) {
            (true, None) => self.options.store_grace,
            (true, Some(_)) => self.options.store_grace.min(GRACE),
            (false, _) => GRACE,
        }
    }

    /// Whether the store has failed, now and again, for longer than it is waited for.
    fn is_past_grace(&self, is_lost: bool) -> bool {
        self.failing_since.is_some_and(|since| since.elapsed() > self.grace(is_lost))
    }

    /// Tries again to store what is known. The ending, once that is done or hopeless and nothing is in flight.
    pub(super) async fn mend(&mut self) -> Option<Ending> {
        if self.trouble.as_ref()?.next_try > Instant::now() {
            return None;
        }
        let stored = self.store_rest().await;
        let trouble = self.trouble.as_mut()?;
        trouble.next_try = Instant::now() + PAUSE;
        match stored {
            Ok(()) if trouble.is_lost => {
                let why = std::mem::take(&mut trouble.why);
                self.recover(why);
                None
            }
            Ok(()) if self.slots.in_flight() == 0 && self.finished.is_empty() => self.ending.take(),
            Ok(()) => None,
            Err(error) => {
                // A server that comes back may refuse for a while: only another one, or another history, is final.
                let is_hopeless = matches!(error, store::Error::Fenced(_));
                trouble.is_lost &= !is_hopeless;
                let is_lost = trouble.is_lost;
                if error.is_busy() && !self.is_abandoned {
                    self.failing_since = Some(Instant::now()); // it is there, and is waited for as at any other time
                }
                if !is_lost && self.ending.is_none() {
                    self.ending = Some(Ending::StoreFailed(error.to_string(), 0));
                }
                let known = self.finished.iter().filter(|finished| finished.slot.is_some()).count();
                let is_worth_it = !is_hopeless && !self.is_abandoned && (is_lost || !self.finished.is_empty());
                let has_patience = !self.is_past_grace(is_lost) && is_worth_it;
                if self.slots.in_flight() > known || has_patience {
                    return None;
                }
                self.log_unstored();
                Some(Ending::StoreFailed(error.to_string(), self.finished.len()))
            }
        }
    }

    /// The server is back, and everything known is stored. Unless this run is to end it goes on; where the server can be
    /// written again and again, and not be read, it ends after all.
    fn recover(&mut self, why: String) {
        if self.is_past_grace(true) && self.ending.is_none() {
            self.ending = Some(Ending::StoreFailed(why, 0));
        }
        self.trouble = None;
        self.looked = None;
        if self.ending.is_none() {
            self.slots.go_on();
            (self.observer)(Event::StoreBack);
        }
    }

    /// On a new connection: finds out whether the failed turn had committed after all, stores what it did not, and gives back
    /// what it took. Nothing that it took was handed out.
    async fn store_rest(&mut self) -> store::Result<()> {
        self.store.forget_connections();
        if let Some(included) = self.unconfirmed() {
            match self.make_mending_turn(included, false).await? {
                Made::Before => self.committed(included),
                Made::Now(done) => {
                    self.committed(included);
                    self.take_over(*done).await;
                }
            }
            self.set_unconfirmed(None);
        }
        // Once more: an attempt without an outcome, and in no slot, was taken by a turn of which only the commit is known.
        let included = self.finished.len();
        match self.make_mending_turn(included, true).await? {
            Made::Before => return Err(store::Error::Fenced("another process goes by its name".to_owned())),
            Made::Now(done) => {
                let strays: Vec<Attempt> =
                    done.unsettled.iter().copied().filter(|attempt| !self.slots.hold(attempt)).collect();
                self.committed(included);
                self.take_over(*done).await;
                self.give_back(&strays);
            }
        }
        Ok(())
    }

    fn unconfirmed(&self) -> Option<usize> {
        self.trouble.as_ref().and_then(|trouble| trouble.unconfirmed)
    }

    fn set_unconfirmed(&mut self, included: Option<usize>) {
        if let Some(trouble) = &mut self.trouble {
            trouble.unconfirmed = included;
        }
    }

    /// A turn that takes nothing: this run is in trouble.
    async fn make_mending_turn(&mut self, included: usize, asks_unsettled: bool) -> store::Result<Made> {
        self.make_turn(included, asks_unsettled).await.map_err(|Failure { error, may_be_done }| {
            if may_be_done {
                self.set_unconfirmed(Some(included));
            }
            error
        })
    }

    /// Rows that were taken and never handed to a slot: their requests were not sent.
    pub(super) fn give_back(&mut self, rows: &[Attempt]) {
        for attempt in rows {
            let Some(sending) = self.batch_of(attempt.id) else {
                continue; // of a batch that is not sent by this process any more
            };
            let settlement = worker::not_handed_out(*attempt, &sending.route.policy).into();
            let mut finished = Finished { slot: None, settlement, effect: Effect::None };
            self.tell_by_queues_clock(&mut finished);
            self.finished.push(finished);
        }
    }

    /// Writes outcomes that could not be stored to the log, whole, so that `resolve` can be told of them.
    fn log_unstored(&self) {
        for Finished { settlement, .. } in &self.finished {
            let batch = self.batch_of(settlement.id);
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
