//! Rows that a filter selects, found without reading the ranges of lines of which it is known that they have none.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::follow::{Known, RowsOfLines};
use super::tally::chunks;
use crate::store::{self, Batch, Filter, InvocationView, Store};

/// Rows that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The rows, in the order of their lines.
    pub rows: Vec<InvocationView>,
    /// After which line to go on: where there may be more; `None`: there are no more.
    pub goes_on_after: Option<u32>,
}

/// Looks for the next rows after a line that the filter selects: `limit` of them at most, and no longer than about `within`.
///
/// # Errors
///
/// The database cannot be read.
pub async fn search(
    store: &Store,
    batch: &Batch,
    filter: &Filter,
    after: u32,
    limit: u32,
    known: &Known,
    within: Duration,
) -> store::Result<Found> {
    let began = Instant::now();
    let last = store.last_line(batch.id).await?.unwrap_or_default();
    let mut found = Found { rows: Vec::new(), goes_on_after: None };
    for lines in parts(after, last, filter) {
        if known.parts.iter().any(|(part, rows)| *part.end() == *lines.end() && has_none(rows, filter)) {
            continue;
        }
        if began.elapsed() >= within {
            found.goes_on_after = Some(lines.start().saturating_sub(1));
            return Ok(found);
        }
        let room = limit.saturating_sub(u32::try_from(found.rows.len()).unwrap_or(u32::MAX));
        let page = store.page_up_to(batch.id, filter, lines.start().saturating_sub(1), *lines.end(), room).await?;
        found.rows.extend(page);
        if found.rows.len() >= limit as usize {
            found.goes_on_after = found.rows.last().map(|row| row.line).filter(|line| *line < last);
            return Ok(found);
        }
    }
    Ok(found)
}

/// The ranges in which to look, in their order: one where every row is wanted, or where lines are named.
fn parts(after: u32, last: u32, filter: &Filter) -> Vec<RangeInclusive<u32>> {
    if after >= last {
        return Vec::new();
    }
    let is_of_all = filter.states.is_empty() && filter.code.is_none();
    if is_of_all || !filter.lines.is_empty() {
        return vec![after + 1..=last];
    }
    let left = chunks(last).filter(|lines| *lines.end() > after);
    left.map(|lines| (*lines.start()).max(after + 1)..=*lines.end()).collect()
}

/// Whether no row that was counted is one that is looked for.
fn has_none(rows: &RowsOfLines, filter: &Filter) -> bool {
    let is_wanted = |(state, code): &(crate::invocation::State, Option<u32>)| {
        (filter.states.is_empty() || filter.states.contains(state)) && (filter.code.is_none() || filter.code == *code)
    };
    !rows.iter().any(|(kind, rows)| *rows > 0 && is_wanted(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::State;

    #[test]
    fn lines_are_looked_through_from_where_the_last_page_ended() {
        let failed = Filter { states: vec![State::Failed], ..Filter::default() };
        assert_eq!(parts(0, 120_000, &failed), [1..=50_000, 50_001..=100_000, 100_001..=120_000]);
        assert_eq!(parts(60_000, 120_000, &failed), [60_001..=100_000, 100_001..=120_000]);
        assert_eq!(parts(50_000, 120_000, &failed), [50_001..=100_000, 100_001..=120_000]);
        assert_eq!(parts(7, 120_000, &Filter::default()), [8..=120_000]);
        assert!(parts(120_000, 120_000, &failed).is_empty() && parts(u32::MAX, 9, &failed).is_empty());
    }

    #[test]
    fn a_range_is_passed_over_where_no_row_is_wanted() {
        let rows = RowsOfLines::from([((State::Failed, Some(503)), 2), ((State::Rejected, Some(12002)), 0)]);
        let wanted = |states: &[State], code| Filter { states: states.to_vec(), code, ..Filter::default() };
        assert!(!has_none(&rows, &wanted(&[State::Failed], None)));
        assert!(!has_none(&rows, &wanted(&[], Some(503))));
        assert!(has_none(&rows, &wanted(&[State::Rejected], None)));
        assert!(has_none(&rows, &wanted(&[State::Failed], Some(12002))));
    }
}
