//! What operators decide of rows: those that a `retry` puts back, and what every decision notes. All or none, each row guarded
//! by what was seen of it.

use serde_json::Value;

use super::action::{ActionKind, Actor, record};
use super::connection::Tx;
use super::statement::query;
use super::{Error, Result, Store, control, counts, json_text, purge, told};
use crate::invocation::{BatchId, Counts, Fingerprint, InvocationId, State, UnixMillis};

/// Which rows a `retry` puts back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrySelection {
    /// The rows, with the state in which each was seen; nothing happens to a row that is in another by now.
    pub rows: Vec<(InvocationId, State)>,
    /// Those of them that this tool refused and that pass now.
    pub rebuilt: Vec<Rebuilt>,
}

/// A row that was built anew from its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The row.
    pub id: InvocationId,
    /// The body to send.
    pub body: String,
    /// The recipient's time zone.
    pub time_zone: Option<String>,
    /// What tells it from other requests.
    pub fingerprint: Fingerprint,
}

impl Store {
    /// Puts rows back to pending; how many. Attempts stay counted, tries start anew.
    pub async fn retry(
        &self,
        batch: BatchId,
        selection: &RetrySelection,
        actor: &Actor,
        now: UnixMillis,
        detail: &Value,
    ) -> Result<u64> {
        const REBUILD: &str = "UPDATE content SET body = j.value ->> 1, phone = CAST(j.value ->> 2 AS BIGINT),
                time_zone = j.value ->> 3, cells = NULL
            FROM json_each($1) AS j WHERE invocation_id = CAST(j.value ->> 0 AS BIGINT)";
        const PUT_BACK: &str = "UPDATE invocation SET state = 'pending', due_at = 0, tries = 0, retry_until = NULL,
                http_status = NULL, code = NULL, message = NULL, refused_by = NULL, request_id = NULL,
                reason = NULL, finished_at = NULL
            FROM json_each($1) AS j WHERE invocation.id = CAST(j.value ->> 0 AS BIGINT) AND state = j.value ->> 1";
        if selection.rows.is_empty() {
            return Ok(0);
        }
        let moves: Vec<Move> =
            selection.rows.iter().map(|(id, was)| Move { id: *id, was: *was, becomes: State::Pending }).collect();
        let rows: Vec<_> = selection.rows.iter().map(|(id, was)| (id.0, was.as_str())).collect();
        let rebuilt: Vec<_> =
            selection.rebuilt.iter().map(|row| (row.id.0, &row.body, row.fingerprint.phone, &row.time_zone)).collect();
        let fingerprints: Vec<_> = selection.rebuilt.iter().map(|row| row.fingerprint).collect();
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let failed = || self.failed("put rows back");
        if !control::cancelled(&mut tx, &[batch]).await.map_err(failed())?.is_empty() {
            return Err(Error::Conflict("the batch is cancelled: nothing of it is sent any more".to_owned()));
        }
        // First: it waits for a purge that is just beginning, which then is seen.
        let action = record(&mut tx, batch, ActionKind::Retry, actor, now, None, detail).await.map_err(failed())?;
        purge::refuse_where_it_began(&mut tx, batch, failed()).await?;
        record_rows(&mut tx, action, &moves).await.map_err(failed())?;
        query(REBUILD).bind(json_text(&rebuilt)).execute(&mut tx).await.map_err(failed())?;
        for note in told::notes(batch, &fingerprints) {
            note.execute(&mut tx).await.map_err(failed())?;
        }
        let put_back = query(PUT_BACK).bind(json_text(&rows)).execute(&mut tx).await.map_err(failed())?;
        check_all_moved(put_back, &moves)?;
        write_moves(&mut tx, &moves).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(put_back)
    }
}

/// One row's change by an operator.
pub(super) struct Move {
    pub(super) id: InvocationId,
    pub(super) was: State,
    pub(super) becomes: State,
}

/// Notes with an action which rows it changed.
pub(super) async fn record_rows<'m>(
    tx: &mut Tx<'_>,
    action: i64,
    moves: impl IntoIterator<Item = &'m Move>,
) -> sqlx::Result<()> {
    const RECORD: &str = "INSERT INTO action_row (invocation_id, action_id, was, became, attempt)
        SELECT i.id, $2, j.value ->> 1, j.value ->> 2, i.attempt
        FROM json_each($1) AS j JOIN invocation AS i ON i.id = CAST(j.value ->> 0 AS BIGINT)";
    let rows: Vec<_> = moves.into_iter().map(|row| (row.id.0, row.was.as_str(), row.becomes.as_str())).collect();
    query(RECORD).bind(json_text(&rows)).bind(action).execute(&mut *tx).await?;
    Ok(())
}

/// Adds the rows' changes to the table of counts.
pub(super) async fn write_moves(tx: &mut Tx<'_>, moves: &[Move]) -> sqlx::Result<()> {
    let mut moved: Vec<(BatchId, Counts)> = Vec::new();
    for row in moves {
        counts::note_move(&mut moved, row.id.batch(), row.was, row.becomes);
    }
    counts::write_counts(tx, &moved).await
}

/// All or nothing: where a row has changed meanwhile the operator looks again rather than get half of what was asked.
pub(super) fn check_all_moved(moved: u64, moves: &[Move]) -> Result<()> {
    if moved == moves.len() as u64 {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{} of the {} rows changed while this was typed, so nothing was done\nhint: look again with `mep-batch list`, then repeat it",
        moves.len() as u64 - moved,
        moves.len()
    )))
}
