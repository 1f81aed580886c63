//! The database's tables, read whole and read-only, from a file of SQLite or a database of PostgreSQL.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::tables::Tables;

/// Everything that the database says.
pub(super) struct Evidence {
    pub(super) batches: Vec<Batch>,
    pub(super) rows: Vec<Row>,
    pub(super) counts: BTreeMap<(i64, String), i64>,
    /// Runs that nobody has ended; on PostgreSQL one may stay that was killed and left nothing in flight.
    pub(super) open_runs: Vec<i64>,
    /// What the database itself finds wrong.
    pub(super) damage: Vec<String>,
    /// Texts that operators sent to handsets of their own: requests of no row.
    pub(super) canaries: Vec<Canary>,
    pub(super) changes: Vec<Change>,
    attempts: HashMap<i64, Vec<Attempt>>,
    acts: HashMap<i64, Vec<Act>>,
}

#[derive(Deserialize)]
pub(super) struct Batch {
    pub(super) id: i64,
    pub(super) name: String,
    /// The file as the operator named it.
    pub(super) source_name: String,
    /// Rows, as the importer counted them.
    pub(super) row_count: i64,
    #[serde(deserialize_with = "object")]
    pub(super) settings: Value,
    /// What its import recorded.
    #[serde(deserialize_with = "object")]
    import: Value,
}

impl Batch {
    /// Of the file's bytes.
    pub(super) fn file_sha256(&self) -> Option<&str> {
        self.import["fileSha256"].as_str()
    }

    /// Whether a country code is put before numbers that lack it.
    pub(super) fn completes_numbers(&self) -> bool {
        self.settings["phones"]["national"].is_object()
    }
}

#[derive(Deserialize)]
pub(super) struct Row {
    id: i64,
    name: String,
    pub(super) line: i64,
    pub(super) batch: i64,
    pub(super) endpoint: String,
    pub(super) service: String,
    pub(super) state: String,
    pub(super) attempt: i64,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(super) possible_duplicate: bool,
    #[serde(deserialize_with = "flag")]
    pub(super) is_refused_by_tool: bool,
    pub(super) body: Option<String>,
    pub(super) phone: i64,
    pub(super) time_zone: Option<String>,
    /// The cells of a refused row: pairs of column and text, as JSON.
    pub(super) cells: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub(super) is_purged: bool,
    /// Whether a later import finds it by its number.
    #[serde(deserialize_with = "flag")]
    pub(super) has_fingerprint: bool,
}

#[derive(Deserialize)]
pub(super) struct Attempt {
    row: i64,
    pub(super) number: i64,
    #[serde(deserialize_with = "flag")]
    pub(super) was_sent: bool,
    /// Whether whoever ended its run wrote it first, as unknown.
    #[serde(deserialize_with = "flag")]
    pub(super) judged: bool,
    /// Whether its own run told what came of it all the same, after that.
    #[serde(deserialize_with = "flag")]
    pub(super) late: bool,
    pub(super) outcome: String,
    pub(super) http_status: Option<u16>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Canary {
    pub(super) phone_number: u64,
    pub(super) request_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Change {
    pub(super) batch: i64,
    pub(super) kind: String,
    #[serde(deserialize_with = "object")]
    pub(super) detail: Value,
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

const BATCHES: &str = "SELECT CAST(json_object('id', b.id, 'name', b.name, 'source_name', b.source_name,
        'row_count', b.row_count, 'settings', b.settings, 'import', (SELECT CAST(detail AS TEXT) FROM action
            WHERE batch_id = b.id AND kind = 'import' ORDER BY id LIMIT 1)) AS TEXT)
    FROM batch AS b WHERE name IS NOT NULL ORDER BY b.id";
/// One JSON object a row, so that the fields are found by their names.
const ROWS: &str = "SELECT CAST(json_object('id', i.id, 'name', b.name, 'line', i.line, 'batch', b.id,
        'endpoint', b.endpoint, 'service', b.service_id, 'state', i.state, 'attempt', i.attempt, 'reason', i.reason,
        'message', i.message, 'request_id', i.request_id, 'possible_duplicate', i.possible_duplicate,
        'is_refused_by_tool', CASE WHEN i.refused_by = 'mep-batch' THEN 1 ELSE 0 END, 'body', c.body,
        'phone', COALESCE(c.phone, 0), 'time_zone', c.time_zone, 'cells', c.cells,
        'is_purged', CASE WHEN c.purged_at IS NOT NULL THEN 1 ELSE 0 END, 'has_fingerprint', CASE WHEN EXISTS (SELECT 1 FROM fingerprint AS f
            WHERE f.phone = c.phone AND f.invocation_id = i.id) THEN 1 ELSE 0 END) AS TEXT)
    FROM invocation AS i JOIN batch AS b ON b.id = i.batch_id JOIN content AS c ON c.invocation_id = i.id
    WHERE b.name IS NOT NULL ORDER BY i.id";
const ATTEMPTS: &str = "SELECT CAST(json_object('row', invocation_id, 'number', number,
        'was_sent', CASE WHEN sent_at IS NOT NULL THEN 1 ELSE 0 END, 'judged', judged, 'late', late,
        'outcome', outcome, 'http_status', http_status, 'message', message, 'request_id', request_id) AS TEXT)
    FROM attempt ORDER BY invocation_id, number";
const ACTS: &str = "SELECT CAST(json_object('row', invocation_id, 'kind', kind, 'who', who, 'was', was,
        'became', became, 'attempt', attempt) AS TEXT)
    FROM action_row JOIN action ON action.id = action_id ORDER BY action_id";
/// What batches were told of how they are sent.
const CHANGES: &str =
    "SELECT CAST(json_object('batch', batch_id, 'kind', kind, 'detail', CAST(detail AS TEXT)) AS TEXT)
    FROM action WHERE kind IN ('settings', 'throttle') AND batch_id IS NOT NULL ORDER BY id";
const CANARIES: &str = "SELECT CAST(detail AS TEXT) FROM action WHERE kind = 'canary' ORDER BY id";
const COUNTS: &str = "SELECT CAST(json_object('batch', batch_id, 'state', state, 'invocations', invocations) AS TEXT)
    FROM state_count WHERE batch_id IN (SELECT id FROM batch WHERE name IS NOT NULL)";
const OPEN_RUNS: &str = "SELECT id FROM run WHERE ended_at IS NULL";

impl Evidence {
    /// Reads what is at a path or at a URL of PostgreSQL.
    pub(super) fn read(address: &str) -> Evidence {
        let mut tables = Tables::open(address);
        let mut attempts: HashMap<i64, Vec<Attempt>> = HashMap::new();
        for attempt in tables.objects::<Attempt>(ATTEMPTS) {
            attempts.entry(attempt.row).or_default().push(attempt);
        }
        let mut acts: HashMap<i64, Vec<Act>> = HashMap::new();
        for act in tables.objects::<Act>(ACTS) {
            acts.entry(act.row).or_default().push(act);
        }
        let counts = tables.objects::<Count>(COUNTS);
        Evidence {
            batches: tables.objects(BATCHES),
            rows: tables.objects(ROWS),
            counts: counts.into_iter().map(|count| ((count.batch, count.state), count.invocations)).collect(),
            open_runs: if tables.has_many_runs() { Vec::new() } else { tables.numbers(OPEN_RUNS) },
            changes: tables.objects(CHANGES),
            canaries: tables.objects(CANARIES),
            damage: tables.damage(),
            attempts,
            acts,
        }
    }

    pub(super) fn attempts_of(&self, row: &Row) -> &[Attempt] {
        self.attempts.get(&row.id).map_or(&[], Vec::as_slice)
    }

    /// All settings that a batch has or had.
    pub(super) fn settings_of(&self, batch: i64) -> impl Iterator<Item = &Value> {
        let changes = self.changes.iter().filter(move |change| change.batch == batch && change.kind == "settings");
        let was = changes.map(|change| &change.detail["was"]["settings"]);
        was.chain(self.batches.iter().filter(move |of| of.id == batch).map(|of| &of.settings))
    }

    pub(super) fn acts_of(&self, row: &Row) -> &[Act] {
        self.acts.get(&row.id).map_or(&[], Vec::as_slice)
    }
}

#[derive(Deserialize)]
struct Count {
    batch: i64,
    state: String,
    invocations: i64,
}

/// An object that is stored as text; null where there is none.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map_or(Ok(Value::Null), |text| serde_json::from_str(&text).map_err(serde::de::Error::custom))
}

/// A truth value that is stored as 0 or 1.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(u8::deserialize(deserializer)? == 1)
}

impl Row {
    /// Whether what is received of it is written down: the stand-in within the program writes no receipts.
    pub(super) fn has_receipts(&self) -> bool {
        self.endpoint != "simulator"
    }
}

/// A row as a violation names it.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, line, state, .. } = self;
        write!(f, "line {line} of `{name}` ({state})")
    }
}
