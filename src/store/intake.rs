//! Intake of a file: rows are written in chunks under a batch that no other command sees until its last small commit.

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::action::{self, ActionKind, Actor};
use super::batch::settings_text;
use super::connection::Tx;
use super::fold::Folding;
use super::import_lock::ImportLock;
use super::statement::query;
use super::{Backend, Error, Result, Store, deletion, json_text, sqlite};
use crate::invocation::{BATCH_NAME_LENGTH_MAX, BatchId, Counts, Findings, Settings, SkipReason, State, UnixMillis};
use crate::mep::{Endpoint, ServiceId};

/// Rows of an abandoned import that are deleted in one transaction, so that a run beside it is not held up.
const SWEEP_ROWS: i64 = 20_000;

/// What is known of a batch once its file has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBatch {
    /// The name asked for; `None`: the first free one of `stem`, `stem-2`, `stem-3`…
    pub name: Option<String>,
    /// What a name is made of.
    pub stem: String,
    /// The service.
    pub service: ServiceId,
    /// Where it is sent.
    pub endpoint: Endpoint,
    /// Whose credentials; may be empty.
    pub account: String,
    /// The file as the operator named it.
    pub source_name: String,
    /// SHA-256 of the content, in hex.
    pub source_sha256: String,
    /// SHA-256 of the file itself, which may be packed or encoded otherwise.
    pub file_sha256: String,
    /// The mapped names.
    pub columns: Vec<String>,
    /// How it is sent.
    pub settings: Settings,
    /// What was found out about the file.
    pub findings: Findings,
    /// Rows in the file, as the reader counted them.
    pub rows: i64,
}

/// A row of the intake that is not to be sent after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Its line.
    pub line: u32,
    /// `skipped`, or `rejected` where the operator has to choose.
    pub state: State,
    /// Why.
    pub reason: SkipReason,
    /// Why, in one line.
    pub message: String,
}

/// A batch that is being filled. Left unfinished, it is swept by the next import.
pub struct Intake<'a> {
    pub(super) store: &'a Store,
    pub(super) batch: BatchId,
    pub(super) counts: Counts,
    pub(super) now: UnixMillis,
    lock: ImportLock,
    /// A file is written by connections of the import's own; a server by the one that holds its lock.
    pub(super) own: Option<Own>,
}

/// The connections of an import into a file.
pub(super) struct Own {
    pub(super) writer: SqliteConnection,
    pub(super) folding: Folding,
}

impl Own {
    async fn open(place: &str, options: &SqliteConnectOptions) -> Result<Own> {
        let writer = sqlite::open(place, &sqlite::import_options(options)).await?;
        Ok(Own { writer, folding: Folding::new(sqlite::open(place, options).await?) })
    }

    /// The one that writes first: it may hold what a run beside the import waits for.
    async fn close(self) -> sqlx::Result<()> {
        let closed = self.writer.close().await;
        self.folding.close().await.and(closed)
    }
}

impl Store {
    /// Begins a batch, after sweeping what a killed import left behind. The lock proves that no other import lives.
    pub async fn begin_intake(&self, lock: ImportLock, now: UnixMillis) -> Result<Intake<'_>> {
        const BEGIN: &str =
            "INSERT INTO batch (service_id, endpoint, account, source_name, source_sha256, columns, settings, findings)
            VALUES ('', '', '', '', '', '[]', '{}', '{}') RETURNING id";
        self.sweep_unfinished().await?;
        let mut writer = self.writer().await?;
        let batch = query(BEGIN).fetch_value(&mut *writer).await.map_err(self.failed("begin a batch"))?;
        drop(writer);
        let own = match &self.backend {
            Backend::Sqlite(options) => Some(Own::open(&self.place, options).await?),
            Backend::Postgres(..) => None,
        };
        Ok(Intake { store: self, batch: BatchId(batch), counts: Counts::default(), now, lock, own })
    }

    /// Deletes batches whose import never ended, in small transactions.
    async fn sweep_unfinished(&self) -> Result<()> {
        const UNFINISHED: &str = "SELECT id FROM batch WHERE imported_at IS NULL";
        let failed = || self.failed("look for leftovers");
        for unfinished in query(UNFINISHED).fetch_all(&self.readers()).await.map_err(failed())? {
            tracing::info!("sweeping what an unfinished import left behind");
            let batch = BatchId(unfinished.get(0).map_err(failed())?);
            while self.sweep_some(batch).await? > 0 {}
        }
        Ok(())
    }

    /// Deletes some rows of an unfinished batch, and the batch once it has none; how many rows.
    async fn sweep_some(&self, batch: BatchId) -> Result<u64> {
        const BATCH: &str = "DELETE FROM batch WHERE id = $1 AND imported_at IS NULL";
        let failed = || self.failed("sweep an unfinished import");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let deleted = deletion::delete_rows(&mut tx, batch, SWEEP_ROWS).await.map_err(failed())?;
        if deleted == 0 {
            query(BATCH).bind(batch.0).execute(&mut tx).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        Ok(deleted)
    }
}

impl<'a> Intake<'a> {
    /// The store that it fills a batch of.
    #[must_use]
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// Closes the connections that have written a file; [`Intake::finish`] does it if nobody has before. What fails here leaves
    /// a batch that nobody sees, to be abandoned.
    pub async fn end_writing(&mut self) -> Result<()> {
        match self.own.take() {
            Some(own) => own.close().await.map_err(self.store.failed("put the log into the file")),
            None => Ok(()),
        }
    }

    /// Makes the batch visible to everybody, in one small transaction; its number and name.
    ///
    /// A name that is taken is refused where it was asked for; else the first free one is used.
    ///
    /// All that was written before is made durable by this commit, too.
    pub async fn finish(mut self, new: &NewBatch, actor: &Actor) -> Result<(BatchId, String)> {
        const FINISH: &str =
            "UPDATE batch SET name = $2, service_id = $3, endpoint = $4, account = $5, source_name = $6,
            source_sha256 = $7, columns = $8, settings = $9, findings = $10, row_count = $11, imported_at = $12, history = $13
            WHERE id = $1";
        const COUNTS: &str = "INSERT INTO state_count (batch_id, state, invocations)
            SELECT $2, j.value ->> 0, CAST(j.value ->> 1 AS BIGINT) FROM json_each($1) AS j";
        let failed = || self.store.failed("finish the import");
        self.end_writing().await?;
        let mut writer = self.store.writer().await?;
        let mut tx = writer.begin().await.map_err(self.store.failed("begin a transaction"))?;
        let name = free_name(&mut tx, new).await.map_err(failed())?;
        let Some(name) = name else {
            let taken = new.name.as_deref().unwrap_or_default();
            return Err(Error::Conflict(format!(
                "there is a batch named `{taken}` already\nhint: give another `--batch` name"
            )));
        };
        query(FINISH)
            .bind(self.batch.0)
            .bind(&name)
            .bind(new.service.as_str())
            .bind(new.endpoint.to_string())
            .bind(&new.account)
            .bind(&new.source_name)
            .bind(&new.source_sha256)
            .bind(json_text(&new.columns))
            .bind(settings_text(&new.settings))
            .bind(json_text(&new.findings))
            .bind(new.rows)
            .bind(self.now.0)
            .bind(self.store.history())
            .execute(&mut tx)
            .await
            .map_err(failed())?;
        let counts: Vec<_> = self.counts.iter().map(|(state, count)| (state.as_str(), count)).collect();
        query(COUNTS).bind(json_text(&counts)).bind(self.batch.0).execute(&mut tx).await.map_err(failed())?;
        let detail = json!({
            "file": new.source_name,
            "sha256": new.source_sha256,
            "fileSha256": new.file_sha256,
            "rows": new.rows,
        });
        action::record(&mut tx, self.batch, ActionKind::Import, actor, self.now, None, &detail)
            .await
            .map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        drop(writer);
        self.lock.release(self.store).await;
        Ok((self.batch, name))
    }

    /// Deletes what was written: the input as a whole is refused.
    pub async fn abandon(mut self) -> Result<()> {
        if let Err(error) = self.end_writing().await {
            tracing::debug!("the database did not close cleanly: {error}");
        }
        while self.store.sweep_some(self.batch).await? > 0 {}
        self.lock.release(self.store).await;
        Ok(())
    }
}

/// The name to use; `None` where the one asked for is taken.
async fn free_name(tx: &mut Tx<'_>, new: &NewBatch) -> sqlx::Result<Option<String>> {
    const TAKEN: &str = "SELECT COUNT(*) FROM batch WHERE name = $1";
    let mut number = 1_u64;
    loop {
        let candidate = match (&new.name, number) {
            (Some(name), _) => name.clone(),
            (None, 1) => new.stem.clone(),
            (None, number) => {
                let ending = format!("-{number}");
                let stem: String = new.stem.chars().take(BATCH_NAME_LENGTH_MAX - ending.len()).collect();
                stem + &ending
            }
        };
        let taken: i64 = query(TAKEN).bind(&candidate).fetch_value(&mut *tx).await?;
        match (taken, &new.name) {
            (0, _) => return Ok(Some(candidate)),
            (_, Some(_)) => return Ok(None),
            (_, None) => number += 1,
        }
    }
}
