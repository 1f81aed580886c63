//! `purge`: what old batches say is made unreadable, or they are deleted; what may still be sent is left alone.

use serde_json::{Value, json};

use crate::invocation::{BatchId, State, UnixMillis};
use crate::store::{
    self, ActionKind, Actor, AttemptView, Erasure, Filter, ImportLock, InvocationView, PurgeHow, PurgeView,
    RedactedAttempt, RedactedRow, Store,
};
use crate::validate;

/// Rows that are made unreadable in one transaction: few enough that a run beside it hardly waits.
const CHUNK_ROWS: u32 = 2_000;

/// Digits from which on a number in what was noted of a canary is taken for the operator's own.
const LIKE_A_PHONE: u64 = 1_000_000;

/// What is to be purged, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeOrder<'a> {
    /// Only batches whose last change was before this.
    pub before: UnixMillis,
    /// What is done with them.
    pub how: PurgeHow,
    /// Why.
    pub reason: Option<&'a str>,
    /// By whom.
    pub actor: &'a Actor,
}

/// What a purge would do with one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct PurgePlan {
    /// The batch.
    pub view: PurgeView,
    /// What is done with it, or why it is left as it is.
    pub fate: Result<PurgeHow, LeftBecause>,
}

/// Why a batch is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftBecause {
    /// So many rows of it are pending, sending and unknown.
    Open(i64, i64, i64),
    /// A run that has not ended has sent rows of it.
    InARun,
    /// It was changed later than was asked for.
    Young,
    /// It was purged before.
    Purged(UnixMillis),
}

/// What came of a purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// The batches that were, by name, each with its rows.
    pub batches: Vec<(String, u64)>,
    /// Those of which something became open meanwhile.
    pub passed_over: Vec<String>,
    /// What is left of them in the database's files.
    pub erasure: Erasure,
}

/// What a purge would do with each batch, oldest first. Changes nothing.
pub async fn plan_purge(store: &Store, how: PurgeHow, before: UnixMillis) -> store::Result<Vec<PurgePlan>> {
    let views = store.purge_views().await?;
    Ok(views.into_iter().map(|view| PurgePlan { fate: fate_of(&view, how, before), view }).collect())
}

fn fate_of(view: &PurgeView, how: PurgeHow, before: UnixMillis) -> Result<PurgeHow, LeftBecause> {
    if let Some(purge) = view.batch.purge {
        match (purge.finished_at, purge.how, how) {
            // A deletion that has begun leaves no whole batch behind.
            (_, PurgeHow::Delete, _) => return Ok(PurgeHow::Delete),
            (None, PurgeHow::Redact, how) => return Ok(how),
            (Some(at), PurgeHow::Redact, PurgeHow::Redact) => return Err(LeftBecause::Purged(at)),
            (Some(_), PurgeHow::Redact, PurgeHow::Delete) => {}
        }
    }
    let [pending, sending, unknown] = [State::Pending, State::Sending, State::Unknown].map(|state| view.counts[state]);
    if pending + sending + unknown > 0 {
        Err(LeftBecause::Open(pending, sending, unknown))
    } else if view.is_in_a_run {
        Err(LeftBecause::InARun)
    } else if view.last_change > before {
        Err(LeftBecause::Young)
    } else {
        Ok(how)
    }
}

/// Purges what the plan names. The lock keeps imports and other purges out; in a file the caller holds the run lock too.
///
/// Killed at any moment it is gone on with by the next one: a batch is marked first, its rows follow in small transactions,
/// and the mark is taken back, or the batch deleted, once nothing is left in the database's files.
pub async fn purge(
    store: &Store,
    plans: &[PurgePlan],
    order: &PurgeOrder<'_>,
    lock: ImportLock,
    now: UnixMillis,
) -> store::Result<Purged> {
    let mut purged = Purged { batches: Vec::new(), passed_over: Vec::new(), erasure: Erasure::Done };
    store.overwrite_deleted().await?;
    let mut done = Vec::new();
    for PurgePlan { view, fate } in plans {
        let Ok(how) = *fate else { continue };
        let (id, name) = (view.batch.id, view.batch.name.clone());
        let detail = detail_of(view, how, order.before);
        if !store.begin_purge(&view.batch, how, order.actor, now, order.reason, &detail).await? {
            purged.passed_over.push(name);
            continue;
        }
        match how {
            PurgeHow::Redact => redact(store, id, now).await?,
            PurgeHow::Delete => {
                while store.delete_rows_of(id).await? > 0 {}
                store.delete_purged_fingerprints(id).await?;
            }
        }
        purged.batches.push((name, view.batch.rows.unsigned_abs()));
        done.push((id, how));
    }
    if !done.is_empty() {
        purged.erasure = erase(store, &done, now).await?;
    }
    lock.release(store).await;
    Ok(purged)
}

/// Has what was purged leave the database's files, and only then says that it has.
async fn erase(store: &Store, done: &[(BatchId, PurgeHow)], now: UnixMillis) -> store::Result<Erasure> {
    let erasure = store.erase().await?;
    for (id, how) in done {
        match (how, &erasure) {
            (PurgeHow::Redact, Erasure::Done | Erasure::NotOurs(_)) => store.finish_purge(*id, now).await?,
            (PurgeHow::Delete, Erasure::Done | Erasure::NotOurs(_)) => store.delete_batch(*id).await?,
            // Its rows are gone; where their bytes may not be, its mark has them looked for once more.
            (PurgeHow::Redact | PurgeHow::Delete, Erasure::Left(_)) => {}
        }
    }
    Ok(erasure)
}

fn detail_of(view: &PurgeView, how: PurgeHow, before: UnixMillis) -> Value {
    let batch = &view.batch;
    let states: serde_json::Map<String, Value> =
        view.counts.iter().map(|(state, count)| (state.as_str().to_owned(), Value::from(count))).collect();
    json!({
        "how": how.as_str(),
        "before": before.to_string(),
        "batch": batch.name,
        "service": batch.service.as_str(),
        "endpoint": batch.endpoint.to_string(),
        "sha256": batch.source_sha256,
        "rows": batch.rows,
        "states": states,
    })
}

/// Makes what a batch says unreadable: first what people said of it, then its rows in the order of their lines.
async fn redact(store: &Store, batch: BatchId, now: UnixMillis) -> store::Result<()> {
    let said = store.said_of(batch).await?;
    let said: Vec<_> = said.into_iter().map(|(id, kind, reason, detail)| reworded(id, &kind, reason, detail)).collect();
    store.reword(&said).await?;
    let mut after = 0;
    loop {
        let page = store.page(batch, &Filter::default(), after, CHUNK_ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.line;
        let left: Vec<&InvocationView> = page.iter().filter(|row| row.purged_at.is_none()).collect();
        if left.is_empty() {
            continue; // a purge that was killed has done these
        }
        let ids: Vec<_> = left.iter().map(|row| row.id).collect();
        let attempts = store.attempts(&ids).await?;
        store.redact(&redacted_rows(&left), &redacted_attempts(&left, &attempts), now).await?;
    }
}

fn reworded(id: i64, kind: &str, reason: Option<String>, detail: String) -> (i64, Option<String>, String) {
    let reason = reason.map(|reason| validate::without_numbers(&reason, &[]));
    // What else is noted of an act are counts, hashes and request IDs; of a canary it is somebody's own handset.
    if kind != ActionKind::Canary.as_str() {
        return (id, reason, detail);
    }
    let detail = match serde_json::from_str(&detail) {
        Ok(detail) => hide_numbers(detail).to_string(),
        Err(_) => "{}".to_owned(),
    };
    (id, reason, detail)
}

fn hide_numbers(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(validate::without_numbers(&text, &[])),
        Value::Number(number) if number.as_u64().is_some_and(|number| number >= LIKE_A_PHONE) => Value::Null,
        Value::Array(values) => values.into_iter().map(hide_numbers).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, hide_numbers(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

fn redacted_rows(rows: &[&InvocationView]) -> Vec<RedactedRow> {
    rows.iter()
        .map(|row| RedactedRow {
            id: row.id.0,
            body_sha256: row.body.as_deref().map(validate::body_sha256),
            message: row.message.as_deref().map(|message| validate::without_numbers(message, &values_of(row))),
        })
        .collect()
}

fn redacted_attempts(rows: &[&InvocationView], attempts: &[AttemptView]) -> Vec<RedactedAttempt> {
    let values_of = |attempt: &AttemptView| {
        let place = rows.binary_search_by_key(&attempt.row, |row| row.id);
        place.map(|place| values_of(rows[place])).unwrap_or_default()
    };
    attempts
        .iter()
        .filter(|attempt| attempt.message.is_some() || !attempt.answer.is_empty())
        .map(|attempt| RedactedAttempt {
            id: attempt.row.0,
            number: attempt.number,
            message: attempt.message.as_deref().map(|text| validate::without_numbers(text, &values_of(attempt))),
        })
        .collect()
}

/// What a text may repeat of a row: the service quotes values, this program's own texts do not.
fn values_of(row: &InvocationView) -> Vec<String> {
    match &row.body {
        Some(body) if row.attempt > 0 => validate::body_values(body),
        Some(_) | None => Vec::new(),
    }
}
