//! One import at a time: what one leaves unfinished, the next sweeps.

use std::fs::File;

use super::lock::{companion, open, unlockable};
use super::statement::query;
use super::{Address, Result, Store};

/// The number of a server's advisory lock: one for each queue, of which a database may hold several in as many schemas.
macro_rules! key {
    () => {
        "hashtextextended('mep-batch import ' || current_schema(), 0)"
    };
}

/// Held while a file is imported; a second import waits for it.
///
/// On PostgreSQL the connection that writes holds it, so that who has lost the lock cannot write either.
#[derive(Debug)]
pub struct ImportLock {
    /// The file beside a SQLite database, closed with this.
    file: Option<File>,
}

impl Store {
    /// Takes the lock, waiting for another import of the same queue to end.
    pub async fn import_lock(&self) -> Result<ImportLock> {
        const LOCK: &str = concat!("SELECT pg_advisory_lock(", key!(), ")");
        let Address::File(database) = &self.address else {
            self.set_lock_timeout("0").await?; // the other one may be importing millions of rows
            let mut writer = self.writer().await?;
            query(LOCK).execute(&mut *writer).await.map_err(self.failed("wait for another import"))?;
            drop(writer);
            self.set_lock_timeout(&format!("{}ms", self.patience.as_millis())).await?;
            return Ok(ImportLock { file: None });
        };
        let (database, path) = (database.clone(), companion(database, ".import-lock"));
        let wait = move || {
            let file = open(&database, &path)?;
            file.lock().map_err(|error| unlockable(&database, &path, &error))?;
            Ok(ImportLock { file: Some(file) })
        };
        tokio::task::spawn_blocking(wait).await.expect("waiting for a lock does not panic")
    }

    async fn set_lock_timeout(&self, time: &str) -> Result<()> {
        const SET: &str = "SELECT set_config('lock_timeout', $1, false)";
        let mut writer = self.writer().await?;
        let done = query(SET).bind(time).execute(&mut *writer).await;
        done.map(drop).map_err(self.failed("wait for another import"))
    }
}

impl ImportLock {
    /// Lets the next import begin. A lock that is only dropped is given back at the latest when the process ends.
    pub async fn release(self, store: &Store) {
        const UNLOCK: &str = concat!("SELECT pg_advisory_unlock(", key!(), ")");
        if self.file.is_some() {
            return;
        }
        let Ok(mut writer) = store.writer().await else { return };
        if let Err(error) = query(UNLOCK).execute(&mut *writer).await {
            tracing::debug!("the lock of imports is given back when this process ends: {error}");
        }
    }
}
