//! What is told of a batch once it has been sent: the runs that worked on it, what operators did, and whom it may have told twice.

use super::action::{ActionRecord, read_action};
use super::statement::{Row, query};
use super::{Result, Store, ids_text};
use crate::invocation::{BatchId, RunId, UnixMillis};

/// A run, whether it lives or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRun {
    /// Its number.
    pub id: RunId,
    /// Who started it.
    pub who: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// The program's version.
    pub version: String,
    /// When it started.
    pub started_at: UnixMillis,
    /// When it ended, and how; `None`: it lives, or nobody has found out yet that it does not.
    pub ended: Option<(UnixMillis, String)>,
}

/// In the order of their numbers, which is that of their lines, and of the index: the first are found without a look at all.
pub(super) const DUPLICATE_LINES: &str = "SELECT line FROM invocation WHERE batch_id = $1 AND possible_duplicate = 1
    AND state = 'accepted' ORDER BY id LIMIT $2";

/// The statement that reads runs, with which of them.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!("SELECT id, who, host, pid, version, started_at, ended_at, ended_how FROM run ", $rest)
    };
}

impl Store {
    /// The runs of these numbers, oldest first.
    pub async fn runs(&self, ids: &[RunId]) -> Result<Vec<PastRun>> {
        const RUNS: &str =
            select_runs!("WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) ORDER BY id");
        let failed = || self.failed("list the runs");
        let ids = ids_text(ids.iter().map(|run| run.0));
        let rows = query(RUNS).bind(ids).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(read_run).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// The runs that ended last, the last first.
    pub async fn ended_runs(&self, limit: u32) -> Result<Vec<PastRun>> {
        const ENDED: &str = select_runs!("WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT $1");
        let failed = || self.failed("list the runs");
        let rows = query(ENDED).bind(limit).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(read_run).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// What operators did to a batch and to its rows, but for starting runs: the first `limit` acts, oldest first.
    pub async fn all_actions(&self, batch: BatchId, limit: u32) -> Result<Vec<ActionRecord>> {
        const ALL: &str = "SELECT kind, at, who, host, version, reason, detail FROM action
            WHERE batch_id = $1 AND kind <> 'run' ORDER BY id LIMIT $2";
        let failed = || self.failed("list the batch's actions");
        let rows = query(ALL).bind(batch.0).bind(limit).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(read_action).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// The first `limit` lines of a batch that were accepted and may have been before, as
    /// [`possible_duplicates`](Store::possible_duplicates) counts them.
    pub async fn possible_duplicate_lines(&self, batch: BatchId, limit: u32) -> Result<Vec<u32>> {
        let failed = || self.failed("list possible duplicates");
        let rows =
            query(DUPLICATE_LINES).bind(batch.0).bind(limit).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(|row| row.small(0)).collect::<sqlx::Result<_>>().map_err(failed())
    }
}

fn read_run(row: &Row) -> sqlx::Result<PastRun> {
    let ended_at: Option<i64> = row.get("ended_at")?;
    Ok(PastRun {
        id: RunId(row.get("id")?),
        who: row.get("who")?,
        host: row.get("host")?,
        pid: row.get("pid")?,
        version: row.get("version")?,
        started_at: UnixMillis(row.get("started_at")?),
        ended: ended_at.map(UnixMillis).zip(row.get("ended_how")?),
    })
}
