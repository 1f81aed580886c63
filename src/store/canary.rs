//! The canary: an operator's own text, recorded before it leaves and once more when it is known what came of it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::action::{ActionKind, Actor};
use super::statement::{Row, query};
use super::{Result, Store, json_text};
use crate::invocation::{BatchId, UnixMillis};

/// What a canary's action says of it. No row is part of it: its own attempt stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// The operator's own number.
    pub phone_number: u64,
    /// The line of the row whose text it was.
    pub line: u32,
    /// `sending` until it is known what came of it, then the outcome. One that stays so was broken off, and may have left.
    pub state: String,
    /// When the request was started; null where nothing was written.
    pub sent_at: Option<UnixMillis>,
    /// When the outcome was known.
    pub finished_at: Option<UnixMillis>,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// The answer's code.
    pub code: Option<u32>,
    /// What was said.
    pub message: Option<String>,
    /// The service's name for the request.
    pub request_id: Option<String>,
    /// Whether it arrived, as the operator says; null before that.
    pub arrived: Option<bool>,
}

/// A canary as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryView {
    /// When.
    pub at: UnixMillis,
    /// By whom.
    pub who: String,
    /// What came of it.
    pub canary: Canary,
}

/// A canary's place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryId(i64);

impl Canary {
    /// One that is about to leave.
    #[must_use]
    pub fn new(phone_number: u64, line: u32) -> Canary {
        Canary {
            phone_number,
            line,
            state: "sending".to_owned(),
            sent_at: None,
            finished_at: None,
            http_status: None,
            code: None,
            message: None,
            request_id: None,
            arrived: None,
        }
    }
}

impl Store {
    /// Records that a canary is about to leave: durable when this returns, so that a crash leaves it open for all to see.
    pub async fn begin_canary(
        &self,
        batch: BatchId,
        canary: &Canary,
        actor: &Actor,
        now: UnixMillis,
    ) -> Result<CanaryId> {
        self.record_action(batch, ActionKind::Canary, actor, now, &json!(canary)).await.map(CanaryId)
    }

    /// Records what is known of it now.
    pub async fn change_canary(&self, id: CanaryId, canary: &Canary) -> Result<()> {
        const CHANGE: &str = "UPDATE action SET detail = $2 WHERE id = $1 AND kind = 'canary'";
        let failed = || self.failed("record what came of the canary");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(failed())?;
        query(CHANGE).bind(id.0).bind(json_text(canary)).execute(&mut tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())
    }

    /// The canaries of a batch, oldest first.
    pub async fn canaries(&self, batch: BatchId) -> Result<Vec<CanaryView>> {
        const ALL: &str = "SELECT at, who, detail FROM action WHERE batch_id = $1 AND kind = 'canary' ORDER BY id";
        let failed = || self.failed("list the canaries");
        let rows = query(ALL).bind(batch.0).fetch_all(&self.readers()).await.map_err(failed())?;
        let read = |row: &Row| {
            let detail: String = row.get("detail").map_err(failed())?;
            let canary = serde_json::from_str(&detail).map_err(|error| self.misread("a canary", &error))?;
            let at = UnixMillis(row.get("at").map_err(failed())?);
            Ok(CanaryView { at, who: row.get("who").map_err(failed())?, canary })
        };
        rows.iter().map(read).collect()
    }
}
