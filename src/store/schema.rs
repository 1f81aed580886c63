//! The schema's versions, and bringing a database up to the newest.

use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection, SqlSafeStr};

use super::connection::Writer;
use super::lock::RunLock;
use super::statement::{On, query};
use super::{Error, PATIENCE, Result, postgres, sqlite};

/// Marks a SQLite file as this program's: `MEPB`.
const APPLICATION_ID: i64 = 0x4d45_5042;

/// Older SQLite libraries can corrupt a database in WAL mode.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// The newest version of the schema, on either database.
pub const NEWEST: i64 = 1;

/// The version of the SQLite library that is built in.
pub async fn library_version() -> Result<String> {
    const MEMORY: &str = "sqlite::memory:";
    let failed = |cause| sqlite::error("read the library's version", MEMORY, cause);
    let mut connection = sqlx::SqliteConnection::connect(MEMORY).await.map_err(failed)?;
    query("SELECT sqlite_version()").fetch_value(On::Sqlite(&mut connection)).await.map_err(failed)
}

/// The versions on one database: its texts.
fn migrations(queue: &'static str) -> Migrator {
    let queue = Migration::new(NEWEST, "queue".into(), MigrationType::Simple, queue.into_sql_str(), false);
    Migrator::with_migrations(vec![queue])
}

/// The version of a SQLite file's schema; `None` for a new, empty file. Refuses another program's database and a newer
/// schema, and changes nothing of either.
pub(super) async fn version_of_file(path: &Path) -> Result<Option<i64>> {
    let place = path.display().to_string();
    let mut reader = sqlite::open(&place, &sqlite::plain_options(path, PATIENCE)).await?;
    let found = find_version_of_file(&place, On::Sqlite(&mut reader)).await;
    if let Err(error) = reader.close().await {
        tracing::debug!("the database did not close cleanly: {error}");
    }
    Ok(match found? {
        Some(version) => Some(known(&place, version)?),
        None => None,
    })
}

/// Applies what a SQLite file's schema lacks that was found at that version.
///
/// While something is applied the run lock is held, so that no run lives under a changing schema.
pub(super) async fn bring_file_up_to_date(path: &Path, writer: &mut Writer, version: Option<i64>) -> Result<()> {
    let place = path.display().to_string();
    check_library(&place, writer).await?;
    if version == Some(NEWEST) {
        return Ok(());
    }
    let _lock = RunLock::acquire_soon(path).await?;
    if find_version_of_file(&place, On::from(&mut *writer)).await? == Some(NEWEST) {
        return Ok(()); // somebody else was first
    }
    apply(&place, writer).await?;
    // The text holds one number of this program's: a pragma takes no bound values.
    if let Writer::Sqlite(connection) = writer {
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
            .execute(connection)
            .await
            .map_err(|cause| sqlite::error("mark the database", &place, cause))?;
    }
    Ok(())
}

/// Makes the tables in the schema that a PostgreSQL connection leads to, where there are none and `create` says so.
///
/// Two that create them at once are told apart by the driver's advisory lock.
pub(super) async fn bring_server_up_to_date(place: &str, writer: &mut Writer, create: bool) -> Result<()> {
    match find_version_on_server(place, writer).await? {
        Some(version) if known(place, version)? == NEWEST => return Ok(()),
        None if !create => return Err(Error::NotFound(place.to_owned())),
        Some(_) | None => {}
    }
    apply(place, writer).await
}

/// The version, if this program knows it.
fn known(place: &str, version: i64) -> Result<i64> {
    if version <= NEWEST {
        return Ok(version);
    }
    Err(Error::Unsuitable {
        place: place.to_owned(),
        why: format!(
            "its schema is version {version}, newer than this program's {NEWEST}\nhint: use the mep-batch that wrote it, or a newer one"
        ),
    })
}

async fn apply(place: &str, writer: &mut Writer) -> Result<()> {
    let doing = "bring the schema up to date";
    let failed = |cause| sqlx::Error::Migrate(Box::new(cause));
    match writer {
        Writer::Sqlite(connection) => migrations(include_str!("../../migrations/sqlite/0001_queue.sql"))
            .run(connection)
            .await
            .map_err(|cause| sqlite::error(doing, place, failed(cause))),
        Writer::Postgres(connection) => migrations(include_str!("../../migrations/postgres/0001_queue.sql"))
            .run(connection)
            .await
            .map_err(|cause| postgres::error(doing, place, failed(cause))),
    }
}

async fn check_library(place: &str, writer: &mut Writer) -> Result<()> {
    let version: String = query("SELECT sqlite_version()")
        .fetch_value(&mut *writer)
        .await
        .map_err(|cause| sqlite::error("read the library's version", place, cause))?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        let (major, minor, patch) = OLDEST_SQLITE;
        return Err(Error::Unsuitable {
            place: place.to_owned(),
            why: format!("SQLite {version} can corrupt it; {major}.{minor}.{patch} or later is needed"),
        });
    }
    Ok(())
}

/// The schema's version; `None` for a new, empty file.
async fn find_version_of_file(place: &str, mut on: On<'_>) -> Result<Option<i64>> {
    const FIND: &str = "
        SELECT (SELECT application_id FROM pragma_application_id) AS application_id,
               (SELECT COUNT(*) FROM sqlite_schema) AS objects,
               (SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations') AS migrated";
    let failed = |cause| sqlite::error("read the database", place, cause);
    let found = query(FIND).fetch_one(on.again()).await.map_err(failed)?;
    let number = |column: &str| found.get::<i64>(column).map_err(failed);
    let (application_id, objects, migrated) = (number("application_id")?, number("objects")?, number("migrated")?);
    if objects == 0 {
        return Ok(None);
    }
    if migrated == 0 || (application_id != APPLICATION_ID && application_id != 0) {
        return Err(foreign(place, "it is another program's database", "`--db PATH` names the queue's own file"));
    }
    check_texts(place, on.again()).await?;
    query(APPLIED).fetch_value(on).await.map_err(failed)
}

/// Refuses a file whose damage has made something else than text of what its tables are made by. SQLite does not mind, and the
/// driver panics at the first such name of a column or of its type.
async fn check_texts(place: &str, on: On<'_>) -> Result<()> {
    const TEXTS: &str = "SELECT CAST(COALESCE(sql, '') AS BLOB) FROM sqlite_schema";
    let failed = |cause| sqlite::error("read the schema", place, cause);
    for row in query(TEXTS).fetch_all(on).await.map_err(failed)? {
        let text: Vec<u8> = row.get(0).map_err(failed)?;
        if std::str::from_utf8(&text).is_err() {
            let why = format!("what its tables are made by is no text any more{}", sqlite::DAMAGED);
            return Err(Error::Unsuitable { place: place.to_owned(), why });
        }
    }
    Ok(())
}

/// The schema's version; `None` where the connection leads to a schema without tables.
async fn find_version_on_server(place: &str, writer: &mut Writer) -> Result<Option<i64>> {
    const FIND: &str = "
        SELECT COALESCE(current_schema(), '') AS name,
               (SELECT COUNT(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                AND relkind IN ('r', 'p', 'v', 'm') AND relname <> '_sqlx_migrations') AS objects,
               to_regclass(quote_ident(current_schema()) || '._sqlx_migrations') IS NOT NULL
               AND to_regclass(quote_ident(current_schema()) || '.invocation') IS NOT NULL AS migrated";
    let failed = |cause| postgres::error("read the database", place, cause);
    let found = query(FIND).fetch_one(&mut *writer).await.map_err(failed)?;
    let name: String = found.get("name").map_err(failed)?;
    if name.is_empty() {
        let why = "its search_path leads to no schema";
        return Err(foreign(place, why, "an administrator makes it: CREATE SCHEMA name AUTHORIZATION user"));
    }
    // The driver's own list stands there before the tables do: another process may just be making them.
    if found.get::<i64>("objects").map_err(failed)? == 0 {
        return Ok(None);
    }
    if !found.get::<bool>("migrated").map_err(failed)? {
        let why = format!("its schema `{name}` holds another program's tables");
        return Err(foreign(
            place,
            &why,
            "give the queue a database of its own, or a schema: `?options[search_path]=NAME`",
        ));
    }
    query(APPLIED).fetch_value(&mut *writer).await.map_err(failed)
}

const APPLIED: &str = "SELECT MAX(version) FROM _sqlx_migrations WHERE success";

fn foreign(place: &str, why: &str, hint: &str) -> Error {
    Error::Unsuitable { place: place.to_owned(), why: format!("{why}\nhint: {hint}") }
}
