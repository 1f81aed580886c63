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

/// The changes that a statement is given, as a table named `change`.
macro_rules! changes {
    () => {
        "(SELECT CAST(value ->> 0 AS BIGINT) AS batch_id, value ->> 1 AS state, CAST(value ->> 2 AS BIGINT) AS more
          FROM json_each($1)) AS change"
    };
}

/// Adds the changes in a file, and what else is said.
macro_rules! add {
    ($and:literal) => {
        concat!(
            "UPDATE state_count SET invocations = invocations + change.more",
            $and,
            " FROM ",
            changes!(),
            " WHERE state_count.batch_id = change.batch_id AND state_count.state = change.state"
        )
    };
}

/// The statement that adds the changes to the table of counts, and how many rows it changes; nothing for no changes.
pub(super) fn changed_counts(moved: &[(BatchId, Counts)]) -> Option<(Statement<'static>, u64)> {
    const WRITE: Sql = Sql {
        sqlite: add!(""),
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
    let changes = changes(moved, |_, _| false);
    (!changes.is_empty()).then(|| (query(WRITE).bind(json_text(&changes)), changes.len() as u64))
}

/// Likewise in a file, behind the statement that has taken rows of a batch: those are counted too.
pub(super) fn changed_and_taken_counts(moved: &[(BatchId, Counts)], taken_of: BatchId) -> (Statement<'static>, u64) {
    const WRITE: &str = add!(
        " + CASE WHEN change.batch_id <> $2 THEN 0 WHEN change.state = 'pending' THEN -changes()
                 WHEN change.state = 'sending' THEN changes() ELSE 0 END"
    );
    let mut moved = moved.to_vec();
    if moved.iter().all(|(batch, _)| *batch != taken_of) {
        moved.push((taken_of, Counts::default()));
    }
    let changes = changes(&moved, |batch, state| batch == taken_of && matches!(state, State::Pending | State::Sending));
    (query(WRITE).bind(json_text(&changes)).bind(taken_of.0), changes.len() as u64)
}

/// What a statement is given: how many more are in a state of a batch, where that has changed or may have.
fn changes(
    moved: &[(BatchId, Counts)],
    may_have_changed: impl Fn(BatchId, State) -> bool,
) -> Vec<(i64, &'static str, i64)> {
    moved
        .iter()
        .flat_map(|(batch, counts)| counts.iter().map(|(state, more)| (*batch, state, more)))
        .filter(|(batch, state, more)| *more != 0 || may_have_changed(*batch, *state))
        .map(|(batch, state, more)| (batch.0, state.as_str(), more))
        .collect()
}
