//! Rows whose time was noted by a clock that was ahead, and has been set back since: they are told their time anew.

use super::statement::query;
use super::{Result, Store};
use crate::invocation::{BatchId, UnixMillis};

/// How far behind the end of a row's last attempt a clock may be that was not set back: those of several machines differ by half
/// of it at most, or a run does not begin.
pub const CLOCKS_DIFFER: std::time::Duration = std::time::Duration::from_secs(60);

impl Store {
    /// Has retries that were noted by a clock that was ahead wait for as long as they were to, from now on; how many.
    ///
    /// Their last attempts tell it: they have ended after now. The moment at which such a row was taken is set to now, so that
    /// whoever does this once more, or at the same time, changes nothing before the clock is set back once more.
    pub async fn bring_nearer(&self, batch: BatchId, now: UnixMillis) -> Result<u64> {
        macro_rules! noted_at {
            () => {
                "CASE WHEN invocation.taken_at = a.taken_at THEN a.finished_at ELSE invocation.taken_at END"
            };
        }
        const BRING_NEARER: &str = concat!(
            "UPDATE invocation SET due_at = $2 + (invocation.due_at - ",
            noted_at!(),
            "), taken_at = $2 FROM attempt AS a
            WHERE invocation.state = 'pending' AND invocation.batch_id = $1 AND invocation.hold IS NULL
              AND invocation.due_at > $3 AND a.invocation_id = invocation.id AND a.number = invocation.attempt
              AND ",
            noted_at!(),
            " BETWEEN $3 + 1 AND invocation.due_at"
        );
        let behind = now.after(CLOCKS_DIFFER);
        let mut writer = self.writer().await?;
        let changed = query(BRING_NEARER).bind(batch.0).bind(now.0).bind(behind.0).execute(&mut *writer).await;
        changed.map_err(self.failed("bring retries nearer"))
    }

    /// Lets go what was put off to a later hour by a clock that has jumped since, so that the next run looks at it anew; how many.
    pub async fn let_go(&self, batch: BatchId) -> Result<u64> {
        const LET_GO: &str = "UPDATE invocation SET due_at = 0, hold = NULL
            WHERE state = 'pending' AND batch_id = $1 AND hold = 'window'";
        let mut writer = self.writer().await?;
        let changed = query(LET_GO).bind(batch.0).execute(&mut *writer).await;
        changed.map_err(self.failed("let go what was put off"))
    }
}
