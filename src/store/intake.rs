//! Intake of a file: rows are written in chunks under a batch that no other command sees until its last small commit.

use serde_json::json;

use super::action::{self, ActionKind, Actor};
use super::batch::settings_text;
use super::connection::{Tx, Writer};
use super::given::{Columns, Given, Kind};
use super::import_lock::ImportLock;
use super::statement::{Statement, query};
use super::told::{self, Told};
use super::{Backend, Error, Result, Store, deletion, json_text, sqlite};
use crate::invocation::{
    BATCH_NAME_LENGTH_MAX, BatchId, Counts, Findings, Fingerprint, ImportedRow, RefusedBy, RowContent, Settings,
    SkipReason, State, UnixMillis,
};
use crate::mep::{Endpoint, INVALID_CONTENT, ServiceId};

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
    store: &'a Store,
    batch: BatchId,
    counts: Counts,
    now: UnixMillis,
    lock: ImportLock,
    /// A file is written by a connection of the import's own; a server by the one that holds its lock.
    own: Option<Writer>,
}

/// The rows that statements are given.
const LINE: Columns = &[("line", Kind::Integer)];
const BODY: Columns =
    &[("line", Kind::Integer), ("body", Kind::Text), ("phone", Kind::Integer), ("time_zone", Kind::Text)];
const MESSAGE: Columns = &[("line", Kind::Integer), ("message", Kind::Text)];
const RAW: Columns = &[("line", Kind::Integer), ("cells", Kind::Text)];
const SKIPPED: Columns =
    &[("line", Kind::Integer), ("state", Kind::Text), ("message", Kind::Text), ("reason", Kind::Text)];

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
            Backend::Sqlite(options) => {
                Some(Writer::Sqlite(sqlite::open(&self.place, &sqlite::import_options(options)).await?))
            }
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

    /// Writes a chunk of rows in one transaction.
    pub async fn add(&mut self, rows: Vec<ImportedRow>) -> Result<()> {
        const READY: &str = "INSERT INTO invocation (id, batch_id, line, state)
            SELECT $1 * 4294967296 + line, $1, line, 'pending' FROM given WHERE line IS NOT NULL";
        const BODIES: &str = "INSERT INTO content (invocation_id, body, phone, time_zone)
            SELECT $1 * 4294967296 + line, body, phone, time_zone FROM given WHERE line IS NOT NULL";
        const REFUSED: &str =
            "INSERT INTO invocation (id, batch_id, line, state, finished_at, code, message, refused_by)
            SELECT $1 * 4294967296 + line, $1, line, 'rejected', $2, $3, message, $4 FROM given WHERE line IS NOT NULL";
        const CELLS: &str = "INSERT INTO content (invocation_id, cells)
            SELECT $1 * 4294967296 + line, cells FROM given WHERE line IS NOT NULL";
        let (mut ready, mut bodies) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        let (mut refused, mut cells) = (Vec::new(), Vec::new());
        for ImportedRow { line, content } in rows {
            match content {
                RowContent::Ready { body, phone, time_zone } => {
                    ready.push([line.into()]);
                    bodies.push([line.into(), body.into(), phone.cast_signed().into(), time_zone.into()]);
                }
                RowContent::Refused { message, cells: raw } => {
                    let raw: Vec<_> = raw.iter().map(|cell| (&cell.column, &cell.text)).collect();
                    refused.push([line.into(), message.into()]);
                    cells.push([line.into(), json_text(&raw).into()]);
                }
            }
        }
        let added = [(State::Pending, ready.len()), (State::Rejected, refused.len())];
        let batch = self.batch.0;
        let of_batch =
            |given: Given<'static>, statement: &'static str| query(statement).bind(batch).given(given.streamed());
        let mut statements: Vec<Statement<'_>> = Vec::new();
        statements.extend(Given::parts(LINE, ready).map(|given| of_batch(given, READY)));
        statements.extend(Given::parts(BODY, bodies).map(|given| of_batch(given, BODIES)));
        statements.extend(Given::parts(MESSAGE, refused).map(|given| {
            of_batch(given, REFUSED).bind(self.now.0).bind(i64::from(INVALID_CONTENT)).bind(RefusedBy::Tool.as_str())
        }));
        statements.extend(Given::parts(RAW, cells).map(|given| of_batch(given, CELLS)));
        self.write("store a chunk of rows", statements).await?;
        for (state, rows) in added {
            self.counts[state] += rows as i64;
        }
        Ok(())
    }

    /// Those of the rows whose number another batch has told something, as [`Store::told`] says.
    pub async fn told(&mut self, rows: &[Fingerprint], batches: &[BatchId], since: UnixMillis) -> Result<Vec<Told>> {
        match &mut self.own {
            // What another connection has in memory goes with each of this one's commits.
            Some(writer) => self.store.told_on(writer.into(), rows, batches, since).await,
            None => self.store.told(rows, batches, since).await,
        }
    }

    /// Notes what rows say, in one transaction; page after page, in the order of their numbers.
    pub async fn note(&mut self, rows: &[Fingerprint]) -> Result<()> {
        let notes = told::notes(self.batch, rows);
        self.write("note what the rows say", notes.collect()).await.map(drop)
    }

    /// Takes rows out of what will be sent, in one transaction; best in the order of their lines: neighbours share a page.
    pub async fn skip(&mut self, skips: &[Skip]) -> Result<()> {
        const SKIP: &str = "UPDATE invocation SET state = given.state, message = given.message, finished_at = $2,
                reason = given.reason,
                refused_by = CASE WHEN given.state = 'rejected' THEN 'mep-batch' END,
                code = CASE WHEN given.state = 'rejected' THEN $3 END
            FROM given
            WHERE invocation.id = $1 * 4294967296 + given.line AND invocation.state = 'pending'";
        let rows = skips.iter().map(|skip| {
            [skip.line.into(), skip.state.as_str().into(), skip.message.as_str().into(), skip.reason.as_str().into()]
        });
        let (batch, now) = (self.batch.0, self.now.0);
        let skipping = Given::parts(SKIPPED, rows.collect())
            .map(|given| query(SKIP).bind(batch).bind(now).bind(i64::from(INVALID_CONTENT)).given(given));
        let done = self.write("store the rows that are not sent", skipping.collect()).await?;
        if done != skips.len() as u64 {
            return Err(self.store.misread("the rows just imported", &"one that is not to be sent is not there"));
        }
        for skip in skips {
            self.counts.moved(State::Pending, skip.state);
        }
        Ok(())
    }

    /// Runs statements in one transaction, which the last one of the import makes durable; how many rows they changed.
    async fn write(&mut self, doing: &'static str, statements: Vec<Statement<'_>>) -> Result<u64> {
        let failed = || self.store.failed(doing);
        let mut shared;
        let writer = match &mut self.own {
            Some(writer) => writer,
            None => {
                shared = self.store.writer().await?;
                &mut *shared
            }
        };
        let mut tx = writer.begin_lazily().await.map_err(self.store.failed("begin a transaction"))?;
        let mut changed = 0;
        for statement in statements {
            changed += statement.execute(&mut tx).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())?;
        Ok(changed)
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
        if let Some(own) = self.own.take() {
            own.close().await;
        }
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
        if let Some(own) = self.own.take() {
            own.close().await;
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
