//! Who was told already: rows of other batches by number, and the rows that are not sent because of it.

use super::given::{Columns, Given, Kind};
use super::statement::{On, Sql, Statement, query};
use super::{Result, Store, counts, ids_text, json_text};
use crate::invocation::{BatchId, Counts, Fingerprint, InvocationId, SkipReason, State, Suppressed, UnixMillis};

/// Numbers of a suppression list that are looked up at once.
const NUMBERS_PAGE: usize = 5_000;

/// A row of another batch that has the number of one that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The line of the row that is asked about.
    pub line: u32,
    /// The other row.
    pub earlier: InvocationId,
    /// The other row's state where both are the same request; `None` where the number is told something else.
    pub same_request: Option<State>,
}

/// States of a row that has been sent, or may have been, or will be: the weakest first.
const TELLING: [State; 4] = [State::Pending, State::Sending, State::Unknown, State::Accepted];

/// Bits of a find that hold the other row's number; its strength stands above.
const ROW_BITS: u32 = 60;

impl Store {
    /// Those of the rows whose number another of these batches has sent something since then, or is about to: for each
    /// at most one row with the same request, the one in the strongest state, and the newest with another.
    ///
    /// A purged row has no number any more: it is found by its request, which the number is part of, and by nothing else.
    pub async fn told(&self, rows: &[Fingerprint], batches: &[BatchId], since: UnixMillis) -> Result<Vec<Told>> {
        let mut writer = self.writer().await?;
        self.told_on((&mut *writer).into(), rows, batches, since).await
    }

    /// Likewise, by a connection.
    pub(super) async fn told_on(
        &self,
        on: On<'_>,
        rows: &[Fingerprint],
        batches: &[BatchId],
        since: UnixMillis,
    ) -> Result<Vec<Told>> {
        // One number for each find, so that the best of them is the greatest; all of them in one text.
        macro_rules! best_finds {
            () => {
                " FROM (SELECT f.line, CASE WHEN f.request_hash = f.hash THEN 1 ELSE 0 END AS same_request,
                       MAX(CAST(CASE WHEN f.request_hash <> f.hash OR i.state = 'pending' THEN 0
                                     WHEN i.state = 'sending' THEN 1 WHEN i.state = 'unknown' THEN 2 ELSE 3 END AS BIGINT) << 60
                           | f.invocation_id) AS best
                FROM (SELECT asked.line, asked.hash, f.request_hash, f.invocation_id
                      FROM (SELECT CAST(value ->> 0 AS BIGINT) AS phone, CAST(value ->> 1 AS BIGINT) AS hash,
                                   CAST(value ->> 2 AS BIGINT) AS line FROM json_each($1)) AS asked
                           CROSS JOIN fingerprint AS f
                      WHERE f.phone = asked.phone
                      UNION ALL
                      SELECT asked.line, asked.hash, f.request_hash, f.invocation_id
                      FROM (SELECT CAST(value ->> 1 AS BIGINT) AS hash,
                                   CAST(value ->> 2 AS BIGINT) AS line FROM json_each($1)) AS asked
                           CROSS JOIN fingerprint AS f
                      WHERE f.phone = 0 AND f.request_hash = asked.hash) AS f
                     CROSS JOIN invocation AS i
                WHERE f.invocation_id >> 32 IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($2))
                  AND i.id = f.invocation_id
                  AND (i.state IN ('pending', 'sending')
                       OR (i.state IN ('accepted', 'unknown') AND i.finished_at >= $3))
                GROUP BY f.line, CASE WHEN f.request_hash = f.hash THEN 1 ELSE 0 END) AS found"
            };
        }
        const TOLD: Sql = Sql {
            sqlite: concat!("SELECT json_group_array(json_array(line, same_request, best))", best_finds!()),
            postgres: concat!(
                "SELECT COALESCE(json_agg(json_build_array(line, same_request, best)), '[]')::text",
                best_finds!()
            ),
        };
        if rows.is_empty() || batches.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> = rows.iter().map(|row| (row.phone, row.request_hash, row.line)).collect();
        let found: String = query(TOLD)
            .bind(json_text(&asked))
            .bind(ids_text(batches.iter().map(|batch| batch.0)))
            .bind(since.0)
            .fetch_value(on)
            .await
            .map_err(self.failed("look who was told already"))?;
        let found: Vec<(u32, u8, u64)> =
            serde_json::from_str(&found).map_err(|error| self.misread("who was told already", &error))?;
        let read = |(line, same_request, best): (u32, u8, u64)| Told {
            line,
            earlier: InvocationId((best & ((1 << ROW_BITS) - 1)).cast_signed()),
            same_request: (same_request == 1).then(|| TELLING[(best >> ROW_BITS) as usize]),
        };
        Ok(found.into_iter().map(read).collect())
    }

    /// Skips the pending rows of a batch whose number is on the list; how many.
    ///
    /// In small transactions, and none where nothing is found, so that a run beside it is not held up.
    pub async fn suppress(&self, batch: BatchId, list: &Suppressed, now: UnixMillis) -> Result<u64> {
        let mut skipped = 0;
        for page in list.numbers().chunks(NUMBERS_PAGE) {
            let found = self.pending_to(batch, page).await?;
            if !found.is_empty() {
                skipped += self.skip_pending(batch, &found, SkipReason::Suppressed, now).await?;
            }
        }
        Ok(skipped)
    }

    /// How many pending rows of a batch [`Store::suppress`] would skip.
    pub async fn count_suppressed(&self, batch: BatchId, list: &Suppressed) -> Result<u64> {
        let mut count = 0;
        for page in list.numbers().chunks(NUMBERS_PAGE) {
            count += self.pending_to(batch, page).await?.len() as u64;
        }
        Ok(count)
    }

    /// The pending rows of a batch to these numbers.
    async fn pending_to(&self, batch: BatchId, numbers: &[u64]) -> Result<Vec<i64>> {
        // `state || ''`: by their numbers, and not among all that is pending, however old the planner's figures are.
        const FIND: &str = "SELECT i.id FROM json_each($1) AS j CROSS JOIN fingerprint AS f CROSS JOIN invocation AS i
            WHERE f.phone = CAST(j.value ->> 0 AS BIGINT) AND f.invocation_id > $2 AND f.invocation_id < $3
              AND i.id = f.invocation_id AND i.state || '' = 'pending'";
        let (start, end) = batch.row_bounds();
        let numbers = ids_text(numbers.iter().map(|number| number.cast_signed()));
        let found = query(FIND).bind(numbers).bind(start).bind(end).fetch_column(&self.readers()).await;
        found.map_err(self.failed("look for suppressed numbers"))
    }

    /// Skips those of a batch's rows that are still pending; how many.
    async fn skip_pending(&self, batch: BatchId, rows: &[i64], reason: SkipReason, now: UnixMillis) -> Result<u64> {
        const SKIP: &str = "UPDATE invocation SET state = 'skipped', reason = $2, message = $3, finished_at = $4,
                http_status = NULL, code = NULL, hold = NULL
            WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) AND state || '' = 'pending'";
        let failed = || self.failed("skip rows");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let skipped = query(SKIP)
            .bind(ids_text(rows.iter().copied()))
            .bind(reason.as_str())
            .bind(reason.to_string())
            .bind(now.0)
            .execute(&mut tx)
            .await
            .map_err(failed())?;
        let mut moved = Counts::default();
        (0..skipped).for_each(|_| moved.moved(State::Pending, State::Skipped));
        counts::write_counts(&mut tx, &[(batch, moved)]).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(skipped)
    }
}

/// What a statement is given of rows that say something.
const SAID: Columns = &[("phone", Kind::Integer), ("hash", Kind::Integer), ("line", Kind::Integer)];

/// Notes what rows of a batch say, best in the order of their numbers: neighbours share a page.
pub(super) fn notes(batch: BatchId, rows: &[Fingerprint]) -> impl Iterator<Item = Statement<'static>> {
    const NOTE: &str = "INSERT INTO fingerprint (phone, request_hash, invocation_id)
        SELECT phone, hash, $1 * 4294967296 + line FROM given WHERE phone IS NOT NULL";
    let row = |row: &Fingerprint| [row.phone.cast_signed().into(), row.request_hash.into(), row.line.into()];
    let given = Given::parts(SAID, rows.iter().map(row).collect());
    given.map(move |given| query(NOTE).bind(batch.0).given(given.streamed()))
}
