//! One transaction that reads, so that a run that is alive changes nothing in between.

use serde::de::DeserializeOwned;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tokio::runtime::Runtime;

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What SQLite itself finds wrong.
const SQLITE_DAMAGE: &str = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'
    UNION ALL SELECT 'a foreign key of ' || \"table\" FROM pragma_foreign_key_check";

/// PostgreSQL keeps its constraints by itself; what it may be told to leave open is told here.
const POSTGRES_DAMAGE: &str = "SELECT 'the constraint ' || conname || ' was not checked' FROM pg_constraint
        WHERE NOT convalidated
    UNION ALL SELECT 'the index ' || CAST(indexrelid::regclass AS TEXT) || ' is not whole' FROM pg_index
        WHERE NOT indisvalid";

/// The columns that tell late outcomes, which a database of an older schema has not.
const LATE_COLUMNS: &str = "SELECT COUNT(*) FROM pragma_table_info('attempt') WHERE name IN ('judged', 'late')";

/// An open database.
pub(super) struct Tables {
    runtime: Runtime,
    connection: AnyConnection,
}

enum AnyConnection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs the same chain on a connection of either kind.
macro_rules! on_either {
    ($tables:expr, $connection:ident => $query:expr) => {
        match &mut $tables.connection {
            AnyConnection::Sqlite($connection) => $tables.runtime.block_on($query),
            AnyConnection::Postgres($connection) => $tables.runtime.block_on($query),
        }
        .expect("the database can be read")
    };
}

impl Tables {
    pub(super) fn open(address: &str) -> Tables {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let is_url = address.starts_with("postgres://") || address.starts_with("postgresql://");
        let connected = runtime.block_on(async {
            if is_url {
                PgConnection::connect(address).await.map(AnyConnection::Postgres)
            } else {
                let options = SqliteConnectOptions::new().filename(address).read_only(true);
                SqliteConnection::connect_with(&options).await.map(AnyConnection::Sqlite)
            }
        });
        let mut tables = Tables { runtime, connection: connected.expect("the database can be opened") };
        let begin = if is_url { SNAPSHOT } else { "BEGIN" };
        on_either!(tables, connection => async { sqlx::raw_sql(begin).execute(connection).await.map(|_| ()) });
        tables
    }

    /// Whether several runs may live at once.
    pub(super) fn has_many_runs(&self) -> bool {
        match self.connection {
            AnyConnection::Sqlite(_) => false,
            AnyConnection::Postgres(_) => true,
        }
    }

    pub(super) fn numbers(&mut self, sql: &'static str) -> Vec<i64> {
        on_either!(self, connection => sqlx::query_scalar(sql).fetch_all(connection))
    }

    /// Objects that are written as SQLite's `json_object`.
    pub(super) fn objects<T: DeserializeOwned>(&mut self, sql: &'static str) -> Vec<T> {
        let sql = if self.has_many_runs() {
            sql.replace("json_object(", "json_build_object(")
        } else if self.numbers(LATE_COLUMNS) == [2] {
            sql.to_owned()
        } else {
            sql.replace("'judged', judged, 'late', late", "'judged', 0, 'late', 0")
        };
        let objects: Vec<String> =
            on_either!(self, connection => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection));
        objects.iter().map(|object| serde_json::from_str(object).expect("an object with these fields")).collect()
    }

    pub(super) fn damage(&mut self) -> Vec<String> {
        let sql = if self.has_many_runs() { POSTGRES_DAMAGE } else { SQLITE_DAMAGE };
        on_either!(self, connection => sqlx::query_scalar(sql).fetch_all(connection))
    }
}
