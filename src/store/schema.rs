//! The schema's versions, and bringing a database up to the newest.

use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Row, SqlSafeStr};

use super::lock::RunLock;
use super::sqlite::{self, Writer};
use super::{Error, Result};

/// Marks a SQLite file as this program's: `MEPB`.
const APPLICATION_ID: i64 = 0x4d45_5042;

/// Older SQLite libraries can corrupt a database in WAL mode.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

fn migrations() -> Vec<Migration> {
    let queue = include_str!("../../migrations/sqlite/0001_queue.sql");
    vec![Migration::new(1, "queue".into(), MigrationType::Simple, queue.into_sql_str(), false)]
}

/// The schema's version; `None` for a new, empty file. Refuses another program's database and a newer schema, and changes
/// nothing of either.
pub(super) async fn version(path: &Path) -> Result<Option<i64>> {
    let mut reader = Writer::open(path, &sqlite::plain_options(path)).await?;
    let found = find_version(path, &mut reader).await;
    reader.close().await;
    match found? {
        Some(version) if version > newest() => Err(Error::Unsuitable {
            path: path.to_owned(),
            why: format!(
                "its schema is version {version}, newer than this program's {}\nhint: use the mep-batch that wrote it, or a newer one",
                newest()
            ),
        }),
        version => Ok(version),
    }
}

/// Applies what the schema lacks that was found at that version.
///
/// While something is applied the run lock is held, so that no run lives under a changing schema.
pub(super) async fn bring_up_to_date(path: &Path, writer: &mut Writer, version: Option<i64>) -> Result<()> {
    check_library(path, writer).await?;
    if version == Some(newest()) {
        return Ok(());
    }
    let _lock = RunLock::acquire_soon(path).await?;
    if find_version(path, writer).await? == Some(newest()) {
        return Ok(()); // somebody else was first
    }
    Migrator::with_migrations(migrations())
        .run(writer.connection())
        .await
        .map_err(|source| sqlite::error("bring the schema up to date", path, sqlx::Error::Migrate(Box::new(source))))?;
    // The text holds one number of this program's: a pragma takes no bound values.
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
        .execute(writer.connection())
        .await
        .map_err(|source| sqlite::error("mark the database", path, source))?;
    Ok(())
}

fn newest() -> i64 {
    migrations().iter().map(|migration| migration.version).max().unwrap_or_default()
}

async fn check_library(path: &Path, writer: &mut Writer) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(writer.connection())
        .await
        .map_err(|source| sqlite::error("read the library's version", path, source))?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        let (major, minor, patch) = OLDEST_SQLITE;
        return Err(Error::Unsuitable {
            path: path.to_owned(),
            why: format!("SQLite {version} can corrupt it; {major}.{minor}.{patch} or later is needed"),
        });
    }
    Ok(())
}

/// The schema's version; `None` for a new, empty file.
async fn find_version(path: &Path, writer: &mut Writer) -> Result<Option<i64>> {
    const FIND: &str = "
        SELECT (SELECT application_id FROM pragma_application_id) AS application_id,
               (SELECT COUNT(*) FROM sqlite_schema) AS objects,
               (SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations') AS migrated";
    let failed = |source| sqlite::error("read the database", path, source);
    let found = sqlx::query(FIND).fetch_one(writer.connection()).await.map_err(failed)?;
    let number = |column: &str| found.try_get::<i64, _>(column).map_err(failed);
    let (application_id, objects, migrated) = (number("application_id")?, number("objects")?, number("migrated")?);
    if objects == 0 {
        return Ok(None);
    }
    if migrated == 0 || (application_id != APPLICATION_ID && application_id != 0) {
        return Err(Error::Unsuitable {
            path: path.to_owned(),
            why: "it is another program's database\nhint: `--db PATH` names the queue's own file".to_owned(),
        });
    }
    sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(writer.connection())
        .await
        .map_err(failed)
}
