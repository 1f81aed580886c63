//! The gate of an endpoint and account, as stored: so that it survives restarts, and is one for all who send there.

use std::fmt;
use std::str::FromStr;

use super::connection::Tx;
use super::statement::{Row, query};
use super::{Result, Store, ids_text};
use crate::invocation::{InvocationId, UnixMillis};
use crate::mep::Endpoint;

/// One gate. Who sends there decides with it when to send; this is what of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its number in this database.
    pub id: i64,
    /// Until when it is closed, and why; `None`: open. The moment may have passed: then a probe may go.
    pub closed: Option<(UnixMillis, ClosedBecause)>,
    /// The row that was last sent to see whether it can be opened again; its outcome opens or closes it.
    pub probe: Option<InvocationId>,
    /// Whether that row is on the wire, in this process or another.
    pub is_probing: bool,
    /// Probes that failed in a row.
    pub failed_probes: u32,
    /// The last twenty outcomes, a bit each, the newest lowest; 1: ambiguous.
    pub recent: u32,
    /// When the rate's next token is due, in microseconds since 1970.
    pub next_send_us: i64,
    /// The time between two tokens of the slowest who took some lately; 0: nobody did.
    pub period_us: i64,
    /// When they did, in microseconds since 1970.
    pub paced_at_us: i64,
    /// How often a fault stopped all runs that send there. A run stops where it has become more since it began.
    pub stops: i64,
    /// The last such fault.
    pub stopped_by: Option<String>,
}

/// The statement that reads gates, with what is wanted of them. The probe is found by its number: asked for by its state as
/// well, PostgreSQL looks for it among all rows in flight.
macro_rules! select_gates {
    ($rest:literal) => {
        concat!(
            "SELECT id, closed_until, closed_because, probe_id, failed_probes, recent, next_send_us, period_us,
                    paced_at_us, stops, stopped_by,
                    COALESCE((SELECT state = 'sending' FROM invocation WHERE id = gate.probe_id), 1 = 0) AS is_probing
             FROM gate WHERE ",
            $rest
        )
    };
}

/// Why a gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBecause {
    /// The service answered 429.
    Throttled,
    /// The endpoint could not be reached.
    Unreachable,
    /// Three of the last twenty outcomes were ambiguous.
    Ambiguous,
}

impl ClosedBecause {
    const ALL: [ClosedBecause; 3] = [ClosedBecause::Throttled, ClosedBecause::Unreachable, ClosedBecause::Ambiguous];

    /// The word for it in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ClosedBecause::Throttled => "throttled",
            ClosedBecause::Unreachable => "unreachable",
            ClosedBecause::Ambiguous => "ambiguous",
        }
    }
}

impl fmt::Display for ClosedBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClosedBecause::Throttled => "the service asked to wait (429)",
            ClosedBecause::Unreachable => "the endpoint cannot be reached",
            ClosedBecause::Ambiguous => "three of the last twenty answers left open whether a text was sent",
        })
    }
}

impl FromStr for ClosedBecause {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let known = ClosedBecause::ALL.into_iter().find(|because| because.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no reason for a closed gate"))
    }
}

impl Store {
    /// The gate of the endpoint and account, opened if there was none yet.
    pub async fn gate(&self, endpoint: &Endpoint, account: &str) -> Result<Gate> {
        // Two runs may begin at once: the second finds what the first has made.
        const CREATE: &str = "INSERT INTO gate (endpoint, account) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let failed = || self.failed("create the gate");
        if let Some(gate) = self.find_gate(endpoint, account).await? {
            return Ok(gate);
        }
        let mut writer = self.writer().await?;
        query(CREATE).bind(endpoint.to_string()).bind(account).execute(&mut *writer).await.map_err(failed())?;
        drop(writer);
        self.find_gate(endpoint, account).await?.ok_or_else(|| failed()(sqlx::Error::RowNotFound))
    }

    /// The gate of the endpoint and account, where somebody sent there before.
    pub async fn find_gate(&self, endpoint: &Endpoint, account: &str) -> Result<Option<Gate>> {
        const FIND: &str = select_gates!("endpoint = $1 AND account = $2");
        let found = query(FIND).bind(endpoint.to_string()).bind(account).fetch_optional(&self.readers()).await;
        let failed = || self.failed("read the gate");
        found.map_err(failed())?.map(|row| read(&row)).transpose().map_err(failed())
    }
}

/// The gates of these numbers as they stand. Read exclusively, they stay so until the transaction ends.
///
/// They are locked first and read then, by two statements: one that waited would know the gate as another run has left it,
/// and that run's probe as it was before.
pub(super) async fn find(tx: &mut Tx<'_>, ids: &[i64], exclusively: bool) -> sqlx::Result<Vec<Gate>> {
    const FIND: &str = select_gates!("id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1)) ORDER BY id");
    // A transaction that writes to SQLite is alone.
    const LOCK: &str = "SELECT id FROM gate WHERE id IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each($1))
        ORDER BY id FOR UPDATE";
    if exclusively && matches!(tx, Tx::Postgres(_)) {
        query(LOCK).bind(ids_text(ids.iter().copied())).fetch_all(&mut *tx).await?;
    }
    let rows = query(FIND).bind(ids_text(ids.iter().copied())).fetch_all(&mut *tx).await?;
    rows.iter().map(read).collect()
}

/// Stores the gate as it stands.
pub(super) async fn write(tx: &mut Tx<'_>, gate: &Gate) -> sqlx::Result<()> {
    const WRITE: &str = "UPDATE gate SET closed_until = $2, closed_because = $3, probe_id = $4, failed_probes = $5,
        recent = $6, next_send_us = $7, period_us = $8, paced_at_us = $9, stops = $10, stopped_by = $11 WHERE id = $1";
    let (until, because) = gate.closed.map(|(until, because)| (until.0, because.as_str())).unzip();
    query(WRITE)
        .bind(gate.id)
        .bind(until)
        .bind(because)
        .bind(gate.probe.map(|probe| probe.0))
        .bind(gate.failed_probes)
        .bind(gate.recent)
        .bind(gate.next_send_us)
        .bind(gate.period_us)
        .bind(gate.paced_at_us)
        .bind(gate.stops)
        .bind(gate.stopped_by.as_deref())
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn read(row: &Row) -> sqlx::Result<Gate> {
    let until: Option<i64> = row.get("closed_until")?;
    let because: Option<String> = row.get("closed_because")?;
    let because = because.map(|because| because.parse::<ClosedBecause>()).transpose();
    Ok(Gate {
        id: row.get("id")?,
        closed: until.map(UnixMillis).zip(because.map_err(|error| sqlx::Error::Decode(error.into()))?),
        probe: row.get::<Option<i64>>("probe_id")?.map(InvocationId),
        is_probing: row.get("is_probing")?,
        failed_probes: row.small("failed_probes")?,
        recent: row.small("recent")?,
        next_send_us: row.get("next_send_us")?,
        period_us: row.get("period_us")?,
        paced_at_us: row.get("paced_at_us")?,
        stops: row.get("stops")?,
        stopped_by: row.get("stopped_by")?,
    })
}
