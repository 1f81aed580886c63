//! Folds the log into the database file while an import goes on writing it: SQLite lets one connection do so beside another that
//! writes, and each has a thread of its own.

use sqlx::SqliteConnection;
use tokio::task::JoinHandle;

use super::statement::{On, query};

/// Transactions of an import after which a pass is begun: some 16 MiB of the log. A page that is still being filled is then
/// written once or twice, and not at each transaction.
const TRANSACTIONS_A_PASS: u32 = 32;

/// Pages in the log, 48 MiB of them, at which nothing is written until all of them are in the file: only then is the log
/// begun anew, and not made longer.
const LOG_PAGES_MAX: i64 = 12_288;

/// The connection that folds, and what it is about.
pub(super) struct Folding {
    pass: Pass,
    /// Transactions that were written since the last pass was begun.
    written: u32,
}

enum Pass {
    Ended(SqliteConnection),
    Going(JoinHandle<(SqliteConnection, sqlx::Result<Option<i64>>)>),
    /// One has failed: it was told, and the import ends.
    Failed,
}

impl Folding {
    pub(super) fn new(connection: SqliteConnection) -> Folding {
        Folding { pass: Pass::Ended(connection), written: 0 }
    }

    /// After a transaction was written; whether a pass was begun. Waits only where the log grows faster than it is folded, or
    /// has grown long.
    pub(super) async fn note_written(&mut self) -> sqlx::Result<bool> {
        self.written += 1;
        let is_due = self.written >= TRANSACTIONS_A_PASS;
        if !is_due && !matches!(&self.pass, Pass::Going(pass) if pass.is_finished()) {
            return Ok(false);
        }
        let is_long = self.end().await?.is_some_and(|pages| pages > LOG_PAGES_MAX);
        if is_due || is_long {
            self.begin();
        }
        if is_long {
            // Little is left behind a pass that has just ended.
            self.end().await?;
        }
        Ok(is_due || is_long)
    }

    /// Waits for the pass that is going on, and closes the connection.
    pub(super) async fn close(mut self) -> sqlx::Result<()> {
        self.end().await?;
        if let Pass::Ended(connection) = self.pass {
            sqlx::Connection::close(connection).await?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.written = 0;
        if let Pass::Ended(mut connection) = std::mem::replace(&mut self.pass, Pass::Failed) {
            self.pass = Pass::Going(tokio::spawn(async move {
                let pages = pass(&mut connection).await;
                (connection, pages)
            }));
        }
    }

    /// Waits for the pass that is going on, if any; how many pages the log had when it began.
    async fn end(&mut self) -> sqlx::Result<Option<i64>> {
        match std::mem::replace(&mut self.pass, Pass::Failed) {
            Pass::Going(pass) => {
                let (connection, pages) = pass.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
                let pages = pages?;
                self.pass = Pass::Ended(connection);
                Ok(pages)
            }
            pass @ (Pass::Ended(_) | Pass::Failed) => {
                self.pass = pass;
                Ok(None)
            }
        }
    }
}

/// Folds what the log has at this moment, and waits for nobody; how many pages that were. `None`: another process, such as a run,
/// is folding it just then.
async fn pass(connection: &mut SqliteConnection) -> sqlx::Result<Option<i64>> {
    let told = query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(On::Sqlite(connection)).await?;
    let is_busy: bool = told.get(0)?;
    Ok(if is_busy { None } else { Some(told.get(1)?) })
}

#[cfg(test)]
mod tests {
    use std::fs::metadata;

    use super::*;
    use crate::store::sqlite::{import_options, open, options};

    #[tokio::test]
    async fn the_log_of_a_long_import_is_begun_anew_while_it_is_written() {
        const TRANSACTIONS: u64 = 300;
        const MIB: u64 = 1 << 20;
        let folder = tempfile::tempdir().expect("a folder");
        let (file, log) = (folder.path().join("queue.db"), folder.path().join("queue.db-wal"));
        std::fs::File::create(&file).expect("a file");
        let options = options(&file, std::time::Duration::from_secs(1));
        let mut writer = open("queue.db", &import_options(&options)).await.expect("a connection");
        let mut folding = Folding::new(open("queue.db", &options).await.expect("a connection"));
        query("CREATE TABLE filled (half_a_mib BLOB)").execute(On::Sqlite(&mut writer)).await.expect("a table");
        for _ in 0..TRANSACTIONS {
            let row = query("INSERT INTO filled VALUES (zeroblob(524288))");
            row.execute(On::Sqlite(&mut writer)).await.expect("a row");
            folding.note_written().await.expect("noted");
        }
        folding.close().await.expect("closed");
        let size = |path| metadata(path).expect("its size").len();
        assert!(size(&log) < 100 * MIB, "{} bytes of log", size(&log));
        assert!(size(&file) > 50 * MIB, "{} bytes folded", size(&file));
        let rows: i64 =
            query("SELECT COUNT(*) FROM filled").fetch_value(On::Sqlite(&mut writer)).await.expect("a count");
        assert_eq!(rows, TRANSACTIONS.cast_signed());
    }
}
