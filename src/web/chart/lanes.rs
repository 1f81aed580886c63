//! What went on meanwhile, in lanes below the axis of time: runs, pauses, moments at which all had to wait.

use maud::{Markup, html};

use super::frame::{LEFT, TimeAxis, at};
use crate::invocation::UnixMillis;

/// Height of a lane.
pub(super) const LANE: f64 = 20.0;

/// Things of one kind, on a line of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its name: a word or two.
    pub name: String,
    /// What is in it.
    pub marks: Vec<Mark>,
}

/// Something that went on for a while, or was at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When it began.
    pub from: UnixMillis,
    /// When it ended; the same moment where it did not last.
    pub until: UnixMillis,
    /// What it was.
    pub kind: MarkKind,
    /// What is to be said of it, in a few words.
    pub told: String,
}

/// How something is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// A run that has ended by itself.
    Run,
    /// A run that a fault stopped.
    StoppedRun,
    /// A run that goes on.
    LivingRun,
    /// A time in which nothing was to be sent: shaded in the chart as well.
    Pause,
    /// A moment.
    Moment,
}

impl Mark {
    fn bounds(&self) -> (f64, f64) {
        (self.from.0 as f64 / 1_000.0, self.until.0 as f64 / 1_000.0)
    }
}

/// Those lanes of which something is within the axis.
pub(super) fn within(lanes: &[Lane], axis: TimeAxis) -> Vec<Lane> {
    let is_within = |mark: &Mark| axis.shows(mark.bounds().0, mark.bounds().1);
    lanes.iter().filter(|lane| lane.marks.iter().any(is_within)).cloned().collect()
}

/// The shades of what is shaded in the chart itself.
pub(super) fn shades(lanes: &[Lane], axis: TimeAxis, top: f64, bottom: f64) -> Markup {
    let pauses = lanes.iter().flat_map(|lane| &lane.marks).filter(|mark| mark.kind == MarkKind::Pause);
    html! {
        @for (from, until) in pauses.map(Mark::bounds).filter(|(from, until)| axis.shows(*from, *until)) {
            @let (x, end) = (axis.x(from), axis.x(until));
            rect.shade x=(at(x)) y=(at(top)) width=(at((end - x).max(1.0))) height=(at(bottom - top)) {}
        }
    }
}

/// The lanes, from `top` on.
pub(super) fn draw(lanes: &[Lane], axis: TimeAxis, top: f64) -> Markup {
    html! {
        @for (number, lane) in lanes.iter().enumerate() {
            @let y = top + LANE * (number as f64 + 0.5);
            text class="tick end" x=(at(LEFT - 10.0)) y=(at(y + 4.0)) { (lane.name) }
            @for mark in &lane.marks {
                @let (from, until) = mark.bounds();
                @if axis.shows(from, until) { (draw_mark(mark, axis.x(from), axis.x(until), y)) }
            }
        }
    }
}

fn draw_mark(mark: &Mark, x: f64, end: f64, y: f64) -> Markup {
    let bar = |height: f64, class: &str| {
        html! { rect class=(class) x=(at(x)) y=(at(y - height / 2.0)) width=(at((end - x).max(1.5))) height=(at(height)) {} }
    };
    let lines = |path: String| html! { path.mark d=(path) {} };
    let begins = || lines(format!("M{x:.1} {:.1}V{:.1}", y - 5.0, y + 5.0));
    html! {
        g {
            title { (mark.told) }
            @match mark.kind {
                MarkKind::Run => {
                    (bar(2.5, "fill-ink")) (begins())
                    (lines(format!("M{end:.1} {:.1}V{:.1}", y - 5.0, y + 5.0)))
                }
                MarkKind::StoppedRun => {
                    (bar(2.5, "fill-ink")) (begins())
                    (lines(format!("M{:.1} {:.1}l10 10m0 -10l-10 10", end - 5.0, y - 5.0)))
                }
                MarkKind::LivingRun => {
                    (bar(2.5, "fill-ink")) (begins())
                    (lines(format!("M{:.1} {:.1}L{end:.1} {y:.1}L{:.1} {:.1}", end - 6.0, y - 5.0, end - 6.0, y + 5.0)))
                }
                MarkKind::Pause => { (bar(9.0, "fill-skipped")) }
                MarkKind::Moment => {
                    path.fill-ink d=(format!("M{x:.1} {:.1}l4 5l-4 5l-4 -5z", y - 5.0)) {}
                }
            }
        }
    }
}

/// What the lanes show, in words.
pub(super) fn told(lanes: &[Lane]) -> String {
    /// Of each lane: who listens to more forgets the first.
    const TOLD_MAX: usize = 20;
    let lane = |lane: &Lane| {
        let told: Vec<&str> = lane.marks.iter().take(TOLD_MAX).map(|mark| mark.told.as_str()).collect();
        let more = lane.marks.len().saturating_sub(TOLD_MAX);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}: {}{more}.", lane.name, told.join("; "))
    };
    lanes.iter().filter(|lane| !lane.marks.is_empty()).map(lane).collect::<Vec<_>>().join(" ")
}
