//! How fast requests left, over time, with what went on meanwhile.

use std::fmt::Write;

use maud::{Markup, html};

use super::Course;
use super::frame::{Figure, LEFT, RIGHT, TimeAxis, ValueAxis, WIDTH, at, nothing};
use super::lanes::{self, LANE, Lane};
use crate::invocation::UnixMillis;
use crate::web::words;

const HEADING: &str = "Requests over time";
const TOP: f64 = 26.0;
const BOTTOM: f64 = 216.0;
/// The axis' texts, and what parts them from the lanes.
const AXIS: f64 = 30.0;

/// The chart: requests that were written, or may have been, as the rate of each span.
#[must_use]
pub fn throughput(id: &str, course: &Course, lanes: &[Lane]) -> Markup {
    let sent: i64 = course.spans.values().map(|span| span.sent).sum();
    let Some(bounds) = course.bounds().filter(|_| sent > 0) else {
        return nothing(id, HEADING, "No request has been sent yet.");
    };
    let unit = Unit::of(course);
    let axis = TimeAxis::new(bounds);
    let lanes = &lanes::within(lanes, axis);
    let values = ValueAxis::new(unit.largest(course), TOP, BOTTOM);
    let (area, line) = outline(course, axis, |sent| values.y(unit.rate(sent, course)));
    let drawing = html! {
        text class="tick" x=(at(LEFT)) y="12" { "requests " (a(unit.name)) }
        text class="tick end" x=(at(WIDTH - RIGHT)) y="12" { (axis.days()) }
        (lanes::shades(lanes, axis, TOP, BOTTOM))
        (values.draw())
        (axis.draw(TOP, BOTTOM))
        path class="area fill-accepted" d=(area) {}
        path class="line stroke-accepted" d=(line) {}
        (lanes::draw(lanes, axis, BOTTOM + AXIS))
    };
    Figure {
        id,
        heading: HEADING,
        told: told(course, unit, sent),
        described: lanes::told(lanes),
        height: BOTTOM + AXIS + LANE * lanes.len() as f64,
        drawing,
        legend: None,
        table: table(course, unit),
    }
    .render()
}

/// What a rate is told by, so that it is not a small part of one.
#[derive(Clone, Copy)]
struct Unit {
    seconds: i64,
    name: &'static str,
}

impl Unit {
    fn of(course: &Course) -> Unit {
        let most = course.spans.values().map(|span| span.sent).max().unwrap_or(0);
        let units = [(1, "second"), (60, "minute"), (3_600, "hour")];
        let fits = units.into_iter().find(|(seconds, _)| most * seconds >= course.span_seconds);
        let (seconds, name) = fits.unwrap_or((86_400, "day"));
        Unit { seconds, name }
    }

    fn rate(self, sent: i64, course: &Course) -> f64 {
        sent as f64 * self.seconds as f64 / course.span_seconds as f64
    }

    fn largest(self, course: &Course) -> f64 {
        self.rate(course.spans.values().map(|span| span.sent).max().unwrap_or(0), course)
    }
}

/// The area below the steps, and the steps alone. Where nothing came they are at the bottom.
fn outline(course: &Course, axis: TimeAxis, y: impl Fn(i64) -> f64) -> (String, String) {
    let mut line = String::new();
    let mut end = None;
    for (start, span) in &course.spans {
        let (x, next, y) = (axis.x(*start as f64), axis.x((start + course.span_seconds) as f64), y(span.sent));
        let _ = match end {
            None => write!(line, "M{x:.1} {BOTTOM}"),
            Some(end) if end != *start => write!(line, "V{BOTTOM}H{x:.1}"),
            Some(_) => Ok(()),
        };
        let _ = write!(line, "V{y:.1}H{next:.1}");
        end = Some(start + course.span_seconds);
    }
    line.push_str(&format!("V{BOTTOM}"));
    (format!("{line}Z"), line)
}

fn told(course: &Course, unit: Unit, sent: i64) -> String {
    let requests = words::counted(sent.unsigned_abs(), "request");
    let peak = course.spans.iter().max_by_key(|(start, span)| (span.sent, -**start));
    let peak = peak.map_or_else(String::new, |(start, span)| {
        let rate = words::rate(unit.rate(span.sent, course));
        let at = words::moment(UnixMillis(start * 1_000));
        let over = if course.span_seconds > unit.seconds {
            format!(", on average over {}", a(&words::span(course.span_seconds)))
        } else {
            String::new()
        };
        format!("; at most {rate} {}, from {at} on{over}", a(unit.name))
    });
    format!("{requests} in all{peak}.")
}

/// `a minute`, `an hour`, but `5 minutes`.
fn a(span: &str) -> String {
    match span.chars().next() {
        Some(first) if first.is_ascii_digit() => span.to_owned(),
        Some('h') => format!("an {span}"),
        Some(_) | None => format!("a {span}"),
    }
}

fn table(course: &Course, unit: Unit) -> Markup {
    html! {
        table {
            caption { "Requests by " (words::span(course.span_seconds)) "; times in UTC; those in which nothing came are left out" }
            thead { tr { th scope="col" { "From" } th.number scope="col" { "Requests" } th.number scope="col" { (a(unit.name)) } } }
            tbody {
                @for (start, span) in &course.spans {
                    tr {
                        th scope="row" { (words::time(UnixMillis(start * 1_000))) }
                        td.number { (words::grouped(span.sent)) }
                        td.number { (words::rate(unit.rate(span.sent, course))) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Span;
    use crate::web::chart::MarkKind;
    use crate::web::chart::lanes::Mark;

    fn course(span_seconds: i64, sent: &[(i64, i64)]) -> Course {
        let spans = sent.iter().map(|(start, sent)| (*start, Span { sent: *sent, ..Span::default() })).collect();
        Course { span_seconds, spans }
    }

    #[test]
    fn the_peak_its_time_and_the_total_are_told() {
        let shown = throughput("t", &course(1, &[(1_795_000_000, 60_000), (1_795_000_001, 90_000)]), &[]).into_string();
        let told = "150,000 requests in all; at most 90,000 a second, from 2026-11-18 11:06:41 UTC on.";
        assert!(
            shown.contains(&format!("<p>{told}</p>")) && shown.contains(&format!("<desc id=\"t-desc\">{told}")),
            "{shown}"
        );
    }

    #[test]
    fn one_request_and_none_are_shown_as_they_are() {
        let one = throughput("t", &course(1, &[(1_795_000_000, 1)]), &[]).into_string();
        assert!(one.contains("1 request in all; at most 1 a second"), "{one}");
        let none = throughput("t", &course(1, &[]), &[]).into_string();
        assert!(none.contains("No request has been sent yet.") && !none.contains("<svg"));
    }

    #[test]
    fn a_gap_is_at_the_bottom_and_a_slow_week_is_told_by_the_hour() {
        let course = course(3_600, &[(0, 3_600), (3_600, 0), (86_400, 40)]);
        let axis = TimeAxis::new((0, 90_000));
        let (_, line) = outline(&course, axis, |sent| BOTTOM - sent as f64 / 100.0);
        assert_eq!(line, "M104.0 216V180.0H127.7V216.0H151.4V216H672.3V215.6H696.0V216");
        assert_eq!(Unit::of(&course).name, "second");
        let slow = Course { span_seconds: 3_600, spans: course.spans.into_iter().skip(2).collect() };
        assert!(throughput("t", &slow, &[]).into_string().contains("at most 40 an hour"));
    }

    #[test]
    fn what_went_on_meanwhile_is_drawn_and_told() {
        let at = |second: i64| UnixMillis((1_795_000_000 + second) * 1_000);
        let mark =
            |kind, from, until, told: &str| Mark { from: at(from), until: at(until), kind, told: told.to_owned() };
        let lanes = [
            Lane { name: "runs".to_owned(), marks: vec![mark(MarkKind::StoppedRun, 0, 2, "run 1 stopped")] },
            Lane { name: "paused".to_owned(), marks: vec![mark(MarkKind::Pause, 1, 2, "paused by <ada>")] },
        ];
        let shown = throughput("t", &course(1, &[(1_795_000_000, 1), (1_795_000_002, 1)]), &lanes).into_string();
        assert!(shown.contains("runs: run 1 stopped. paused: paused by &lt;ada&gt;.</desc>"), "{shown}");
        assert!(shown.contains("class=\"shade\"") && !shown.contains("style="));
    }
}
