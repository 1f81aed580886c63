//! The rows of a file on their way into the batch that is being filled: stored chunk by chunk, and marked page by page.

use std::time::Duration;

use super::given::{Columns, Given, Kind};
use super::intake::Own;
use super::statement::{On, Script, Statement, query};
use super::told::{self, Told};
use super::{Address, Intake, Result, Skip, disk, json_text, sqlite};
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

/// How long the file is left to a run beside the import after each chunk: a run that waits asks for it now and then, the
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

/// Makes what is stored of rows, on any thread: SQLite's has enough to do.
#[derive(Debug, Clone, Copy)]
pub struct Preparation {
    batch: BatchId,
    now: UnixMillis,
    is_file: bool,
}

/// Rows that only have to be written.
pub struct PreparedRows {
    writes: sqlx::Result<Writes>,
    added: [(State, i64); 2],
}

/// What rows say, which only has to be written.
pub struct PreparedNotes(sqlx::Result<Writes>);

/// What fills a batch or marks rows of it. Nobody sees the batch before it is whole, so that not all of this has to be seen
/// at once.
enum Writes {
    /// A transaction each. One text serves many: SQLite parses it once.
    File(Vec<Script>),
    /// One transaction.
    Server(Vec<Statement<'static>>),
}

impl Preparation {
    /// Prepares some rows.
    #[must_use]
    pub fn prepare(&self, rows: Vec<ImportedRow>) -> PreparedRows {
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
        let added = [(State::Pending, ready.len() as i64), (State::Rejected, refused.len() as i64)];
        let batch = self.batch.0;
        let of_batch =
            |given: Given<'static>, statement: &'static str| query(statement).bind(batch).given(given.streamed());
        let good = Given::parts(LINE, ready)
            .zip(Given::parts(BODY, bodies))
            .map(|(lines, bodies)| vec![of_batch(lines, READY), of_batch(bodies, BODIES)]);
        let bad = Given::parts(MESSAGE, refused).zip(Given::parts(RAW, cells)).map(|(messages, cells)| {
            let messages = of_batch(messages, REFUSED).bind(self.now.0).bind(i64::from(INVALID_CONTENT));
            vec![messages.bind(RefusedBy::Tool.as_str()), of_batch(cells, CELLS)]
        });
        PreparedRows { writes: Writes::of(good.chain(bad), self.is_file), added }
    }

    /// Prepares what rows say; best in the order of their numbers.
    #[must_use]
    pub fn prepare_notes(&self, rows: &[Fingerprint]) -> PreparedNotes {
        PreparedNotes(Writes::of([told::notes(self.batch, rows).collect()].into_iter(), self.is_file))
    }
}

impl Writes {
    fn of(parts: impl Iterator<Item = Vec<Statement<'static>>>, is_file: bool) -> sqlx::Result<Writes> {
        if !is_file {
            return Ok(Writes::Server(parts.flatten().collect()));
        }
        let script = |mut part: Vec<Statement<'static>>| {
            part.insert(0, query("BEGIN IMMEDIATE"));
            part.extend([query(RUNS), query("COMMIT")]);
            Script::of(part)
        };
        parts.map(script).collect::<sqlx::Result<_>>().map(Writes::File)
    }
}

impl Intake<'_> {
    /// What rows are prepared by.
    #[must_use]
    pub fn preparation(&self) -> Preparation {
        Preparation { batch: self.batch, now: self.now, is_file: self.own.is_some() }
    }

    /// Stores rows that were prepared.
    pub async fn add(&mut self, PreparedRows { writes, added }: PreparedRows) -> Result<()> {
        self.write("store a chunk of rows", writes).await?;
        for (state, rows) in added {
            self.counts[state] += rows;
        }
        Ok(())
    }

    /// Those of the rows whose number another batch has told something, as `Store::told` says.
    pub async fn told(&mut self, rows: &[Fingerprint], batches: &[BatchId], since: UnixMillis) -> Result<Vec<Told>> {
        match &mut self.own {
            // What another connection has in memory goes with each of this one's commits.
            Some(own) => self.store.told_on(On::Sqlite(&mut own.writer), rows, batches, since).await,
            None => self.store.told(rows, batches, since).await,
        }
    }

    /// Notes what rows say; page after page, in the order of their numbers.
    pub async fn note(&mut self, PreparedNotes(writes): PreparedNotes) -> Result<()> {
        self.write("note what the rows say", writes).await.map(drop)
    }

    /// Takes rows out of what will be sent; best in the order of their lines: neighbours share a page.
    pub async fn skip(&mut self, skips: &[Skip]) -> Result<()> {
        let rows = skips.iter().map(|skip| {
            [skip.line.into(), skip.state.as_str().into(), skip.message.clone().into(), skip.reason.as_str().into()]
        });
        let (batch, now) = (self.batch.0, self.now.0);
        let skipping = Given::parts(SKIPPED, rows.collect())
            .map(|given| vec![query(SKIP).bind(batch).bind(now).bind(i64::from(INVALID_CONTENT)).given(given)]);
        let skipping = Writes::of(skipping, self.own.is_some());
        let done = self.write("store the rows that are not sent", skipping).await?;
        if done != skips.len() as u64 {
            return Err(self.store.misread("the rows just imported", &"one that is not to be sent is not there"));
        }
        for skip in skips {
            self.counts.moved(State::Pending, skip.state);
        }
        Ok(())
    }

    /// Writes, which the last commit of the import makes durable; how many rows were changed.
    async fn write(&mut self, doing: &'static str, writes: sqlx::Result<Writes>) -> Result<u64> {
        let failed = || self.store.failed(doing);
        match (writes.map_err(failed())?, &mut self.own) {
            (Writes::File(scripts), Some(Own { writer, folding })) => {
                let (mut changed, mut is_beside_a_run) = (0, false);
                for script in scripts {
                    let (changes, found) = match script.fetch(writer).await {
                        Ok(found) => found,
                        Err(cause) => {
                            sqlite::roll_back(writer).await;
                            return Err(failed()(cause));
                        }
                    };
                    // `BEGIN` changes nothing, `RUNS` and `COMMIT` neither, and tell what was changed before them.
                    changed += changes[1..changes.len() - 2].iter().sum::<u64>();
                    for row in found {
                        is_beside_a_run |= row.get::<bool>(0).map_err(failed())?;
                    }
                    let folded = folding.note_written().await;
                    if folded.map_err(self.store.failed("put the log into the file"))?
                        && let Address::File(database) = &self.store.address
                    {
                        disk::hold_room(database)?;
                    }
                }
                if is_beside_a_run {
                    tokio::time::sleep(LEFT_TO_RUNS).await;
                }
                Ok(changed)
            }
            (Writes::Server(statements), None) => {
                let mut writer = self.store.writer().await?;
                let mut tx = writer.begin_lazily().await.map_err(self.store.failed("begin a transaction"))?;
                let mut changed = 0;
                for statement in statements {
                    changed += statement.execute(&mut tx).await.map_err(failed())?;
                }
                tx.commit().await.map_err(failed())?;
                Ok(changed)
            }
            (Writes::File(_) | Writes::Server(_), _) => unreachable!("a file is written by a connection of its own"),
        }
    }
}
