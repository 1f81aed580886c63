//! The batches of a run, and what other processes change of them.

use tokio::time::Instant;

use super::engine::{Engine, Gate};
use super::gatekeeper::Gatekeeper;
use super::sending::{Due, Sending};
use super::turns::TURN_EVERY;
use super::{Event, Which, too_much_for_cie};
use crate::invocation::{BatchId, Counts, State, UnixMillis};
use crate::store::{self, Batch, Confirmation};

impl Engine<'_> {
    /// Reads what other processes changed, at most once a second: batches, their settings, their counts.
    pub(super) async fn look_around(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < TURN_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        match self.look_at_batches().await {
            Ok(()) => {}
            Err(error) if error.is_busy() => tracing::info!("waiting for another process's transaction: {error}"),
            Err(error) => self.fail(&error, 0, Vec::new()),
        }
    }

    async fn look_at_batches(&mut self) -> store::Result<()> {
        let mut batches = self.store.batches().await?;
        batches.retain(|batch| match &self.options.which {
            Which::Named(named) => named.contains(&batch.id),
            Which::All => true,
        });
        let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id).collect();
        let counts = self.store.counts(&ids).await?;
        for (batch, counts) in batches.into_iter().zip(counts) {
            match self.batches.iter_mut().find(|sending| sending.batch.id == batch.id) {
                Some(sending) => {
                    sending.counts = counts;
                    if sending.batch.settings != batch.settings {
                        // Its rows in flight keep the route with which they left.
                        sending.batch = batch.clone();
                        match self.routes.route(&batch).await {
                            Ok(route) => (sending.route, sending.is_left) = (route, false),
                            Err(error) => {
                                sending.is_left = true;
                                leave(&batch, &format!("{error:#}"), self.observer, &mut self.left);
                            }
                        }
                    }
                    let next = self.store.next_due(batch.id).await?;
                    sending.due = next.map_or(Due::Nothing, Due::At);
                }
                None => self.join(batch, counts).await?,
            }
        }
        self.configure_gates();
        Ok(())
    }

    /// Takes a batch into this run, if it has anything to send and may be sent.
    async fn join(&mut self, batch: Batch, counts: Counts) -> store::Result<()> {
        let named = self.options.which != Which::All;
        let to_send = counts[State::Pending];
        let confirmed = batch.confirmation(to_send) == Confirmation::Given;
        let is_left = self.left.iter().any(|(left, _)| *left == batch.id);
        if is_left || !confirmed || (to_send == 0 && !named) {
            return Ok(());
        }
        let route = match too_much_for_cie(&batch, to_send, self.options.limit) {
            Some(why) => Err(format!("it {why}")),
            None => self.routes.route(&batch).await.map_err(|error| format!("{error:#}")),
        };
        let route = match route {
            Ok(route) => route,
            Err(why) => {
                leave(&batch, &why, self.observer, &mut self.left);
                return Ok(());
            }
        };
        let gate = self.gate_of(&batch).await?;
        if !named && self.turns > 0 {
            (self.observer)(Event::Joined(&batch.name));
        }
        self.batches.push(Sending::new(batch, route, gate, counts));
        Ok(())
    }

    /// The place of the batch's gate among the gates.
    async fn gate_of(&mut self, batch: &Batch) -> store::Result<usize> {
        let same = |gate: &Gate| gate.endpoint == batch.endpoint && gate.account == batch.account;
        if let Some(place) = self.gates.iter().position(same) {
            return Ok(place);
        }
        let keeper = Gatekeeper::new(self.store.gate(&batch.endpoint, &batch.account).await?, UnixMillis::now());
        self.gates.push(Gate { endpoint: batch.endpoint.clone(), account: batch.account.clone(), keeper });
        Ok(self.gates.len() - 1)
    }

    /// Batches that share a gate share its lowest rate.
    fn configure_gates(&mut self) {
        for (place, gate) in self.gates.iter_mut().enumerate() {
            let of_gate = || self.batches.iter().filter(|sending| sending.gate == place && !sending.is_done());
            let rate = of_gate().filter_map(|sending| sending.batch.settings.rate).reduce(f64::min);
            let probe_after = of_gate().map(|sending| sending.batch.settings.probe_after).min();
            gate.keeper.configure(rate, probe_after.unwrap_or_default());
        }
    }
}

/// Tells that a batch cannot be sent by this process, and keeps why for the end.
fn leave(batch: &Batch, why: &str, observer: &mut dyn FnMut(Event<'_>), left: &mut Vec<(BatchId, String)>) {
    let why = format!("batch `{}` is left: {why}", batch.name);
    observer(Event::Left(&why));
    left.push((batch.id, why));
}
