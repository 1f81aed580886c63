//! The gate of an endpoint and account, as stored: so that it survives restarts.

use std::fmt;
use std::str::FromStr;

use sqlx::{Sqlite, Transaction};

use super::{Result, Store, json_text};
use crate::invocation::UnixMillis;
use crate::mep::Endpoint;

/// One gate. Who sends there decides with it when to send; this is what of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its number in this database.
    pub id: i64,
    /// Until when it is closed, and why; `None`: open. The moment may have passed: then a probe may go.
    pub closed: Option<(UnixMillis, ClosedBecause)>,
    /// Probes that failed in a row.
    pub failed_probes: u32,
    /// The last twenty outcomes, a bit each, the newest lowest; 1: ambiguous.
    pub recent: u32,
    /// When the rate's next token is due, in microseconds since 1970.
    pub next_send_us: i64,
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
        if let Some(gate) = self.find_gate(endpoint, account).await? {
            return Ok(gate);
        }
        const CREATE: &str = "INSERT INTO gate (endpoint, account) VALUES ($1, $2) RETURNING id";
        let mut writer = self.writer().await?;
        let id = sqlx::query_scalar(CREATE)
            .bind(endpoint.to_string())
            .bind(account)
            .fetch_one(writer.connection())
            .await
            .map_err(self.failed("create the gate"))?;
        Ok(Gate { id, closed: None, failed_probes: 0, recent: 0, next_send_us: 0 })
    }

    /// The gate of the endpoint and account, where somebody sent there before.
    pub async fn find_gate(&self, endpoint: &Endpoint, account: &str) -> Result<Option<Gate>> {
        const FIND: &str = "SELECT id, closed_until, closed_because, failed_probes, recent, next_send_us FROM gate
            WHERE endpoint = $1 AND account = $2";
        let found: Option<(i64, Option<i64>, Option<String>, i64, i64, i64)> = sqlx::query_as(FIND)
            .bind(endpoint.to_string())
            .bind(account)
            .fetch_optional(&self.readers)
            .await
            .map_err(self.failed("read the gate"))?;
        let Some((id, until, because, failed_probes, recent, next_send_us)) = found else { return Ok(None) };
        let small = |number: i64| u32::try_from(number).map_err(|error| self.misread("the gate", &error));
        let because = because.map(|because| because.parse().map_err(|error: String| self.misread("the gate", &error)));
        Ok(Some(Gate {
            id,
            closed: until.map(UnixMillis).zip(because.transpose()?),
            failed_probes: small(failed_probes)?,
            recent: small(recent)?,
            next_send_us,
        }))
    }
}

/// Stores the gate as it stands.
pub(super) async fn write(tx: &mut Transaction<'_, Sqlite>, gate: &Gate) -> sqlx::Result<()> {
    const WRITE: &str = "UPDATE gate SET closed_until = $1 ->> 1, closed_because = $1 ->> 2, failed_probes = $1 ->> 3,
        recent = $1 ->> 4, next_send_us = $1 ->> 5 WHERE id = $1 ->> 0";
    let (until, because) = gate.closed.map(|(until, because)| (until.0, because.as_str())).unzip();
    let row = (gate.id, until, because, gate.failed_probes, gate.recent, gate.next_send_us);
    sqlx::query(WRITE).bind(json_text(&row)).execute(&mut **tx).await?;
    Ok(())
}
