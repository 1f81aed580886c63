//! PostgreSQL: how its connections are opened, what must be true of the server, and what its errors mean for a person.

use std::fmt;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool, PgPoolOptions};

use super::statement::{On, query};
use super::{Error, Result};
use crate::invocation::UnixMillis;

/// Connections that read, at most: what a person asks for is rarely more than one thing at a time.
const READERS_MAX: u32 = 4;
/// How long a connection may take to be ready.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// What every connection that writes is told.
///
/// `idle_in_transaction_session_timeout`: a machine that is stopped or cut off in the middle of a transaction must not hold
/// its locks until somebody notices. It is well below the time after which a run is judged dead. `tcp_keepalives_…`: nor must
/// the lock of an import, which lasts longer than a transaction. A socket of this machine leaves them as they are.
/// `statement_timeout`: an import takes as long as it takes, whatever the role's own limit.
const SETTINGS: &str = "
    SELECT set_config('lock_timeout', $1, false),
           set_config('idle_in_transaction_session_timeout', '10s', false),
           set_config('statement_timeout', '0', false),
           set_config('tcp_keepalives_idle', '15', false),
           set_config('tcp_keepalives_interval', '5', false),
           set_config('tcp_keepalives_count', '3', false),
           set_config('synchronous_commit',
                      CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
                           ELSE current_setting('synchronous_commit') END, false)";

/// What every connection that reads is told: who reads waits for nobody's lock for long, and reads to its end.
const READING: &str = "
    SELECT set_config('default_transaction_read_only', 'on', false), set_config('lock_timeout', '10s', false),
           set_config('statement_timeout', '0', false)";

/// Which server this is, and which of its histories. A commit is durable within one history only: a standby that took
/// over, or a restored backup, may have forgotten that a row was `sending`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    system: String,
    timeline: String,
    /// The database's own number and the tables': others have taken their place where a dump was restored or a database
    /// copied.
    tables: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.system, self.timeline, self.tables)
    }
}

/// What is known of a server once a connection is open.
pub(super) struct Server {
    pub(super) identity: Identity,
    /// Whether the server writes to the disk what it says is committed.
    pub(super) is_durable: bool,
    /// What its clock says.
    pub(super) now: UnixMillis,
}

/// Opens a connection that writes, and says what server it leads to.
///
/// A statement waits for other transactions as long as `patience` says, and is busy then.
pub(super) async fn open(
    place: &str,
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<(PgConnection, Server)> {
    let open = async {
        let connected = ours(options).connect().await;
        let mut connection = connected.map_err(|cause| error("open the database", place, cause))?;
        let server = greet(place, &mut connection, patience).await?;
        Ok((connection, server))
    };
    // Only the opening is ever given up, and the connection with it: nothing is stored by it yet.
    let opened = tokio::time::timeout(CONNECT_PATIENCE, open).await;
    opened.unwrap_or_else(|_| Err(Error::Silent { doing: "open the database", place: place.to_owned() }))
}

/// The connections that read; opened when first needed.
pub(super) fn readers(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .min_connections(0)
        .max_connections(READERS_MAX)
        .acquire_timeout(CONNECT_PATIENCE)
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query(READING).execute(&mut *connection).await?;
                Ok(())
            })
        })
        .connect_lazy_with(ours(options))
}

/// The operator's options, with what is this program's own. Statements are not logged: they hold phone numbers.
fn ours(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("mep-batch").disable_statement_logging()
}

/// Tells the connection how to behave, and looks at whom it leads to.
async fn greet(place: &str, connection: &mut PgConnection, patience: Duration) -> Result<Server> {
    let failed = |cause| error("open the database", place, cause);
    let recovering: bool =
        sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut *connection).await.map_err(failed)?;
    if recovering {
        return Err(Error::Unsuitable {
            place: place.to_owned(),
            why: "it is a standby, which cannot be written\nhint: `--db` the primary".to_owned(),
        });
    }
    sqlx::query(SETTINGS)
        .bind(format!("{}ms", patience.as_millis()))
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    look(place, connection).await
}

/// Looks at whom a connection leads to.
pub(super) async fn look(place: &str, connection: &mut PgConnection) -> Result<Server> {
    const WHO: &str = "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
               substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline,
               (SELECT oid FROM pg_database WHERE datname = current_database()) || '/'
                   || COALESCE(to_regclass('invocation')::oid::text, '') AS tables,
               current_setting('fsync') = 'on' AS is_durable,
               CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now";
    let failed = |cause| error("open the database", place, cause);
    let found = query(WHO).fetch_one(On::Postgres(connection)).await.map_err(failed)?;
    let text = |column: &str| found.get::<String>(column).map_err(failed);
    Ok(Server {
        identity: Identity { system: text("system")?, timeline: text("timeline")?, tables: text("tables")? },
        is_durable: found.get("is_durable").map_err(failed)?,
        now: UnixMillis(found.get("now").map_err(failed)?),
    })
}

/// Whether another transaction is in the way, or this one was the victim of a deadlock: nothing was changed, and it may
/// simply be repeated.
pub(super) fn is_busy(cause: &sqlx::Error) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    const DEADLOCK_DETECTED: &str = "40P01";
    const SERIALIZATION_FAILURE: &str = "40001";
    let busy = [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, SERIALIZATION_FAILURE];
    code_of(cause).is_some_and(|code| busy.contains(&code.as_str()))
}

/// The SQLSTATEs, or how they begin, of a server that is gone for now or refuses for now: connection exceptions; logins that it
/// refuses; no such database yet; shut down, starting up, or told to break off; too many connections, too little memory; not
/// ready, or not the primary; a transaction or a session that was idle for too long.
const GONE: [&str; 10] = ["08", "28", "3D000", "57P", "57014", "53200", "53300", "55000", "25006", "25P"];

/// Whether the server is gone for now, or has closed this connection: another one may do.
pub(super) fn is_lost(cause: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls};
    matches!(cause, Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed)
        || code_of(cause).is_some_and(|code| GONE.iter().any(|gone| code.starts_with(gone)))
}

/// What failed, with the way out where one is known.
pub(super) fn error(doing: &'static str, place: &str, cause: sqlx::Error) -> Error {
    let hint = match code_of(&cause).as_deref() {
        Some("28000") => {
            "\nhint: the role has to be there, and the server's pg_hba.conf says from where it may connect, by TLS (`sslmode`) or without"
        }
        Some("28P01") => {
            "\nhint: give the password by MEP_BATCH_DB, PGPASSWORD or a PGPASSFILE (a line \
             `host:port:database:user:password`, readable by its owner alone)"
        }
        Some("3D000") => "\nhint: an administrator makes it: CREATE DATABASE name OWNER user",
        Some("42501") => "\nhint: docs/several-machines.md lists what the user must be granted",
        Some("42P01" | "3F000") => {
            "\nhint: `mep-batch import` makes the tables, in the schema that the address leads to"
        }
        Some("26000" | "42P05") => {
            "\nhint: a pool that gives each transaction another connection stands between: use the server's own port, or a pool \
             in session mode"
        }
        Some("53100") => "\nhint: the server's disk is full; make room and type the command again",
        Some("25P03") => {
            "\nhint: this process did not come to its work for that long (stopped, asleep, or too much else runs here); \
             type the command again"
        }
        Some("55P03") => "\nhint: another transaction has held it for a long time; see pg_stat_activity",
        Some(_) => "",
        None => hint_of_connection(&cause),
    };
    Error::Database { doing, place: place.to_owned(), cause, hint }
}

/// What an error says: of a server's own error what it says and its SQLSTATE, without the place in the server's source.
pub(super) fn text_of(cause: &sqlx::Error) -> String {
    let server = cause.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    match server {
        Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code()),
        None => cause.to_string(),
    }
}

/// The way out where no server has said what is wrong.
fn hint_of_connection(cause: &sqlx::Error) -> &'static str {
    const TLS: &str =
        "\nhint: `sslrootcert=FILE` names whom to trust, and `sslmode` how far: verify-full, verify-ca, require";
    if let sqlx::Error::Tls(cause) = cause {
        return if cause.to_string().contains("does not support") {
            "\nhint: turn on `ssl` on the server; or, where nobody can listen, say `sslmode=disable`"
        } else {
            TLS
        };
    }
    let sqlx::Error::Io(io) = cause else { return "" };
    if io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        TLS
    } else if io.kind() == std::io::ErrorKind::NotFound {
        "\nhint: the server's socket is not there, or a file that the address names (`sslrootcert`, `sslcert`, `sslkey`)"
    } else {
        "\nhint: check the server, its address and the network"
    }
}

/// PostgreSQL's SQLSTATE.
fn code_of(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code().to_owned())
}
