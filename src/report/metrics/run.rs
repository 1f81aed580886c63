//! What a run counts of itself: of a fixed size, so that counting costs it next to nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::families::{
    RUN_ACTIVE, RUN_ATTEMPTS, RUN_COMMIT_DURATION, RUN_COMMIT_FAILURES, RUN_IN_FLIGHT, RUN_RATE, RUN_RATE_LIMIT,
    RUN_REQUEST_DURATION, RUN_STARTED, RUN_WAITING,
};
use super::labels::{CODE_LABELS, code_place};
use super::page::seconds;
use crate::invocation::{BatchId, Outcome, Settlement, UnixMillis};
use crate::report::exposition::Exposition;
use crate::report::histogram::{COMMIT, Histogram, REQUEST};

/// A run's figures since it started.
#[derive(Debug, Clone)]
pub struct RunFigures {
    /// When it started.
    pub started_at: UnixMillis,
    /// Whether it goes on.
    pub is_active: bool,
    /// Whether it can send nothing at present.
    pub is_waiting: bool,
    /// Rows in flight.
    pub in_flight: usize,
    /// Outcomes a second of late.
    pub rate: f64,
    /// Requests a second that it may send; `None`: as fast as answers come.
    pub rate_limit: Option<f64>,
    /// When it was accepted last, by batch.
    pub last_accepted: BTreeMap<BatchId, UnixMillis>,
    attempts: [[u64; CODE_LABELS.len()]; Outcome::ALL.len()],
    requests: Histogram,
    commits: Histogram,
    commit_failures: u64,
}

impl RunFigures {
    /// Of a run that starts then.
    #[must_use]
    pub fn new(started_at: UnixMillis) -> RunFigures {
        RunFigures {
            started_at,
            is_active: true,
            is_waiting: false,
            in_flight: 0,
            rate: 0.0,
            rate_limit: None,
            last_accepted: BTreeMap::new(),
            attempts: [[0; CODE_LABELS.len()]; Outcome::ALL.len()],
            requests: Histogram::of(&REQUEST),
            commits: Histogram::of(&COMMIT),
            commit_failures: 0,
        }
    }

    /// Notes an attempt that is stored.
    pub fn note_attempt(&mut self, settlement: &Settlement) {
        let Settlement { outcome, code, http_status, sent_at, finished_at, id, .. } = settlement;
        // As they are told: the outcomes stand in the order in which they are declared.
        self.attempts[*outcome as usize][code_place(*code)] += 1;
        if let (Some(sent_at), Some(_)) = (sent_at, http_status) {
            self.requests.note(finished_at.since(*sent_at), 1);
        }
        if *outcome == Outcome::Accepted {
            let last = self.last_accepted.entry(id.batch()).or_insert(*finished_at);
            *last = (*last).max(*finished_at);
        }
    }

    /// Notes that a turn took so long and is durable, or, without a time, that its commit was not confirmed.
    pub fn note_commit(&mut self, took: Option<Duration>) {
        match took {
            Some(took) => self.commits.note(took, 1),
            None => self.commit_failures += 1,
        }
    }

    pub(super) fn write(&self, page: &mut Exposition) {
        page.add(&RUN_ACTIVE, &[], u8::from(self.is_active));
        page.add(&RUN_STARTED, &[], seconds(self.started_at));
        page.add(&RUN_WAITING, &[], u8::from(self.is_waiting));
        page.add(&RUN_IN_FLIGHT, &[], self.in_flight);
        page.add(&RUN_RATE, &[], self.rate);
        if let Some(limit) = self.rate_limit {
            page.add(&RUN_RATE_LIMIT, &[], limit);
        }
        for (outcome, by_code) in Outcome::ALL.into_iter().zip(self.attempts) {
            for (place, (code, attempts)) in CODE_LABELS.into_iter().zip(by_code).enumerate() {
                // One series an outcome is there from the start, so that its first attempt is seen as a growth.
                if attempts > 0 || place == 0 {
                    page.add(&RUN_ATTEMPTS, &[outcome.as_str(), code], attempts);
                }
            }
        }
        page.add_histogram(&RUN_REQUEST_DURATION, &[], &self.requests);
        page.add_histogram(&RUN_COMMIT_DURATION, &[], &self.commits);
        page.add(&RUN_COMMIT_FAILURES, &[], self.commit_failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_in_the_order_in_which_they_are_told() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place);
        }
    }

    #[test]
    fn a_commit_that_was_not_confirmed_has_no_time() {
        let mut figures = RunFigures::new(UnixMillis(1_795_000_000_250));
        figures.note_commit(Some(Duration::from_millis(3)));
        figures.note_commit(None);
        let mut page = Exposition::default();
        figures.write(&mut page);
        let text = page.to_string();
        assert!(text.contains("mep_batch_run_commit_duration_seconds_count 1\n"), "{text}");
        assert!(text.contains("mep_batch_run_commit_failures_total 1\n"), "{text}");
        assert!(text.contains("mep_batch_run_start_timestamp_seconds 1795000000.250\n"), "{text}");
    }
}
