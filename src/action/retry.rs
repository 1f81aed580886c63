//! `retry`: rejected, failed and skipped rows back to pending.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::candidate::{Candidate, Judged, judge};
use super::others::told_by;
use crate::invocation::{SkipReason, Suppressed, UnixMillis};
use crate::store::{self, Actor, Batch, Filter, Rebuilt, RetrySelection, Store};
use crate::validate::Rules;

/// Rows that are read at once.
const PAGE_ROWS: u32 = 1_000;

/// What came of a `retry`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryOutcome {
    /// Rows that are pending again.
    pub back: u64,
    /// Rows that this tool refused and would refuse again: line and reason.
    pub still_refused: Vec<(u32, String)>,
    /// Rows that stay because another batch has reached their people, or is about to: line and reason.
    pub held_back: Vec<(u32, String)>,
    /// Rows among those back whose request, or whose number, stands in another row too, of this batch or of another.
    pub repeats: u64,
    /// Rows that are never sent: their number is suppressed.
    pub suppressed: u64,
}

/// Puts the selected rows back to pending: never unknown or suppressed ones, and of those that this tool refused only
/// those that pass now. A row whose request another batch has sent, or is about to, stays, unless it was skipped for that.
pub async fn retry(
    store: &Store,
    batch: &Batch,
    filter: &Filter,
    rules: &Rules,
    suppressed: &Suppressed,
    actor: &Actor,
    now: UnixMillis,
) -> store::Result<RetryOutcome> {
    if let Some(purge) = &batch.purge {
        return Err(store::Error::Conflict(format!(
            "batch `{}` was purged, at {}: its numbers and texts are gone, and no row of it can be sent again\n\
             hint: what must be sent again goes into a file of its own",
            batch.name, purge.began_at
        )));
    }
    let mut outcome = RetryOutcome::default();
    let mut selection = RetrySelection { rows: Vec::new(), rebuilt: Vec::new() };
    let others = store.others(&batch.service, &batch.endpoint, Some(batch.id)).await?;
    let mut reached = HashMap::new();
    let mut after = 0;
    loop {
        let page = store.page(batch.id, filter, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.line;
        let judged = page.iter().filter_map(|row| judge(row, filter, rules, suppressed));
        let candidates = note_refused(judged, &mut outcome);
        let asked: Vec<_> = candidates.iter().map(|candidate| candidate.fingerprint).collect();
        let told = told_by(&others, store, batch, &asked).await?;
        for candidate in candidates {
            match candidate.held_back_by(&told) {
                Some(reason) => outcome.held_back.push((candidate.fingerprint.line, reason.clone())),
                None => put_back(candidate, &mut reached, &mut selection, &mut outcome),
            }
        }
    }
    hold_back_repeats(store, batch, reached, &mut selection, &mut outcome).await?;
    let detail = json!({
        "states": filter.states.iter().map(|state| state.as_str()).collect::<Vec<_>>(),
        "code": filter.code,
        "lines": filter.lines,
        "reason": filter.reason.map(SkipReason::as_str),
        "rows": selection.rows.len(),
    });
    outcome.back = store.retry(batch.id, &selection, actor, now, &detail).await?;
    Ok(outcome)
}

/// Notes those that stay for a reason of their own; the others.
fn note_refused(judged: impl Iterator<Item = Judged>, outcome: &mut RetryOutcome) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for row in judged {
        match row {
            Judged::Passes(candidate) => candidates.push(candidate),
            Judged::Refused(line, reason) => outcome.still_refused.push((line, reason)),
            Judged::Suppressed => outcome.suppressed += 1,
        }
    }
    candidates
}

fn put_back(
    candidate: Candidate,
    reached: &mut HashMap<u64, u32>,
    selection: &mut RetrySelection,
    outcome: &mut RetryOutcome,
) {
    if candidate.rebuilt.is_none() {
        reached.insert(candidate.fingerprint.phone, candidate.fingerprint.line);
    }
    let is_repeat = matches!(candidate.reason, Some(SkipReason::Duplicate | SkipReason::AlreadySent));
    outcome.repeats += u64::from(is_repeat);
    selection.rows.push((candidate.id, candidate.was));
    selection.rebuilt.extend(candidate.rebuilt);
}

/// A row that is built anew was in no comparison when its file was imported: it goes back only if no other row of the batch
/// reaches the same person. `reached` has those to whom rows with a body go back, each with a line.
async fn hold_back_repeats(
    store: &Store,
    batch: &Batch,
    mut reached: HashMap<u64, u32>,
    selection: &mut RetrySelection,
    outcome: &mut RetryOutcome,
) -> store::Result<()> {
    let phones: Vec<u64> = selection.rebuilt.iter().map(|row| row.fingerprint.phone).collect();
    reached.extend(store.lines_of_phones(batch.id, &phones).await?);
    let mut held_back = HashSet::new();
    for Rebuilt { id, fingerprint, .. } in &selection.rebuilt {
        match reached.entry(fingerprint.phone) {
            Entry::Occupied(first) => {
                let reason = format!("not sent: line {} has the same phone number", first.get());
                outcome.still_refused.push((id.line(), reason));
                held_back.insert(*id);
            }
            Entry::Vacant(none) => {
                none.insert(id.line());
            }
        }
    }
    selection.rebuilt.retain(|row| !held_back.contains(&row.id));
    selection.rows.retain(|(id, _)| !held_back.contains(id));
    Ok(())
}
