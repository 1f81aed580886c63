//! Late outcomes: what came of attempts whose run was thought dead and lived all the same.

use super::connection::Tx;
use super::given::GIVEN_MAX;
use super::run::Run;
use super::statement::{Row, Sql, query};
use super::{ids_text, settle};
use crate::invocation::{InvocationId, Outcome, Settlement, State};

/// A row as a late outcome finds it.
struct Found {
    id: InvocationId,
    state: State,
    attempt: u32,
}

/// What late outcomes lead to.
#[derive(Default)]
pub(super) struct Late<'s> {
    /// Those that move their row as any outcome does, each with the state in which it is.
    pub(super) moving: Vec<(State, &'s Settlement)>,
    /// Rows that were put back to be sent once more and need not be: an earlier attempt was accepted. They are accepted now.
    pub(super) spared: Vec<InvocationId>,
}

/// Stores late outcomes with their attempts, and what they lead to.
///
/// Whose attempt has its outcome already is passed over: it was stored by this run itself.
pub(super) async fn write<'s>(tx: &mut Tx<'_>, run: &Run, settlements: &[&'s Settlement]) -> sqlx::Result<Late<'s>> {
    let known = correct_attempts(tx, run, settlements).await?;
    let rows = find_rows(tx, settlements).await?;
    if !known.is_empty() {
        tracing::warn!("this run was thought dead: {} of its outcomes are late", known.len());
    }
    let mut late = Late::default();
    for settlement in settlements.iter().copied() {
        let (line, attempt, outcome) = (settlement.id.line(), settlement.attempt, settlement.outcome.as_str());
        let row = rows.iter().find(|row| row.id == settlement.id);
        let (Some(row), true) = (row, known.contains(&(settlement.id, attempt))) else {
            tracing::warn!(line, attempt, outcome, "this outcome is stored already, or its attempt is not this run's");
            continue;
        };
        tracing::info!(line, attempt, outcome, "this run was thought dead: its outcome is late");
        if row.attempt == attempt {
            late.moving.extend(row.state.after_late(settlement.state).map(|_| (row.state, settlement)));
        } else if settlement.outcome == Outcome::Accepted && row.state == State::Pending {
            accept(tx, settlement).await?;
            late.spared.push(settlement.id);
        } else if settlement.outcome == Outcome::Accepted {
            mark_duplicate(tx, settlement.id).await?;
        }
    }
    Ok(late)
}

/// Puts the true outcomes in the place of what whoever judged the run wrote; the attempts for which that was so.
async fn correct_attempts(
    tx: &mut Tx<'_>,
    run: &Run,
    settlements: &[&Settlement],
) -> sqlx::Result<Vec<(InvocationId, u32)>> {
    const CORRECT: &str = "
        UPDATE attempt SET sent_at = given.sent_at, finished_at = given.finished_at, outcome = given.outcome,
            http_status = given.http_status, code = given.code, message = given.message,
            request_id = given.request_id, answer = given.answer, late = 1
        FROM given
        WHERE attempt.invocation_id = given.id AND attempt.number = given.attempt AND attempt.run_id = $1
          AND attempt.judged = 1 AND attempt.late = 0
        RETURNING attempt.invocation_id, attempt.number";
    let mut corrected = Vec::new();
    for settlements in settlements.chunks(GIVEN_MAX) {
        let correct = query(CORRECT).bind(run.id.0).given(settle::outcomes(settlements));
        for row in correct.fetch_all(&mut *tx).await? {
            corrected.push((InvocationId(row.get(0)?), row.small(1)?));
        }
    }
    Ok(corrected)
}

/// The rows as they are, and stay until this transaction ends.
async fn find_rows(tx: &mut Tx<'_>, settlements: &[&Settlement]) -> sqlx::Result<Vec<Found>> {
    macro_rules! find {
        () => {
            "SELECT id, state, attempt FROM invocation
             WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) ORDER BY id"
        };
    }
    const FIND: Sql = Sql { sqlite: find!(), postgres: concat!(find!(), " FOR UPDATE") };
    let ids = ids_text(settlements.iter().map(|settlement| settlement.id.0));
    let read = |row: &Row| {
        let state: String = row.get(1)?;
        let state = state.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Found { id: InvocationId(row.get(0)?), state, attempt: row.small(2)? })
    };
    query(FIND).bind(ids).fetch_all(&mut *tx).await?.iter().map(read).collect()
}

/// Accepts a row that waits to be sent once more: its person has been texted. The caller has locked it.
async fn accept(tx: &mut Tx<'_>, settlement: &Settlement) -> sqlx::Result<()> {
    const ACCEPT: &str =
        "UPDATE invocation SET state = 'accepted', request_id = $2, http_status = $3, finished_at = $4,
            code = NULL, message = NULL, hold = NULL
        WHERE id = $1 AND state = 'pending'";
    query(ACCEPT)
        .bind(settlement.id.0)
        .bind(settlement.request_id.as_deref())
        .bind(settlement.http_status.map(i64::from))
        .bind(settlement.finished_at.0)
        .execute(&mut *tx)
        .await
        .map(drop)
}

/// Notes that an earlier attempt of the row has texted its person.
async fn mark_duplicate(tx: &mut Tx<'_>, row: InvocationId) -> sqlx::Result<()> {
    const MARK: &str = "UPDATE invocation SET possible_duplicate = 1 WHERE id = $1";
    query(MARK).bind(row.0).execute(&mut *tx).await.map(drop)
}
