//! What came of attempts over time, in spans that grow longer where there would be too many of them.

use std::collections::BTreeMap;

use crate::invocation::Outcome;

/// Spans of time that are kept apart at most; beyond, they are made longer.
const SPANS_MAX: usize = 4_096;

/// How long a span may be, in seconds: each is so many of the one before, whose spans lie whole within it.
const SPAN_SECONDS: [i64; 12] = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400];

/// What came in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// Requests that were written, or may have been.
    pub sent: i64,
    /// Attempts of which the answer, or that none came, leaves open whether a text was sent.
    pub unclear: i64,
    /// Attempts by outcome, those that were not sent included.
    pub outcomes: BTreeMap<Outcome, i64>,
}

impl Span {
    fn add(&mut self, other: &Span) {
        self.sent += other.sent;
        self.unclear += other.unclear;
        for (outcome, attempts) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += attempts;
        }
    }
}

/// Spans of one length, by their starts in seconds since 1970; those in which nothing came are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) seconds: i64,
    pub(super) by_start: BTreeMap<i64, Span>,
}

impl Default for Spans {
    fn default() -> Spans {
        Spans { seconds: SPAN_SECONDS[0], by_start: BTreeMap::new() }
    }
}

impl Spans {
    /// Adds what came in one span that lies within one of these.
    pub(super) fn add(&mut self, start: i64, span: &Span) {
        self.by_start.entry(start.div_euclid(self.seconds) * self.seconds).or_default().add(span);
        while self.by_start.len() > SPANS_MAX && self.lengthen() {}
    }

    /// Adds what came in others.
    pub(super) fn merge(&mut self, other: &Spans) {
        while self.seconds < other.seconds && self.lengthen() {}
        other.by_start.iter().for_each(|(start, span)| self.add(*start, span));
    }

    /// The same in `most` spans at most, the empty ones between them included, unless they would have to be longer than a day.
    pub(super) fn at_most(&self, most: usize) -> Spans {
        let mut fewer = self.clone();
        while fewer.places() > most && fewer.lengthen() {}
        fewer
    }

    /// Spans from the first to the last.
    fn places(&self) -> usize {
        match (self.by_start.keys().next(), self.by_start.keys().next_back()) {
            (Some(first), Some(last)) => usize::try_from((last - first) / self.seconds + 1).unwrap_or(usize::MAX),
            (_, _) => 0,
        }
    }

    /// Makes them longer, if they may be.
    fn lengthen(&mut self) -> bool {
        let Some(longer) = SPAN_SECONDS.into_iter().find(|seconds| *seconds > self.seconds) else { return false };
        for (start, span) in std::mem::take(&mut self.by_start) {
            self.by_start.entry(start.div_euclid(longer) * longer).or_default().add(&span);
        }
        self.seconds = longer;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_few_as_are_kept() {
        let mut spans = Spans::default();
        for second in 0..10_000 {
            spans.add(1_800_000_000 + second, &Span { sent: 2, ..Span::default() });
        }
        assert!(spans.by_start.len() <= SPANS_MAX);
    }
}
