//! What came of the rows of a batch, counted anew wherever it may have changed, for as long as somebody looks.
//!
//! A batch may have millions of rows, so that they are counted by ranges of lines, of which few change at a time: those that
//! nobody has attempted are asked for by one look, and those whose rows have all come to their end are not read again until
//! something comes to them after it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::tally::{Tally, chunks};
use crate::invocation::{BatchId, Counts, State};
use crate::store::{self, Afterthoughts, Store};

/// Rows of a range of lines, by state and code.
pub type RowsOfLines = BTreeMap<(State, Option<u32>), i64>;

/// What is known of a batch's rows at one moment.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The figures of all lines that were counted.
    pub tally: Arc<Tally>,
    /// The lines whose rows have all come to their end, in parts: what may change by itself is not among them.
    pub parts: Vec<(RangeInclusive<u32>, RowsOfLines)>,
    /// Lines that were counted.
    pub lines_counted: u32,
    /// All lines; 0: not known yet.
    pub lines: u32,
    /// Whether each line was counted at least once.
    pub is_complete: bool,
}

/// The counting of one batch.
#[derive(Debug)]
pub(super) struct Counting {
    batch: BatchId,
    chunks: Vec<Chunk>,
    afterthoughts: Afterthoughts,
    /// Where the round is; the number of chunks: at its end.
    next: usize,
    counts_at_begin: Counts,
    has_been_round: bool,
}

#[derive(Debug)]
struct Chunk {
    lines: RangeInclusive<u32>,
    phase: Phase,
    tally: Option<Tally>,
}

/// What has to be done for a chunk to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It was never counted, or something has come to it since.
    Uncounted,
    /// Nobody had attempted any of it.
    Untouched,
    /// Rows of it are still to be sent, or on their way.
    Open,
    /// All have come to their end.
    Settled,
}

/// What one step of a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It counted rows: the figures are others.
    Counted,
    /// It looked and found nothing to count.
    Looked,
    /// It is at the round's end.
    Round,
}

impl Counting {
    pub(super) fn new(batch: BatchId) -> Counting {
        Counting {
            batch,
            chunks: Vec::new(),
            afterthoughts: Afterthoughts::default(),
            next: 0,
            counts_at_begin: Counts::default(),
            has_been_round: false,
        }
    }

    /// Whether each line was counted at least once.
    pub(super) fn has_been_round(&self) -> bool {
        self.has_been_round
    }

    /// Whether each range of lines has had its step, and the round is still to be ended.
    pub(super) fn is_at_end(&self) -> bool {
        self.next > 0 && self.next == self.chunks.len()
    }

    /// Does the next part of a round: at most one range of lines is counted.
    pub(super) async fn step(&mut self, store: &Store) -> store::Result<Step> {
        if self.next == 0 {
            self.begin_round(store).await?;
        }
        let Some(chunk) = self.chunks.get_mut(self.next) else {
            self.end_round(store).await?;
            return Ok(Step::Round);
        };
        let step = chunk.step(store, self.batch).await?;
        self.next += 1;
        Ok(step)
    }

    /// What is known now.
    pub(super) fn known(&self) -> Known {
        let lines = self.chunks.last().map_or(0, |last| *last.lines.end());
        let mut known = Known { lines, is_complete: self.has_been_round, ..Known::default() };
        let mut all = Tally::default();
        for chunk in &self.chunks {
            let Some(tally) = &chunk.tally else { continue };
            all.merge(tally);
            if chunk.phase == Phase::Settled {
                known.parts.push((chunk.lines.clone(), tally.rows.clone()));
            }
            known.lines_counted += chunk.lines.end() - chunk.lines.start() + 1;
        }
        known.tally = Arc::new(all);
        known
    }

    async fn begin_round(&mut self, store: &Store) -> store::Result<()> {
        if self.chunks.is_empty() {
            let last = store.last_line(self.batch).await?.unwrap_or_default();
            let uncounted = |lines| Chunk { lines, phase: Phase::Uncounted, tally: None };
            self.chunks = chunks(last).map(uncounted).collect();
        }
        let afterthoughts = store.afterthoughts(self.batch).await?;
        if afterthoughts != self.afterthoughts {
            self.count_again(|_| true);
            self.afterthoughts = afterthoughts;
        }
        self.counts_at_begin = store.counts_of(self.batch).await?;
        Ok(())
    }

    /// Rows may be skipped that nobody attempted, or a row that was unknown may be known: where nothing else changed
    /// during the round, the counts of the batch tell; and of rows that come to their end unattempted there may be more than
    /// were counted while others are sent.
    async fn end_round(&mut self, store: &Store) -> store::Result<()> {
        self.next = 0;
        self.has_been_round = true;
        let counts = store.counts_of(self.batch).await?;
        let counted = self.counted();
        if counts == self.counts_at_begin && counts != counted {
            self.count_again(|phase| phase != Phase::Open);
        } else if [State::Skipped, State::Cancelled].into_iter().any(|state| counts[state] > counted[state]) {
            self.count_again(|phase| phase == Phase::Untouched);
        }
        Ok(())
    }

    fn count_again(&mut self, of: impl Fn(Phase) -> bool) {
        self.chunks.iter_mut().filter(|chunk| of(chunk.phase)).for_each(|chunk| chunk.phase = Phase::Uncounted);
    }

    fn counted(&self) -> Counts {
        let mut counts = Counts::default();
        for ((state, _), rows) in
            self.chunks.iter().filter_map(|chunk| chunk.tally.as_ref()).flat_map(|tally| &tally.rows)
        {
            counts[*state] += rows;
        }
        counts
    }
}

impl Chunk {
    async fn step(&mut self, store: &Store, batch: BatchId) -> store::Result<Step> {
        if self.phase == Phase::Settled {
            return Ok(Step::Looked);
        }
        // Asked first: what is attempted after it has been counted is seen the next time.
        let was_attempted = store.was_attempted(batch, self.lines.clone()).await?;
        if self.phase == Phase::Untouched && !was_attempted {
            return Ok(Step::Looked);
        }
        let mut tally = Tally::default();
        tally.add(&store.tally(batch, self.lines.clone()).await?);
        let is_open = tally.rows.keys().any(|(state, _)| matches!(state, State::Pending | State::Sending));
        self.phase = match (is_open, was_attempted) {
            (false, _) => Phase::Settled,
            (true, true) => Phase::Open,
            (true, false) => Phase::Untouched,
        };
        self.tally = Some(tally);
        Ok(Step::Counted)
    }
}
