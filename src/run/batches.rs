//! The batches of a run, and what other processes change of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{Engine, Gate};
use super::gatekeeper::Gatekeeper;
use super::hours::Hours;
use super::patience::patiently;
use super::sending::Sending;
use super::{Event, Which, too_much_for_cie};
use crate::invocation::{BatchId, Counts, State};
use crate::mep::Endpoint;
use crate::store::{self, Batch, Confirmation, NextDue, Run, SignOfLife, Store};

/// A run judges others as long as its own turns, of which one comes each second, are committed: where nobody can write, nobody
/// can show that it lives.
const JUDGES_FOR: Duration = Duration::from_secs(5);

/// How often a run reads what others have changed: an operator's word is obeyed within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a run reads of other processes' changes.
struct Seen {
    /// Every batch, with its counts and when its next row is due.
    batches: Vec<(Batch, Counts, Option<NextDue>)>,
    /// The rates of all batches that operators let be sent, whoever sends them: each with its endpoint and account.
    rates: Vec<(Endpoint, String, f64)>,
    /// What other runs show of their lives.
    signs: Vec<SignOfLife>,
}

impl Engine<'_> {
    /// When it is time to read what other processes changed.
    pub(super) fn next_look(&self) -> Instant {
        self.looked.map_or_else(Instant::now, |looked| looked + LOOK_EVERY)
    }

    /// Reads what other processes changed, now and again: batches, their settings, their counts, other runs.
    pub(super) async fn look_around(&mut self) {
        if self.next_look() > Instant::now() {
            return;
        }
        self.looked = Some(Instant::now());
        match self.look_at_batches().await {
            Ok(()) => (self.has_looked, self.failing_since) = (true, None),
            Err(error) if error.is_busy() => self.wait_for_others(&error),
            Err(error) => self.fail(&error, None),
        }
    }

    async fn look_at_batches(&mut self) -> store::Result<()> {
        let look = look(Arc::clone(&self.store), self.run.clone(), self.options.which.clone());
        let seen = patiently(&self.store, "read what others changed", look).await?;
        let taken_in = self.take_in_batches(seen.batches).await;
        // Also where one could not join: those before it may be sent from now on.
        self.configure_gates(&seen.rates);
        taken_in?;
        self.bring_nearer().await?;
        self.judge_others(&seen.signs).await
    }

    /// Takes in how the batches stand.
    async fn take_in_batches(&mut self, batches: Vec<(Batch, Counts, Option<NextDue>)>) -> store::Result<()> {
        for (batch, counts, next) in batches {
            match self.batches.iter_mut().find(|sending| sending.batch.id == batch.id) {
                Some(sending) => {
                    sending.is_read(counts, next, self.finished.iter().map(|finished| &*finished.settlement));
                    let was = std::mem::replace(&mut sending.batch, batch.clone());
                    if was.settings.schedule != batch.settings.schedule {
                        sending.hours = Hours::of(&batch.settings.schedule);
                    }
                    if was.settings != batch.settings {
                        // Its rows in flight keep the route with which they left.
                        match self.routes.route(&batch).await {
                            Ok(route) => (sending.route, sending.is_left) = (route, false),
                            Err(error) => {
                                sending.is_left = true;
                                leave(&batch, &format!("{error:#}"), self.observer, &mut self.left);
                            }
                        }
                    }
                    sending.hold_back();
                }
                None => self.join(batch, counts).await?,
            }
        }
        Ok(())
    }

    /// Ends the runs that are dead, so that what they had in flight becomes unknown.
    async fn judge_others(&mut self, signs: &[SignOfLife]) -> store::Result<()> {
        if self.turned.elapsed() > JUDGES_FOR {
            self.judge.interrupted();
        }
        for sign in self.judge.look(signs, Instant::now()) {
            let store = Arc::clone(&self.store);
            let now = self.now();
            let end = async move { store.end_silent_run(sign, now).await };
            if let Some(settled) = patiently(&self.store, "settle what a dead run left", end).await? {
                (self.observer)(Event::Settled(&settled));
                self.settled.extend(&settled.batches);
                self.looked = None; // the counts have changed
            }
        }
        Ok(())
    }

    /// Takes a batch into this run, if it has anything to send and may be sent.
    async fn join(&mut self, batch: Batch, counts: Counts) -> store::Result<()> {
        let named = self.options.which != Which::All;
        let to_send = counts[State::Pending];
        let confirmed = batch.confirmation(to_send) == Confirmation::Given;
        let is_left = self.left.iter().any(|(left, _)| *left == batch.id);
        let is_withheld = !named && (batch.paused_at.is_some() || batch.cancelled_at.is_some());
        // Rows in flight of another run that may be dead: this one waits to judge it.
        if is_left || is_withheld || !confirmed || (to_send + counts[State::Sending] == 0 && !named) {
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
        let rate = batch.rate();
        tracing::info!(batch = batch.name, endpoint = %batch.endpoint, rows = to_send, rate, "sending a batch");
        self.batches.push(Sending::new(batch, route, gate, counts));
        Ok(())
    }

    /// The place of the batch's gate among the gates.
    async fn gate_of(&mut self, batch: &Batch) -> store::Result<usize> {
        let same = |gate: &Gate| gate.endpoint == batch.endpoint && gate.account == batch.account;
        if let Some(place) = self.gates.iter().position(same) {
            return Ok(place);
        }
        let (store, endpoint, account) = (Arc::clone(&self.store), batch.endpoint.clone(), batch.account.clone());
        let find = async move { store.gate(&endpoint, &account).await };
        let gate = patiently(&self.store, "read the gate", find).await?;
        let keeper = Gatekeeper::new(gate, self.now());
        self.gates.push(Gate { endpoint: batch.endpoint.clone(), account: batch.account.clone(), keeper });
        Ok(self.gates.len() - 1)
    }

    /// Batches that share a gate share its lowest rate: those of which something may be taken.
    fn configure_gates(&mut self, rates: &[(Endpoint, String, f64)]) {
        for (place, gate) in self.gates.iter_mut().enumerate() {
            let of_gate = || self.batches.iter().filter(|sending| sending.gate == place && !sending.is_done());
            let sent = of_gate().filter(|sending| !sending.is_held());
            let rate = sent.filter_map(|sending| sending.batch.rate()).reduce(f64::min);
            let probe_after = of_gate().map(|sending| sending.batch.settings.probe_after).min();
            let asked_for =
                rates.iter().filter(|(endpoint, account, _)| (endpoint, account) == (&gate.endpoint, &gate.account));
            gate.keeper.configure(rate, probe_after.unwrap_or_default(), asked_for.map(|(.., rate)| *rate));
        }
    }
}

async fn look(store: Arc<Store>, run: Run, which: Which) -> store::Result<Seen> {
    let batches = store.batches().await?;
    let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id).collect();
    let mut batches: Vec<(Batch, Counts)> = batches.into_iter().zip(store.counts(&ids).await?).collect();
    let is_sent = |(batch, counts): &&(Batch, Counts)| {
        let is_open = counts[State::Pending] + counts[State::Sending] > 0;
        is_open && batch.paused_at.is_none() && batch.cancelled_at.is_none()
    };
    let rate_of = |(batch, _): &(Batch, Counts)| {
        let rate = batch.rate()?;
        Some((batch.endpoint.clone(), batch.account.clone(), rate))
    };
    let rates = batches.iter().filter(is_sent).filter_map(rate_of).collect();
    batches.retain(|(batch, _)| match &which {
        Which::Named(named) => named.contains(&batch.id),
        Which::All => true,
    });
    let mut seen = Vec::with_capacity(batches.len());
    for (batch, counts) in batches {
        let next = if counts[State::Pending] > 0 { store.next_due(batch.id).await? } else { None };
        seen.push((batch, counts, next));
    }
    let signs = if store.is_shared() { store.signs_of_life(Some(&run)).await? } else { Vec::new() };
    Ok(Seen { batches: seen, rates, signs })
}

/// Tells that a batch cannot be sent by this process, and keeps why for the end.
fn leave(batch: &Batch, why: &str, observer: &mut dyn FnMut(Event<'_>), left: &mut Vec<(BatchId, String)>) {
    let why = format!("batch `{}` is left: {why}", batch.name);
    observer(Event::Left(&why));
    left.push((batch.id, why));
}
