//! The queue in its database. The only module that knows SQL.
//!
//! One connection writes and a few others read. Who writes takes the writer for the length of one short
//! transaction, which begins as `IMMEDIATE`: a deferred one fails on upgrade whatever the busy time-out.

mod action;
mod batch;
mod decision;
mod file;
mod gate;
mod intake;
mod lock;
mod others;
mod query;
mod refused;
mod run;
mod schema;
mod scratch;
mod sqlite;
mod told;
mod turn;
mod view;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

pub use action::{ActionKind, ActionRecord, Actor, RowAction};
pub use batch::{Batch, Confirmation};
pub use decision::{Rebuilt, RetrySelection, Verdict};
pub use gate::{ClosedBecause, Gate};
pub use intake::{Intake, NewBatch, Skip};
pub use lock::{Holder, ImportLock, RunLock};
pub use others::Others;
pub use refused::Refused;
pub use run::{Run, RunView, STOPPED, Settled};
pub use scratch::{Repeat, RepeatOf, Scratch, Seen};
pub use told::Told;
pub use turn::{Turn, TurnWriter};
pub use view::{AttemptView, Filter, InvocationView, UnknownView, Waiting};

use sqlite::Writer;

/// A database that holds the queue.
pub struct Store {
    path: PathBuf,
    options: SqliteConnectOptions,
    writer: Mutex<Option<Writer>>,
    readers: SqlitePool,
}

/// Why the store cannot do what was asked. The variants are what a caller chooses by; each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no database at that path, and this command creates none.
    #[error(
        "there is no database at `{0}`\nhint: `mep-batch import` or `mep-batch run FILE` creates one; `--db PATH` names another"
    )]
    NotFound(PathBuf),
    /// The file, or where it lies, cannot serve.
    #[error("`{path}` cannot be the queue: {why}")]
    Unsuitable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the way out.
        why: String,
    },
    /// Another process holds the database.
    #[error("another run holds `{path}`: {holder}\nhint: `mep-batch status` shows how far it is")]
    Held {
        /// The database.
        path: PathBuf,
        /// The process that holds it, as it said of itself.
        holder: Holder,
    },
    /// This run was ended by somebody else, or its database was replaced: it may take nothing more.
    #[error("this run may send nothing more: {0}")]
    Fenced(String),
    /// What was asked contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// The database did not do it.
    #[error("cannot {doing} in `{path}`: {cause}{hint}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// What the driver says.
        cause: sqlx::Error,
        /// The way out, on a line of its own, where one is known.
        hint: &'static str,
    },
}

impl Error {
    /// Whether another process's transaction was in the way: to be waited for, and no failure.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match self {
            Error::Database { cause, .. } => sqlite::is_busy(cause),
            Error::NotFound(_)
            | Error::Unsuitable { .. }
            | Error::Held { .. }
            | Error::Fenced(_)
            | Error::Conflict(_) => false,
        }
    }
}

/// What a store method answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Store {
    /// Opens the database, and creates it (mode 0600, its folder 0700) if `create` says so.
    ///
    /// Refuses a file that is not this program's, a newer schema, a network or shared-folder file system, and a
    /// SQLite library that can damage a database. Brings an older schema up to date.
    pub async fn open(path: &Path, create: bool) -> Result<Store> {
        let path = file::prepare(path, create)?;
        let options = sqlite::options(&path);
        let version = schema::version(&path).await?;
        let mut writer = Writer::open(&path, &options).await?;
        schema::bring_up_to_date(&path, &mut writer, version).await?;
        let readers = sqlite::readers(&options);
        Ok(Store { path, options, writer: Mutex::new(Some(writer)), readers })
    }

    /// The database's absolute path, symbolic links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The one connection that writes; waits until nobody else in this process has it.
    async fn writer(&self) -> Result<WriterGuard<'_>> {
        let mut guard = self.writer.lock().await;
        if guard.is_none() {
            *guard = Some(Writer::open(&self.path, &self.options).await?);
        }
        Ok(WriterGuard(guard))
    }

    /// Sets how long a write waits for other processes' transactions before it says that the database is busy.
    pub async fn wait_for_others(&mut self, patience: Duration) {
        self.options = self.options.clone().busy_timeout(patience);
        self.forget_writer().await;
    }

    /// Drops the writer, so that the next write opens a new connection: after a commit that was not confirmed
    /// nothing on the old one can be trusted.
    pub async fn forget_writer(&self) {
        *self.writer.lock().await = None;
    }

    /// Closes all connections, so that SQLite folds its log back into the database file.
    pub async fn close(self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.into_inner() {
            writer.close().await;
        }
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error + '_ {
        move |source| sqlite::error(doing, &self.path, source)
    }
}

/// Values as one text that a statement reads with `json_each`, so that it costs the same however many they are.
fn json_text(values: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(values).expect("lists of plain values have no map with keys that are no strings")
}

/// The writer for as long as one caller has it.
struct WriterGuard<'a>(MutexGuard<'a, Option<Writer>>);

impl std::ops::Deref for WriterGuard<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        self.0.as_ref().expect("`Store::writer` fills it before it hands out the guard")
    }
}

impl std::ops::DerefMut for WriterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        self.0.as_mut().expect("`Store::writer` fills it before it hands out the guard")
    }
}
