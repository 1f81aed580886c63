//! The table of counts: changed by each transaction that changes a state, in that transaction.

use super::connection::Tx;
use super::json_text;
use super::statement::{Sql, Statement, query};
use crate::invocation::{BatchId, Counts, State};

/// Adds one row's move to the changes of its batch's counts.
pub(super) fn note_move(moved: &mut Vec<(BatchId, Counts)>, batch: BatchId, from: State, to: State) {
    let index = moved.iter().position(|(of, _)| *of == batch).unwrap_or_else(|| {
        moved.push((batch, Counts::default()));
        moved.len() - 1
    });
    moved[index].1.moved(from, to);
}

/// Adds the changes to the table of counts.
pub(super) async fn write_counts(tx: &mut Tx<'_>, moved: &[(BatchId, Counts)]) -> sqlx::Result<()> {
    let Some((statement, expected)) = changed_counts(moved) else { return Ok(()) };
    let done = statement.execute(&mut *tx).await?;
    // A missing row would let the counts drift from the rows without a sound.
    if done == expected { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Likewise in a file, behind a statement that has taken rows of a batch: those are counted too.
pub(super) fn changed_and_taken_counts(
    moved: &[(BatchId, Counts)],
    taken_of: Option<BatchId>,
) -> (Statement<'static>, u64) {
    const WRITE: &str = concat!(
        "UPDATE state_count SET invocations = invocations + change.more
            + CASE WHEN change.taken = 0 THEN 0 WHEN change.state = 'pending' THEN -changes() ELSE changes() END FROM ",
        "(SELECT CAST(value ->> 0 AS BIGINT) AS batch_id, value ->> 1 AS state, CAST(value ->> 2 AS BIGINT) AS more,
            CAST(value ->> 3 AS BIGINT) AS taken FROM json_each($1)) AS change",
        " WHERE state_count.batch_id = change.batch_id AND state_count.state = change.state"
    );
    let mut moved = moved.to_vec();
    if let Some(batch) = taken_of.filter(|taken| moved.iter().all(|(batch, _)| batch != taken)) {
        moved.push((batch, Counts::default()));
    }
    let is_of_taken =
        |batch: BatchId, state| taken_of == Some(batch) && matches!(state, State::Pending | State::Sending);
    let changes: Vec<_> = moved
        .iter()
        .flat_map(|(batch, counts)| counts.iter().map(|(state, change)| (*batch, state, change)))
        .filter(|(batch, state, change)| *change != 0 || is_of_taken(*batch, *state))
        .map(|(batch, state, change)| (batch.0, state.as_str(), change, u8::from(is_of_taken(batch, state))))
        .collect();
    (query(WRITE).bind(json_text(&changes)), changes.len() as u64)
}

/// The statement that adds the changes to the table of counts, and how many rows it changes; nothing for no changes.
pub(super) fn changed_counts(moved: &[(BatchId, Counts)]) -> Option<(Statement<'static>, u64)> {
    macro_rules! changes {
        () => {
            "(SELECT CAST(value ->> 0 AS BIGINT) AS batch_id, value ->> 1 AS state, CAST(value ->> 2 AS BIGINT) AS more
              FROM json_each($1)) AS change"
        };
    }
    const WRITE: Sql = Sql {
        sqlite: concat!(
            "UPDATE state_count SET invocations = invocations + change.more FROM ",
            changes!(),
            " WHERE state_count.batch_id = change.batch_id AND state_count.state = change.state"
        ),
        // Every transaction locks them in one order, so that two never wait for each other.
        postgres: concat!(
            "WITH locked AS MATERIALIZED (SELECT count.batch_id, count.state, change.more FROM ",
            changes!(),
            " JOIN state_count AS count ON count.batch_id = change.batch_id AND count.state = change.state
             ORDER BY count.batch_id, count.state FOR UPDATE OF count)
             UPDATE state_count SET invocations = invocations + locked.more FROM locked
             WHERE state_count.batch_id = locked.batch_id AND state_count.state = locked.state"
        ),
    };
    let changes: Vec<_> = moved
        .iter()
        .flat_map(|(batch, counts)| counts.iter().map(|(state, change)| (batch.0, state.as_str(), change)))
        .filter(|(_, _, change)| *change != 0)
        .collect();
    (!changes.is_empty()).then(|| (query(WRITE).bind(json_text(&changes)), changes.len() as u64))
}
