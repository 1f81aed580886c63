//! A page of figures, from what was read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::families::{ATTEMPTS, BUILD_INFO, DATABASE_UP, FIGURES_AT, LAST_ACCEPTED, REQUEST_DURATION};
use super::labels::{CODE_LABELS, code_place};
use super::queue::{BatchFigures, QueueFigures};
use super::run::RunFigures;
use crate::invocation::{BatchId, UnixMillis};
use crate::report::exposition::Exposition;
use crate::report::histogram::{Histogram, REQUEST};
use crate::report::tally::Tally;

/// What was counted of batches; one that is not counted yet is not in it.
pub type Tallies = HashMap<BatchId, Arc<Tally>>;

/// When a request of each batch was accepted last, as far as that is known.
pub type LastAccepted = BTreeMap<BatchId, UnixMillis>;

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// When it is made.
    pub now: UnixMillis,
    /// Whether the queue is a server's.
    pub is_shared: bool,
    /// How the queue stands; `None` where it could not be read.
    pub queue: Option<&'a QueueFigures>,
    /// What was counted of its batches.
    pub tallies: &'a Tallies,
    /// What is known besides of accepted requests.
    pub last_accepted: &'a LastAccepted,
    /// The run that tells of itself, if one does.
    pub run: Option<&'a RunFigures>,
}

impl Page<'_> {
    /// The page in Prometheus's text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut page = Exposition::default();
        let database = if self.is_shared { "postgres" } else { "sqlite" };
        page.add(&BUILD_INFO, &[env!("CARGO_PKG_VERSION"), database], 1);
        page.add(&DATABASE_UP, &[], u8::from(self.queue.is_some()));
        page.add(&FIGURES_AT, &[], seconds(self.now));
        if let Some(queue) = self.queue {
            queue.write(&mut page);
            queue.batches.iter().for_each(|batch| self.write_counted(batch, &mut page));
        }
        if let Some(run) = self.run {
            run.write(&mut page);
        }
        page.to_string()
    }

    fn write_counted(&self, BatchFigures { id, name, .. }: &BatchFigures, page: &mut Exposition) {
        let tally = self.tallies.get(id);
        let of_run = self.run.and_then(|run| run.last_accepted.get(id));
        let last = [tally.and_then(|tally| tally.last_accepted_at.as_ref()), self.last_accepted.get(id), of_run];
        if let Some(last) = last.into_iter().flatten().max() {
            page.add(&LAST_ACCEPTED, &[name], seconds(*last));
        }
        let Some(tally) = tally else { return };
        // Codes that are one to a reader here are apart in the tally.
        let mut attempts = BTreeMap::new();
        for ((outcome, _, code), count) in &tally.attempts {
            *attempts.entry((*outcome, CODE_LABELS[code_place(*code)])).or_insert(0) += count;
        }
        for ((outcome, code), count) in attempts {
            page.add(&ATTEMPTS, &[name, outcome.as_str(), code], count);
        }
        let mut times = Histogram::of(&REQUEST);
        for (ms, answers) in &tally.answer_times {
            times.note(Duration::from_millis(u64::from(*ms)), u32::try_from(*answers).unwrap_or(u32::MAX));
        }
        page.add_histogram(&REQUEST_DURATION, &[name], &times);
    }
}

/// A moment in seconds since 1970.
pub(super) fn seconds(at: UnixMillis) -> String {
    format!("{}.{:03}", at.0.div_euclid(1_000), at.0.rem_euclid(1_000))
}
