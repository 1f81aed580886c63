//! The turn: one durable transaction that writes what has finished and takes what is due.

use sqlx::{Sqlite, Transaction};

use super::gate::Gate;
use super::run::Run;
use super::{Error, Result, Store, WriterGuard, gate, json_text};
use crate::invocation::{Attempt, BatchId, Counts, InvocationId, Settlement, State, Taken, UnixMillis};

/// A turn of a run, from its beginning to its commit. Dropped before that, it leaves nothing behind.
///
/// What [`Turn::take`] returns may be sent only after [`Turn::commit`] has said `Ok`.
pub struct Turn<'a> {
    tx: Transaction<'a, Sqlite>,
    store: &'a Store,
    run: Run,
    moved: Vec<(BatchId, Counts)>,
}

/// Holds the writer for as long as a turn lasts: [`Turn`] borrows from it.
pub struct TurnWriter<'a> {
    store: &'a Store,
    guard: WriterGuard<'a>,
}

impl Store {
    /// Gets hold of the writer for a turn.
    pub async fn turn_writer(&self) -> Result<TurnWriter<'_>> {
        Ok(TurnWriter { store: self, guard: self.writer().await? })
    }
}

impl TurnWriter<'_> {
    /// Begins the turn of that number; it is the witness of its own commit, and fences a run that was ended.
    pub async fn begin(&mut self, run: &Run, number: i64, now: UnixMillis) -> Result<Turn<'_>> {
        const CLAIM: &str = "UPDATE run SET turn = $3, turned_at = $4
            WHERE id = $1 AND token = $2 AND turn = $3 - 1 AND ended_at IS NULL";
        let store = self.store;
        let mut tx = self.guard.begin().await?;
        let claimed = sqlx::query(CLAIM)
            .bind(run.id.0)
            .bind(&run.token)
            .bind(number)
            .bind(now.0)
            .execute(&mut *tx)
            .await
            .map_err(store.failed("begin a turn"))?;
        if claimed.rows_affected() != 1 {
            return Err(Error::Fenced("it was ended by another process, or the database was replaced".to_owned()));
        }
        Ok(Turn { tx, store, run: run.clone(), moved: Vec::new() })
    }
}

impl Turn<'_> {
    /// Writes what came of finished attempts: the attempt's record, and the row's next state.
    ///
    /// Guarded by state, run and attempt number; where somebody else was first nothing is overwritten and it is logged.
    pub async fn settle(&mut self, settlements: &[&Settlement]) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        let recorded = self.record(settlements).await?;
        if recorded == settlements.len() as u64 {
            return self.move_on(settlements).await;
        }
        let guarded = self.still_sending(settlements).await?;
        for lost in settlements.iter().filter(|settlement| !guarded.contains(&settlement.id)) {
            tracing::warn!(
                line = lost.id.line(),
                attempt = lost.attempt,
                outcome = lost.outcome.as_str(),
                request_id = lost.request_id,
                "somebody else settled this row first; its outcome is not stored"
            );
        }
        let rest: Vec<&Settlement> =
            settlements.iter().copied().filter(|settlement| guarded.contains(&settlement.id)).collect();
        self.move_on(&rest).await
    }

    /// Takes up to `limit` due rows of the batch, retries first, and moves them to `sending`.
    pub async fn take(&mut self, batch: BatchId, limit: u32, now: UnixMillis) -> Result<Vec<Taken>> {
        // Retries before rows never tried: the first part finds those, and what it leaves of the limit is for the rest.
        const TAKE: &str = "
            UPDATE invocation SET state = 'sending', attempt = attempt + 1, run_id = $4, taken_at = $2
            WHERE id IN (
                SELECT id FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                AND due_at > 0 AND due_at <= $2 ORDER BY due_at, id LIMIT $3)
                UNION ALL
                SELECT id FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                AND due_at = 0 ORDER BY id LIMIT $3)
                LIMIT $3)
            RETURNING id, attempt, tries, retry_until, possible_duplicate,
                      (SELECT body FROM content WHERE invocation_id = invocation.id)";
        let rows: Vec<(i64, i64, i64, Option<i64>, i64, Option<String>)> = sqlx::query_as(TAKE)
            .bind(batch.0)
            .bind(now.0)
            .bind(i64::from(limit))
            .bind(self.run.id.0)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(self.store.failed("take due rows"))?;
        let mut taken = Vec::with_capacity(rows.len());
        for (id, attempt, tries, retry_until, possible_duplicate, body) in rows {
            note_move(&mut self.moved, batch, State::Pending, State::Sending);
            let attempt = Attempt {
                id: InvocationId(id),
                number: self.small(attempt)?,
                tries: self.small(tries)?,
                retry_until: retry_until.map(UnixMillis),
                possible_duplicate: possible_duplicate != 0,
                taken_at: now,
            };
            taken.push(Taken {
                attempt,
                body: body.ok_or_else(|| self.store.misread("a pending row", &"it has no body"))?,
            });
        }
        Ok(taken)
    }

    /// The rows of this run that are `sending`, whatever this process knows of them.
    pub async fn sending(&mut self) -> Result<Vec<(InvocationId, u32)>> {
        const SENDING: &str = "SELECT id, attempt FROM invocation WHERE run_id = $1 AND state = 'sending'";
        let rows: Vec<(i64, i64)> = sqlx::query_as(SENDING)
            .bind(self.run.id.0)
            .fetch_all(&mut *self.tx)
            .await
            .map_err(self.store.failed("read the rows in flight"))?;
        rows.into_iter().map(|(id, attempt)| Ok((InvocationId(id), self.small(attempt)?))).collect()
    }

    /// Stores a gate as it stands.
    pub async fn store_gate(&mut self, gate: &Gate) -> Result<()> {
        gate::write(&mut self.tx, gate).await.map_err(self.store.failed("store the gate"))
    }

    /// Makes everything durable. An error leaves open whether it is: `Store::last_turn` on a new connection tells.
    pub async fn commit(mut self) -> Result<()> {
        write_counts(&mut self.tx, &self.moved).await.map_err(self.store.failed("store the counts"))?;
        self.tx.commit().await.map_err(self.store.failed("commit a turn"))
    }

    /// Inserts the attempts' records; the number of those whose row was still this run's.
    async fn record(&mut self, settlements: &[&Settlement]) -> Result<u64> {
        const RECORD: &str = "
            WITH j AS MATERIALIZED (
                SELECT value ->> 0 AS id, value ->> 1 AS attempt, value ->> 2 AS sent_at, value ->> 3 AS finished_at,
                       value ->> 4 AS outcome, value ->> 5 AS http_status, value ->> 6 AS code, value ->> 7 AS message,
                       value ->> 8 AS request_id, unhex(value ->> 9) AS answer
                FROM json_each($1))
            INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status,
                                 code, message, request_id, answer)
            SELECT i.id, i.attempt, i.run_id, i.taken_at, j.sent_at, j.finished_at, j.outcome, j.http_status,
                   j.code, j.message, j.request_id, j.answer
            FROM j CROSS JOIN invocation AS i
            WHERE i.id = j.id AND i.state = 'sending' AND i.run_id = $2 AND i.attempt = j.attempt";
        let rows: Vec<_> = settlements
            .iter()
            .map(|s| {
                (
                    s.id.0,
                    s.attempt,
                    s.sent_at.map(|at| at.0),
                    s.finished_at.0,
                    s.outcome.as_str(),
                    s.http_status,
                    s.code,
                    &s.message,
                    &s.request_id,
                    hex(&s.answer),
                )
            })
            .collect();
        let done = sqlx::query(RECORD)
            .bind(json_text(&rows))
            .bind(self.run.id.0)
            .execute(&mut *self.tx)
            .await
            .map_err(self.store.failed("record attempts"))?;
        Ok(done.rows_affected())
    }

    /// Moves the rows to their next states.
    async fn move_on(&mut self, settlements: &[&Settlement]) -> Result<()> {
        // What the service answered belongs to the row once the row is done; while it waits, only why it waits.
        const MOVE: &str = "
            WITH j AS MATERIALIZED (
                SELECT value ->> 0 AS id, value ->> 1 AS attempt, value ->> 2 AS state, value ->> 3 AS due_at,
                       value ->> 4 AS tries, value ->> 5 AS retry_until, value ->> 6 AS possible_duplicate,
                       value ->> 7 AS http_status, value ->> 8 AS code, value ->> 9 AS message,
                       value ->> 10 AS refused_by, value ->> 11 AS request_id, value ->> 12 AS finished_at,
                       value ->> 13 AS reason
                FROM json_each($1))
            UPDATE invocation SET state = j.state, due_at = j.due_at, tries = j.tries, retry_until = j.retry_until,
                possible_duplicate = j.possible_duplicate, http_status = j.http_status, code = j.code,
                message = j.message, refused_by = j.refused_by, request_id = j.request_id, finished_at = j.finished_at,
                reason = j.reason
            FROM j
            WHERE invocation.id = j.id AND invocation.state = 'sending' AND invocation.run_id = $2
              AND invocation.attempt = j.attempt";
        let rows: Vec<_> = settlements
            .iter()
            .map(|s| {
                let done = s.state != State::Pending;
                (
                    s.id.0,
                    s.attempt,
                    s.state.as_str(),
                    s.due_at.0,
                    s.tries,
                    s.retry_until.map(|at| at.0),
                    i32::from(s.possible_duplicate),
                    s.http_status,
                    s.code,
                    &s.message,
                    s.refused_by.filter(|_| done).map(|by| by.as_str()),
                    s.request_id.as_ref().filter(|_| done),
                    done.then_some(s.finished_at.0),
                    s.reason.map(|reason| reason.as_str()),
                )
            })
            .collect();
        let moved = sqlx::query(MOVE)
            .bind(json_text(&rows))
            .bind(self.run.id.0)
            .execute(&mut *self.tx)
            .await
            .map_err(self.store.failed("store outcomes"))?;
        if moved.rows_affected() != settlements.len() as u64 {
            return Err(self.store.misread("the rows in flight", &"they changed inside one transaction"));
        }
        for settlement in settlements {
            note_move(&mut self.moved, settlement.id.batch(), State::Sending, settlement.state);
        }
        Ok(())
    }

    /// Those of the rows that are still this run's attempt.
    async fn still_sending(&mut self, settlements: &[&Settlement]) -> Result<Vec<InvocationId>> {
        let sending = self.sending().await?;
        let ours = |s: &&&Settlement| sending.contains(&(s.id, s.attempt));
        Ok(settlements.iter().filter(ours).map(|settlement| settlement.id).collect())
    }

    fn small(&self, number: i64) -> Result<u32> {
        u32::try_from(number).map_err(|error| self.store.misread("a number", &error))
    }
}

/// Adds one row's move to the changes of its batch's counts.
pub(super) fn note_move(moved: &mut Vec<(BatchId, Counts)>, batch: BatchId, from: State, to: State) {
    let index = moved.iter().position(|(of, _)| *of == batch).unwrap_or_else(|| {
        moved.push((batch, Counts::default()));
        moved.len() - 1
    });
    moved[index].1.moved(from, to);
}

/// Adds the changes to the table of counts.
pub(super) async fn write_counts(tx: &mut Transaction<'_, Sqlite>, moved: &[(BatchId, Counts)]) -> sqlx::Result<()> {
    const WRITE: &str = "UPDATE state_count SET invocations = invocations + (j.value ->> 2) FROM json_each($1) AS j
        WHERE batch_id = j.value ->> 0 AND state = j.value ->> 1";
    let changes: Vec<_> = moved
        .iter()
        .flat_map(|(batch, counts)| counts.iter().map(|(state, change)| (batch.0, state.as_str(), change)))
        .filter(|(_, _, change)| *change != 0)
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let expected = changes.len() as u64;
    let done = sqlx::query(WRITE).bind(json_text(&changes)).execute(&mut **tx).await?;
    // A missing row would let the counts drift from the rows without a sound.
    if done.rows_affected() == expected { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Bytes as JSON can carry them; nothing for no bytes.
fn hex(bytes: &[u8]) -> Option<String> {
    use std::fmt::Write;
    if bytes.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Some(text)
}
