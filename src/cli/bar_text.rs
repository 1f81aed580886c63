//! What the progress bar shows, in as many columns as there are.

use std::time::Duration;

use super::about::{about, rate};
use super::colour::Paint;
use super::output::grouped;
use crate::invocation::{Counts, State};

/// Columns of the bar itself; with fewer it says nothing.
const BAR_COLUMNS: std::ops::RangeInclusive<usize> = 8..=30;

/// What there is to show.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Figures {
    /// Rows that are done.
    pub(super) done: i64,
    /// Rows that are done when this run is.
    pub(super) of: i64,
    pub(super) counts: Counts,
    pub(super) in_flight: usize,
    /// Outcomes a second, and how many may be.
    pub(super) rate: f64,
    pub(super) limit: Option<f64>,
    /// How long it takes still.
    pub(super) left: Option<Duration>,
    /// Why nothing is sent.
    pub(super) waits: Option<String>,
}

/// The lines, none of them wider than that.
pub(super) fn lines(figures: &Figures, columns: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![first(figures, columns), outcomes(figures, columns, paint)];
    lines.extend(figures.waits.as_ref().map(|waits| cut(waits, columns)));
    lines
}

/// The bar, how far it is, the rate against its limit, and how long it takes.
fn first(figures: &Figures, columns: usize) -> String {
    let percent = (figures.done * 100).checked_div(figures.of).unwrap_or(100);
    let limit = figures.limit.map(|limit| format!("/{}", rate(limit))).unwrap_or_default();
    let mut parts = vec![
        format!("{}/{}", grouped(figures.done), grouped(figures.of)),
        format!("{percent}%"),
        format!("{:.1}{limit} a second", figures.rate),
    ];
    parts.extend(figures.left.map(|left| format!("about {} left", about(left))));
    let text = fitting(&parts, columns);
    let room = columns.saturating_sub(text.chars().count() + 3).min(*BAR_COLUMNS.end());
    if room < *BAR_COLUMNS.start() {
        return text;
    }
    let full = usize::try_from(figures.done).unwrap_or(0) * room / usize::try_from(figures.of.max(1)).unwrap_or(1);
    format!("[{:<room$}] {text}", "#".repeat(full.min(room)))
}

/// The rows by what came of them.
fn outcomes(figures: &Figures, columns: usize, paint: Paint) -> String {
    let in_flight = format!("{} in flight", figures.in_flight);
    let mut parts = vec![(None, in_flight)];
    for (state, count) in figures.counts.iter().filter(|(state, count)| is_done(*state) && *count > 0) {
        parts.push((Some(state), format!("{} {state}", grouped(count))));
    }
    let texts: Vec<String> = parts.iter().map(|(_, text)| text.clone()).collect();
    let shown = number_fitting(&texts, columns);
    let painted = parts.iter().take(shown).map(|(state, text)| match state {
        Some(state) => paint.state(*state, text),
        None => text.clone(),
    });
    painted.collect::<Vec<_>>().join("  ")
}

/// As many of the first parts as fit.
fn fitting(parts: &[String], columns: usize) -> String {
    let text = parts[..number_fitting(parts, columns)].join("  ");
    if text.is_empty() { cut(&parts[0], columns) } else { text }
}

fn number_fitting(parts: &[String], columns: usize) -> usize {
    let mut used = 0;
    let fits = parts.iter().take_while(|part| {
        used += part.chars().count() + 2;
        used <= columns + 2
    });
    fits.count()
}

/// The text in so many columns: what is cut off is shown to be.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let start: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns == 0 { start } else { start + "…" }
}

/// Whether nothing more is sent of a row in that state.
pub(super) fn is_done(state: State) -> bool {
    match state {
        State::Pending | State::Sending => false,
        State::Accepted | State::Rejected | State::Failed | State::Unknown | State::Skipped | State::Cancelled => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let mut counts = Counts::default();
        counts[State::Accepted] = 12_001;
        counts[State::Rejected] = 300;
        counts[State::Unknown] = 44;
        Figures {
            done: 12_345,
            of: 48_000,
            counts,
            in_flight: 4,
            rate: 9.84,
            limit: Some(10.0),
            left: Some(Duration::from_secs(3_660)),
            waits: Some("waiting 58 s, until 17:20:00Z: the service asked to wait (429)".to_owned()),
        }
    }

    #[test]
    fn everything_stands_in_80_columns() {
        insta::with_settings!({ snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("bar_of_80_columns", lines(&figures(), 79, Paint::none()).join("\n"));
        });
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 0..120 {
            for line in lines(&figures(), columns, Paint::none()) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
        let nothing = lines(&Figures::default(), 79, Paint::none());
        assert!(nothing[0].contains("0/0  100%"), "{nothing:?}");
    }
}
