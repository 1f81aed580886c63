//! What came of attempts: a turn writes the attempt's record and the row's next state, each guarded.

use super::counts::note_move;
use super::statement::query;
use super::{Result, Turn, control, json_text, late};
use crate::invocation::{BatchId, Settlement, State, UnixMillis};

/// A statement on `j`: what came of attempts, as [`outcomes_text`] writes it.
macro_rules! with_outcomes {
    ($rest:literal) => {
        concat!(
            "WITH j AS MATERIALIZED (
                SELECT CAST(value ->> 0 AS BIGINT) AS id, CAST(value ->> 1 AS BIGINT) AS attempt,
                       CAST(value ->> 2 AS BIGINT) AS sent_at, CAST(value ->> 3 AS BIGINT) AS finished_at,
                       value ->> 4 AS outcome, CAST(value ->> 5 AS BIGINT) AS http_status,
                       CAST(value ->> 6 AS BIGINT) AS code, value ->> 7 AS message, value ->> 8 AS request_id,
                       unhex(value ->> 9) AS answer
                FROM json_each($1)) ",
            $rest
        )
    };
}
pub(super) use with_outcomes;

impl Turn<'_> {
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
        for (was, settled) in late.moving {
            self.move_on(&[settled], was).await?;
        }
        for row in late.spared {
            note_move(&mut self.moved, row.batch(), State::Pending, State::Accepted);
        }
        Ok(())
    }

    /// Inserts the attempts' records; the number of those whose row was still this run's.
    async fn insert_attempts(&mut self, settlements: &[&Settlement]) -> Result<u64> {
        const RECORD: &str = with_outcomes!(
            "INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status,
                                 code, message, request_id, answer)
            SELECT i.id, i.attempt, i.run_id, i.taken_at, j.sent_at, j.finished_at, j.outcome, j.http_status,
                   j.code, j.message, j.request_id, j.answer
            FROM j CROSS JOIN invocation AS i
            WHERE i.id = j.id AND i.state = 'sending' AND i.run_id = $2 AND i.attempt = j.attempt"
        );
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
                reason = j.reason, hold = NULL
            FROM j
            WHERE invocation.id = j.id AND invocation.state = $3 AND invocation.run_id = $2
              AND invocation.attempt = j.attempt";
        if settlements.is_empty() {
            return Ok(());
        }
        let cancelled = self.cancelled(settlements).await?;
        let becomes = |s: &Settlement| {
            let is_withdrawn = s.state == State::Pending && cancelled.iter().any(|(batch, _)| *batch == s.id.batch());
            if is_withdrawn { State::Cancelled } else { s.state }
        };
        let rows: Vec<_> = settlements
            .iter()
            .map(|s| {
                let state = becomes(s);
                let done = state != State::Pending;
                (
                    s.id.0,
                    s.attempt,
                    state.as_str(),
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
            note_move(&mut self.moved, settlement.id.batch(), was, becomes(settlement));
        }
        Ok(())
    }

    /// Which of the batches are cancelled to whose rows something happens that makes them pending: they become cancelled.
    async fn cancelled(&mut self, settlements: &[&Settlement]) -> Result<Vec<(BatchId, UnixMillis)>> {
        let pending = settlements.iter().filter(|settlement| settlement.state == State::Pending);
        let mut batches: Vec<BatchId> = pending.map(|settlement| settlement.id.batch()).collect();
        batches.sort_unstable();
        batches.dedup();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        control::cancelled(&mut self.tx, &batches).await.map_err(self.store.failed("look for cancelled batches"))
    }
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
