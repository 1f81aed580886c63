//! SQLite: how its connections are opened, and what its errors mean for a person.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteError, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::plain::MISMATCH;
use super::statement::{On, query};
use super::{Error, Result};

/// Connections that read, at most: what a person asks for is rarely more than one thing at a time.
const READERS_MAX: u32 = 4;
/// Page cache of the writer in KiB; SQLite's pragma takes it as a negative number.
const CACHE_KIB: i64 = 8 * 1024;
/// Of each reader: it sorts what is larger on the disk.
const READERS_CACHE_KIB: i64 = 2 * 1024;

/// How a database is opened that may be another program's: nothing about it is changed.
pub(super) fn plain_options(path: &Path, patience: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).create_if_missing(false).busy_timeout(patience)
}

/// How every connection to this database is opened. A statement waits for other processes' transactions as long as
/// `patience` says, and is busy then.
///
/// `synchronous=FULL`: with `NORMAL` a power cut forgets a committed `sending`, and the restart sends it again.
pub(super) fn options(path: &Path, patience: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(patience)
        .foreign_keys(true)
        .pragma("cache_size", (-CACHE_KIB).to_string())
        .pragma("journal_size_limit", (64 << 20).to_string())
        .pragma("trusted_schema", "OFF")
}

/// How the connection of an import is opened.
///
/// `synchronous=NORMAL`: what it writes is seen by nobody, and is made durable by the last commit, which is another
/// connection's. That one syncs the log, in which all commits of all connections stand one behind another; and what left the
/// log before was synced on its way into the file. Another connection folds the log meanwhile: `Folding`.
pub(super) fn import_options(options: &SqliteConnectOptions) -> SqliteConnectOptions {
    options.clone().synchronous(SqliteSynchronous::Normal).pragma("wal_autocheckpoint", "0")
}

/// The connections that read; opened when first needed.
pub(super) fn readers(options: &SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new().min_connections(0).max_connections(READERS_MAX).connect_lazy_with(
        options.clone().pragma("query_only", "ON").pragma("cache_size", (-READERS_CACHE_KIB).to_string()),
    )
}

/// How long two processes may be in each other's way that make one new file a queue, and the pause between two tries.
const MADE_WITHIN: Duration = Duration::from_secs(2);
const MAKING_PAUSE: Duration = Duration::from_millis(5);

/// Opens a connection.
///
/// A new file is given its log by whoever opens it first; who comes meanwhile is told that it is busy at once, whatever the busy
/// time-out, and tries again. Who has waited for as long as that has met something else.
pub(super) async fn open(place: &str, options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let began = Instant::now();
    loop {
        match SqliteConnection::connect_with(options).await {
            Err(cause) if is_busy(&cause) && began.elapsed() < MADE_WITHIN => tokio::time::sleep(MAKING_PAUSE).await,
            opened => return opened.map_err(|cause| error("open the database", place, cause)),
        }
    }
}

/// Opens the connection that writes.
pub(super) async fn open_writer(place: &str, options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let mut connection = open(place, options).await?;
    let made = query(MISMATCH).execute(On::Sqlite(&mut connection)).await;
    made.map_err(|cause| error("prepare the database", place, cause))?;
    Ok(connection)
}

/// Takes back what a script has begun. `false`: it had begun nothing, or the connection is of no more use; a new one is.
pub(super) async fn roll_back(connection: &mut SqliteConnection) -> bool {
    query("ROLLBACK").execute(On::Sqlite(connection)).await.is_ok()
}

/// `SQLITE_BUSY`, the low byte of its extended codes.
const SQLITE_BUSY: i64 = 5;
/// `SQLITE_CONSTRAINT`, likewise.
const SQLITE_CONSTRAINT: i64 = 19;

/// Whether another process's transaction is in the way.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_BUSY)
}

/// Whether the statement contradicts a rule of the schema, so that it has done nothing.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_CONSTRAINT)
}

/// What to do about a database that is not whole, or holds what cannot be.
pub(super) const DAMAGED: &str =
    "\nhint: the file is damaged or is no database; put a backup elsewhere and read it with `--db` before sending";

/// What failed, with the way out where the code tells one.
pub(super) fn error(doing: &'static str, place: &str, cause: sqlx::Error) -> Error {
    let hint = match primary_code(&cause) {
        Some(SQLITE_BUSY) => "\nhint: another process has held it for a long time; end that one, or try again",
        Some(7) => "\nhint: the system has no memory left for it; end other programs and type the command again",
        Some(8) => "\nhint: the database or its folder is read-only for this user",
        Some(10) => "\nhint: the disk reported an error; check it (`dmesg`) before anything else is sent",
        Some(11 | 26) => DAMAGED,
        Some(13) => "\nhint: the disk is full; make room and type the command again",
        Some(3 | 14) => "\nhint: the file cannot be opened; check that it and its folder can be read and written",
        Some(15) => {
            "\nhint: the file cannot be locked; check its disk (`dmesg`) and that its file system is a local one"
        }
        None if matches!(cause, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => DAMAGED,
        Some(_) => "\nhint: `mep-batch doctor` looks for what is wrong with it",
        None => "",
    };
    Error::Database { doing, place: place.to_owned(), cause, hint }
}

/// SQLite's primary result code.
fn primary_code(error: &sqlx::Error) -> Option<i64> {
    if let sqlx::Error::Migrate(error) = error {
        let (MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)) = &**error else { return None };
        return primary_code(cause);
    }
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let extended: i64 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_run_commits_is_waited_for_until_it_is_on_the_disk() {
        const FULL: i64 = 2;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("queue.db");
        std::fs::File::create(&path).expect("a file");
        let mut writer = open_writer("queue.db", &options(&path, Duration::from_secs(1))).await.expect("a connection");
        let row = query("PRAGMA synchronous").fetch_one(On::Sqlite(&mut writer)).await.expect("an answer");
        assert_eq!(row.get::<i64>(0).expect("a number"), FULL);
    }
}
