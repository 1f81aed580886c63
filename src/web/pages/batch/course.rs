//! The course of a batch in charts, as far as it is counted.

use maud::{Markup, html};

use crate::report::{Known, Standings};
use crate::store::RunView;
use crate::web::chart::{Course, Lane, SPANS_SHOWN, answer_times, outcomes, throughput};

pub(super) fn charts(_standings: &Standings, known: &Known, _runs: &[RunView]) -> Markup {
    let (span_seconds, spans) = known.tally.spans(SPANS_SHOWN);
    let course = Course { span_seconds, spans };
    let lanes: Vec<Lane> = Vec::new();
    html! {
        (throughput("throughput", &course, &lanes))
        (outcomes("outcomes", &course))
        (answer_times("answer-times", &known.tally))
    }
}
