//! Charts: pure functions from figures to inline SVG, each with a text that says the same and a table of its figures.
//!
//! No script and no `style` attribute: classes and SVG's own attributes, so that the strictest policy lets them be.

mod answer_times;
mod frame;
mod ink;
mod lanes;
mod outcomes;
mod throughput;
mod ticks;

pub use answer_times::answer_times;
pub use ink::{Ink, swatch};
pub use lanes::{Lane, Mark, MarkKind};
pub use outcomes::outcomes;
pub use throughput::throughput;

use std::collections::BTreeMap;

use crate::report::Span;

/// Spans of time that a chart shows at most: more would be thinner than a line.
pub const SPANS_SHOWN: usize = 120;

/// What came of a batch over time: how long each span is, and those in which something came, by their start in seconds since
/// 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Seconds that each span lasts.
    pub span_seconds: i64,
    /// What came in each; an absent one is empty.
    pub spans: BTreeMap<i64, Span>,
}

impl Course {
    /// When the first begins and the last ends; `None` where nothing came.
    #[must_use]
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.spans.first_key_value()?.0, self.spans.last_key_value()?.0 + self.span_seconds))
    }
}
