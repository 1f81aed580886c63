//! What all charts share: their measures, their axes, and the figure with its text and its table.

use maud::{Markup, html};

use super::ticks;
use crate::invocation::UnixMillis;
use crate::web::layout::scroll;
use crate::web::words;

/// The width of each chart, in its own units; a unit is a pixel where the page is wide.
pub(super) const WIDTH: f64 = 760.0;
/// What is left for names.
pub(super) const LEFT: f64 = 104.0;
/// What is left for figures.
pub(super) const RIGHT: f64 = 64.0;
/// Marks on the axis of values, besides 0.
const VALUE_MARKS: u32 = 4;
/// Marks on the axis of time.
const TIME_MARKS: i64 = 7;
/// Texts at the ends of the axis of time need that much beside them.
const HALF_A_TEXT: f64 = 24.0;

/// A chart with what it says.
pub(super) struct Figure<'a> {
    /// Its name on the page.
    pub(super) id: &'a str,
    /// What it shows.
    pub(super) heading: &'a str,
    /// Its figures in a sentence or two, for everybody.
    pub(super) told: String,
    /// More of them, for who cannot see it.
    pub(super) described: String,
    /// Height of the drawing.
    pub(super) height: f64,
    /// The drawing.
    pub(super) drawing: Markup,
    /// The colours' names.
    pub(super) legend: Option<Markup>,
    /// The same figures.
    pub(super) table: Markup,
}

impl Figure<'_> {
    pub(super) fn render(self) -> Markup {
        let Figure { id, heading, told, described, height, drawing, legend, table } = self;
        let view = format!("0 0 {} {}", at(WIDTH), at(height));
        let (title_id, desc_id) = (format!("{id}-title"), format!("{id}-desc"));
        let svg = html! {
            svg.chart viewBox=(view) role="img" aria-labelledby=(title_id) aria-describedby=(desc_id) {
                title id=(title_id) { (heading) }
                desc id=(desc_id) { (told) " " (described) }
                (drawing)
            }
        };
        html! {
            figure id=(id) {
                figcaption { h3 { (heading) } p { (told) } }
                @if let Some(legend) = legend { (legend) }
                (scroll(&format!("Chart: {heading}"), &svg))
                details { summary { "The same figures as a table" } (scroll(&format!("Table: {heading}"), &table)) }
            }
        }
    }
}

/// A chart of which there is nothing to draw.
pub(super) fn nothing(id: &str, heading: &str, why: &str) -> Markup {
    html! { figure id=(id) { figcaption { h3 { (heading) } p.muted { (why) } } } }
}

/// Where the bar of a place is, and how wide: a line apart from the next, and no wider than a bar.
pub(super) fn bar_within(start: f64, end: f64) -> (f64, f64) {
    /// Places that are narrower than this have no gap between their bars.
    const GAP_FROM: f64 = 4.0;
    /// Where there are few places, each bar stands in the middle of its own.
    const WIDTH_MAX: f64 = 72.0;
    let gap = if end - start >= GAP_FROM { 1.0 } else { 0.0 };
    let width = (end - start - gap).clamp(0.5, WIDTH_MAX);
    ((start + end - width) / 2.0, width)
}

/// A place or a measure, to a tenth.
pub(super) fn at(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// The axis of time: from one second to another, over the width.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeAxis {
    from: i64,
    until: i64,
}

impl TimeAxis {
    pub(super) fn new((from, until): (i64, i64)) -> TimeAxis {
        TimeAxis { from, until: until.max(from + 1) }
    }

    /// Where a moment is; those outside are at the ends.
    pub(super) fn x(self, seconds: f64) -> f64 {
        let part = (seconds - self.from as f64) / (self.until - self.from) as f64;
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    /// Whether some of it is within.
    pub(super) fn shows(self, from: f64, until: f64) -> bool {
        from <= self.until as f64 && until >= self.from as f64
    }

    /// The axis with its marks, below `bottom`; the lines go up to `top`.
    pub(super) fn draw(self, top: f64, bottom: f64) -> Markup {
        let times = ticks::times(self.from, self.until, TIME_MARKS);
        html! {
            @for (second, text) in times {
                @let x = self.x(second as f64);
                line.grid x1=(at(x)) x2=(at(x)) y1=(at(top)) y2=(at(bottom + 4.0)) {}
                text class="tick middle" x=(at(x.clamp(HALF_A_TEXT, WIDTH - HALF_A_TEXT))) y=(at(bottom + 18.0)) { (text) }
            }
            line.axis x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(bottom)) y2=(at(bottom)) {}
        }
    }

    /// Which day that is, or from which to which: `18 November 2026, UTC`.
    pub(super) fn days(self) -> String {
        let (first, last) =
            (words::day(UnixMillis(self.from * 1_000)), words::day(UnixMillis((self.until - 1) * 1_000)));
        if first == last { format!("{first}, UTC") } else { format!("{first} to {last}, UTC") }
    }
}

/// The axis of values: from 0 at the bottom to a round one at the top.
#[derive(Debug, Clone)]
pub(super) struct ValueAxis {
    top: f64,
    bottom: f64,
    marks: Vec<f64>,
}

impl ValueAxis {
    pub(super) fn new(largest: f64, top: f64, bottom: f64) -> ValueAxis {
        ValueAxis { top, bottom, marks: ticks::values(largest, VALUE_MARKS) }
    }

    /// Likewise for what is counted: no mark between two whole numbers.
    pub(super) fn of_counts(largest: i64, top: f64, bottom: f64) -> ValueAxis {
        let mut axis = ValueAxis::new(largest as f64, top, bottom);
        axis.marks.retain(|mark| mark.fract() == 0.0);
        axis
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let most = self.marks.last().copied().unwrap_or(1.0);
        self.bottom - (value / most).clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    pub(super) fn draw(&self) -> Markup {
        html! {
            @for value in &self.marks {
                @let y = self.y(*value);
                line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y)) y2=(at(y)) {}
                text class="tick end" x=(at(LEFT - 10.0)) y=(at(y + 4.0)) { (words::rate(*value)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_outside_the_axis_is_at_its_end() {
        let axis = TimeAxis::new((100, 200));
        assert_eq!([0.0, 100.0, 150.0, 200.0, 900.0].map(|s| axis.x(s)), [104.0, 104.0, 400.0, 696.0, 696.0]);
        assert!(axis.shows(0.0, 100.0) && !axis.shows(0.0, 99.0) && !axis.shows(201.0, 300.0));
    }

    #[test]
    fn a_count_has_no_mark_between_two_whole_numbers() {
        assert_eq!(ValueAxis::of_counts(1, 0.0, 100.0).marks, [0.0, 1.0]);
    }

    #[test]
    fn a_measure_has_the_digits_that_can_be_seen() {
        assert_eq!([1.0, 1.25, 99.96].map(at), ["1", "1.2", "100"]);
    }
}
