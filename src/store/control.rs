//! What operators say of a whole batch while it is sent: paused, resumed, throttled, cancelled. Each run obeys in its next
//! turn, because the turn itself asks.

use serde_json::{Value, json};

use super::action::{ActionKind, Actor, record};
use super::connection::Tx;
use super::decision::{Move, record_rows, write_moves};
use super::statement::{Row, Sql, Statement, query};
use super::{Result, Store, ids_text};
use crate::invocation::{BatchId, InvocationId, State, UnixMillis};

/// Rows that are cancelled in one transaction, so that runs' turns get in between.
const CANCELLED_AT_ONCE: i64 = 10_000;

/// Who says something of a batch, when and why.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// When.
    pub now: UnixMillis,
    /// Why, in the operator's words.
    pub reason: Option<&'a str>,
}

impl Store {
    /// Has no more of the batch taken until it is resumed. Whether that is new.
    pub async fn pause(&self, batch: BatchId, said: Said<'_>) -> Result<bool> {
        const PAUSE: &str =
            "UPDATE batch SET paused_at = $2 WHERE id = $1 AND paused_at IS NULL AND cancelled_at IS NULL";
        let pause = query(PAUSE).bind(batch.0).bind(said.now.0);
        self.heed(batch, ActionKind::Pause, said, pause, &json!({})).await
    }

    /// Lets a paused batch go on. Whether it was paused.
    pub async fn resume(&self, batch: BatchId, said: Said<'_>) -> Result<bool> {
        const RESUME: &str = "UPDATE batch SET paused_at = NULL WHERE id = $1 AND paused_at IS NOT NULL";
        self.heed(batch, ActionKind::Resume, said, query(RESUME).bind(batch.0), &json!({})).await
    }

    /// Holds the batch to a rate, in requests a second, whatever its settings say; `None`: no longer. Whether that is new.
    pub async fn throttle(&self, batch: BatchId, rate: Option<f64>, said: Said<'_>) -> Result<bool> {
        const THROTTLE: &str = "UPDATE batch SET throttle = $2 WHERE id = $1 AND throttle IS DISTINCT FROM $2";
        let throttle = query(THROTTLE).bind(batch.0).bind(rate);
        self.heed(batch, ActionKind::Throttle, said, throttle, &json!({ "rate": rate })).await
    }

    /// Withdraws the batch: from here on nothing of it is taken, and whatever would become pending becomes cancelled.
    /// Whether that is new. Its pending rows are for [`Store::cancel_pending`].
    pub async fn cancel(&self, batch: BatchId, said: Said<'_>) -> Result<bool> {
        const CANCEL: &str = "UPDATE batch SET cancelled_at = $2 WHERE id = $1 AND cancelled_at IS NULL";
        let cancel = query(CANCEL).bind(batch.0).bind(said.now.0);
        self.heed(batch, ActionKind::Cancel, said, cancel, &json!({})).await
    }

    /// Changes the batch as an operator says, and keeps who said it; whether it was another before.
    pub(super) async fn heed(
        &self,
        batch: BatchId,
        kind: ActionKind,
        said: Said<'_>,
        change: Statement<'_>,
        detail: &Value,
    ) -> Result<bool> {
        let failed = || self.failed("change the batch");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let is_new = change.execute(&mut tx).await.map_err(failed())? == 1;
        if is_new {
            record(&mut tx, batch, kind, said.actor, said.now, said.reason, detail).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        Ok(is_new)
    }

    /// Cancels the pending rows of a cancelled batch, some of them: how many. None of a batch that is not cancelled.
    pub async fn cancel_pending(&self, batch: BatchId, now: UnixMillis) -> Result<u64> {
        const BY_WHICH: &str = "SELECT MAX(id) FROM action WHERE batch_id = $1 AND kind = 'cancel'";
        // What is locked is still pending. Asked once more, a planner whose figures are old looks for it among all that is.
        macro_rules! some {
            ($lock:literal) => {
                concat!(
                    "WITH these AS MATERIALIZED (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                        ORDER BY due_at, id LIMIT $2 ",
                    $lock,
                    ") UPDATE invocation SET state = 'cancelled', hold = NULL, finished_at = $3,
                        message = 'cancelled by an operator before it was sent'
                    WHERE id IN (SELECT id FROM these) RETURNING id"
                )
            };
        }
        const CANCEL: Sql = Sql { sqlite: some!(""), postgres: some!("FOR UPDATE") };
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let failed = || self.failed("cancel rows");
        let by: Option<i64> = query(BY_WHICH).bind(batch.0).fetch_value(&mut tx).await.map_err(failed())?;
        let Some(action) = by else { return Ok(0) };
        let cancel = query(CANCEL).bind(batch.0).bind(CANCELLED_AT_ONCE).bind(now.0);
        let rows = cancel.fetch_all(&mut tx).await.map_err(failed())?;
        let read =
            |row: &Row| Ok(Move { id: InvocationId(row.get(0)?), was: State::Pending, becomes: State::Cancelled });
        let moves: Vec<Move> = rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())?;
        record_rows(&mut tx, action, &moves).await.map_err(failed())?;
        write_moves(&mut tx, &moves).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(moves.len() as u64)
    }
}

/// Which of these batches are cancelled, and since when. None of the others becomes so before the transaction ends.
pub(super) async fn cancelled(tx: &mut Tx<'_>, batches: &[BatchId]) -> sqlx::Result<Vec<(BatchId, UnixMillis)>> {
    macro_rules! find {
        () => {
            "SELECT id, cancelled_at FROM batch
             WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) ORDER BY id"
        };
    }
    // All of them are locked, whether cancelled or not: who cancels one meanwhile waits, and finds what this has written.
    const FIND: Sql = Sql { sqlite: find!(), postgres: concat!(find!(), " FOR SHARE") };
    let ids = ids_text(batches.iter().map(|batch| batch.0));
    let rows = query(FIND).bind(ids).fetch_all(&mut *tx).await?;
    let read = |row: &Row| -> sqlx::Result<_> {
        let (batch, at) = (BatchId(row.get(0)?), row.get::<Option<i64>>(1)?);
        Ok(at.map(|at| (batch, UnixMillis(at))))
    };
    rows.iter().filter_map(|row| read(row).transpose()).collect()
}
