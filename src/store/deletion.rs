//! Deleting a batch: its rows in small transactions, and the batch itself last, so that a killed deletion is gone on with.

use super::connection::Tx;
use super::statement::query;
use super::{Result, Store};
use crate::invocation::BatchId;

/// Rows that are deleted in one transaction, so that what runs beside it is not held up.
const DELETED_ROWS: i64 = 2_000;

impl Store {
    /// Deletes some rows of a batch with all that belongs to them; how many. A purge of it has begun.
    pub async fn delete_rows_of(&self, batch: BatchId) -> Result<u64> {
        let failed = || self.failed("delete a batch's rows");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let deleted = delete_rows(&mut tx, batch, DELETED_ROWS).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(deleted)
    }

    /// Deletes what is noted of rows whose numbers were made unreadable before: it stands in the order of their hashes.
    pub async fn delete_purged_fingerprints(&self, batch: BatchId) -> Result<()> {
        const DELETE: &str = "DELETE FROM fingerprint WHERE (phone, request_hash, invocation_id) IN
            (SELECT phone, request_hash, invocation_id FROM fingerprint
             WHERE phone = 0 AND request_hash >= $1 AND invocation_id > $2 AND invocation_id < $3
             ORDER BY request_hash LIMIT $4) RETURNING request_hash";
        let failed = || self.failed("delete what a batch's rows say");
        let (start, end) = batch.row_bounds();
        let mut from = i64::MIN;
        loop {
            let mut writer = self.writer().await?;
            let delete = query(DELETE).bind(from).bind(start).bind(end).bind(DELETED_ROWS);
            let deleted: Vec<i64> = delete.fetch_column(&mut *writer).await.map_err(failed())?;
            let Some(last) = deleted.into_iter().max() else { return Ok(()) };
            from = last;
        }
    }

    /// Deletes a batch that has no rows any more. Of what was done with it the purges stay, each with the batch's name.
    pub async fn delete_batch(&self, batch: BatchId) -> Result<()> {
        const STATEMENTS: [&str; 5] = [
            "UPDATE gate SET probe_id = NULL WHERE probe_id > $1 * 4294967296 AND probe_id < ($1 + 1) * 4294967296",
            "DELETE FROM state_count WHERE batch_id = $1",
            "UPDATE action SET batch_id = NULL WHERE batch_id = $1 AND kind = 'purge'",
            "DELETE FROM action WHERE batch_id = $1",
            "DELETE FROM batch WHERE id = $1 AND purge_how = 'delete'",
        ];
        let failed = || self.failed("delete a batch");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        for statement in STATEMENTS {
            query(statement).bind(batch.0).execute(&mut tx).await.map_err(failed())?;
        }
        tx.commit().await.map_err(failed())
    }
}

/// Deletes some rows of a batch with all that belongs to them; how many.
pub(super) async fn delete_rows(tx: &mut Tx<'_>, batch: BatchId, limit: i64) -> sqlx::Result<u64> {
    macro_rules! of_rows {
        ($delete:literal) => {
            concat!($delete, " IN (SELECT id FROM invocation WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3)")
        };
    }
    // Found by their numbers, which the content has: it goes after them.
    const FINGERPRINTS: &str = "DELETE FROM fingerprint WHERE (phone, request_hash, invocation_id) IN
        (SELECT f.phone, f.request_hash, f.invocation_id
         FROM (SELECT id FROM invocation WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS swept
         CROSS JOIN content AS c CROSS JOIN fingerprint AS f
         WHERE c.invocation_id = swept.id AND f.phone = c.phone AND f.invocation_id = swept.id)";
    const STATEMENTS: [&str; 5] = [
        FINGERPRINTS,
        of_rows!("DELETE FROM attempt WHERE invocation_id"),
        of_rows!("DELETE FROM action_row WHERE invocation_id"),
        of_rows!("DELETE FROM content WHERE invocation_id"),
        of_rows!("DELETE FROM invocation WHERE id"),
    ];
    let (start, end) = batch.row_bounds();
    let mut deleted = 0;
    for statement in STATEMENTS {
        deleted = query(statement).bind(start).bind(end).bind(limit).execute(&mut *tx).await?;
    }
    Ok(deleted)
}
