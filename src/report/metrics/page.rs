//! A page of figures, from what was read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::families::{ATTEMPTS, BUILD_INFO, DATABASE_UP, FIGURES_AT, LAST_ACCEPTED, REQUEST_DURATION};
use super::labels::{CODE_LABELS, code_place};
use super::queue::{BatchFigures, QueueFigures};
use super::run::RunFigures;
use crate::invocation::{BatchId, Outcome, UnixMillis};
use crate::report::exposition::Exposition;
use crate::report::histogram::{Histogram, REQUEST};
use crate::report::tally::Tally;

/// What was counted of batches, each known by its number and when it was imported: one that is deleted leaves its number to
/// another. One that is not counted yet is not in it.
pub type Tallies = HashMap<(BatchId, UnixMillis), Arc<Tally>>;

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

    fn write_counted(&self, BatchFigures { id, imported_at, name, .. }: &BatchFigures, page: &mut Exposition) {
        let tally = self.tallies.get(&(*id, *imported_at));
        let of_run = self.run.and_then(|run| run.last_accepted.get(id));
        let last = [tally.and_then(|tally| tally.last_accepted_at.as_ref()), self.last_accepted.get(id), of_run];
        if let Some(last) = last.into_iter().flatten().max() {
            page.add(&LAST_ACCEPTED, &[name], seconds(*last));
        }
        let Some(tally) = tally else { return };
        for ((outcome, code), count) in attempts(tally) {
            page.add(&ATTEMPTS, &[name, outcome.as_str(), code], count);
        }
        let mut times = Histogram::of(&REQUEST);
        for (ms, answers) in &tally.answer_times {
            times.note(Duration::from_millis(u64::from(*ms)), u32::try_from(*answers).unwrap_or(u32::MAX));
        }
        page.add_histogram(&REQUEST_DURATION, &[name], &times);
    }
}

/// The attempts by outcome and code, as they were counted first: what is told late of one that was unknown takes it out of no
/// series, for Prometheus would read a counter that goes down as one that has started anew.
fn attempts(tally: &Tally) -> BTreeMap<(Outcome, &'static str), i64> {
    let mut attempts = BTreeMap::new();
    // Codes that are one to a reader here are apart in the tally.
    for ((outcome, _, code), count) in &tally.attempts {
        *attempts.entry((*outcome, CODE_LABELS[code_place(*code)])).or_insert(0) += count;
    }
    for ((outcome, code), count) in &tally.late {
        *attempts.entry((*outcome, CODE_LABELS[code_place(*code)])).or_insert(0) -= count;
        *attempts.entry((Outcome::Unknown, CODE_LABELS[code_place(None)])).or_insert(0) += count;
    }
    attempts.retain(|_, count| *count > 0);
    attempts
}

/// A moment in seconds since 1970.
pub(super) fn seconds(at: UnixMillis) -> String {
    format!("{}.{:03}", at.0.div_euclid(1_000), at.0.rem_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AttemptCount, LineTally, Witness};

    fn tally(counts: &[(Outcome, Option<u32>, Witness, i64)]) -> Tally {
        let count = |(outcome, code, witness, attempts): &(Outcome, Option<u32>, Witness, i64)| AttemptCount {
            second: 1_795_000_000,
            outcome: *outcome,
            http_status: None,
            code: *code,
            is_sent: true,
            witness: *witness,
            attempts: *attempts,
        };
        let mut tally = Tally::default();
        tally.add(&LineTally { attempts: counts.iter().map(count).collect(), ..LineTally::default() });
        tally
    }

    #[test]
    fn what_is_told_late_takes_an_attempt_out_of_no_series() {
        use Outcome::{Accepted, Rejected, Unknown};
        use Witness::{Judge, LateRun, Run};
        let before = tally(&[(Accepted, None, Run, 7), (Unknown, None, Run, 1), (Unknown, None, Judge, 4)]);
        let after = tally(&[
            (Accepted, None, Run, 7),
            (Accepted, None, LateRun, 2),
            (Rejected, Some(12_002), LateRun, 1),
            (Unknown, None, Run, 1),
            (Unknown, None, LateRun, 1),
        ]);
        let counted = BTreeMap::from([((Accepted, "none"), 7), ((Unknown, "none"), 5)]);
        assert_eq!((attempts(&before), attempts(&after)), (counted.clone(), counted));
        assert_eq!(after.attempts[&(Rejected, None, Some(12_002))], 1, "what came of it is told by the report");
    }
}
