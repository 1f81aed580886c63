//! The database of a scenario: a file of SQLite in its folder, or one of a server's.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::cluster::{self, Cluster};

pub(super) enum Queue {
    File,
    /// At that URL, of a server that is asked to forget it in the end.
    Server(String, Option<&'static Cluster>),
}

impl Queue {
    /// A database that the cluster makes so.
    pub(super) fn of(cluster: &'static Cluster, make: impl FnOnce(&Cluster) -> String) -> Queue {
        Queue::Server(make(cluster), Some(cluster))
    }

    pub(super) fn copy(&self) -> Queue {
        match self {
            Queue::File => Queue::File,
            Queue::Server(url, cluster) => {
                let cluster = cluster.expect("the shared server copies databases of its own");
                Queue::of(cluster, |cluster| cluster.copy(url))
            }
        }
    }

    /// A backup of the queue at this address, which is that file of SQLite or a database of the same server.
    pub(super) fn back_up(&self, address: &str, file: &str) -> String {
        match self {
            Queue::File => {
                self.execute(address, &format!("VACUUM INTO '{file}'"));
                file.to_owned()
            }
            Queue::Server(url, cluster) => cluster.expect("the shared server copies databases of its own").copy(url),
        }
    }

    /// Puts a backup in the place of the queue at this address. Nothing may be alive there.
    pub(super) fn put_back(&self, address: &str, backup: &str) {
        match self {
            Queue::File => {
                for ending in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{address}{ending}")); // it may not be there
                }
                std::fs::rename(backup, address).expect("a backup");
            }
            Queue::Server(url, cluster) => cluster.expect("the shared server").put_back(backup, url),
        }
    }

    /// The first column of what a query finds in the queue at this address.
    pub(super) fn query(&self, address: &str, sql: &str) -> Vec<String> {
        match self {
            Queue::Server(url, _) => cluster::connection::first_column(url, sql),
            Queue::File => within_sqlite(address, async |connection| {
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
                rows.iter().map(|row| row.try_get_unchecked::<String, _>(0)).collect()
            }),
        }
    }

    pub(super) fn execute(&self, address: &str, sql: &str) {
        match self {
            Queue::Server(url, _) => cluster::connection::execute(url, sql),
            Queue::File => within_sqlite(address, async |connection| {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
            }),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Queue::Server(url, Some(cluster)) = self {
            cluster.forget(url);
        }
    }
}

/// Does something while nobody else can write into that file of SQLite.
pub(super) fn hold<T>(database: &str, does: impl FnOnce() -> T) -> T {
    within_sqlite(database, async |connection| {
        sqlx::raw_sql("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE").execute(&mut *connection).await?;
        let done = does();
        sqlx::raw_sql("ROLLBACK").execute(connection).await?;
        Ok(done)
    })
}

fn within_sqlite<T>(database: &str, work: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let done = runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let done = work(&mut connection).await?;
        connection.close().await?;
        Ok::<T, sqlx::Error>(done)
    });
    done.expect("the database does it")
}
