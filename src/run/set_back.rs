//! A clock that was set back: what was put off by it while it was ahead does not wait for it to come there once more.

use std::sync::Arc;

use super::engine::Engine;
use super::patience::patiently;
use super::sending::{Due, Sending};
use crate::invocation::UnixMillis;
use crate::store::{self, CLOCKS_DIFFER};

/// Whether retries of a batch may have been noted by a clock that was ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Before this run: it matters once nothing else is due.
    MayBe,
    /// The clock was set back before that turn of this run. What the next one stores may have been noted before it was.
    Since(i64),
    /// They were looked at.
    Not,
}

impl Sending {
    /// Whether to look at its retries now.
    fn may_be_ahead(&self, now: UnixMillis, turns: i64) -> bool {
        match self.ahead {
            Ahead::Since(turn) => turns > turn,
            Ahead::MayBe => matches!(self.due, Due::At(at) if at > now.after(CLOCKS_DIFFER)),
            Ahead::Not => false,
        }
    }
}

impl Engine<'_> {
    /// Tells retries their time anew that were noted by a clock which was set back since.
    pub(super) async fn bring_nearer(&mut self) -> store::Result<()> {
        let now = self.now();
        for place in 0..self.batches.len() {
            if !self.batches[place].may_be_ahead(now, self.turns) {
                continue;
            }
            let (store, batch) = (Arc::clone(&self.store), self.batches[place].batch.id);
            let bring = async move { store.bring_nearer(batch, now).await };
            let changed = patiently(&self.store, "bring retries nearer", bring).await?;
            self.batches[place].ahead = Ahead::Not;
            if changed > 0 {
                tracing::warn!(rows = changed, "the clock was set back: these rows wait from now on");
                self.looked = None; // when they are due has changed
            }
        }
        Ok(())
    }

    /// Notes that the clock was set back before the turn that has just been made.
    pub(super) fn was_set_back(&mut self) {
        let since = Ahead::Since(self.turns);
        self.batches.iter_mut().for_each(|sending| sending.ahead = since);
    }

    /// Has the next run look anew at what was put off to a later hour: by what a clock said that has jumped since.
    pub(super) async fn let_go(&self) {
        for sending in self.batches.iter().filter(|sending| sending.hours.is_some()) {
            let (store, batch) = (Arc::clone(&self.store), sending.batch.id);
            let let_go = async move { store.let_go(batch).await };
            if let Err(error) = patiently(&self.store, "let go what was put off", let_go).await {
                tracing::warn!(batch = sending.batch.name, "what was put off keeps its time: {error}");
            }
        }
    }
}
