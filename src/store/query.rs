//! The questions that are asked of the queue.

use super::statement::{Row, query};
use super::view::{AttemptView, Filter, InvocationView, NextDue, UnknownView, Waiting};
use super::{Result, Store, ids_text, json_text};
use crate::invocation::{BatchId, Cell, HELD_UNTIL, Hold, InvocationId, State, UnixMillis};

/// Requests whose IDs are held against one another, by every run at its end: who names requests alike does it soon, and a run
/// on millions of rows must not read them all for it.
const REQUESTS_COMPARED: i64 = 10_000;

/// Rows at their end that may have been texted and are neither accepted nor unknown.
pub(super) const PERHAPS_TEXTED: &str = "SELECT COUNT(*) FROM invocation WHERE batch_id = $1 AND possible_duplicate = 1
    AND state IN ('rejected', 'failed', 'skipped', 'cancelled')";

/// Counts request IDs that stand on more than one of a batch's accepted requests: those are an operator's proof, and those
/// `list --request-id` shows.
pub(super) const REPEATED: &str = "SELECT COUNT(*) FROM
    (SELECT request_id FROM
        (SELECT invocation_id, request_id, outcome FROM attempt WHERE invocation_id > $1 AND invocation_id < $2
         ORDER BY invocation_id DESC, number DESC LIMIT $3) AS last
     WHERE request_id IS NOT NULL AND outcome = 'accepted' GROUP BY request_id HAVING MIN(invocation_id) <> MAX(invocation_id)) AS repeated";

impl Store {
    /// The next rows of a batch after a line that the filter selects, in the order of lines; empty at the end.
    pub async fn page(&self, batch: BatchId, filter: &Filter, after: u32, limit: u32) -> Result<Vec<InvocationView>> {
        self.page_up_to(batch, filter, after, u32::MAX, limit).await
    }

    /// Likewise, of the lines up to `last`: so that who asks for what is rare can say how many rows are looked at.
    pub async fn page_up_to(
        &self,
        batch: BatchId,
        filter: &Filter,
        after: u32,
        last: u32,
        limit: u32,
    ) -> Result<Vec<InvocationView>> {
        macro_rules! page {
            ($from:literal, $join:literal) => {
                concat!(
                    "SELECT i.id, i.line, i.state, i.due_at, i.hold, i.attempt, i.possible_duplicate, i.http_status, i.code, i.message,
                       i.refused_by, i.request_id, i.reason, i.finished_at, a.sent_at, c.body, c.phone, c.time_zone, c.cells,
                       c.purged_at, c.body_sha256 ",
                    $from,
                    " JOIN content AS c ON c.invocation_id = i.id
                    LEFT JOIN attempt AS a ON a.invocation_id = i.id AND a.number = i.attempt
                    WHERE i.id > $1 AND i.id < $2",
                    $join,
                    " AND ($3 IS NULL OR i.state IN (SELECT value ->> 0 FROM json_each($3)))
                      AND ($4 IS NULL OR i.code = $4)
                      AND ($5 IS NULL OR i.line IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($5)))
                      AND ($6 IS NULL OR c.phone = $6)
                      AND ($7 IS NULL OR i.request_id = $7)
                      AND ($8 IS NULL OR i.reason = $8)
                    ORDER BY i.id LIMIT $9"
                )
            };
        }
        const PAGE: &str = page!("FROM invocation AS i", "");
        // Found by the index of numbers, so that a number costs the same however many rows there are.
        const PAGE_OF_PHONE: &str = page!(
            "FROM fingerprint AS f CROSS JOIN invocation AS i",
            " AND f.phone = $6 AND f.invocation_id > $1 AND f.invocation_id < $2 AND i.id = f.invocation_id"
        );
        let (first, last_wanted) = (filter.lines.iter().min(), filter.lines.iter().max());
        let after = first.map_or(after, |first| after.max(first.saturating_sub(1)));
        let end = InvocationId::new(batch, last_wanted.map_or(last, |wanted| last.min(*wanted))).0 + 1;
        let states: Vec<_> = filter.states.iter().map(|state| [state.as_str()]).collect();
        let lines = || ids_text(filter.lines.iter().map(|line| i64::from(*line)));
        let statement = if filter.phone.is_some() { PAGE_OF_PHONE } else { PAGE };
        let rows = query(statement)
            .bind(InvocationId::new(batch, after).0)
            .bind(end)
            .bind((!states.is_empty()).then(|| json_text(&states)))
            .bind(filter.code.map(i64::from))
            .bind((!filter.lines.is_empty()).then(lines))
            .bind(filter.phone.map(|phone| i64::try_from(phone).unwrap_or(-1)))
            .bind(filter.request_id.as_deref())
            .bind(filter.reason.map(|reason| reason.as_str()))
            .bind(i64::from(limit))
            .fetch_all(&self.readers())
            .await
            .map_err(self.failed("read rows"))?;
        rows.iter().map(|row| self.read_invocation(row)).collect()
    }

    /// The pending row of a batch that stands first in its file.
    pub async fn first_pending(&self, batch: BatchId) -> Result<Option<InvocationView>> {
        let pending = Filter { states: vec![State::Pending], ..Filter::default() };
        Ok(self.page(batch, &pending, 0, 1).await?.pop())
    }

    /// The attempts of rows: each row's together, oldest first.
    pub async fn attempts(&self, rows: &[InvocationId]) -> Result<Vec<AttemptView>> {
        const ALL: &str = "
            SELECT invocation_id, number, taken_at, sent_at, finished_at, outcome, http_status, code, message, request_id,
                   answer, late, judged, run.host || ' (pid ' || run.pid || ')' AS run, run.who
            FROM attempt JOIN run ON run.id = run_id
            WHERE invocation_id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) ORDER BY invocation_id, number";
        let failed = || self.failed("read the attempts");
        let ids = ids_text(rows.iter().map(|row| row.0));
        let rows = query(ALL).bind(ids).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter()
            .map(|row| {
                Ok(AttemptView {
                    row: InvocationId(row.get("invocation_id")?),
                    number: row.small("number")?,
                    taken_at: UnixMillis(row.get("taken_at")?),
                    sent_at: row.get::<Option<i64>>("sent_at")?.map(UnixMillis),
                    finished_at: UnixMillis(row.get("finished_at")?),
                    outcome: row.get("outcome")?,
                    http_status: row.small_or_null("http_status")?,
                    code: row.small_or_null("code")?,
                    message: row.get("message")?,
                    request_id: row.get("request_id")?,
                    answer: row.get::<Option<Vec<u8>>>("answer")?.unwrap_or_default(),
                    is_late: row.get::<i64>("late")? != 0,
                    is_judged: row.get::<i64>("judged")? != 0 && row.get::<i64>("late")? == 0,
                    run: row.get("run")?,
                    who: row.get("who")?,
                })
            })
            .collect::<sqlx::Result<_>>()
            .map_err(failed())
    }

    /// The unknown rows of a batch, with the attempt that left each so.
    pub async fn unknown_rows(&self, batch: BatchId) -> Result<Vec<UnknownView>> {
        self.first_unknown_rows(batch, u32::MAX).await
    }

    /// The first `limit` of them.
    pub async fn first_unknown_rows(&self, batch: BatchId, limit: u32) -> Result<Vec<UnknownView>> {
        const UNKNOWN: &str = "
            SELECT i.id, i.attempt, a.finished_at, a.sent_at, a.judged, i.message, i.http_status,
                   a.request_id, c.phone
            FROM invocation AS i
            JOIN content AS c ON c.invocation_id = i.id
            JOIN attempt AS a ON a.invocation_id = i.id AND a.number = i.attempt
            WHERE i.state = 'unknown' AND i.batch_id = $1 ORDER BY i.id LIMIT $2";
        let failed = || self.failed("read the unknown rows");
        let rows = query(UNKNOWN).bind(batch.0).bind(limit).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter()
            .map(|row| {
                Ok(UnknownView {
                    id: InvocationId(row.get("id")?),
                    attempt: row.small("attempt")?,
                    last_on_wire: UnixMillis(row.get("finished_at")?),
                    sent_at: row.get::<Option<i64>>("sent_at")?.map(UnixMillis),
                    is_judged: row.get::<i64>("judged")? != 0,
                    message: row.get("message")?,
                    http_status: row.small_or_null("http_status")?,
                    request_id: row.get("request_id")?,
                    phone: row.get::<i64>("phone")?.unsigned_abs(),
                })
            })
            .collect::<sqlx::Result<_>>()
            .map_err(failed())
    }

    /// The pending rows of a batch that are due later than `now`, by what they wait for: a retry, their hours, a zone.
    ///
    /// Reads only those, by the index of what is due: rows never tried are due at 0.
    pub async fn waiting(&self, batch: BatchId, now: UnixMillis) -> Result<Vec<Waiting>> {
        const WAITING: &str = "SELECT hold, COUNT(*), MIN(due_at), MAX(due_at) FROM invocation
            WHERE state = 'pending' AND batch_id = $1 AND due_at > $2 GROUP BY hold ORDER BY MIN(due_at), hold";
        let failed = || self.failed("read what waits");
        let found = query(WAITING).bind(batch.0).bind(now.0).fetch_all(&self.readers()).await.map_err(failed())?;
        found
            .iter()
            .map(|row| {
                let rows = row.get(1).map_err(failed())?;
                let next_due_at = UnixMillis(row.get(2).map_err(failed())?);
                let last_due_at = UnixMillis(row.get(3).map_err(failed())?);
                Ok(Waiting { hold: self.read_hold(row)?, rows, next_due_at, last_due_at })
            })
            .collect()
    }

    /// Those of the numbers to which a row of the batch is to be sent or may have been, each with its first such line.
    pub async fn lines_of_phones(&self, batch: BatchId, phones: &[u64]) -> Result<Vec<(u64, u32)>> {
        const LINES: &str =
            "SELECT c.phone, MIN(i.line) FROM content AS c JOIN invocation AS i ON i.id = c.invocation_id
            WHERE c.invocation_id > $1 AND c.invocation_id < $2 AND c.phone IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($3))
              AND i.state IN ('pending', 'sending', 'accepted', 'unknown')
            GROUP BY c.phone";
        if phones.is_empty() {
            return Ok(Vec::new());
        }
        let (start, end) = batch.row_bounds();
        let failed = || self.failed("look for equal numbers");
        let phones = ids_text(phones.iter().map(|phone| phone.cast_signed()));
        let found =
            query(LINES).bind(start).bind(end).bind(phones).fetch_all(&self.readers()).await.map_err(failed())?;
        let read = |row: &Row| Ok((row.get::<i64>(0)?.unsigned_abs(), row.small(1)?));
        found.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// When the first pending row of a batch is due; `None` where none is pending but rows that are held for their zone.
    pub async fn next_due(&self, batch: BatchId) -> Result<Option<NextDue>> {
        const NEXT: &str = "SELECT due_at, hold FROM invocation
            WHERE state = 'pending' AND batch_id = $1 AND due_at < $2 ORDER BY due_at, id LIMIT 1";
        let failed = || self.failed("read what is due");
        let next =
            query(NEXT).bind(batch.0).bind(HELD_UNTIL.0).fetch_optional(&self.readers()).await.map_err(failed())?;
        let Some(row) = next else { return Ok(None) };
        let at = UnixMillis(row.get(0).map_err(failed())?);
        Ok(Some(NextDue { at, hold: self.read_hold(&row)? }))
    }

    /// How many rows of a batch were not sent because their time had passed.
    pub async fn expired(&self, batch: BatchId) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM invocation WHERE batch_id = $1 AND reason = 'expired'";
        query(COUNT).bind(batch.0).fetch_value(&self.readers()).await.map_err(self.failed("count expired rows"))
    }

    /// How many accepted rows of a batch may have been texted twice, because an earlier attempt may have got through.
    pub async fn possible_duplicates(&self, batch: BatchId) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM invocation WHERE batch_id = $1 AND possible_duplicate = 1
            AND state = 'accepted'";
        query(COUNT).bind(batch.0).fetch_value(&self.readers()).await.map_err(self.failed("count possible duplicates"))
    }

    /// How many accepted rows of a batch were texted twice: an earlier attempt, whose run was thought dead, turned out to have
    /// been accepted too.
    pub async fn texted_twice(&self, batch: BatchId) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(DISTINCT a.invocation_id) FROM attempt AS a
            JOIN invocation AS i ON i.id = a.invocation_id
            WHERE a.late = 1 AND a.invocation_id > $1 AND a.invocation_id < $2 AND a.outcome = 'accepted'
              AND a.number < i.attempt AND i.state = 'accepted'
              AND EXISTS (SELECT 1 FROM attempt AS b
                  WHERE b.invocation_id = a.invocation_id AND b.number > a.number AND b.outcome = 'accepted')";
        let (start, end) = batch.row_bounds();
        query(COUNT)
            .bind(start)
            .bind(end)
            .fetch_value(&self.readers())
            .await
            .map_err(self.failed("count who was texted twice"))
    }

    /// How many rows of a batch have ended as neither accepted nor unknown and may have been texted all the same: an operator
    /// gave them up when they were unknown, or an earlier attempt may have got through.
    pub async fn perhaps_texted(&self, batch: BatchId) -> Result<i64> {
        let count = query(PERHAPS_TEXTED).bind(batch.0).fetch_value(&self.readers()).await;
        count.map_err(self.failed("count who may have been texted"))
    }

    /// How many request IDs stand on more than one row among the last requests of a batch: the service named two alike.
    pub async fn repeated_request_ids(&self, batch: BatchId) -> Result<i64> {
        let (start, end) = batch.row_bounds();
        query(REPEATED)
            .bind(start)
            .bind(end)
            .bind(REQUESTS_COMPARED)
            .fetch_value(&self.readers())
            .await
            .map_err(self.failed("look for repeated request IDs"))
    }

    fn read_hold(&self, row: &Row) -> Result<Option<Hold>> {
        let hold: Option<String> = row.get("hold").map_err(self.failed("read why a row waits"))?;
        let hold = hold.map(|hold| hold.parse()).transpose();
        hold.map_err(|error| self.misread("why a row waits", &error))
    }

    fn read_invocation(&self, row: &Row) -> Result<InvocationView> {
        let failed = || self.failed("read a row");
        let time = |column: &str| Ok(row.get::<Option<i64>>(column).map_err(failed())?.map(UnixMillis));
        let text = |column: &str| row.get::<Option<String>>(column).map_err(failed());
        let state: String = row.get("state").map_err(failed())?;
        let cells: Vec<(String, String)> = match text("cells")? {
            Some(cells) => serde_json::from_str(&cells).map_err(|error| self.misread("a row's cells", &error))?,
            None => Vec::new(),
        };
        let reason = text("reason")?.map(|reason| reason.parse());
        Ok(InvocationView {
            id: InvocationId(row.get("id").map_err(failed())?),
            line: row.small("line").map_err(failed())?,
            state: state.parse().map_err(|error| self.misread("a state", &error))?,
            due_at: UnixMillis(row.get("due_at").map_err(failed())?),
            hold: self.read_hold(row)?,
            attempt: row.small("attempt").map_err(failed())?,
            possible_duplicate: row.get::<i64>("possible_duplicate").map_err(failed())? != 0,
            http_status: row.small_or_null("http_status").map_err(failed())?,
            code: row.small_or_null("code").map_err(failed())?,
            message: text("message")?,
            refused_by: text("refused_by")?,
            request_id: text("request_id")?,
            reason: reason.transpose().map_err(|error| self.misread("a reason", &error))?,
            sent_at: time("sent_at")?,
            finished_at: time("finished_at")?,
            body: text("body")?,
            phone: row.get::<Option<i64>>("phone").map_err(failed())?.map(i64::unsigned_abs),
            time_zone: text("time_zone")?,
            cells: cells.into_iter().map(|(column, text)| Cell { column, text }).collect(),
            purged_at: time("purged_at")?,
            body_sha256: text("body_sha256")?,
        })
    }
}
