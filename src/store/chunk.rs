//! The rows of a file on their way into the batch that is being filled: stored chunk by chunk, and marked page by page.

use std::time::Duration;

use super::given::{Columns, Given, Kind};
use super::statement::{Statement, query};
use super::told::{self, Told};
use super::{Intake, Result, Skip, json_text};
use crate::invocation::{BatchId, Fingerprint, ImportedRow, RefusedBy, RowContent, State, UnixMillis};
use crate::mep::INVALID_CONTENT;

/// The rows that statements are given.
const LINE: Columns = &[("line", Kind::Integer)];
const BODY: Columns =
    &[("line", Kind::Integer), ("body", Kind::Text), ("phone", Kind::Integer), ("time_zone", Kind::Text)];
const MESSAGE: Columns = &[("line", Kind::Integer), ("message", Kind::Text)];
const RAW: Columns = &[("line", Kind::Integer), ("cells", Kind::Text)];
pub(super) const SKIPPED: Columns =
    &[("line", Kind::Integer), ("state", Kind::Text), ("message", Kind::Text), ("reason", Kind::Text)];

/// How long the file is left to a run beside the import after each transaction: a run that waits asks for it now and then, the
/// longer it has waited the more rarely (SQLite: after 1 ms up to 100 ms), and gets it only if it is free at that moment.
const LEFT_TO_RUNS: Duration = Duration::from_millis(4);

/// Whether a run lives, or may.
const RUNS: &str = "SELECT EXISTS (SELECT 1 FROM run WHERE ended_at IS NULL)";

/// Marks rows that are not sent.
pub(super) const SKIP: &str = "UPDATE invocation SET state = given.state, message = given.message, finished_at = $2,
        reason = given.reason,
        refused_by = CASE WHEN given.state = 'rejected' THEN 'mep-batch' END,
        code = CASE WHEN given.state = 'rejected' THEN $3 END
    FROM given
    WHERE invocation.id = $1 * 4294967296 + given.line AND invocation.state || '' = 'pending'";

impl Intake<'_> {
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

    /// Those of the rows whose number another batch has told something, as `Store::told` says.
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
        let is_file = self.own.is_some();
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
        let is_beside_a_run = is_file && query(RUNS).fetch_value(&mut tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        if is_beside_a_run {
            tokio::time::sleep(LEFT_TO_RUNS).await;
        }
        Ok(changed)
    }
}
