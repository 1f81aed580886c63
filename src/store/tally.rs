//! What came of some of a batch's lines, counted by the database: a page of figures must not carry every row to its reader.

use std::ops::RangeInclusive;

use super::statement::{Row, query};
use super::{Result, Store};
use crate::invocation::{BatchId, InvocationId, Outcome, RunId, State};

/// Lines that are named of each kind of trouble.
pub const LINES_NAMED: u32 = 5;

/// What is counted of a range of lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineTally {
    /// The rows, by state and code.
    pub rows: Vec<RowCount>,
    /// Those that are neither accepted nor on their way, by why.
    pub troubles: Vec<Trouble>,
    /// The attempts, by what came of them and when.
    pub attempts: Vec<AttemptCount>,
    /// How long answers took: milliseconds from the start of the request to its outcome, and of how many attempts. Counted
    /// where an answer's head came.
    pub answer_times: Vec<(u32, i64)>,
    /// How many attempts each run made.
    pub runs: Vec<(RunId, i64)>,
}

/// Rows that stand alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCount {
    /// Their state.
    pub state: State,
    /// The last answer's code, or this tool's.
    pub code: Option<u32>,
    /// How many.
    pub rows: i64,
}

/// Why rows are rejected, failed, unknown, skipped or cancelled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// Their state.
    pub state: State,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// Its code, or this tool's.
    pub code: Option<u32>,
    /// Who refused them.
    pub refused_by: Option<String>,
    /// The kind of a skip.
    pub reason: Option<String>,
    /// What was said.
    pub message: Option<String>,
}

/// Rows that are not accepted, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub cause: Cause,
    /// How many.
    pub rows: i64,
    /// The first lines of them, [`LINES_NAMED`] at most.
    pub lines: Vec<u32>,
}

/// Attempts of which the same came within one second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptCount {
    /// When it was known, in seconds since 1970.
    pub second: i64,
    /// What came of them.
    pub outcome: Outcome,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// The answer's code.
    pub code: Option<u32>,
    /// Whether a request was written, or may have been.
    pub is_sent: bool,
    /// Who told of them.
    pub witness: Witness,
    /// How many.
    pub attempts: i64,
}

/// Who told what came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Its run, in time.
    Run,
    /// Whoever found its run dead: it is unknown.
    Judge,
    /// Its run, which lived after all, when it had been told to be unknown.
    LateRun,
}

/// What tells that rows which had come to their end are other than they were: an operator's act, or what a run that was thought
/// dead has told late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Afterthoughts {
    last_action: i64,
    late_attempts: i64,
}

const ROWS: &str = "SELECT state, code, COUNT(*) FROM invocation WHERE id BETWEEN $1 AND $2 GROUP BY state, code";

const TROUBLES: &str = "SELECT line, state, http_status, code, refused_by, reason, message, alike FROM
    (SELECT line, state, http_status, code, refused_by, reason, message,
        COUNT(*) OVER (PARTITION BY state, http_status, code, refused_by, reason, message) AS alike,
        ROW_NUMBER() OVER (PARTITION BY state, http_status, code, refused_by, reason, message ORDER BY line) AS place
     FROM invocation
     WHERE id BETWEEN $1 AND $2 AND state IN ('rejected', 'failed', 'unknown', 'skipped', 'cancelled')) AS troubled
    WHERE place <= $3 ORDER BY state, http_status, code, refused_by, reason, message, line";

const ATTEMPTS: &str = "SELECT finished_at / 1000 AS second, outcome, http_status, code,
        CAST(CASE WHEN sent_at IS NULL THEN 0 ELSE 1 END AS BIGINT) AS is_sent, judged + late AS told,
        COUNT(*) AS attempts
    FROM attempt WHERE invocation_id BETWEEN $1 AND $2 GROUP BY 1, 2, 3, 4, 5, 6";

const ANSWER_TIMES: &str = "SELECT finished_at - sent_at AS ms, COUNT(*) FROM attempt
    WHERE invocation_id BETWEEN $1 AND $2 AND http_status IS NOT NULL AND sent_at IS NOT NULL GROUP BY 1";

const RUNS: &str = "SELECT run_id, COUNT(*) FROM attempt WHERE invocation_id BETWEEN $1 AND $2 GROUP BY run_id";

impl Store {
    /// Counts what came of the lines, each named by its number in the file.
    ///
    /// Reads each row and attempt of the range once or twice, in the database: ask for some ten thousand lines at a time.
    pub async fn tally(&self, batch: BatchId, lines: RangeInclusive<u32>) -> Result<LineTally> {
        let failed = || self.failed("count what came of rows");
        let (first, last) = (InvocationId::new(batch, *lines.start()).0, InvocationId::new(batch, *lines.end()).0);
        let ask = |text: &'static str| query(text).bind(first).bind(last);
        let readers = self.readers();
        let rows = ask(ROWS).fetch_all(&readers).await.map_err(failed())?;
        let troubles = ask(TROUBLES).bind(i64::from(LINES_NAMED)).fetch_all(&readers).await.map_err(failed())?;
        let attempts = ask(ATTEMPTS).fetch_all(&readers).await.map_err(failed())?;
        let runs = ask(RUNS).fetch_all(&readers).await.map_err(failed())?;
        let times = ask(ANSWER_TIMES).fetch_all(&readers).await.map_err(failed())?;
        Ok(LineTally {
            rows: rows.iter().map(|row| self.row_count(row)).collect::<Result<_>>()?,
            troubles: self.troubles(&troubles)?,
            attempts: attempts.iter().map(|row| self.attempt_count(row)).collect::<Result<_>>()?,
            // A clock that was set back makes an answer older than its question.
            answer_times: times
                .iter()
                .map(|row| Ok((u32::try_from(row.get::<i64>(0)?.max(0)).unwrap_or(u32::MAX), row.get(1)?)))
                .collect::<sqlx::Result<_>>()
                .map_err(failed())?,
            runs: runs
                .iter()
                .map(|row| Ok((RunId(row.get(0)?), row.get(1)?)))
                .collect::<sqlx::Result<_>>()
                .map_err(failed())?,
        })
    }

    /// The last line of a batch that is a row; `None` where it has none.
    pub async fn last_line(&self, batch: BatchId) -> Result<Option<u32>> {
        const LAST: &str = "SELECT line FROM invocation WHERE id > $1 AND id < $2 ORDER BY id DESC LIMIT 1";
        let failed = || self.failed("look for the last row");
        let (start, end) = batch.row_bounds();
        let last = query(LAST).bind(start).bind(end).fetch_optional(&self.readers()).await.map_err(failed())?;
        last.map(|row| row.small(0)).transpose().map_err(failed())
    }

    /// Whether any of the lines was attempted: found by one look, however many there are.
    pub async fn was_attempted(&self, batch: BatchId, lines: RangeInclusive<u32>) -> Result<bool> {
        const ANY: &str = "SELECT COUNT(*) FROM
            (SELECT 1 FROM attempt WHERE invocation_id BETWEEN $1 AND $2 LIMIT 1) AS any_of_them";
        let found: i64 = query(ANY)
            .bind(InvocationId::new(batch, *lines.start()).0)
            .bind(InvocationId::new(batch, *lines.end()).0)
            .fetch_value(&self.readers())
            .await
            .map_err(self.failed("look for attempts"))?;
        Ok(found > 0)
    }

    /// What has come to a batch's rows after their end: other than before where any has changed.
    pub async fn afterthoughts(&self, batch: BatchId) -> Result<Afterthoughts> {
        const LAST: &str = "SELECT (SELECT COALESCE(MAX(id), 0) FROM action WHERE batch_id = $1
                AND kind IN ('cancel', 'retry', 'resolve', 'rolled-back', 'purge')),
            (SELECT COUNT(*) FROM attempt WHERE late = 1 AND invocation_id > $2 AND invocation_id < $3)";
        let failed = || self.failed("look for what came to rows after their end");
        let (start, end) = batch.row_bounds();
        let found = query(LAST).bind(batch.0).bind(start).bind(end).fetch_one(&self.readers()).await;
        let row = found.map_err(failed())?;
        Ok(Afterthoughts { last_action: row.get(0).map_err(failed())?, late_attempts: row.get(1).map_err(failed())? })
    }

    fn row_count(&self, row: &Row) -> Result<RowCount> {
        let failed = || self.failed("count rows");
        Ok(RowCount {
            state: self.read_state(row)?,
            code: row.small_or_null("code").map_err(failed())?,
            rows: row.get(2).map_err(failed())?,
        })
    }

    fn troubles(&self, rows: &[Row]) -> Result<Vec<Trouble>> {
        let failed = || self.failed("count what went wrong");
        let mut troubles: Vec<Trouble> = Vec::new();
        for row in rows {
            let text = |column: &str| row.get::<Option<String>>(column).map_err(failed());
            let cause = Cause {
                state: self.read_state(row)?,
                http_status: row.small_or_null("http_status").map_err(failed())?,
                code: row.small_or_null("code").map_err(failed())?,
                refused_by: text("refused_by")?,
                reason: text("reason")?,
                message: text("message")?,
            };
            let line = row.small("line").map_err(failed())?;
            match troubles.last_mut() {
                Some(last) if last.cause == cause => last.lines.push(line),
                _ => troubles.push(Trouble { cause, rows: row.get("alike").map_err(failed())?, lines: vec![line] }),
            }
        }
        Ok(troubles)
    }

    fn attempt_count(&self, row: &Row) -> Result<AttemptCount> {
        let failed = || self.failed("count attempts");
        let outcome: String = row.get("outcome").map_err(failed())?;
        Ok(AttemptCount {
            second: row.get("second").map_err(failed())?,
            outcome: outcome.parse().map_err(|error| self.misread("an outcome", &error))?,
            http_status: row.small_or_null("http_status").map_err(failed())?,
            code: row.small_or_null("code").map_err(failed())?,
            is_sent: row.get::<i64>("is_sent").map_err(failed())? != 0,
            // A late one was judged before.
            witness: match row.get::<i64>("told").map_err(failed())? {
                0 => Witness::Run,
                1 => Witness::Judge,
                _ => Witness::LateRun,
            },
            attempts: row.get("attempts").map_err(failed())?,
        })
    }

    fn read_state(&self, row: &Row) -> Result<State> {
        let state: String = row.get("state").map_err(self.failed("read a state"))?;
        state.parse().map_err(|error| self.misread("a state", &error))
    }
}
