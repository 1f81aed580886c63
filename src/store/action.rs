//! Operators' acts on stored rows, each recorded with who, where, when and why.

use serde_json::Value;

use super::connection::Tx;
use super::statement::{Row, query};
use super::{Result, Store};
use crate::invocation::{BatchId, InvocationId, UnixMillis};

/// Who does something, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user's name.
    pub who: String,
    /// The machine.
    pub host: String,
    /// This program's version.
    pub version: String,
}

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind {
    /// Imported a file.
    Import,
    /// Confirmed a batch's number.
    Confirm,
    /// Sent the first row's text to a handset of their own.
    Canary,
    /// Started a run.
    Run,
    /// Changed how a batch is sent.
    Settings,
    /// Had no more of a batch taken until it is resumed.
    Pause,
    /// Let a paused batch go on.
    Resume,
    /// Withdrew what is left of a batch.
    Cancel,
    /// Held a batch to another rate, or no longer.
    Throttle,
    /// Put refused or failed rows back.
    Retry,
    /// Decided unknown rows.
    Resolve,
    /// Made rows unknown that may have been sent in turns which the database has lost.
    RolledBack,
    /// Made phone numbers and texts of a batch unreadable, or deleted it.
    Purge,
}

impl ActionKind {
    /// The word for it in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ActionKind::Import => "import",
            ActionKind::Confirm => "confirm",
            ActionKind::Canary => "canary",
            ActionKind::Run => "run",
            ActionKind::Settings => "settings",
            ActionKind::Pause => "pause",
            ActionKind::Resume => "resume",
            ActionKind::Cancel => "cancel",
            ActionKind::Throttle => "throttle",
            ActionKind::Retry => "retry",
            ActionKind::Resolve => "resolve",
            ActionKind::RolledBack => "rolled-back",
            ActionKind::Purge => "purge",
        }
    }
}

/// An act as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionRecord {
    /// What was done.
    pub kind: String,
    /// When.
    pub at: UnixMillis,
    /// By whom.
    pub actor: Actor,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// What exactly: a JSON object.
    pub detail: String,
}

/// What an act did to one row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowAction {
    /// The act.
    pub action: ActionRecord,
    /// The row's state before.
    pub was: String,
    /// The row's state after.
    pub became: String,
}

impl Store {
    /// Records an act on a batch that changes no row; its number.
    pub async fn record_action(
        &self,
        batch: BatchId,
        kind: ActionKind,
        actor: &Actor,
        now: UnixMillis,
        detail: &Value,
    ) -> Result<i64> {
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let failed = || self.failed("record the action");
        let action = record(&mut tx, batch, kind, actor, now, None, detail).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(action)
    }

    /// What was done to a batch as a whole, oldest first: neither to single rows, nor by the runs, which their attempts name.
    pub async fn batch_actions(&self, batch: BatchId) -> Result<Vec<ActionRecord>> {
        const ALL: &str = "SELECT kind, at, who, host, version, reason, detail FROM action
            WHERE batch_id = $1 AND kind NOT IN ('run', 'retry', 'resolve', 'rolled-back') ORDER BY id";
        let failed = || self.failed("list the batch's actions");
        let rows = query(ALL).bind(batch.0).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(read_action).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// The purges of batches that are not there any more, oldest first; each names its batch.
    pub async fn purges_of_deleted(&self) -> Result<Vec<ActionRecord>> {
        const ALL: &str = "SELECT kind, at, who, host, version, reason, detail FROM action
            WHERE batch_id IS NULL ORDER BY id";
        let failed = || self.failed("list what was deleted");
        let rows = query(ALL).fetch_all(&self.readers()).await.map_err(failed())?;
        rows.iter().map(read_action).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// What was done to one row, oldest first.
    pub async fn row_actions(&self, row: InvocationId) -> Result<Vec<RowAction>> {
        const ALL: &str = "SELECT kind, at, who, host, version, reason, detail, was, became
            FROM action_row JOIN action ON action.id = action_id WHERE invocation_id = $1 ORDER BY action_id";
        let failed = || self.failed("list the row's actions");
        let rows = query(ALL).bind(row.0).fetch_all(&self.readers()).await.map_err(failed())?;
        let read =
            |row: &Row| Ok(RowAction { action: read_action(row)?, was: row.get("was")?, became: row.get("became")? });
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }
}

pub(super) fn read_action(row: &Row) -> sqlx::Result<ActionRecord> {
    let actor = Actor { who: row.get("who")?, host: row.get("host")?, version: row.get("version")? };
    let at = UnixMillis(row.get("at")?);
    let (kind, reason, detail) = (row.get("kind")?, row.get("reason")?, row.get("detail")?);
    Ok(ActionRecord { kind, at, actor, reason, detail })
}

/// Records an act; its number.
pub(super) async fn record(
    tx: &mut Tx<'_>,
    batch: BatchId,
    kind: ActionKind,
    actor: &Actor,
    now: UnixMillis,
    reason: Option<&str>,
    detail: &Value,
) -> sqlx::Result<i64> {
    const RECORD: &str = "INSERT INTO action (batch_id, kind, at, who, host, version, reason, detail)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    query(RECORD)
        .bind(batch.0)
        .bind(kind.as_str())
        .bind(now.0)
        .bind(&actor.who)
        .bind(&actor.host)
        .bind(&actor.version)
        .bind(reason)
        .bind(detail.to_string())
        .fetch_value(&mut *tx)
        .await
}
