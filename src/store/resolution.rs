//! What operators say of unknown rows: settled by their word, or put back. All or none, each row guarded by the attempt that
//! was looked at.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::action::{ActionKind, Actor, record};
use super::connection::Tx;
use super::decision::{Move, check_all_moved, record_rows, write_moves};
use super::statement::query;
use super::{Result, Store, control, json_text};
use crate::invocation::{BatchId, InvocationId, State, UnixMillis, Verdict, Word};

/// An operator's word on one unknown row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The row.
    pub id: InvocationId,
    /// The attempt that left it unknown.
    pub attempt: u32,
    /// What is said of it.
    pub word: Word,
}

/// What came of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// How many rows were decided.
    pub rows: u64,
    /// When the batch was cancelled, where it was by then: nothing of it went back to pending.
    pub cancelled_at: Option<UnixMillis>,
}

impl Store {
    /// Decides unknown rows of a batch, each guarded by the attempt that left it unknown: all, or none where one has changed.
    ///
    /// Rows of which the same is said for the same reason are one action.
    pub async fn resolve(
        &self,
        batch: BatchId,
        decisions: &[Decision],
        actor: &Actor,
        now: UnixMillis,
    ) -> Result<Decided> {
        let failed = || self.failed("decide unknown rows");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let cancelled_at = control::cancelled(&mut tx, &[batch])
            .await
            .map_err(failed())?
            .first()
            .map(|(_, cancelled_at)| *cancelled_at);
        // In the order in which a turn locks rows, so that neither waits for the other for ever.
        let mut decisions: Vec<&Decision> = decisions.iter().collect();
        decisions.sort_unstable_by_key(|decision| decision.id);
        let moves: Vec<Move> = decisions
            .iter()
            .map(|Decision { id, word, .. }| Move {
                id: *id,
                was: State::Unknown,
                becomes: word.verdict.state_in(cancelled_at),
            })
            .collect();
        for group in groups(&decisions) {
            let word = &decisions[group[0]].word;
            let detail = detail_of(word.verdict, group.iter().map(|place| decisions[*place]));
            let action = record(&mut tx, batch, ActionKind::Resolve, actor, now, Some(&word.reason), &detail);
            let action = action.await.map_err(failed())?;
            record_rows(&mut tx, action, group.iter().map(|place| &moves[*place])).await.map_err(failed())?;
        }
        let decided = decide(&mut tx, &decisions, &moves, now).await.map_err(failed())?;
        check_all_moved(decided, &moves)?;
        write_moves(&mut tx, &moves).await.map_err(failed())?;
        tx.commit().await.map_err(failed())?;
        Ok(Decided { rows: decided, cancelled_at })
    }
}

/// The places of the decisions of which the same is said for the same reason.
fn groups(decisions: &[&Decision]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of: HashMap<(Verdict, &str), usize> = HashMap::new();
    for (place, Decision { word, .. }) in decisions.iter().enumerate() {
        let group = *group_of.entry((word.verdict, &word.reason)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(place);
    }
    groups
}

/// What an action keeps besides its reason: the word, and the request IDs that were told, by line.
fn detail_of<'d>(verdict: Verdict, decisions: impl ExactSizeIterator<Item = &'d Decision>) -> Value {
    let rows = decisions.len();
    let request_ids: Map<String, Value> = decisions
        .filter_map(|Decision { id, word, .. }| Some((id.line().to_string(), word.request_id.as_deref()?.into())))
        .collect();
    json!({ "as": verdict.as_str(), "rows": rows, "requestIds": request_ids })
}

/// Writes what became of the rows that are still as they were seen; how many.
async fn decide(tx: &mut Tx<'_>, decisions: &[&Decision], moves: &[Move], now: UnixMillis) -> sqlx::Result<u64> {
    const DECIDE: &str = "UPDATE invocation SET state = j.value ->> 2,
            due_at = 0, tries = 0, retry_until = NULL,
            possible_duplicate = CASE WHEN j.value ->> 3 IN ('resend', 'abandoned') THEN 1 ELSE possible_duplicate END,
            request_id = CASE WHEN j.value ->> 2 = 'pending' THEN NULL ELSE COALESCE(j.value ->> 4, request_id) END,
            http_status = NULL, code = NULL,
            message = CASE WHEN j.value ->> 2 = 'pending' THEN NULL
                           ELSE 'by an operator''s word: ' || (j.value ->> 5) END,
            finished_at = CASE WHEN j.value ->> 2 = 'pending' THEN NULL ELSE $2 END
        FROM json_each($1) AS j
        WHERE invocation.id = CAST(j.value ->> 0 AS BIGINT) AND attempt = CAST(j.value ->> 1 AS BIGINT)
          AND state = 'unknown'";
    let rows: Vec<_> = decisions
        .iter()
        .zip(moves)
        .map(|(Decision { id, attempt, word }, Move { becomes, .. })| {
            (id.0, attempt, becomes.as_str(), word.verdict.as_str(), &word.request_id, &word.reason)
        })
        .collect();
    query(DECIDE).bind(json_text(&rows)).bind(now.0).execute(&mut *tx).await
}
