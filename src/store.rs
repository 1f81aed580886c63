//! The queue in its database: a SQLite file, or a PostgreSQL that several machines share. The only module that knows SQL.
//!
//! One connection writes and a few others read. Who writes takes the writer for the length of one short transaction.

mod action;
mod address;
mod batch;
mod canary;
mod chunk;
mod connection;
mod control;
mod counts;
mod dead;
mod decision;
mod deletion;
mod disk;
mod erasure;
mod error;
mod file;
mod floor;
mod fold;
mod forecast;
mod gate;
mod given;
mod health;
mod hours;
mod import_lock;
mod intake;
mod late;
mod lock;
mod monitor;
mod note;
mod note_folder;
mod noting;
mod others;
mod past;
mod plain;
#[cfg(test)]
mod plans;
mod postgres;
mod purge;
mod query;
mod refused;
mod resolution;
mod rollback;
mod run;
mod schema;
mod scratch;
mod set_back;
mod settle;
mod sorter;
mod sqlite;
mod statement;
mod take;
mod tally;
mod told;
mod turn;
mod view;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use action::{ActionKind, ActionRecord, Actor, RowAction};
pub use address::Address;
pub use batch::{Batch, Confirmation, names_zones};
pub use canary::{Canary, CanaryId, CanaryView};
pub use chunk::{Preparation, PreparedNotes, PreparedRows};
pub use control::Said;
pub use dead::Settled;
pub use decision::{Rebuilt, RetrySelection};
pub use disk::Disk;
pub use erasure::Erasure;
pub use error::Error;
pub use file::is_database;
pub use gate::{ClosedBecause, Gate};
pub use health::Recount;
pub use hours::{DuePlace, DueRow, PutOff};
pub use import_lock::ImportLock;
pub use intake::{Intake, NewBatch, Skip};
pub use lock::{Holder, RunLock};
pub use note::NotedBatch;
pub use note_folder::Notes;
pub use noting::{Noting, TakenUpTo};
pub use others::Others;
pub use past::PastRun;
pub use plain::Plain;
pub use purge::{Purge, PurgeHow, PurgeView, RedactedAttempt, RedactedRow};
pub use refused::Refused;
pub use resolution::{Decided, Decision};
pub use rollback::{InDoubt, Missing, Rollback, WhyAll};
pub use run::{Heart, Run, RunView, SILENCE, STOPPED, SignOfLife, random_token};
pub use schema::{NEWEST as SCHEMA_VERSION, library_version};
pub use scratch::Scratch;
pub use set_back::CLOCKS_DIFFER;
pub use sorter::{InOrder, Key, Sorted, Sorter};
pub use tally::{Afterthoughts, AttemptCount, Cause, LINES_NAMED, LineTally, RowCount, Trouble, Witness};
pub use told::Told;
pub use turn::{Claim, ClosedTurn, Turn, TurnWriter};
pub use view::{AttemptView, Filter, InvocationView, NextDue, UnknownView, Waiting};

use connection::{Readers, Writer};

/// How long a write waits for other processes' transactions where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database that holds the queue.
pub struct Store {
    address: Address,
    place: String,
    backend: Backend,
    patience: Duration,
    connections: RwLock<Connections>,
    floors: floor::Floors,
    /// Whether a row that was taken to be in flight has turned out not to be: then a turn in a file looks before it writes.
    looks_first: AtomicBool,
}

/// How connections to the database are opened.
enum Backend {
    Sqlite(SqliteConnectOptions),
    Postgres(Box<PgConnectOptions>, postgres::Identity),
}

/// The connections of this process. They are replaced as a whole where one of them cannot be trusted any more.
#[derive(Clone)]
struct Connections {
    writer: Arc<Mutex<Option<Writer>>>,
    readers: Readers,
}

/// What a store method answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Store {
    /// Opens the queue, and creates it (a file's mode 0600, its folder 0700) if `create` says so.
    ///
    /// Refuses a database that is not this program's, a newer schema, and what cannot keep the promise: a network or
    /// shared-folder file system, a SQLite library that can damage a database, a standby, a server that does not write to
    /// its disk. Brings an older schema up to date.
    pub async fn open(address: &Address, create: bool) -> Result<Store> {
        match address {
            Address::File(path) => {
                let path = file::prepare(path, create)?;
                let place = path.display().to_string();
                let options = sqlite::options(&path, PATIENCE);
                let version = schema::version_of_file(&path).await?;
                let mut writer = Writer::Sqlite(sqlite::open_writer(&place, &options).await?);
                schema::bring_file_up_to_date(&path, &mut writer, version).await?;
                let readers = Readers::Sqlite(sqlite::readers(&options));
                Ok(Store::new(Address::File(path), Backend::Sqlite(options), writer, readers))
            }
            Address::Postgres(options) => {
                let place = address.to_string();
                let (connection, _) = postgres::open(&place, options, PATIENCE).await?;
                let mut writer = Writer::Postgres(connection);
                schema::bring_server_up_to_date(&place, &mut writer, create).await?;
                // The tables are there now, and are what the database is known by.
                let server = match &mut writer {
                    Writer::Postgres(connection) => postgres::look(&place, connection).await?,
                    Writer::Sqlite(_) => unreachable!("it was opened just above"),
                };
                let readers = Readers::Postgres(postgres::readers(options));
                let backend = Backend::Postgres(options.clone(), server.identity);
                Ok(Store::new(address.clone(), backend, writer, readers))
            }
        }
    }

    fn new(address: Address, backend: Backend, writer: Writer, readers: Readers) -> Store {
        let place = address.to_string();
        let connections = Connections { writer: Arc::new(Mutex::new(Some(writer))), readers };
        Store {
            address,
            place,
            backend,
            patience: PATIENCE,
            connections: RwLock::new(connections),
            floors: floor::Floors::default(),
            looks_first: AtomicBool::new(false),
        }
    }

    /// Where the queue is: a file's absolute path, symbolic links resolved.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The one connection that writes; waits until nobody else in this process has it.
    async fn writer(&self) -> Result<WriterGuard> {
        let mut guard = self.connections().writer.lock_owned().await;
        if guard.is_none() {
            *guard = Some(self.open_writer().await?);
        }
        Ok(WriterGuard(guard))
    }

    /// A connection that writes, to the same database as the first.
    async fn open_writer(&self) -> Result<Writer> {
        match &self.backend {
            Backend::Sqlite(options) => Ok(Writer::Sqlite(sqlite::open_writer(&self.place, options).await?)),
            Backend::Postgres(options, identity) => {
                let (connection, server) = postgres::open(&self.place, options, self.patience).await?;
                if server.identity == *identity {
                    return Ok(Writer::Postgres(connection));
                }
                Err(Error::Fenced(format!(
                    "`{}` leads to another server, or to another history of it (a standby that took over, a backup): what it \
                     was told last may be lost there\n\
                     hint: hold `mep-batch status` against what was sent before `mep-batch run` sends the rest",
                    self.place
                )))
            }
        }
    }

    fn readers(&self) -> Readers {
        self.connections().readers
    }

    fn connections(&self) -> Connections {
        // Nothing panics while it is held: it is read or replaced as a whole.
        self.connections.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets how long a write waits for other processes' transactions before it says that the database is busy.
    pub fn wait_for_others(&mut self, patience: Duration) {
        self.patience = patience;
        if let Backend::Sqlite(options) = &mut self.backend {
            *options = options.clone().busy_timeout(patience);
        }
        self.forget_connections();
    }

    /// Drops all connections, so that whatever comes next opens new ones: after a commit that was not confirmed nothing on
    /// the old ones can be trusted. Who still waits for an answer on one of them goes on waiting.
    pub fn forget_connections(&self) {
        let readers = match &self.backend {
            Backend::Sqlite(options) => Readers::Sqlite(sqlite::readers(options)),
            Backend::Postgres(options, _) => Readers::Postgres(postgres::readers(options)),
        };
        let connections = Connections { writer: Arc::default(), readers };
        *self.connections.write().unwrap_or_else(PoisonError::into_inner) = connections;
    }

    /// Closes all connections, so that SQLite folds its log back into the database file.
    pub async fn close(&self) {
        let Connections { writer, readers } = self.connections();
        readers.close().await;
        if let Some(writer) = writer.lock().await.take() {
            writer.close().await;
        }
    }

    /// That the server has not answered: for who has stopped waiting for it.
    #[must_use]
    pub fn silent(&self, doing: &'static str) -> Error {
        Error::Silent { doing, place: self.place.clone() }
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error + '_ {
        move |cause| match &self.backend {
            Backend::Sqlite(_) => sqlite::error(doing, &self.place, cause),
            Backend::Postgres(..) => postgres::error(doing, &self.place, cause),
        }
    }
}

/// Values as one text that a statement reads with `json_each`, so that it costs the same however many they are.
fn json_text(values: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(values).expect("lists of plain values have no map with keys that are no strings")
}

/// Numbers as such a text: each in a list of its own, because a bare one is read otherwise by each database.
fn ids_text(ids: impl IntoIterator<Item = i64>) -> String {
    json_text(&ids.into_iter().map(|id| [id]).collect::<Vec<_>>())
}

/// The writer for as long as one caller has it.
struct WriterGuard(OwnedMutexGuard<Option<Writer>>);

impl WriterGuard {
    /// Drops the connection, with whatever was begun on it: the next caller opens a new one.
    fn forget(&mut self) {
        *self.0 = None;
    }
}

impl std::ops::Deref for WriterGuard {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        self.0.as_ref().expect("`Store::writer` fills it before it hands out the guard")
    }
}

impl std::ops::DerefMut for WriterGuard {
    fn deref_mut(&mut self) -> &mut Writer {
        self.0.as_mut().expect("`Store::writer` fills it before it hands out the guard")
    }
}
