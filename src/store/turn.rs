//! The turn: one durable transaction that writes what has finished and takes what is due.

use super::connection::Tx;
use super::counts::{note_move, write_counts};
use super::gate::Gate;
use super::run::{Run, last_turn, server_now};
use super::statement::{Row, Sql, query};
use super::{Error, Result, Store, WriterGuard, gate, json_text, late};
use crate::invocation::{Attempt, BatchId, Counts, InvocationId, Settlement, State, Taken, UnixMillis};

/// A turn of a run, from its beginning to its commit. Dropped before that, it leaves nothing behind.
///
/// What [`Turn::take`] returns may be sent only after [`Turn::commit`] has said `Ok`.
pub struct Turn<'a> {
    tx: Tx<'a>,
    store: &'a Store,
    run: Run,
    now: UnixMillis,
    is_ended: bool,
    moved: Vec<(BatchId, Counts)>,
}

/// What became of the claim to a turn's number.
pub enum Claim<'a> {
    /// It is this turn's: it had not committed before.
    Granted(Turn<'a>),
    /// That turn had committed, though its answer was lost.
    Committed,
}

/// Holds the writer for as long as a turn lasts: [`Turn`] borrows from it.
pub struct TurnWriter<'a> {
    store: &'a Store,
    guard: WriterGuard,
}

impl Store {
    /// Gets hold of the writer for a turn.
    pub async fn turn_writer(&self) -> Result<TurnWriter<'_>> {
        Ok(TurnWriter { store: self, guard: self.writer().await? })
    }
}

impl TurnWriter<'_> {
    /// Begins the turn of that number, which is the witness of its own commit. Claiming it once more tells whether a commit
    /// that was not confirmed had come about: a server that still has it under way is waited for.
    pub async fn begin(&mut self, run: &Run, number: i64, now: UnixMillis) -> Result<Claim<'_>> {
        const CLAIM: Sql = Sql {
            sqlite: "UPDATE run SET turn = $3, turned_at = $4 WHERE id = $1 AND token = $2 AND turn = $3 - 1
                RETURNING turned_at, ended_at IS NOT NULL",
            postgres: concat!(
                "UPDATE run SET turn = $3, turned_at = COALESCE(",
                server_now!(),
                ", $4) WHERE id = $1 AND token = $2 AND turn = $3 - 1 RETURNING turned_at, ended_at IS NOT NULL"
            ),
        };
        let store = self.store;
        let failed = || store.failed("begin a turn");
        let mut tx = self.guard.begin().await.map_err(failed())?;
        let claim = query(CLAIM).bind(run.id.0).bind(&run.token).bind(number).bind(now.0);
        if let Some(claimed) = claim.fetch_optional(&mut tx).await.map_err(failed())? {
            let now = UnixMillis(claimed.get(0).map_err(failed())?);
            let is_ended = claimed.get(1).map_err(failed())?;
            return Ok(Claim::Granted(Turn { tx, store, run: run.clone(), now, is_ended, moved: Vec::new() }));
        }
        match last_turn(&mut tx, run).await.map_err(failed())? {
            Some(last) if last == number => Ok(Claim::Committed),
            Some(_) | None => {
                Err(Error::Fenced("it is not in the database any more, or another process goes by its name".to_owned()))
            }
        }
    }
}

impl Turn<'_> {
    /// What the queue's clock says: that of this machine, or of the server that several machines share.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// Whether somebody else has ended this run: then it takes nothing more, and what it still has to say is late.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Writes what came of finished attempts: the attempt's record, and the row's next state.
    ///
    /// Guarded by state, run and attempt number; where somebody else was first nothing is overwritten and it is logged.
    pub async fn settle(&mut self, settlements: &[&Settlement]) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        if self.insert_attempts(settlements).await? == settlements.len() as u64 {
            return self.move_on(settlements, State::Sending).await;
        }
        let sending = self.sending().await?;
        let is_ours = |s: &&Settlement| sending.iter().any(|row| (row.id, row.number) == (s.id, s.attempt));
        let (ours, rest): (Vec<&Settlement>, Vec<&Settlement>) = settlements.iter().copied().partition(is_ours);
        self.move_on(&ours, State::Sending).await?;
        self.settle_late(&rest).await
    }

    /// Writes outcomes of attempts whose run was thought dead.
    async fn settle_late(&mut self, settlements: &[&Settlement]) -> Result<()> {
        let failed = || self.store.failed("store late outcomes");
        let late = late::write(&mut self.tx, &self.run, settlements).await.map_err(failed())?;
        for (was, settled) in late {
            self.move_on(&[settled], was).await?;
        }
        Ok(())
    }

    /// Takes up to `limit` due rows of the batch, retries first, and moves them to `sending`. Of a run that was ended: none.
    pub async fn take(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Taken>> {
        // Retries before rows never tried: the first part finds those, and what it leaves of the limit is for the rest.
        macro_rules! take {
            ($these:literal) => {
                concat!(
                    "UPDATE invocation SET state = 'sending', attempt = attempt + 1, run_id = $4, taken_at = $2 WHERE ",
                    $these,
                    " RETURNING id, attempt, tries, retry_until, possible_duplicate,
                        (SELECT body FROM content WHERE invocation_id = invocation.id)"
                )
            };
        }
        const TAKE: Sql = Sql {
            sqlite: take!(
                "id IN (
                    SELECT id FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                    AND due_at > 0 AND due_at <= $2 ORDER BY due_at, id LIMIT $3)
                    UNION ALL
                    SELECT id FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                    AND due_at = 0 ORDER BY id LIMIT $3)
                    LIMIT $3)"
            ),
            // Locked in a list that is made once: in the planner's hands a LIMIT below an UPDATE can be run again and again.
            postgres: concat!(
                "WITH due AS MATERIALIZED (
                    SELECT id FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                    AND due_at > 0 AND due_at <= $2 ORDER BY due_at, id LIMIT $3
                                    FOR UPDATE SKIP LOCKED) AS retries
                    UNION ALL
                    SELECT id FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                    AND due_at = 0 ORDER BY id LIMIT $3
                                    FOR UPDATE SKIP LOCKED) AS firsts
                    LIMIT $3) ",
                take!("id IN (SELECT id FROM due) AND state = 'pending'")
            ),
        };
        if self.is_ended {
            return Ok(Vec::new());
        }
        let failed = || self.store.failed("take due rows");
        let rows = query(TAKE)
            .bind(batch.0)
            .bind(self.now.0)
            .bind(i64::from(limit))
            .bind(self.run.id.0)
            .fetch_all(&mut self.tx)
            .await
            .map_err(failed())?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            note_move(&mut self.moved, batch, State::Pending, State::Sending);
            let attempt = read_attempt(row, self.now).map_err(failed())?;
            let body: Option<String> = row.get(5).map_err(failed())?;
            let body = body.ok_or_else(|| self.store.misread("a pending row", &"it has no body"))?;
            taken.push(Taken { attempt, body });
        }
        Ok(taken)
    }

    /// The attempts of this run of which it has stored no outcome, whatever this process knows of them: its rows that are
    /// `sending`, and those that somebody has made unknown because it was thought dead.
    pub async fn unsettled(&mut self) -> Result<Vec<Attempt>> {
        const JUDGED: &str = "SELECT i.id, a.number, i.tries, i.retry_until, i.possible_duplicate, a.taken_at
            FROM attempt AS a JOIN invocation AS i ON i.id = a.invocation_id
            WHERE a.run_id = $1 AND a.judged = 1 AND a.late = 0";
        let mut unsettled = self.sending().await?;
        unsettled.extend(self.attempts(JUDGED).await?);
        Ok(unsettled)
    }

    /// The rows of this run that are `sending`.
    async fn sending(&mut self) -> Result<Vec<Attempt>> {
        const SENDING: &str = "SELECT id, attempt, tries, retry_until, possible_duplicate, taken_at FROM invocation
            WHERE run_id = $1 AND state = 'sending'";
        self.attempts(SENDING).await
    }

    async fn attempts(&mut self, sql: &'static str) -> Result<Vec<Attempt>> {
        let failed = || self.store.failed("read the rows in flight");
        let rows = query(sql).bind(self.run.id.0).fetch_all(&mut self.tx).await.map_err(failed())?;
        let read = |row: &Row| read_attempt(row, UnixMillis(row.get(5)?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// The gates of these numbers as they stand. Read exclusively, they stay so for everybody until this turn has committed.
    pub async fn gates(&mut self, ids: &[i64], exclusively: bool) -> Result<Vec<Gate>> {
        gate::find(&mut self.tx, ids, exclusively).await.map_err(self.store.failed("read the gates"))
    }

    /// Stores a gate as it stands. It was read exclusively.
    pub async fn store_gate(&mut self, gate: &Gate) -> Result<()> {
        gate::write(&mut self.tx, gate).await.map_err(self.store.failed("store the gate"))
    }

    /// Makes everything durable. An error leaves open whether it is: claiming the turn's number once more, on a new
    /// connection, tells.
    pub async fn commit(mut self) -> Result<()> {
        write_counts(&mut self.tx, &self.moved).await.map_err(self.store.failed("store the counts"))?;
        self.tx.commit().await.map_err(self.store.failed("commit a turn"))
    }

    /// Inserts the attempts' records; the number of those whose row was still this run's.
    async fn insert_attempts(&mut self, settlements: &[&Settlement]) -> Result<u64> {
        const RECORD: &str = "
            WITH j AS MATERIALIZED (
                SELECT CAST(value ->> 0 AS BIGINT) AS id, CAST(value ->> 1 AS BIGINT) AS attempt,
                       CAST(value ->> 2 AS BIGINT) AS sent_at, CAST(value ->> 3 AS BIGINT) AS finished_at,
                       value ->> 4 AS outcome, CAST(value ->> 5 AS BIGINT) AS http_status,
                       CAST(value ->> 6 AS BIGINT) AS code, value ->> 7 AS message, value ->> 8 AS request_id,
                       unhex(value ->> 9) AS answer
                FROM json_each($1))
            INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status,
                                 code, message, request_id, answer)
            SELECT i.id, i.attempt, i.run_id, i.taken_at, j.sent_at, j.finished_at, j.outcome, j.http_status,
                   j.code, j.message, j.request_id, j.answer
            FROM j CROSS JOIN invocation AS i
            WHERE i.id = j.id AND i.state = 'sending' AND i.run_id = $2 AND i.attempt = j.attempt";
        query(RECORD)
            .bind(outcomes_text(settlements))
            .bind(self.run.id.0)
            .execute(&mut self.tx)
            .await
            .map_err(self.store.failed("record attempts"))
    }

    /// Moves the rows to their next states, from the one in which they are.
    async fn move_on(&mut self, settlements: &[&Settlement], was: State) -> Result<()> {
        // What the service answered belongs to the row once the row is done; while it waits, only why it waits. While an
        // attempt has the row, an earlier one may have turned out to have texted the person.
        const MOVE: &str = "
            WITH j AS MATERIALIZED (
                SELECT CAST(value ->> 0 AS BIGINT) AS id, CAST(value ->> 1 AS BIGINT) AS attempt, value ->> 2 AS state,
                       CAST(value ->> 3 AS BIGINT) AS due_at, CAST(value ->> 4 AS BIGINT) AS tries,
                       CAST(value ->> 5 AS BIGINT) AS retry_until, CAST(value ->> 6 AS BIGINT) AS possible_duplicate,
                       CAST(value ->> 7 AS BIGINT) AS http_status, CAST(value ->> 8 AS BIGINT) AS code,
                       value ->> 9 AS message, value ->> 10 AS refused_by, value ->> 11 AS request_id,
                       CAST(value ->> 12 AS BIGINT) AS finished_at, value ->> 13 AS reason
                FROM json_each($1))
            UPDATE invocation SET state = j.state, due_at = j.due_at, tries = j.tries, retry_until = j.retry_until,
                possible_duplicate = CASE WHEN invocation.state = 'sending' AND invocation.possible_duplicate = 1 THEN 1
                                          ELSE j.possible_duplicate END,
                http_status = j.http_status, code = j.code,
                message = j.message, refused_by = j.refused_by, request_id = j.request_id, finished_at = j.finished_at,
                reason = j.reason
            FROM j
            WHERE invocation.id = j.id AND invocation.state = $3 AND invocation.run_id = $2
              AND invocation.attempt = j.attempt";
        if settlements.is_empty() {
            return Ok(());
        }
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
        let moved = query(MOVE)
            .bind(json_text(&rows))
            .bind(self.run.id.0)
            .bind(was.as_str())
            .execute(&mut self.tx)
            .await
            .map_err(self.store.failed("store outcomes"))?;
        if moved != settlements.len() as u64 {
            return Err(self.store.misread("the rows in flight", &"they changed inside one transaction"));
        }
        for settlement in settlements {
            note_move(&mut self.moved, settlement.id.batch(), was, settlement.state);
        }
        Ok(())
    }
}

/// A row of those that were taken, from the columns in which both statements name it.
fn read_attempt(row: &Row, taken_at: UnixMillis) -> sqlx::Result<Attempt> {
    Ok(Attempt {
        id: InvocationId(row.get(0)?),
        number: row.small(1)?,
        tries: row.small(2)?,
        retry_until: row.get::<Option<i64>>(3)?.map(UnixMillis),
        possible_duplicate: row.get::<i64>(4)? != 0,
        taken_at,
    })
}

/// What came of attempts, as one text that a statement reads with `json_each`.
pub(super) fn outcomes_text(settlements: &[&Settlement]) -> String {
    let outcomes: Vec<_> = settlements
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
    json_text(&outcomes)
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
