//! What a forecast is made of: which rows are due in which zone.

use super::statement::query;
use super::{Result, Store};
use crate::invocation::{BatchId, UnixMillis};

impl Store {
    /// How many pending rows of a batch are due now, by the zone that they name.
    ///
    /// Reads all of them.
    pub async fn due_by_zone(&self, batch: BatchId, now: UnixMillis) -> Result<Vec<(Option<String>, i64)>> {
        const BY_ZONE: &str = "SELECT c.time_zone, COUNT(*) FROM invocation AS i
            JOIN content AS c ON c.invocation_id = i.id
            WHERE i.state = 'pending' AND i.batch_id = $1 AND i.due_at <= $2 GROUP BY c.time_zone ORDER BY c.time_zone";
        let failed = || self.failed("count rows by their zones");
        let rows = query(BY_ZONE).bind(batch.0).bind(now.0).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// The zone of the pending row of a batch that is due first, where it names one.
    pub async fn next_zone(&self, batch: BatchId) -> Result<Option<String>> {
        const NEXT: &str =
            "SELECT c.time_zone FROM (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                ORDER BY due_at, id LIMIT 1) AS i JOIN content AS c ON c.invocation_id = i.id";
        let failed = || self.failed("read a row's zone");
        let found = query(NEXT).bind(batch.0).fetch_optional(&self.readers()).await.map_err(failed())?;
        Ok(found.map(|row| row.get(0)).transpose().map_err(failed())?.flatten())
    }
}
