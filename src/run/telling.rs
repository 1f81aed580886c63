//! What a run tells of itself while it goes on: how far it is, and why it waits.

use tokio::time::Instant;

use super::engine::Engine;
use super::sending::{Due, Sending};
use super::{Event, Progress};
use crate::invocation::{State, UnixMillis};

impl Engine<'_> {
    /// Tells how far this run is.
    pub(super) fn tell_progress(&mut self) {
        let mut progress = Progress {
            in_flight: self.slots.in_flight(),
            rate: self.pace.rate(Instant::now()),
            rate_limit: self.rate_limit(),
            ..Progress::default()
        };
        for sending in &self.batches {
            for (state, count) in sending.counts.iter() {
                progress.counts[state] += count;
            }
        }
        progress.waiting = self.waits_for().filter(|_| self.is_waiting());
        if let Some(measures) = &self.options.measures {
            measures.progress(&progress);
        }
        (self.observer)(Event::Progress(&progress));
    }

    /// Requests a second that may be sent, behind all gates.
    fn rate_limit(&self) -> Option<f64> {
        // Where all is withheld it is the rate at which it goes on: none at all would say 'as fast as answers come'.
        let all_withheld = self.batches.iter().all(|sending| sending.is_done() || sending.is_withheld());
        let of_gate = |place: usize| {
            let is_sent = move |s: &&Sending| s.gate == place && !s.is_done() && (all_withheld || !s.is_withheld());
            let batches = self.batches.iter().filter(is_sent);
            batches.map(|sending| sending.batch.rate())
        };
        let in_use = (0..self.gates.len()).filter(|place| of_gate(*place).next().is_some());
        // Batches that share a gate share its lowest rate; one without any makes no rate of all.
        let mut limits = in_use.map(|place| of_gate(place).flatten().reduce(f64::min));
        limits.try_fold(0.0, |all, limit| Some(all + limit?)).filter(|all| *all > 0.0)
    }

    /// Why a batch that is not done is not being sent, and until when, as far as that is known: what a time ends comes first.
    pub(super) fn waits_for(&self) -> Option<(String, Option<UnixMillis>)> {
        let open = self.batches.iter().filter(|sending| !sending.is_done());
        let reasons: Vec<_> = open.filter_map(|sending| self.reason_of(sending)).collect();
        reasons.iter().find(|(_, until)| until.is_some()).or(reasons.first()).cloned()
    }

    fn reason_of(&self, sending: &Sending) -> Option<(String, Option<UnixMillis>)> {
        if sending.counts[State::Pending] == 0 || self.limit_left == 0 {
            let others = if self.judge.has_suspects(Instant::now()) {
                "another run may have died; it is watched for 30 s before it is judged"
            } else {
                "other runs finish what they have in flight"
            };
            return Some((others.to_owned(), None));
        }
        if sending.batch.paused_at.is_some() {
            let name = &sending.batch.name;
            return Some((format!("batch `{name}` is paused (`mep-batch resume {name}`)"), None));
        }
        let now = self.now();
        match (self.gates[sending.gate].keeper.closed(), sending.due) {
            (Some((until, because)), _) => Some((because.to_string(), Some(until))),
            (None, Due::At(at)) if at > now && !sending.is_passed_over => Some((sending.waits_for_time(now), Some(at))),
            (None, Due::At(_) | Due::Now | Due::Unclear { .. } | Due::Nothing) => None,
        }
    }
}
