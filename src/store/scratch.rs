//! A private temporary database for what is kept of a file until it is written out, so that memory does not grow with it.

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::{Error, Result};

/// The refused rows of a file. Gone with the process, however it ends.
pub struct Scratch {
    pub(super) connection: SqliteConnection,
}

impl Scratch {
    /// Opens a new one.
    pub async fn open() -> Result<Scratch> {
        const REFUSED: &str = "CREATE TABLE refused (line INTEGER PRIMARY KEY, reason TEXT NOT NULL, fix TEXT NOT NULL,
            phone INTEGER, same_number INTEGER)";
        let mut connection = SqliteConnectOptions::new()
            .filename("") // SQLite's word for a file that has no name, so that not even a kill leaves it behind
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-4096")
            .connect()
            .await
            .map_err(failed("open a temporary database"))?;
        sqlx::query(REFUSED).execute(&mut connection).await.map_err(failed("prepare a temporary database"))?;
        Ok(Scratch { connection })
    }
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |cause| Error::Database {
        doing,
        place: std::env::temp_dir().display().to_string(),
        cause,
        hint: "\nhint: set TMPDIR to a folder with room",
    }
}
