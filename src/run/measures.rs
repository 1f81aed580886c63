//! What a run counts of itself for whoever watches it: noted once a turn, in memory, and only where somebody asks for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Progress;
use super::order::{Failure, Made};
use super::slots::Finished;
use crate::invocation::UnixMillis;
use crate::report::RunFigures;

/// The figures of a run, which it writes and others read.
#[derive(Debug, Clone)]
pub struct Measures(Arc<Mutex<RunFigures>>);

impl Measures {
    /// Of a run that starts then.
    #[must_use]
    pub fn new(started_at: UnixMillis) -> Measures {
        Measures(Arc::new(Mutex::new(RunFigures::new(started_at))))
    }

    /// The figures as they are now.
    #[must_use]
    pub fn figures(&self) -> RunFigures {
        self.noted().clone()
    }

    /// Notes attempts that are stored.
    pub(super) fn stored(&self, finished: &[Finished]) {
        let mut noted = self.noted();
        finished.iter().for_each(|finished| noted.note_attempt(&finished.settlement));
    }

    /// Notes what came of a turn's commit. Another process's transaction that was in the way is no failure.
    pub(super) fn turned(&self, made: &Result<Made, Failure>, took: Duration) {
        match made {
            Ok(Made::Now(_)) => self.noted().note_commit(Some(took)),
            Ok(Made::Before) => {}
            Err(Failure { error, may_be_done: false }) if error.is_busy() => {}
            Err(_) => self.noted().note_commit(None),
        }
    }

    /// Notes how far the run is.
    pub(super) fn progress(&self, progress: &Progress) {
        let mut noted = self.noted();
        (noted.in_flight, noted.rate, noted.rate_limit) = (progress.in_flight, progress.rate, progress.rate_limit);
        noted.is_waiting = progress.waiting.is_some();
    }

    /// Notes that the run has ended, with so many rows in flight of which nothing is stored.
    pub(super) fn ended(&self, in_flight: usize) {
        let mut noted = self.noted();
        (noted.is_active, noted.is_waiting, noted.in_flight, noted.rate) = (false, false, in_flight, 0.0);
    }

    fn noted(&self) -> MutexGuard<'_, RunFigures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
