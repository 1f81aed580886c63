//! The taking of rows: a turn moves due ones to `sending`, and knows which of its run's have no outcome yet.

use std::collections::HashMap;

use super::counts::note_move;
use super::statement::{Row, query};
use super::{Result, Store, Turn, ids_text, json_text};
use crate::invocation::{Attempt, BatchId, InvocationId, State, Taken, UnixMillis};

/// Rows that wait. A batch that an operator has paused or cancelled gives none, from the moment at which that is stored.
///
/// Retries before rows never tried: the first part of a statement finds those, and what it leaves of the limit is for the rest.
macro_rules! pending {
    () => {
        "SELECT id FROM invocation WHERE state = 'pending' AND batch_id =
            (SELECT id FROM batch WHERE id = $1 AND paused_at IS NULL AND cancelled_at IS NULL) "
    };
}

/// What becomes of rows that are taken at `$2` by run `$3`.
macro_rules! taken {
    () => {
        "UPDATE invocation SET state = 'sending', attempt = attempt + 1, run_id = $3, taken_at = $2, hold = NULL "
    };
}

/// The numbers of what a file's batch has due, so many at most. `LIMIT +$3`: a bare `LIMIT $3` has SQLite plan the statement
/// anew each time, for that limit.
macro_rules! due {
    ($limit:literal) => {
        concat!(
            "SELECT id FROM (",
            pending!(),
            "AND due_at > 0 AND due_at <= $2 ORDER BY due_at, id LIMIT +",
            $limit,
            ") UNION ALL SELECT id FROM (",
            pending!(),
            "AND due_at = 0 ORDER BY id LIMIT +",
            $limit,
            ") LIMIT +",
            $limit
        )
    };
}

/// What a file's batch has due, as one text: of each row its ID, its next attempt's number, its tries, when its retries end,
/// whether it may be a duplicate, how many bytes its body has, and the body, with a space between two. They come as one
/// because sqlx's thread wakes its caller for each row that it hands over, which costs more than all that SQLite does for it.
pub(super) const DUE: &str = concat!(
    "SELECT group_concat(concat_ws(' ', i.id, i.attempt + 1, i.tries, ifnull(i.retry_until, '-'), i.possible_duplicate,
        ifnull(octet_length(c.body), '-'), ifnull(c.body, '')), '')
     FROM (",
    due!("$3"),
    ") AS due CROSS JOIN invocation AS i ON i.id = due.id LEFT JOIN content AS c ON c.invocation_id = due.id"
);

/// Moves what [`DUE`] finds to `sending`, up to `$4` rows.
pub(super) const TAKE_DUE: &str = concat!(taken!(), "WHERE id IN (", due!("$4"), ") AND state = 'pending'");

/// Moves a file's rows to `sending`.
pub(super) const TAKE: &str = concat!(taken!(), "WHERE id IN (SELECT value FROM json_each($1)) AND state = 'pending'");

/// What is wrong with a row that cannot be sent.
const NO_BODY: &str = "it has no body";

impl Turn<'_> {
    /// Takes up to `limit` due rows of the batch, retries first, and moves them to `sending`. Of a run that was ended: none.
    /// Of each batch once in a turn.
    pub async fn take(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Taken>> {
        if self.is_ended {
            return Ok(Vec::new());
        }
        let taken = if self.store.is_shared() {
            self.take_from_server(batch, limit).await?
        } else {
            self.take_from_file(batch, limit).await?
        };
        taken.iter().for_each(|_| note_move(&mut self.moved, batch, State::Pending, State::Sending));
        Ok(taken)
    }

    /// Nobody else writes meanwhile, so the rows are read and then moved.
    async fn take_from_file(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Taken>> {
        let failed = || self.store.failed("take due rows");
        let (run, now) = (self.run.id.0, self.now);
        let due = query(DUE).bind(batch.0).bind(now.0).bind(i64::from(limit));
        let due: Option<String> = due.fetch_value(&mut self.tx).await.map_err(failed())?;
        let Some(due) = due else { return Ok(Vec::new()) };
        let taken = read_due(self.store, &due, now)?;
        let ids: Vec<i64> = taken.iter().map(|taken| taken.attempt.id.0).collect();
        self.later(query(TAKE).bind(json_text(&ids)).bind(now.0).bind(run), ids.len() as u64);
        Ok(taken)
    }

    /// Above the last that was taken first, and among all where that is not enough.
    async fn take_from_server(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Taken>> {
        let floor = self.store.floors.of(batch, self.now);
        let mut taken = self.take_above(floor, batch, limit).await?;
        let left = limit.saturating_sub(u32::try_from(taken.len()).unwrap_or(limit));
        if left > 0 && floor > 0 {
            taken.extend(self.take_above(0, batch, left).await?);
        }
        Ok(taken)
    }

    /// One statement, so that no other run comes between. Of rows never tried it finds those above the floor.
    async fn take_above(&mut self, floor: i64, batch: BatchId, limit: u32) -> Result<Vec<Taken>> {
        // Locked in a list that is made once: in the planner's hands a LIMIT below an UPDATE can be run again and again.
        // In the order of the index of what is due, however old the planner's figures are: not by the primary key, past
        // all that is done. What is locked is still pending: asked once more, it would be looked for among all that is. An
        // array has the planner expect few rows and find each by its number; a join with the list reads the whole of a table
        // that is not very large.
        const TAKE: &str = concat!(
            "WITH due AS MATERIALIZED (SELECT id FROM (",
            pending!(),
            "AND due_at > 0 AND due_at <= $2 ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) AS retries
                UNION ALL SELECT id FROM (",
            pending!(),
            "AND (due_at, id) > (0, $5) AND due_at <= 0 ORDER BY due_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) AS firsts
                LIMIT $4) ",
            taken!(),
            "WHERE id = ANY (ARRAY(SELECT id FROM due))
             RETURNING id, attempt, tries, retry_until, possible_duplicate,
                (SELECT body FROM content WHERE invocation_id = invocation.id), due_at"
        );
        let failed = || self.store.failed("take due rows");
        let take = query(TAKE).bind(batch.0).bind(self.now.0).bind(self.run.id.0).bind(i64::from(limit)).bind(floor);
        let rows = take.fetch_all(&mut self.tx).await.map_err(failed())?;
        let taken = |row: &Row| {
            let attempt = read_attempt(row, self.now).map_err(failed())?;
            let body: Option<String> = row.get(5).map_err(failed())?;
            let body = body.ok_or_else(|| self.store.misread("a pending row", &NO_BODY))?;
            if row.get::<i64>(6).map_err(failed())? == 0 {
                self.store.floors.raise(batch, attempt.id.0, self.now);
            }
            Ok(Taken { attempt, body, time_zone: None })
        };
        rows.iter().map(taken).collect()
    }

    /// Likewise, with the time zones that the rows name: for a batch whose rows may not be sent at any time.
    pub async fn take_with_zones(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Taken>> {
        const ZONES: &str = "SELECT invocation_id, time_zone FROM content
            WHERE invocation_id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1))";
        let mut taken = self.take(batch, limit).await?;
        if taken.is_empty() {
            return Ok(taken);
        }
        let failed = || self.store.failed("read the time zones of due rows");
        let ids = ids_text(taken.iter().map(|row| row.attempt.id.0));
        let rows = query(ZONES).bind(ids).fetch_all(&mut self.tx).await.map_err(failed())?;
        let read = |row: &Row| Ok((InvocationId(row.get(0)?), row.get::<Option<String>>(1)?));
        let mut zones = rows.iter().map(read).collect::<sqlx::Result<HashMap<_, _>>>().map_err(failed())?;
        for row in &mut taken {
            row.time_zone = zones.remove(&row.attempt.id).flatten();
        }
        Ok(taken)
    }

    /// The attempts of this run of which it has stored no outcome, whatever this process knows of them: its rows that are
    /// `sending`, and those that somebody has made unknown because it was thought dead.
    pub async fn unsettled(&mut self) -> Result<Vec<Attempt>> {
        const JUDGED: &str = "SELECT i.id, a.number, i.tries, i.retry_until, i.possible_duplicate, a.taken_at
            FROM attempt AS a JOIN invocation AS i ON i.id = a.invocation_id
            WHERE a.run_id = $1 AND a.judged = 1 AND a.late = 0";
        self.catch_up().await?;
        let mut unsettled = self.sending().await?;
        unsettled.extend(self.attempts(JUDGED).await?);
        Ok(unsettled)
    }

    /// The rows of this run that are `sending`.
    pub(super) async fn sending(&mut self) -> Result<Vec<Attempt>> {
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
}

/// Reads what [`DUE`] has found.
pub(super) fn read_due(store: &Store, due: &str, taken_at: UnixMillis) -> Result<Vec<Taken>> {
    let (mut rest, mut taken) = (due, Vec::new());
    while !rest.is_empty() {
        let (row, after) = read_due_row(rest, taken_at).ok_or_else(|| store.misread("a pending row", &NO_BODY))?;
        taken.push(row);
        rest = after;
    }
    Ok(taken)
}

/// The first of the rows, and the text behind it.
fn read_due_row(text: &str, taken_at: UnixMillis) -> Option<(Taken, &str)> {
    let mut fields = text.splitn(7, ' ');
    let mut field = || fields.next();
    let attempt = Attempt {
        id: InvocationId(field()?.parse().ok()?),
        number: field()?.parse().ok()?,
        tries: field()?.parse().ok()?,
        retry_until: match field()? {
            "-" => None,
            at => Some(UnixMillis(at.parse().ok()?)),
        },
        possible_duplicate: field()? != "0",
        taken_at,
    };
    let length: usize = field()?.parse().ok()?;
    let (body, after) = field()?.split_at_checked(length)?;
    Some((Taken { attempt, body: body.to_owned(), time_zone: None }, after))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_rows_are_told_apart_by_the_length_of_their_bodies() {
        let text = "4294967298 1 0 - 0 9 {\"a\": 1}\n4294967299 3 2 17 1 2 é";
        let (first, rest) = read_due_row(text, UnixMillis(5)).expect("a row");
        assert_eq!((first.attempt.id, first.body.as_str()), (InvocationId(4_294_967_298), "{\"a\": 1}\n"));
        let (second, rest) = read_due_row(rest, UnixMillis(5)).expect("a row");
        assert_eq!((second.attempt.number, second.attempt.tries, second.attempt.possible_duplicate), (3, 2, true));
        assert_eq!((second.attempt.retry_until, second.body.as_str(), rest), (Some(UnixMillis(17)), "é", ""));
    }

    #[test]
    fn a_row_without_a_body_is_no_due_row() {
        for text in ["1 1 0 - 0 - ", "1 1 0 - 0 5 {}", "1 1 0 - 0 1 é", "x 1 0 - 0 2 {}", "1 1"] {
            assert_eq!(read_due_row(text, UnixMillis(5)), None, "{text}");
        }
    }
}
