//! How long answers took: a histogram whose steps grow with the time, and where half of them, 95 % and 99 % are.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::frame::{Figure, LEFT, RIGHT, ValueAxis, WIDTH, at, bar_within, nothing};
use crate::report::Tally;
use crate::web::words;

const HEADING: &str = "Answer times";
/// Above the bars each percentile has a line of its own.
const TOP: f64 = 70.0;
const BOTTOM: f64 = 240.0;
const PERCENTILE_LINE: f64 = 15.0;
const PERCENTILES: [u8; 3] = [50, 95, 99];
/// Where a step ends within a power of ten.
const STEPS: [u32; 6] = [10, 15, 20, 30, 50, 70];
/// Texts below the bars at most.
const TEXTS_MAX: usize = 9;
/// What a percentile's text needs to the right of its line.
const TEXT_WIDTH: f64 = 120.0;

/// The chart, of each answered attempt.
#[must_use]
pub fn answer_times(id: &str, tally: &Tally) -> Markup {
    let times = &tally.answer_times;
    let answers: i64 = times.values().sum();
    let percentile = |percent| tally.percentile_ms(percent).map(|ms| (percent, ms));
    let percentiles: Vec<(u8, u32)> = PERCENTILES.into_iter().filter_map(percentile).collect();
    let (Some((slowest, _)), false) = (times.last_key_value(), percentiles.is_empty()) else {
        return nothing(id, HEADING, "No answer has come yet.");
    };
    let bins = bins(times);
    let most = bins.iter().map(|bin| bin.answers).max().unwrap_or(0);
    let values = ValueAxis::of_counts(most, TOP, BOTTOM);
    let width = (WIDTH - LEFT - RIGHT) / bins.len() as f64;
    let place = |number: usize| LEFT + width * number as f64;
    let every = bins.len().div_ceil(TEXTS_MAX);
    let drawing = html! {
        text class="tick" x=(at(LEFT)) y="12" { "answers by the time that they took" }
        (values.draw())
        @for (number, bin) in bins.iter().enumerate() {
            @let (x, bar) = bar_within(place(number), place(number + 1));
            @let y = values.y(bin.answers as f64);
            rect.fill-accepted x=(at(x)) y=(at(y)) width=(at(bar)) height=(at(BOTTOM - y)) {}
        }
        line.axis x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(BOTTOM)) y2=(at(BOTTOM)) {}
        @for (number, bin) in bins.iter().enumerate().filter(|(number, _)| number.is_multiple_of(every)) {
            text class="tick middle" x=(at(place(number))) y=(at(BOTTOM + 18.0)) { (words::millis(bin.from)) }
        }
        @if let Some(last) = bins.last().filter(|_| bins.len().is_multiple_of(every)) {
            text class="tick middle" x=(at(place(bins.len()))) y=(at(BOTTOM + 18.0)) { (words::millis(last.until)) }
        }
        @for (number, (percent, ms)) in percentiles.iter().enumerate() {
            (percentile_mark(number, *percent, *ms, &bins, width))
        }
    };
    Figure {
        id,
        heading: HEADING,
        told: told(answers, &percentiles, *slowest),
        described: "The steps of the axis grow with the time.".to_owned(),
        height: BOTTOM + 26.0,
        drawing,
        legend: None,
        table: table(&bins, answers),
    }
    .render()
}

/// Answers that took at least `from` milliseconds and less than `until`.
#[derive(Debug, PartialEq, Eq)]
struct Bin {
    from: u32,
    until: u32,
    answers: i64,
}

/// The steps from the fastest answer to the slowest, the empty ones between them included.
fn bins(times: &BTreeMap<u32, i64>) -> Vec<Bin> {
    let (Some((fastest, _)), Some((slowest, _))) = (times.first_key_value(), times.last_key_value()) else {
        return Vec::new();
    };
    let mut bins = Vec::new();
    let mut from = 0;
    for until in ends() {
        if until > *fastest {
            let answers = times.range(from..until).map(|(_, answers)| answers).sum();
            bins.push(Bin { from, until, answers });
        }
        if until > *slowest {
            break;
        }
        from = until;
    }
    bins
}

/// Where the steps end: 1 ms, then six for each power of ten.
fn ends() -> impl Iterator<Item = u32> {
    let tens = std::iter::successors(Some(1_u32), |ten| ten.checked_mul(10));
    // Below 10 ms half a millisecond is none.
    let small = [1, 2, 3, 5, 7];
    let larger = tens.flat_map(|ten| STEPS.into_iter().map_while(move |step| step.checked_mul(ten)));
    small.into_iter().chain(larger).chain([u32::MAX])
}

/// Where a time is, by the part of its step that is below it.
fn x_of(ms: u32, bins: &[Bin], width: f64) -> f64 {
    let number = bins.iter().position(|bin| ms < bin.until).unwrap_or(bins.len().saturating_sub(1));
    let part = bins.get(number).map_or(0.0, |bin| f64::from(ms - bin.from.min(ms)) / f64::from(bin.until - bin.from));
    LEFT + width * (number as f64 + part)
}

fn percentile_mark(number: usize, percent: u8, ms: u32, bins: &[Bin], width: f64) -> Markup {
    let x = x_of(ms, bins, width);
    let y = 30.0 + PERCENTILE_LINE * number as f64;
    let (class, text_x) = if x + TEXT_WIDTH > WIDTH { ("halo end", x - 6.0) } else { ("halo", x + 6.0) };
    html! {
        line class="mark dashed" x1=(at(x)) x2=(at(x)) y1=(at(y - 9.0)) y2=(at(BOTTOM)) {}
        text class=(class) x=(at(text_x)) y=(at(y)) {
            tspan.strong { "p" (percent) } " " (words::millis(ms))
        }
    }
}

fn told(answers: i64, percentiles: &[(u8, u32)], slowest: u32) -> String {
    let answers = words::counted(answers.unsigned_abs(), "answer");
    let parts: Vec<String> =
        percentiles.iter().map(|(percent, ms)| format!("{percent} % came within {}", words::millis(*ms))).collect();
    format!("{answers}: {}; the slowest took {}.", parts.join(", "), words::millis(slowest))
}

fn table(bins: &[Bin], answers: i64) -> Markup {
    html! {
        table {
            caption { "Answers by the time from the start of the request to its outcome" }
            thead { tr { th scope="col" { "From" } th scope="col" { "To less than" } th.number scope="col" { "Answers" } th.number scope="col" { "Share" } } }
            tbody {
                @for bin in bins {
                    tr {
                        th scope="row" { (words::millis(bin.from)) }
                        td { (words::millis(bin.until)) }
                        td.number { (words::grouped(bin.answers)) }
                        td.number { (words::share(bin.answers, answers)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LineTally;

    fn tally(times: &[(u32, i64)]) -> Tally {
        let mut tally = Tally::default();
        tally.add(&LineTally { answer_times: times.to_vec(), ..LineTally::default() });
        tally
    }

    #[test]
    fn the_percentiles_and_the_slowest_are_told() {
        let shown = answer_times("a", &tally(&[(45, 95), (300, 4), (2_100, 1)])).into_string();
        let told = "100 answers: 50 % came within 45 ms, 95 % came within 45 ms, 99 % came within 300 ms; the slowest took 2.1 s.";
        assert!(shown.contains(told), "{shown}");
        assert!(shown.contains("p99") && shown.contains("<svg") && !shown.contains("style="));
    }

    #[test]
    fn steps_grow_and_lose_no_answer() {
        let counted =
            |times: &[(u32, i64)]| bins(&times.iter().copied().collect()).iter().map(|bin| bin.answers).sum::<i64>();
        assert_eq!(counted(&[(0, 3), (9, 2), (10, 1), (60_000, 4), (u32::MAX - 1, 1)]), 11);
        let steps: Vec<_> =
            bins(&BTreeMap::from([(12, 1), (60, 2)])).into_iter().map(|bin| (bin.from, bin.until)).collect();
        assert_eq!(steps, [(10, 15), (15, 20), (20, 30), (30, 50), (50, 70)]);
        assert!(ends().is_sorted() && bins(&BTreeMap::from([(0, 1), (100_000, 1)])).len() < 40);
    }

    #[test]
    fn one_answer_and_none_are_shown_as_they_are() {
        assert!(answer_times("a", &tally(&[(7, 1)])).into_string().contains("1 answer: 50 % came within 7 ms"));
        let none = answer_times("a", &tally(&[])).into_string();
        assert!(none.contains("No answer has come yet.") && !none.contains("<svg"));
    }
}
