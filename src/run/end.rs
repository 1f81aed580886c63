//! The end of a run: what is to end it, and when it may.

use tokio::time::Instant;

use super::engine::Engine;
use super::sending::Sending;
use super::{Ending, Event};
use crate::invocation::State;

impl Engine<'_> {
    /// No more is taken from here on. The first reason counts.
    pub(super) fn end(&mut self, ending: Ending) {
        self.slots.stop();
        if self.ending.is_none() {
            (self.observer)(Event::Ending(&ending));
            self.ending = Some(ending);
        }
    }

    /// How the run ends, once nothing is in flight and nothing is left to store.
    pub(super) fn ended(&mut self) -> Option<Ending> {
        if self.slots.in_flight() > 0 || !self.finished.is_empty() || self.trouble.is_some() {
            return None;
        }
        if let Some(ending) = self.ending.take() {
            return Some(ending);
        }
        if !self.has_looked {
            return None;
        }
        let open: Vec<&Sending> = self.batches.iter().filter(|sending| !sending.is_done()).collect();
        if open.is_empty() {
            return Some(Ending::Done);
        }
        let out_of_patience = self.options.wait.is_some_and(|wait| self.waited >= wait);
        // What a dead run had in flight would stay so: it is judged before this one ends.
        let has_to_judge =
            self.judge.has_suspects(Instant::now()) && open.iter().any(|sending| sending.counts[State::Sending] > 0);
        if self.limit_left == 0 && (!has_to_judge || out_of_patience) {
            return Some(Ending::LimitReached);
        }
        if open.iter().all(|sending| sending.too_many_unknown()) {
            return Some(Ending::Stopped(too_many_unknown(open[0])));
        }
        (out_of_patience && self.is_waiting()).then(|| Ending::Waiting(self.waits_for().and_then(|(_, until)| until)))
    }

    /// Whether nothing is in flight and nothing can be taken before some later moment. A rate's next token is no such.
    pub(super) fn is_waiting(&self) -> bool {
        let now = self.now();
        let shut = |sending: &Sending| self.gates[sending.gate].keeper.is_shut(now);
        let idles = |s: &Sending| s.is_held() || (!s.is_expiring(now) && (!s.is_due(now) || shut(s)));
        let takes_none = |s: &Sending| s.is_done() || idles(s);
        let takes_nothing = self.limit_left == 0 || self.batches.iter().all(takes_none);
        self.slots.in_flight() == 0 && takes_nothing && !self.has_hours_to_keep()
    }
}

fn too_many_unknown(sending: &Sending) -> String {
    let Sending { batch, counts, .. } = sending;
    format!(
        "{} rows of batch `{}` are unknown, more than the {} that `--max-unknown` allows\n\
         hint: `mep-batch resolve {}` lists them; or run it with a higher `--max-unknown`",
        counts[State::Unknown],
        batch.name,
        batch.settings.unknown_limit(batch.rows),
        batch.name
    )
}
