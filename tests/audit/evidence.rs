//! The database's tables, read whole and read-only.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

/// Everything that the database says.
pub(super) struct Evidence {
    /// Rows of each batch, as the importer counted them.
    pub(super) batches: Vec<i64>,
    pub(super) rows: Vec<Row>,
    pub(super) counts: BTreeMap<(i64, String), i64>,
    pub(super) open_runs: Vec<i64>,
    /// What SQLite itself finds wrong.
    pub(super) damage: Vec<String>,
    attempts: HashMap<i64, Vec<Attempt>>,
    acts: HashMap<i64, Vec<Act>>,
}

#[derive(Deserialize)]
pub(super) struct Row {
    id: i64,
    name: String,
    line: i64,
    pub(super) batch: i64,
    pub(super) endpoint: String,
    pub(super) service: String,
    pub(super) state: String,
    pub(super) attempt: i64,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) possible_duplicate: bool,
    pub(super) is_refused_by_tool: bool,
    pub(super) body: Option<String>,
    pub(super) phone: i64,
    /// Whether a later import finds it by its number.
    pub(super) has_fingerprint: bool,
}

#[derive(Deserialize)]
pub(super) struct Attempt {
    row: i64,
    pub(super) number: i64,
    pub(super) was_sent: bool,
    pub(super) outcome: String,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Act {
    row: i64,
    pub(super) kind: String,
    pub(super) who: String,
    pub(super) was: String,
    pub(super) became: String,
    pub(super) attempt: i64,
}

/// One JSON object a row, so that the fields are found by their names.
const BATCHES: &str = "SELECT row_count FROM batch WHERE name IS NOT NULL";
const ROWS: &str = "SELECT json_object('id', i.id, 'name', b.name, 'line', i.line, 'batch', b.id,
        'endpoint', b.endpoint, 'service', b.service_id, 'state', i.state, 'attempt', i.attempt, 'reason', i.reason,
        'message', i.message,
        'request_id', i.request_id, 'possible_duplicate', json(iif(i.possible_duplicate, 'true', 'false')),
        'is_refused_by_tool', json(iif(i.refused_by = 'mep-batch', 'true', 'false')), 'body', c.body,
        'phone', coalesce(c.phone, 0), 'has_fingerprint', json(iif(EXISTS (SELECT 1 FROM fingerprint AS f
            WHERE f.phone = c.phone AND f.invocation_id = i.id), 'true', 'false')))
    FROM invocation AS i JOIN batch AS b ON b.id = i.batch_id JOIN content AS c ON c.invocation_id = i.id
    WHERE b.name IS NOT NULL ORDER BY i.id";
const ATTEMPTS: &str = "SELECT json_object('row', invocation_id, 'number', number,
        'was_sent', json(iif(sent_at IS NOT NULL, 'true', 'false')), 'outcome', outcome, 'message', message,
        'request_id', request_id)
    FROM attempt ORDER BY invocation_id, number";
const ACTS: &str = "SELECT json_object('row', invocation_id, 'kind', kind, 'who', who, 'was', was, 'became', became,
        'attempt', attempt)
    FROM action_row JOIN action ON action.id = action_id ORDER BY action_id";
const COUNTS: &str = "SELECT batch_id, state, invocations FROM state_count
    WHERE batch_id IN (SELECT id FROM batch WHERE name IS NOT NULL)";
const OPEN_RUNS: &str = "SELECT id FROM run WHERE ended_at IS NULL";
const DAMAGE: &str = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'
    UNION ALL SELECT 'a foreign key of ' || \"table\" FROM pragma_foreign_key_check";

impl Evidence {
    pub(super) fn read(database: &Path) -> Evidence {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(read(database)).expect("the database can be read")
    }

    pub(super) fn attempts_of(&self, row: &Row) -> &[Attempt] {
        self.attempts.get(&row.id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn acts_of(&self, row: &Row) -> &[Act] {
        self.acts.get(&row.id).map_or(&[], Vec::as_slice)
    }
}

/// One transaction, so that a run that is alive changes nothing in between.
async fn read(database: &Path) -> sqlx::Result<Evidence> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut tx = connection.begin().await?;
    let mut attempts: HashMap<i64, Vec<Attempt>> = HashMap::new();
    for attempt in objects::<Attempt>(ATTEMPTS, &mut tx).await? {
        attempts.entry(attempt.row).or_default().push(attempt);
    }
    let mut acts: HashMap<i64, Vec<Act>> = HashMap::new();
    for act in objects::<Act>(ACTS, &mut tx).await? {
        acts.entry(act.row).or_default().push(act);
    }
    let counts: Vec<(i64, String, i64)> = sqlx::query_as(COUNTS).fetch_all(&mut *tx).await?;
    let evidence = Evidence {
        batches: sqlx::query_scalar(BATCHES).fetch_all(&mut *tx).await?,
        rows: objects(ROWS, &mut tx).await?,
        counts: counts.into_iter().map(|(batch, state, count)| ((batch, state), count)).collect(),
        open_runs: sqlx::query_scalar(OPEN_RUNS).fetch_all(&mut *tx).await?,
        damage: sqlx::query_scalar(DAMAGE).fetch_all(&mut *tx).await?,
        attempts,
        acts,
    };
    tx.rollback().await?;
    connection.close().await?;
    Ok(evidence)
}

async fn objects<T: DeserializeOwned>(sql: &'static str, connection: &mut SqliteConnection) -> sqlx::Result<Vec<T>> {
    let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| serde_json::from_str(row).expect("an object with these fields")).collect())
}

/// A row as a violation names it.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, line, state, .. } = self;
        write!(f, "line {line} of `{name}` ({state})")
    }
}
