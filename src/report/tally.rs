//! What came of a batch, as figures: outcomes over time, answer times, and what went wrong.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::spans::{Span, Spans};
use crate::invocation::{Outcome, RunId, SkipReason, State, UnixMillis};
use crate::store::{self, AttemptCount, Batch, Cause, LINES_NAMED, LineTally, Store, Trouble, Witness};

/// Lines that are counted by one question to the database.
const CHUNK_LINES: u32 = 50_000;

/// Kinds of trouble that are kept apart at most: where each row says something else, nobody reads them all.
const CAUSES_MAX: usize = 1_000;

/// Figures of a batch, or of some of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rows by state and code.
    pub rows: BTreeMap<(State, Option<u32>), i64>,
    /// What the attempts came to: outcome, the answer's status, its code.
    pub attempts: BTreeMap<(Outcome, Option<u16>, Option<u32>), i64>,
    /// Those among them that were told to be unknown before, and late to be this: outcome and code.
    pub late: BTreeMap<(Outcome, Option<u32>), i64>,
    /// Milliseconds from the start of a request to its outcome, and of how many answered attempts.
    pub answer_times: BTreeMap<u32, i64>,
    /// How many attempts each run made.
    pub runs: BTreeMap<RunId, i64>,
    /// Why rows are not accepted.
    pub troubles: BTreeMap<Cause, TroubleRows>,
    /// Rows of further causes, where there are too many to keep apart.
    pub other_troubles: i64,
    /// When the last request was accepted, to the second.
    pub last_accepted_at: Option<UnixMillis>,
    spans: Spans,
}

/// The rows of one kind of trouble.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TroubleRows {
    /// How many.
    pub rows: i64,
    /// The first lines of them.
    pub lines: Vec<u32>,
}

impl Tally {
    /// Adds what was counted of further lines.
    pub fn add(&mut self, part: &LineTally) {
        for count in &part.rows {
            *self.rows.entry((count.state, count.code)).or_default() += count.rows;
        }
        for (ms, attempts) in &part.answer_times {
            *self.answer_times.entry(*ms).or_default() += attempts;
        }
        for (run, attempts) in &part.runs {
            *self.runs.entry(*run).or_default() += attempts;
        }
        part.troubles.iter().for_each(|trouble| self.add_trouble(trouble));
        part.attempts.iter().for_each(|count| self.add_attempts(count));
    }

    /// Adds the figures of other lines.
    pub fn merge(&mut self, other: &Tally) {
        for (key, rows) in &other.rows {
            *self.rows.entry(*key).or_default() += rows;
        }
        for (key, attempts) in &other.attempts {
            *self.attempts.entry(*key).or_default() += attempts;
        }
        for (key, attempts) in &other.late {
            *self.late.entry(*key).or_default() += attempts;
        }
        for (ms, attempts) in &other.answer_times {
            *self.answer_times.entry(*ms).or_default() += attempts;
        }
        for (run, attempts) in &other.runs {
            *self.runs.entry(*run).or_default() += attempts;
        }
        for (cause, TroubleRows { rows, lines }) in &other.troubles {
            self.add_trouble(&Trouble { cause: cause.clone(), rows: *rows, lines: lines.clone() });
        }
        self.other_troubles += other.other_troubles;
        self.last_accepted_at = self.last_accepted_at.max(other.last_accepted_at);
        self.spans.merge(&other.spans);
    }

    /// The figures of all attempts that were counted.
    #[must_use]
    pub fn attempt_count(&self) -> i64 {
        self.attempts.values().sum()
    }

    /// The answer time in milliseconds that so many of a hundred answers did not exceed; `None` where none came.
    #[must_use]
    pub fn percentile_ms(&self, percent: u8) -> Option<u32> {
        let answers: i64 = self.answer_times.values().sum();
        // The nearest rank: an answer time that there was.
        let rank = (answers * i64::from(percent) + 99) / 100;
        let mut seen = 0;
        self.answer_times.iter().find_map(|(ms, attempts)| {
            seen += attempts;
            (seen >= rank.max(1)).then_some(*ms)
        })
    }

    /// How long each of its spans is, and what came in them, oldest first; those in which nothing came are left out. There are
    /// `most` of them at most, the empty ones between them included, unless they would have to be longer than a day.
    #[must_use]
    pub fn spans(&self, most: usize) -> (i64, BTreeMap<i64, Span>) {
        let Spans { seconds, by_start } = self.spans.at_most(most);
        (seconds, by_start)
    }

    fn add_trouble(&mut self, trouble: &Trouble) {
        let cause = general(&trouble.cause);
        if !self.troubles.contains_key(&cause) && self.troubles.len() >= CAUSES_MAX {
            self.other_troubles += trouble.rows;
            return;
        }
        let known = self.troubles.entry(cause).or_default();
        known.rows += trouble.rows;
        known.lines.extend(&trouble.lines);
        known.lines.sort_unstable();
        known.lines.truncate(LINES_NAMED as usize);
    }

    fn add_attempts(&mut self, count: &AttemptCount) {
        *self.attempts.entry((count.outcome, count.http_status, count.code)).or_default() += count.attempts;
        if count.outcome == Outcome::Accepted {
            let at = UnixMillis(count.second * 1000);
            self.last_accepted_at = Some(self.last_accepted_at.map_or(at, |last| last.max(at)));
        }
        if count.witness == Witness::LateRun {
            *self.late.entry((count.outcome, count.code)).or_default() += count.attempts;
        }
        let sent = if count.is_sent { count.attempts } else { 0 };
        // Of a run that is gone there is no answer that could be unclear.
        let is_unclear = count.outcome == Outcome::Unknown && count.witness != Witness::Judge;
        let unclear = if is_unclear { count.attempts } else { 0 };
        let outcomes = BTreeMap::from([(count.outcome, count.attempts)]);
        self.spans.add(count.second, &Span { sent, unclear, outcomes });
    }
}

/// The cause without the line or batch that its text names, where another row is the cause: each row has another one.
fn general(cause: &Cause) -> Cause {
    let reason = cause.reason.as_deref().and_then(|reason| reason.parse::<SkipReason>().ok());
    Cause { message: reason.map(|reason| reason.to_string()).or_else(|| cause.message.clone()), ..cause.clone() }
}

/// The ranges of lines in which a batch is counted. A header, a title and empty lines have numbers too, so that the last line is
/// asked for.
pub fn chunks(last_line: u32) -> impl Iterator<Item = RangeInclusive<u32>> {
    (1..=last_line)
        .step_by(CHUNK_LINES as usize)
        .map(move |first| first..=last_line.min(first.saturating_add(CHUNK_LINES - 1)))
}

/// Counts a whole batch, chunk by chunk.
///
/// # Errors
///
/// The database cannot be read.
pub async fn tally(store: &Store, batch: &Batch) -> store::Result<Tally> {
    let mut tally = Tally::default();
    if let Some(last) = store.last_line(batch.id).await? {
        for lines in chunks(last) {
            tally.add(&store.tally(batch.id, lines).await?);
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RowCount;

    fn attempts(second: i64, outcome: Outcome, attempts: i64) -> AttemptCount {
        AttemptCount { second, outcome, http_status: None, code: None, is_sent: true, witness: Witness::Run, attempts }
    }

    #[test]
    fn a_percentile_is_an_answer_time_that_there_was() {
        let part = LineTally { answer_times: vec![(10, 50), (20, 45), (300, 4), (9_000, 1)], ..LineTally::default() };
        let mut tally = Tally::default();
        assert_eq!(tally.percentile_ms(50), None);
        tally.add(&part);
        assert_eq!([50, 51, 95, 96, 99, 100].map(|p| tally.percentile_ms(p)), [10, 20, 20, 300, 300, 9_000].map(Some));
    }

    #[test]
    fn spans_grow_until_they_are_as_few_as_were_asked_for_and_lose_nothing() {
        let mut tally = Tally::default();
        let counts = (0..10_000).map(|second| attempts(1_800_000_000 + second, Outcome::Accepted, 2)).collect();
        tally.add(&LineTally { attempts: counts, ..LineTally::default() });
        let (seconds, spans) = tally.spans(100);
        assert_eq!((seconds, spans.len()), (300, 34));
        assert_eq!(spans.values().map(|span| span.sent).sum::<i64>(), 20_000);
        assert_eq!(tally.attempt_count(), 20_000);
    }

    #[test]
    fn a_steady_rate_is_steady_however_long_the_spans_are() {
        for most in [600, 130, 70, 25, 12, 4] {
            let mut tally = Tally::default();
            let counts = (0..3_600).map(|second| attempts(1_800_000_000 + second, Outcome::Accepted, 3)).collect();
            tally.add(&LineTally { attempts: counts, ..LineTally::default() });
            let (seconds, spans) = tally.spans(most);
            let whole: Vec<i64> = spans.values().map(|span| span.sent).filter(|sent| *sent == 3 * seconds).collect();
            assert!(spans.len() <= most && whole.len() == spans.len(), "{seconds}: {spans:?}");
        }
    }

    #[test]
    fn alike_troubles_of_further_lines_are_one() {
        let cause = Cause {
            state: State::Rejected,
            http_status: Some(400),
            code: Some(12002),
            refused_by: Some("service".to_owned()),
            reason: None,
            message: Some("bad".to_owned()),
        };
        let part = |rows, lines: &[u32]| LineTally {
            troubles: vec![Trouble { cause: cause.clone(), rows, lines: lines.to_vec() }],
            ..LineTally::default()
        };
        let mut tally = Tally::default();
        tally.add(&part(9, &[100, 101, 102, 103, 104]));
        tally.add(&part(2, &[7, 8]));
        assert_eq!(tally.troubles[&cause], TroubleRows { rows: 11, lines: vec![7, 8, 100, 101, 102] });
    }

    #[test]
    fn figures_of_parts_are_those_of_the_whole() {
        let part = |begin: i64, seconds: i64| LineTally {
            attempts: (0..seconds).map(|second| attempts(begin + second, Outcome::Accepted, 3)).collect(),
            answer_times: vec![(u32::try_from(begin % 7).expect("small"), seconds)],
            rows: vec![RowCount { state: State::Accepted, code: None, rows: 3 * seconds }],
            ..LineTally::default()
        };
        let parts = [part(1_800_000_000, 5_000), part(1_800_004_000, 90), part(1_799_999_990, 20)];
        let (mut whole, mut merged) = (Tally::default(), Tally::default());
        for part in &parts {
            whole.add(part);
            let mut alone = Tally::default();
            alone.add(part);
            merged.merge(&alone);
        }
        assert_eq!(merged, whole);
        let mut other_way = Tally::default();
        parts.iter().rev().for_each(|part| other_way.add(part));
        assert_eq!(other_way.spans(60), merged.spans(60));
    }

    #[test]
    fn rows_that_repeat_others_are_one_trouble_whichever_lines_they_repeat() {
        let skipped = |line: u32| Trouble {
            cause: Cause {
                state: State::Skipped,
                http_status: None,
                code: None,
                refused_by: None,
                reason: Some("duplicate".to_owned()),
                message: Some(format!("not sent: the same request as line {line}")),
            },
            rows: 1,
            lines: vec![line + 10],
        };
        let mut tally = Tally::default();
        tally.add(&LineTally { troubles: vec![skipped(2), skipped(3)], ..LineTally::default() });
        let (cause, rows) = tally.troubles.first_key_value().expect("a trouble");
        assert_eq!(cause.message.as_deref(), Some("not sent: an earlier row reaches the same person"));
        assert_eq!((tally.troubles.len(), rows.rows, &rows.lines[..]), (1, 2, &[12, 13][..]));
    }

    #[test]
    fn chunks_cover_each_line_once() {
        let all: Vec<_> = chunks(120_000).collect();
        assert_eq!(all, [1..=50_000, 50_001..=100_000, 100_001..=120_000]);
        assert_eq!(chunks(u32::MAX).last(), Some(4_294_950_001..=u32::MAX));
    }
}
