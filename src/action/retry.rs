//! `retry`: rejected, failed and skipped rows back to pending.

use serde_json::json;

use crate::invocation::{RefusedBy, SkipReason, State, Suppressed, UnixMillis};
use crate::store::{self, Actor, Batch, Filter, InvocationView, RetrySelection, Store};
use crate::validate::{self, Rules};

/// Rows that are read at once.
const PAGE_ROWS: u32 = 1_000;

/// What came of a `retry`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryOutcome {
    /// Rows that are pending again.
    pub back: u64,
    /// Rows that this tool refused and would refuse again: line and reason.
    pub still_refused: Vec<(u32, String)>,
    /// Rows among those back whose request, or whose number, stands in another row too, of this batch or of another.
    pub repeats: u64,
    /// Rows that are never sent: their number is suppressed.
    pub suppressed: u64,
}

/// Puts the selected rows back to pending: never unknown or suppressed ones, and of those that this tool refused only
/// those that pass now.
pub async fn retry(
    store: &Store,
    batch: &Batch,
    filter: &Filter,
    rules: &Rules,
    suppressed: &Suppressed,
    actor: &Actor,
    now: UnixMillis,
) -> store::Result<RetryOutcome> {
    let mut outcome = RetryOutcome::default();
    let mut selection = RetrySelection { rows: Vec::new(), rebuilt: Vec::new() };
    let mut after = 0;
    loop {
        let page = store.page(batch.id, filter, after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        after = last.line;
        for row in &page {
            select(row, filter, rules, suppressed, &mut selection, &mut outcome);
        }
    }
    hold_back_repeats(store, batch, &mut selection, &mut outcome).await?;
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

/// A row that is built anew was in no comparison when its file was imported: it goes back only if no other row of the batch
/// reaches the same person.
async fn hold_back_repeats(
    store: &Store,
    batch: &Batch,
    selection: &mut RetrySelection,
    outcome: &mut RetryOutcome,
) -> store::Result<()> {
    let phones: Vec<u64> = selection.rebuilt.iter().map(|(_, _, phone, _)| *phone).collect();
    let mut known = store.lines_of_phones(batch.id, &phones).await?;
    let mut held_back = Vec::new();
    for (id, _, phone, _) in &selection.rebuilt {
        match known.iter().find(|(of, _)| of == phone) {
            Some((_, line)) => {
                outcome.still_refused.push((id.line(), format!("not sent: line {line} has the same phone number")));
                held_back.push(*id);
            }
            None => known.push((*phone, id.line())),
        }
    }
    selection.rebuilt.retain(|(id, ..)| !held_back.contains(id));
    selection.rows.retain(|(id, _)| !held_back.contains(id));
    Ok(())
}

fn select(
    row: &InvocationView,
    filter: &Filter,
    rules: &Rules,
    suppressed: &Suppressed,
    selection: &mut RetrySelection,
    outcome: &mut RetryOutcome,
) {
    match row.state {
        State::Rejected | State::Failed | State::Skipped => {}
        State::Pending | State::Sending | State::Accepted | State::Unknown | State::Cancelled => return,
    }
    if row.reason == Some(SkipReason::Suppressed) || row.phone.is_some_and(|phone| suppressed.contains(phone)) {
        outcome.suppressed += 1;
        return;
    }
    // Its content is right; only an operator who names the reason wants it all the same.
    if row.state == State::Rejected && row.reason.is_some() && filter.reason.is_none() {
        return outcome.still_refused.push((row.line, row.message.clone().unwrap_or_default()));
    }
    let by_tool = row.refused_by.as_deref() == Some(RefusedBy::Tool.as_str());
    match &row.body {
        // A refused row has its cells only: it is built anew, by the rules of today.
        None => match validate::row_from_cells(&row.cells, rules) {
            Ok(ready) if suppressed.contains(ready.phone) => return outcome.suppressed += 1,
            Ok(ready) => selection.rebuilt.push((row.id, ready.body, ready.phone, ready.time_zone)),
            Err(problems) => return outcome.still_refused.push((row.line, validate::refusal(&problems))),
        },
        Some(body) if by_tool => {
            if let Err(message) = validate::check_body(body, rules) {
                return outcome.still_refused.push((row.line, message));
            }
        }
        Some(_) => {}
    }
    outcome.repeats += u64::from(matches!(row.reason, Some(SkipReason::Duplicate | SkipReason::AlreadySent)));
    selection.rows.push((row.id, row.state));
}
