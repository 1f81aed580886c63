//! Purging: what a batch says is made unreadable row by row, and what came of its rows stays.

use serde_json::Value;

use super::action::{self, ActionKind, Actor};
use super::batch::Batch;
use super::connection::Tx;
use super::error::Error;
use super::statement::{Row, Sql, query};
use super::{Result, Store, json_text};
use crate::invocation::{BatchId, Counts, UnixMillis};

/// What a purge does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeHow {
    /// Makes its phone numbers and texts unreadable; what came of its rows stays.
    Redact,
    /// Deletes all of it.
    Delete,
}

/// A purge that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// When.
    pub began_at: UnixMillis,
    /// What it does.
    pub how: PurgeHow,
    /// When it had done so, and nothing of it was left in the database's files; `None`: it goes on when it is typed again.
    pub finished_at: Option<UnixMillis>,
}

/// A batch as somebody who purges sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PurgeView {
    /// The batch.
    pub batch: Batch,
    /// Its rows by state.
    pub counts: Counts,
    /// The last outcome, import or action, but for runs that found nothing to send and purges.
    pub last_change: UnixMillis,
    /// Whether a run that has not ended has sent rows of it, as far as that is possible without a lock.
    pub is_in_a_run: bool,
}

/// A row with what takes the place of what it said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RedactedRow {
    /// The row.
    pub id: i64,
    /// SHA-256 of its body, in hex; `None`: it had none.
    pub body_sha256: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

/// An attempt with what takes the place of what was said to it; its answer goes altogether.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RedactedAttempt {
    /// The row.
    pub id: i64,
    /// Its number.
    pub number: u32,
    /// Its message.
    pub message: Option<String>,
}

impl PurgeHow {
    /// The word for it in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PurgeHow::Redact => "redact",
            PurgeHow::Delete => "delete",
        }
    }

    fn of(word: &str) -> Option<PurgeHow> {
        [PurgeHow::Redact, PurgeHow::Delete].into_iter().find(|how| how.as_str() == word)
    }
}

impl Store {
    /// Every batch as somebody who purges sees it, oldest first. Reads all rows.
    pub async fn purge_views(&self) -> Result<Vec<PurgeView>> {
        const CHANGE: &str = "SELECT MAX(at) FROM
            (SELECT MAX(finished_at) AS at FROM invocation WHERE id > $1 AND id < $2
             UNION ALL
             SELECT MAX(at) FROM action WHERE batch_id = $3 AND kind NOT IN ('run', 'purge')) AS changes";
        const IN_A_RUN: &str = "SELECT EXISTS (SELECT 1 FROM invocation WHERE id > $1 AND id < $2
            AND run_id IN (SELECT id FROM run WHERE ended_at IS NULL))";
        let failed = || self.failed("look for what may be purged");
        let mut views = Vec::new();
        for batch in self.batches().await? {
            let (start, end) = batch.id.row_bounds();
            let changed = query(CHANGE).bind(start).bind(end).bind(batch.id.0);
            let changed: Option<i64> = changed.fetch_value(&self.readers()).await.map_err(failed())?;
            // In a file the run lock says whether a run lives.
            let is_in_a_run = self.is_shared()
                && query(IN_A_RUN).bind(start).bind(end).fetch_value(&self.readers()).await.map_err(failed())?;
            let counts = self.counts_of(batch.id).await?;
            let last_change = changed.map_or(batch.imported_at, |at| batch.imported_at.max(UnixMillis(at)));
            views.push(PurgeView { batch, counts, last_change, is_in_a_run });
        }
        Ok(views)
    }

    /// Marks a batch as one that is purged from now on, and records it; `false` where something of it may still be sent or
    /// is not decided.
    ///
    /// The mark is what a killed purge is known by: it goes on when it is typed again, and nobody puts rows back meanwhile.
    pub async fn begin_purge(
        &self,
        batch: &Batch,
        how: PurgeHow,
        actor: &Actor,
        now: UnixMillis,
        reason: Option<&str>,
        detail: &Value,
    ) -> Result<bool> {
        // Locked, so that a `retry` of the batch comes before this as a whole, or sees it.
        const LOCK: Sql = Sql {
            sqlite: "SELECT id FROM batch WHERE id = $1",
            postgres: "SELECT id FROM batch WHERE id = $1 FOR UPDATE",
        };
        const OPEN: &str = "SELECT EXISTS (SELECT 1 FROM invocation WHERE state = 'pending' AND batch_id = $1)
            OR EXISTS (SELECT 1 FROM invocation WHERE state = 'sending' AND batch_id = $1)
            OR EXISTS (SELECT 1 FROM invocation WHERE state = 'unknown' AND batch_id = $1)";
        const BEGIN: &str = "UPDATE batch SET purge_began_at = $2, purge_how = $3, purged_at = NULL
            WHERE id = $1 AND imported_at IS NOT NULL
              AND (purge_how IS NULL OR (purge_how = 'redact' AND $3 = 'delete'))";
        let failed = || self.failed("begin a purge");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        query(LOCK).bind(batch.id.0).fetch_optional(&mut tx).await.map_err(failed())?;
        let is_open: bool = query(OPEN).bind(batch.id.0).fetch_value(&mut tx).await.map_err(failed())?;
        if is_open {
            tx.rollback().await.map_err(failed())?;
            return Ok(false);
        }
        let begin = query(BEGIN).bind(batch.id.0).bind(now.0).bind(how.as_str());
        if begin.execute(&mut tx).await.map_err(failed())? == 1 {
            action::record(&mut tx, batch.id, ActionKind::Purge, actor, now, reason, detail).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        Ok(true)
    }

    /// Puts what is left of rows and attempts in their place, in one transaction.
    pub async fn redact(&self, rows: &[RedactedRow], attempts: &[RedactedAttempt], now: UnixMillis) -> Result<()> {
        // Found by their numbers, which the content has: it goes after them. Zero is nobody's number.
        const FINGERPRINTS: &str = "UPDATE fingerprint SET phone = 0 WHERE (phone, request_hash, invocation_id) IN
            (SELECT f.phone, f.request_hash, f.invocation_id
             FROM (SELECT CAST(value ->> 'id' AS BIGINT) AS id FROM json_each($1)) AS j
             CROSS JOIN content AS c CROSS JOIN fingerprint AS f
             WHERE c.invocation_id = j.id AND f.phone = c.phone AND f.invocation_id = j.id)";
        const CONTENT: &str = "UPDATE content SET body = NULL, phone = NULL, time_zone = NULL, cells = NULL,
                body_sha256 = j.value ->> 'body_sha256', purged_at = $2
            FROM json_each($1) AS j
            WHERE invocation_id = CAST(j.value ->> 'id' AS BIGINT) AND purged_at IS NULL";
        const MESSAGES: &str = "UPDATE invocation SET message = j.value ->> 'message' FROM json_each($1) AS j
            WHERE invocation.id = CAST(j.value ->> 'id' AS BIGINT) AND message <> j.value ->> 'message'";
        const ATTEMPTS: &str = "UPDATE attempt SET answer = NULL, message = j.value ->> 'message'
            FROM json_each($1) AS j
            WHERE invocation_id = CAST(j.value ->> 'id' AS BIGINT) AND number = CAST(j.value ->> 'number' AS BIGINT)";
        let failed = || self.failed("make rows unreadable");
        let (row_texts, attempt_texts) = (json_text(rows), json_text(attempts));
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        for (statement, texts) in [(FINGERPRINTS, &row_texts), (MESSAGES, &row_texts), (ATTEMPTS, &attempt_texts)] {
            query(statement).bind(texts).execute(&mut tx).await.map_err(failed())?;
        }
        query(CONTENT).bind(&row_texts).bind(now.0).execute(&mut tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())
    }

    /// What operators said when they did something with the batch but purge it: each act's number, kind, reason and detail.
    pub async fn said_of(&self, batch: BatchId) -> Result<Vec<(i64, String, Option<String>, String)>> {
        const SAID: &str =
            "SELECT id, kind, reason, detail FROM action WHERE batch_id = $1 AND kind <> 'purge' ORDER BY id";
        let failed = || self.failed("read what was done with the batch");
        let rows = query(SAID).bind(batch.0).fetch_all(&self.readers()).await.map_err(failed())?;
        let read = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// Puts other words in the place of what was said: each act's number, reason and detail.
    pub async fn reword(&self, said: &[(i64, Option<String>, String)]) -> Result<()> {
        const REWORD: &str = "UPDATE action SET reason = j.value ->> 1, detail = j.value ->> 2 FROM json_each($1) AS j
            WHERE action.id = CAST(j.value ->> 0 AS BIGINT)";
        let mut writer = self.writer().await?;
        let done = query(REWORD).bind(json_text(said)).execute(&mut *writer).await;
        done.map(drop).map_err(self.failed("make what was said unreadable"))
    }

    /// Notes that nothing of what a purge made unreadable is left in the database's files.
    pub async fn finish_purge(&self, batch: BatchId, now: UnixMillis) -> Result<()> {
        const FINISH: &str = "UPDATE batch SET purged_at = $2
            WHERE id = $1 AND purge_how = 'redact' AND purged_at IS NULL";
        let mut writer = self.writer().await?;
        let done = query(FINISH).bind(batch.0).bind(now.0).execute(&mut *writer).await;
        done.map(drop).map_err(self.failed("finish a purge"))
    }

    pub(super) fn read_purge(&self, row: &Row) -> Result<Option<Purge>> {
        let failed = || self.failed("read a batch");
        let time = |column: &str| Ok(row.get::<Option<i64>>(column).map_err(failed())?.map(UnixMillis));
        let Some(began_at) = time("purge_began_at")? else { return Ok(None) };
        let how: String = row.get("purge_how").map_err(failed())?;
        let how = PurgeHow::of(&how).ok_or_else(|| self.misread("a purge", &how))?;
        Ok(Some(Purge { began_at, how, finished_at: time("purged_at")? }))
    }
}

/// Says that rows of a batch whose purge has begun are not put back: what they said is gone, or goes.
pub(super) async fn refuse_where_it_began(
    tx: &mut Tx<'_>,
    batch: BatchId,
    failed: impl FnOnce(sqlx::Error) -> Error,
) -> Result<()> {
    const BEGAN: &str = "SELECT purge_began_at IS NOT NULL FROM batch WHERE id = $1";
    let began: bool = query(BEGAN).bind(batch.0).fetch_value(&mut *tx).await.map_err(failed)?;
    if began {
        return Err(Error::Conflict(
            "the batch is being purged: its numbers and texts are gone\nhint: what must be sent again goes into a file of its own".to_owned(),
        ));
    }
    Ok(())
}
