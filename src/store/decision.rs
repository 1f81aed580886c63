//! What operators decide of rows: put back, or settled by their word. All or none, each row guarded by what was seen of it.

use serde_json::{Value, json};

use super::action::{ActionKind, Actor, record};
use super::connection::Tx;
use super::statement::query;
use super::{Error, Result, Store, control, counts, json_text, told};
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

/// An operator's word on an unknown row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service did accept it.
    Accepted,
    /// It was not sent: back to pending.
    NotSent,
    /// It may have been sent; send it again all the same.
    Resend,
    /// Leave it: never to be sent again.
    Abandoned,
}

impl Verdict {
    /// The word for it in flags, in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::NotSent => "not-sent",
            Verdict::Resend => "resend",
            Verdict::Abandoned => "abandoned",
        }
    }

    /// The state that it leads to.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Verdict::Accepted => State::Accepted,
            Verdict::NotSent | Verdict::Resend => State::Pending,
            Verdict::Abandoned => State::Cancelled,
        }
    }
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
        let action = record(&mut tx, batch, ActionKind::Retry, actor, now, None, detail).await.map_err(failed())?;
        record_rows(&mut tx, action, &moves).await.map_err(failed())?;
        query(REBUILD).bind(json_text(&rebuilt)).execute(&mut tx).await.map_err(failed())?;
        told::note(&mut tx, batch, &fingerprints).await.map_err(failed())?;
        let put_back = query(PUT_BACK).bind(json_text(&rows)).execute(&mut tx).await.map_err(failed())?;
        check_all_moved(put_back, &moves)?;
        write_moves(&mut tx, &moves).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(put_back)
    }

    /// Decides unknown rows, each guarded by the attempt that left it unknown.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one fact of the verdict, and the caller has them one by one"
    )]
    pub async fn resolve(
        &self,
        batch: BatchId,
        rows: &[(InvocationId, u32)],
        verdict: Verdict,
        request_id: Option<&str>,
        reason: &str,
        actor: &Actor,
        now: UnixMillis,
    ) -> Result<u64> {
        const DECIDE: &str = "UPDATE invocation SET state = $2,
                due_at = 0, tries = 0, retry_until = NULL,
                possible_duplicate = CASE WHEN $3 THEN 1 ELSE possible_duplicate END,
                request_id = CASE WHEN $2 = 'pending' THEN NULL ELSE COALESCE($4, request_id) END,
                http_status = NULL, code = NULL,
                message = CASE WHEN $2 = 'pending' THEN NULL ELSE 'by an operator''s word: ' || $6 END,
                finished_at = CASE WHEN $2 = 'pending' THEN NULL ELSE $5 END
            FROM json_each($1) AS j
            WHERE invocation.id = CAST(j.value ->> 0 AS BIGINT) AND attempt = CAST(j.value ->> 1 AS BIGINT)
              AND state = 'unknown'";
        if rows.is_empty() {
            return Ok(0);
        }
        let moves: Vec<Move> =
            rows.iter().map(|(id, _)| Move { id: *id, was: State::Unknown, becomes: verdict.state() }).collect();
        let keys: Vec<_> = rows.iter().map(|(id, attempt)| (id.0, attempt)).collect();
        let detail = json!({ "as": verdict.as_str(), "requestId": request_id, "rows": rows.len() });
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let failed = || self.failed("decide unknown rows");
        let action =
            record(&mut tx, batch, ActionKind::Resolve, actor, now, Some(reason), &detail).await.map_err(failed())?;
        record_rows(&mut tx, action, &moves).await.map_err(failed())?;
        let decided = query(DECIDE)
            .bind(json_text(&keys))
            .bind(verdict.state().as_str())
            .bind(verdict == Verdict::Resend)
            .bind(request_id)
            .bind(now.0)
            .bind(reason)
            .execute(&mut tx)
            .await
            .map_err(failed())?;
        check_all_moved(decided, &moves)?;
        write_moves(&mut tx, &moves).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(decided)
    }
}

/// One row's change by an operator.
pub(super) struct Move {
    pub(super) id: InvocationId,
    pub(super) was: State,
    pub(super) becomes: State,
}

/// Notes which rows an act has changed, or is about to.
pub(super) async fn record_rows(tx: &mut Tx<'_>, action: i64, moves: &[Move]) -> sqlx::Result<()> {
    const RECORD: &str = "INSERT INTO action_row (invocation_id, action_id, was, became, attempt)
        SELECT i.id, $2, j.value ->> 1, j.value ->> 2, i.attempt
        FROM json_each($1) AS j JOIN invocation AS i ON i.id = CAST(j.value ->> 0 AS BIGINT)";
    let rows: Vec<_> = moves.iter().map(|row| (row.id.0, row.was.as_str(), row.becomes.as_str())).collect();
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
fn check_all_moved(moved: u64, moves: &[Move]) -> Result<()> {
    if moved == moves.len() as u64 {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{} of the {} rows changed while this was typed, so nothing was done\nhint: look again with `mep-batch list`, then repeat it",
        moves.len() as u64 - moved,
        moves.len()
    )))
}
