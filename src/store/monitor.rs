//! What somebody who watches asks again and again: each answer costs little, or comes in parts.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::statement::query;
use super::{Result, Store};
use crate::invocation::{BatchId, InvocationId, UnixMillis};

impl Store {
    /// Asks the database for next to nothing: that it answers is the answer.
    pub async fn answers(&self) -> Result<()> {
        const ANY: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM batch LIMIT 1) AS any_of_them";
        let found = query(ANY).fetch_value::<i64>(&self.readers()).await;
        found.map(drop).map_err(self.failed("read a row"))
    }

    /// How many accepted rows of each batch may have been texted twice; batches without any are left out.
    pub async fn all_possible_duplicates(&self) -> Result<BTreeMap<BatchId, i64>> {
        const COUNT: &str =
            "SELECT batch_id, COUNT(*) FROM invocation WHERE possible_duplicate = 1 AND state = 'accepted'
            GROUP BY batch_id";
        let failed = || self.failed("count possible duplicates");
        let rows = query(COUNT).fetch_all(&self.readers()).await.map_err(failed())?;
        let read = |row: &super::statement::Row| Ok((BatchId(row.get(0)?), row.get(1)?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// When the last request for any of the lines was accepted; `None` where none was.
    ///
    /// Reads each attempt of the range: ask for some ten thousand lines at a time.
    pub async fn last_accepted(&self, batch: BatchId, lines: RangeInclusive<u32>) -> Result<Option<UnixMillis>> {
        const LAST: &str = "SELECT MAX(finished_at) FROM attempt
            WHERE invocation_id BETWEEN $1 AND $2 AND outcome = 'accepted'";
        let found: Option<i64> = query(LAST)
            .bind(InvocationId::new(batch, *lines.start()).0)
            .bind(InvocationId::new(batch, *lines.end()).0)
            .fetch_value(&self.readers())
            .await
            .map_err(self.failed("look for the last accepted request"))?;
        Ok(found.map(UnixMillis))
    }
}
