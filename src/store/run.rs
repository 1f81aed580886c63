//! Runs: starting, ending, and settling what a dead one left behind.

use sqlx::{Row, Sqlite, Transaction};

use super::action::Actor;
use super::{Error, Result, Store, json_text, turn};
use crate::invocation::{BatchId, Counts, InvocationId, NoAnswer, RunId, State, UnixMillis};

/// How a run's end begins that was stopped by a fault; the reason follows.
pub const STOPPED: &str = "stopped: ";

/// A run as it identifies itself in every statement: its number and its random token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number in this database.
    pub id: RunId,
    /// Random for each process start, so that a copied or restored database knows a stranger.
    pub token: String,
}

/// A run as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunView {
    /// Its number.
    pub id: RunId,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// When it started.
    pub started_at: UnixMillis,
    /// When its last turn committed.
    pub turned_at: UnixMillis,
    /// Rows that it has in flight.
    pub sending: i64,
}

/// What was found of dead runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Runs that had not ended themselves.
    pub runs: u64,
    /// Rows that they left `sending`, now `unknown`.
    pub unknown: u64,
    /// The batches of those rows.
    pub batches: Vec<BatchId>,
}

impl Store {
    /// Registers a run; its first turn is number 1.
    pub async fn start_run(&self, token: &str, actor: &Actor, now: UnixMillis) -> Result<Run> {
        const START: &str = "INSERT INTO run (token, host, pid, version, started_at, turned_at)
            VALUES ($1, $2, $3, $4, $5, $5) RETURNING id";
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await?;
        let failed = || self.failed("register the run");
        let id = sqlx::query_scalar(START)
            .bind(token)
            .bind(&actor.host)
            .bind(i64::from(std::process::id()))
            .bind(&actor.version)
            .bind(now.0)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(Run { id: RunId(id), token: token.to_owned() })
    }

    /// Notes that the run has ended by itself.
    pub async fn end_run(&self, run: &Run, how: &str, now: UnixMillis) -> Result<()> {
        const END: &str =
            "UPDATE run SET ended_at = $3, ended_how = $4 WHERE id = $1 AND token = $2 AND ended_at IS NULL";
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await?;
        let failed = || self.failed("end the run");
        sqlx::query(END)
            .bind(run.id.0)
            .bind(&run.token)
            .bind(now.0)
            .bind(how)
            .execute(&mut *tx)
            .await
            .map_err(failed())?;
        tx.commit().await.map_err(failed())
    }

    /// The last turn of the run that committed, by which a commit whose answer was lost is told from one that failed.
    pub async fn last_turn(&self, run: &Run) -> Result<i64> {
        let mut writer = self.writer().await?;
        sqlx::query_scalar("SELECT turn FROM run WHERE id = $1 AND token = $2 AND ended_at IS NULL")
            .bind(run.id.0)
            .bind(&run.token)
            .fetch_optional(writer.connection())
            .await
            .map_err(self.failed("read the run's last turn"))?
            .ok_or_else(|| {
                Error::Fenced("it is not in the database any more, or was ended by another process".to_owned())
            })
    }

    /// Ends every run that has not ended, and moves the rows that they left `sending` to `unknown`.
    ///
    /// The caller holds the run lock, which proves that none of them lives.
    pub async fn settle_dead_runs(&self, now: UnixMillis) -> Result<Settled> {
        const END: &str = "UPDATE run SET ended_at = $1, ended_how = 'died' WHERE ended_at IS NULL";
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await?;
        let failed = || self.failed("settle what a dead run left");
        let left: Vec<(i64,)> = sqlx::query_as("SELECT id FROM invocation WHERE state = 'sending'")
            .fetch_all(&mut *tx)
            .await
            .map_err(failed())?;
        let left: Vec<InvocationId> = left.into_iter().map(|(id,)| InvocationId(id)).collect();
        lose(&mut tx, &left, &NoAnswer::RunDied, now).await.map_err(failed())?;
        let ended = sqlx::query(END).bind(now.0).execute(&mut *tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        let mut batches: Vec<BatchId> = left.iter().map(|row| row.batch()).collect();
        batches.sort_unstable();
        batches.dedup();
        Ok(Settled { runs: ended.rows_affected(), unknown: left.len() as u64, batches })
    }

    /// Whether any row is `sending`, of a run that lives or of one that does not.
    pub async fn has_sending(&self) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM invocation WHERE state = 'sending')")
            .fetch_one(&self.readers)
            .await
            .map_err(self.failed("look for rows in flight"))
    }

    /// Why the last run that ended was stopped, where it was.
    pub async fn last_stop(&self) -> Result<Option<String>> {
        const LAST: &str = "SELECT ended_how FROM run WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1";
        let how: Option<String> =
            sqlx::query_scalar(LAST).fetch_optional(&self.readers).await.map_err(self.failed("read the last run"))?;
        Ok(how.and_then(|how| how.strip_prefix(STOPPED).map(str::to_owned)))
    }

    /// The runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<RunView>> {
        const OPEN: &str = "SELECT id, host, pid, started_at, turned_at,
                (SELECT COUNT(*) FROM invocation WHERE run_id = run.id AND state = 'sending') AS sending
            FROM run WHERE ended_at IS NULL ORDER BY id";
        let failed = || self.failed("list the runs");
        let rows = sqlx::query(OPEN).fetch_all(&self.readers).await.map_err(failed())?;
        rows.iter()
            .map(|row| {
                let number = |column: &str| row.try_get::<i64, _>(column).map_err(failed());
                Ok(RunView {
                    id: RunId(number("id")?),
                    host: row.try_get("host").map_err(failed())?,
                    pid: number("pid")?,
                    started_at: UnixMillis(number("started_at")?),
                    turned_at: UnixMillis(number("turned_at")?),
                    sending: number("sending")?,
                })
            })
            .collect()
    }
}

/// Moves rows from `sending` to `unknown` because their run is gone, with an attempt record each.
async fn lose(
    tx: &mut Transaction<'_, Sqlite>,
    rows: &[InvocationId],
    why: &NoAnswer,
    now: UnixMillis,
) -> sqlx::Result<()> {
    // `sent_at` is when the row was taken: the earliest moment at which the request can have left.
    const RECORD: &str =
        "INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, message)
        SELECT id, attempt, run_id, taken_at, taken_at, $2, 'unknown', $3 FROM invocation
        WHERE id IN (SELECT value FROM json_each($1)) AND state = 'sending'";
    const MOVE: &str = "UPDATE invocation SET state = 'unknown', finished_at = $2, message = $3
        WHERE id IN (SELECT value FROM json_each($1)) AND state = 'sending'";
    let ids = json_text(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
    for statement in [RECORD, MOVE] {
        sqlx::query(statement).bind(&ids).bind(now.0).bind(why.to_string()).execute(&mut **tx).await?;
    }
    let mut moved: Vec<(BatchId, Counts)> = Vec::new();
    for row in rows {
        turn::note_move(&mut moved, row.batch(), State::Sending, State::Unknown);
    }
    turn::write_counts(tx, &moved).await
}
