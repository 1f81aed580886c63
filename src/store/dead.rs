//! Dead runs: they are ended, and what they had in flight becomes unknown.

use super::connection::Tx;
use super::run::SignOfLife;
use super::statement::query;
use super::{Result, Store, counts, ids_text};
use crate::invocation::{BatchId, Counts, InvocationId, NoAnswer, RunId, State, UnixMillis};

/// What was found of dead runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Runs that had not ended themselves.
    pub runs: u64,
    /// Rows that they left `sending`, now `unknown`.
    pub unknown: u64,
    /// The batches of those rows.
    pub batches: Vec<BatchId>,
    /// Their names.
    pub names: Vec<String>,
    /// The machine and process, where it was one.
    pub who: Option<String>,
}

impl Store {
    /// Ends every run that has not ended, and moves the rows that they left `sending` to `unknown`.
    ///
    /// The caller holds the run lock, which proves that none of them lives.
    pub async fn settle_dead_runs(&self, now: UnixMillis) -> Result<Settled> {
        const END: &str = "UPDATE run SET ended_at = $1, ended_how = 'died' WHERE ended_at IS NULL";
        const LEFT: &str = "SELECT id FROM invocation WHERE state = 'sending'";
        let failed = || self.failed("settle what a dead run left");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(failed())?;
        let left: Vec<i64> = query(LEFT).fetch_column(&mut tx).await.map_err(failed())?;
        let batches = lose(&mut tx, &left, now).await.map_err(failed())?;
        let runs = query(END).bind(now.0).execute(&mut tx).await.map_err(failed())?;
        let names = names_of(&mut tx, &batches).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(Settled { runs, unknown: left.len() as u64, batches, names, who: None })
    }

    /// Ends a run that still shows what it showed before, and moves the rows that it left `sending` to `unknown`, in one
    /// transaction; `None` where it has shown something else meanwhile, or has ended.
    ///
    /// Whoever calls this has read the same sign for long enough to know that the run is dead. If it lives all the same,
    /// its next turn finds that it was ended: it takes nothing more, and its outcomes are late.
    pub async fn end_silent_run(&self, sign: SignOfLife, now: UnixMillis) -> Result<Option<Settled>> {
        let failed = || self.failed("settle what a dead run left");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(failed())?;
        match end_silent(&mut tx, sign, now).await {
            Ok(Some(settled)) => {
                tx.commit().await.map_err(failed())?;
                Ok(Some(settled))
            }
            not_ended => {
                // At once: whoever asks may not use the connection for a while.
                let taken_back = tx.rollback().await;
                let not_ended = not_ended.map_err(failed())?;
                taken_back.map_err(failed())?;
                Ok(not_ended)
            }
        }
    }

    /// How many rows of the batch are in flight in other runs than these.
    pub async fn orphaned(&self, batch: BatchId, but: &[RunId]) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM invocation WHERE state = 'sending' AND batch_id = $1
            AND run_id NOT IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($2))";
        query(COUNT)
            .bind(batch.0)
            .bind(ids_text(but.iter().map(|run| run.0)))
            .fetch_value(&self.readers())
            .await
            .map_err(self.failed("look for rows of dead runs"))
    }

    /// Whether any row is `sending`, of a run that lives or of one that does not.
    pub async fn has_sending(&self) -> Result<bool> {
        query("SELECT EXISTS (SELECT 1 FROM invocation WHERE state = 'sending')")
            .fetch_value(&self.readers())
            .await
            .map_err(self.failed("look for rows in flight"))
    }
}

/// Ends the run and loses its rows, where it still shows that sign.
async fn end_silent(tx: &mut Tx<'_>, sign: SignOfLife, now: UnixMillis) -> sqlx::Result<Option<Settled>> {
    const END: &str = "UPDATE run SET ended_at = COALESCE(ended_at, $4), ended_how = COALESCE(ended_how, 'died')
        WHERE id = $1 AND beat = $2 AND turn = $3
          AND (ended_at IS NULL OR EXISTS (SELECT 1 FROM invocation WHERE run_id = $1 AND state = 'sending'))
        RETURNING host || ' (pid ' || pid || ')'";
    // Who waits longer may find that everybody had to wait, and that the run lives.
    const AT_ONCE: &str = "SELECT set_config('lock_timeout', '1s', true)";
    const LEFT: &str = "SELECT id FROM invocation WHERE run_id = $1 AND state = 'sending'";
    if matches!(tx, Tx::Postgres(_)) {
        query(AT_ONCE).execute(&mut *tx).await?;
    }
    let end = query(END).bind(sign.run.0).bind(sign.beat).bind(sign.turn).bind(now.0);
    let Some(ended) = end.fetch_optional(&mut *tx).await? else { return Ok(None) };
    let left: Vec<i64> = query(LEFT).bind(sign.run.0).fetch_column(&mut *tx).await?;
    let batches = lose(tx, &left, now).await?;
    let names = names_of(tx, &batches).await?;
    Ok(Some(Settled { runs: 1, unknown: left.len() as u64, batches, names, who: ended.get(0)? }))
}

async fn names_of(tx: &mut Tx<'_>, batches: &[BatchId]) -> sqlx::Result<Vec<String>> {
    const NAMES: &str =
        "SELECT name FROM batch WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) ORDER BY id";
    query(NAMES).bind(ids_text(batches.iter().map(|batch| batch.0))).fetch_column(&mut *tx).await
}

/// Moves rows from `sending` to `unknown` because their run is gone, with an attempt record each; the rows' batches.
async fn lose(tx: &mut Tx<'_>, rows: &[i64], now: UnixMillis) -> sqlx::Result<Vec<BatchId>> {
    // `sent_at` is when the row was taken: the earliest moment at which the request can have left.
    const RECORD: &str =
        "INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, message, judged)
        SELECT id, attempt, run_id, taken_at, taken_at, $2, 'unknown', $3, 1 FROM invocation
        WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) AND state = 'sending'";
    const MOVE: &str = "UPDATE invocation SET state = 'unknown', finished_at = $2, message = $3
        WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) AND state = 'sending'";
    let ids = ids_text(rows.iter().copied());
    for statement in [RECORD, MOVE] {
        query(statement).bind(&ids).bind(now.0).bind(NoAnswer::RunDied.to_string()).execute(&mut *tx).await?;
    }
    let mut batches: Vec<BatchId> = rows.iter().map(|row| InvocationId(*row).batch()).collect();
    let mut moved: Vec<(BatchId, Counts)> = Vec::new();
    for batch in &batches {
        counts::note_move(&mut moved, *batch, State::Sending, State::Unknown);
    }
    counts::write_counts(tx, &moved).await?;
    batches.sort_unstable();
    batches.dedup();
    Ok(batches)
}
