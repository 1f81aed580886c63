//! Statements of the tests' own, on PostgreSQL.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row, TypeInfo, ValueRef};
use tokio::runtime::Runtime;

/// The first column of what a query finds, as text; a truth value is 1 or 0, as in SQLite.
pub(crate) fn first_column(url: &str, sql: impl Into<String>) -> Vec<String> {
    let sql = AssertSqlSafe(sql.into());
    let rows = in_database(url, async |connection| sqlx::raw_sql(sql).fetch_all(connection).await);
    let text = |row: &sqlx::postgres::PgRow| {
        let value = row.try_get_raw(0).expect("a column");
        let text = value.as_str().expect("a value that is not NULL");
        match (value.type_info().name(), text) {
            ("BOOL", "t") => "1".to_owned(),
            ("BOOL", _) => "0".to_owned(),
            (_, text) => text.to_owned(),
        }
    };
    rows.iter().map(text).collect()
}

/// Runs statements, separated by semicolons.
pub(crate) fn execute(url: &str, sql: impl Into<String>) {
    let sql = AssertSqlSafe(sql.into());
    in_database(url, async |connection| sqlx::raw_sql(sql).execute(connection).await);
}

/// Does some work on a connection of its own.
fn in_database<T>(url: &str, work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> T {
    let done = runtime().block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let done = work(&mut connection).await?;
        connection.close().await?;
        Ok::<T, sqlx::Error>(done)
    });
    done.expect("the database does it")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
