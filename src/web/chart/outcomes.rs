//! What came of the attempts over time: bars upon one another, and below them a strip for each outcome but the usual one, by a
//! scale of its own: beside thousands of accepted requests nobody sees three.

use maud::{Markup, html};

use super::frame::{Figure, LEFT, RIGHT, TimeAxis, ValueAxis, WIDTH, at, bar_within, nothing};
use super::{Course, Ink, swatch};
use crate::invocation::{Outcome, UnixMillis};
use crate::report::Span;
use crate::web::words;

const HEADING: &str = "Outcomes over time";
const TOP: f64 = 26.0;
const BOTTOM: f64 = 196.0;
const AXIS: f64 = 34.0;
/// Height of a strip, and of the tallest bar in it.
const STRIP: f64 = 30.0;
const STRIP_BAR: f64 = 22.0;
/// Bars that are lower than this have no texture: little would be left of them.
const TEXTURE_FROM: f64 = 6.0;

/// The chart: attempts by outcome, those that were not sent included.
#[must_use]
pub fn outcomes(id: &str, course: &Course) -> Markup {
    let totals: Vec<(Outcome, i64)> = Outcome::ALL
        .into_iter()
        .map(|outcome| (outcome, total(course, outcome)))
        .filter(|(_, total)| *total > 0)
        .collect();
    let Some(bounds) = course.bounds().filter(|_| !totals.is_empty()) else {
        return nothing(id, HEADING, "Nothing has been attempted yet.");
    };
    let axis = TimeAxis::new(bounds);
    let most = course.spans.values().map(count).max().unwrap_or(0);
    let values = ValueAxis::of_counts(most, TOP, BOTTOM);
    let strips: Vec<_> = totals.iter().filter(|(outcome, _)| *outcome != Outcome::Accepted).collect();
    let drawing = html! {
        text class="tick" x=(at(LEFT)) y="12" { "attempts by " (words::span(course.span_seconds)) }
        text class="tick end" x=(at(WIDTH - RIGHT)) y="12" { (axis.days()) }
        (values.draw())
        (axis.draw(TOP, BOTTOM))
        @for (start, span) in &course.spans { (stack(course, axis, &values, *start, span)) }
        @for (number, (outcome, total)) in strips.iter().enumerate() {
            (strip(course, axis, BOTTOM + AXIS + STRIP * number as f64, *outcome, *total))
        }
    };
    Figure {
        id,
        heading: HEADING,
        told: told(course, &totals),
        described: strips_told(course, &totals),
        height: BOTTOM + AXIS + STRIP * strips.len() as f64,
        drawing,
        legend: Some(legend(&totals)),
        table: table(course, &totals),
    }
    .render()
}

fn total(course: &Course, outcome: Outcome) -> i64 {
    course.spans.values().map(|span| of(span, outcome)).sum()
}

fn of(span: &Span, outcome: Outcome) -> i64 {
    span.outcomes.get(&outcome).copied().unwrap_or(0)
}

fn count(span: &Span) -> i64 {
    span.outcomes.values().sum()
}

/// Where a span's bar is, and how wide.
fn place(course: &Course, axis: TimeAxis, start: i64) -> (f64, f64) {
    bar_within(axis.x(start as f64), axis.x((start + course.span_seconds) as f64))
}

fn stack(course: &Course, axis: TimeAxis, values: &ValueAxis, start: i64, span: &Span) -> Markup {
    let (x, width) = place(course, axis, start);
    let mut below = 0;
    let mut parts = Vec::new();
    for outcome in Outcome::ALL {
        let attempts = of(span, outcome);
        if attempts > 0 {
            parts.push((outcome, values.y((below + attempts) as f64), values.y(below as f64)));
            below += attempts;
        }
    }
    html! { @for (outcome, top, bottom) in parts { (bar(outcome, x, width, top, bottom)) } }
}

fn bar(outcome: Outcome, x: f64, width: f64, top: f64, bottom: f64) -> Markup {
    let ink = Ink::from(outcome);
    let middle = at(x + width / 2.0);
    html! {
        rect class=(ink.fill) x=(at(x)) y=(at(top)) width=(at(width)) height=(at(bottom - top)) {}
        @if let Some(texture) = ink.texture.filter(|_| bottom - top >= TEXTURE_FROM) {
            line class={ "texture " (texture) } x1=(middle) x2=(middle) y1=(at(bottom)) y2=(at(top)) stroke-width=(at(width)) {}
        }
    }
}

/// The strip of one outcome from `top` on: its name, its bars by its own scale, and how many.
fn strip(course: &Course, axis: TimeAxis, top: f64, outcome: Outcome, total: i64) -> Markup {
    let bottom = top + STRIP - 4.0;
    let most = course.spans.values().map(|span| of(span, outcome)).max().unwrap_or(1).max(1);
    let spans =
        course.spans.iter().map(|(start, span)| (*start, of(span, outcome))).filter(|(_, attempts)| *attempts > 0);
    html! {
        text.end x=(at(LEFT - 10.0)) y=(at(bottom - 4.0)) { (outcome.as_str()) }
        line.grid x1=(at(LEFT)) x2=(at(axis.x(f64::MAX))) y1=(at(bottom)) y2=(at(bottom)) {}
        @for (start, attempts) in spans {
            @let (x, width) = place(course, axis, start);
            // One of thousands is seen too.
            @let height = (STRIP_BAR * attempts as f64 / most as f64).max(1.5);
            @let width = width.max(1.5);
            rect class=(Ink::from(outcome).fill) x=(at(x)) y=(at(bottom - height)) width=(at(width)) height=(at(height)) {}
        }
        text.strong x=(at(axis.x(f64::MAX) + 8.0)) y=(at(bottom - 4.0)) { (words::grouped(total)) }
    }
}

fn legend(totals: &[(Outcome, i64)]) -> Markup {
    html! {
        ul.legend {
            @for (outcome, total) in totals {
                li { (swatch(*outcome)) (outcome.as_str()) " " b { (words::grouped(*total)) } }
            }
        }
    }
}

fn told(course: &Course, totals: &[(Outcome, i64)]) -> String {
    let attempts = totals.iter().map(|(_, total)| total).sum::<i64>();
    let most = course.spans.iter().max_by_key(|(start, span)| (count(span), -**start));
    let most = most.map_or_else(String::new, |(start, span)| {
        let (unit, at) = (words::span(course.span_seconds), words::moment(UnixMillis(start * 1_000)));
        format!("; most in the {unit} from {at} on: {}", words::grouped(count(span)))
    });
    format!("{} in all{most}.", words::counted(attempts.unsigned_abs(), "attempt"))
}

/// Each outcome with its figure, and when there were most of it.
fn strips_told(course: &Course, totals: &[(Outcome, i64)]) -> String {
    let told = totals.iter().map(|(outcome, total)| {
        let most = course.spans.iter().max_by_key(|(start, span)| (of(span, *outcome), -**start));
        let most = most.map(|(start, span)| (words::moment(UnixMillis(start * 1_000)), of(span, *outcome)));
        let (at, most) = most.unwrap_or_default();
        format!("{}: {}, at most {} from {at} on.", outcome.as_str(), words::grouped(*total), words::grouped(most))
    });
    told.collect::<Vec<_>>().join(" ")
}

fn table(course: &Course, totals: &[(Outcome, i64)]) -> Markup {
    html! {
        table {
            caption { "Attempts by " (words::span(course.span_seconds)) "; times in UTC; those in which nothing came are left out" }
            thead {
                tr {
                    th scope="col" { "From" }
                    @for (outcome, _) in totals { th.number scope="col" { (outcome.as_str()) } }
                }
            }
            tbody {
                @for (start, span) in &course.spans {
                    tr {
                        th scope="row" { (words::time(UnixMillis(start * 1_000))) }
                        @for (outcome, _) in totals { td.number { (words::grouped(of(span, *outcome))) } }
                    }
                }
            }
            tfoot {
                tr {
                    th scope="row" { "In all" }
                    @for (_, total) in totals { td.number { (words::grouped(*total)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(counts: &[(i64, &[(Outcome, i64)])]) -> Course {
        let span = |counts: &[(Outcome, i64)]| Span { outcomes: counts.iter().copied().collect(), ..Span::default() };
        Course { span_seconds: 60, spans: counts.iter().map(|(start, counts)| (*start, span(counts))).collect() }
    }

    #[test]
    fn each_outcome_is_told_with_its_total_and_its_worst_minute() {
        let course = course(&[
            (1_794_999_960, &[(Outcome::Accepted, 4_000), (Outcome::Rejected, 1)]),
            (1_795_000_020, &[(Outcome::Accepted, 3_000), (Outcome::Rejected, 7)]),
        ]);
        let shown = outcomes("o", &course).into_string();
        assert!(
            shown.contains("7,008 attempts in all; most in the minute from 2026-11-18 11:06:00 UTC on: 4,001."),
            "{shown}"
        );
        assert!(shown.contains("rejected: 8, at most 7 from 2026-11-18 11:07:00 UTC on."), "{shown}");
        // Told apart without their colour: by name, by texture, by figure.
        assert!(shown.contains("texture dense") && shown.contains(">rejected</text>") && shown.contains("<b>8</b>"));
        assert!(!shown.contains("style=") && !shown.contains("url("));
    }

    #[test]
    fn bars_upon_one_another_reach_as_high_as_their_sum() {
        let axis = TimeAxis::new((0, 60));
        let values = ValueAxis::of_counts(10, 0.0, 100.0);
        let one = course(&[(0, &[(Outcome::Accepted, 6), (Outcome::Failed, 4)])]);
        let drawn = stack(&one, axis, &values, 0, &one.spans[&0]).into_string();
        assert!(drawn.contains("y=\"40\"") && drawn.contains("height=\"60\""), "{drawn}");
        assert!(drawn.contains("y=\"0\"") && drawn.contains("height=\"40\""), "{drawn}");
    }

    #[test]
    fn where_nothing_was_attempted_no_chart_is_drawn() {
        assert!(!outcomes("o", &course(&[])).into_string().contains("<svg"));
    }
}
