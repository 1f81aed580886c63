//! Connections of either database, and the transactions on them.

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::statement::On;

/// The connection that writes.
pub(super) enum Writer {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A transaction. Dropped before its commit, it leaves nothing behind.
pub(super) enum Tx<'c> {
    Sqlite(Transaction<'c, Sqlite>),
    Postgres(Transaction<'c, Postgres>),
}

/// The connections that read.
#[derive(Clone)]
pub(super) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Writer {
    /// Begins a transaction that may write, waiting for other processes' as long as the connection was opened to.
    ///
    /// Never dropped before it has answered: sqlx would leave an open transaction behind that it knows nothing of.
    pub(super) async fn begin(&mut self) -> sqlx::Result<Tx<'_>> {
        Ok(match self {
            // A deferred one fails on upgrade whatever the busy time-out.
            Writer::Sqlite(connection) => Tx::Sqlite(connection.begin_with("BEGIN IMMEDIATE").await?),
            // Whatever the server's default is: the guards are written for this level.
            Writer::Postgres(connection) => {
                Tx::Postgres(connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?)
            }
        })
    }

    /// Likewise on a server, for what need not be durable before a later transaction is: a commit that waits for the disk makes
    /// all that were made before it durable, too. An import into a file has a connection that does not wait.
    pub(super) async fn begin_lazily(&mut self) -> sqlx::Result<Tx<'_>> {
        let mut tx = self.begin().await?;
        if let Tx::Postgres(transaction) = &mut tx {
            sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut **transaction).await?;
        }
        Ok(tx)
    }

    pub(super) async fn close(self) {
        let closed = match self {
            Writer::Sqlite(connection) => connection.close().await,
            Writer::Postgres(connection) => connection.close().await,
        };
        if let Err(error) = closed {
            tracing::debug!("the database did not close cleanly: {error}");
        }
    }
}

impl Tx<'_> {
    /// Takes everything back at once: a transaction that is only dropped keeps its locks until the connection is used again.
    pub(super) async fn rollback(self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(transaction) => transaction.rollback().await,
            Tx::Postgres(transaction) => transaction.rollback().await,
        }
    }

    /// Makes everything durable. An error leaves open whether it is.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(transaction) => transaction.commit().await,
            Tx::Postgres(transaction) => transaction.commit().await,
        }
    }
}

impl Readers {
    pub(super) async fn close(&self) {
        match self {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
    }
}

impl<'c> From<&'c mut Writer> for On<'c> {
    fn from(writer: &'c mut Writer) -> On<'c> {
        match writer {
            Writer::Sqlite(connection) => On::Sqlite(connection),
            Writer::Postgres(connection) => On::Postgres(connection),
        }
    }
}

impl<'c> From<&'c mut Tx<'_>> for On<'c> {
    fn from(tx: &'c mut Tx<'_>) -> On<'c> {
        match tx {
            Tx::Sqlite(transaction) => On::Sqlite(transaction),
            Tx::Postgres(transaction) => On::Postgres(transaction),
        }
    }
}

impl<'c> From<&'c Readers> for On<'c> {
    fn from(readers: &'c Readers) -> On<'c> {
        match readers {
            Readers::Sqlite(pool) => On::SqlitePool(pool),
            Readers::Postgres(pool) => On::PostgresPool(pool),
        }
    }
}
