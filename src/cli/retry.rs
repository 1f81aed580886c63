//! `retry`: rejected, failed and skipped rows back to pending.

use anyhow::bail;
use serde_json::{Value, json};

use super::args::{ReasonArg, RetryArgs};
use super::context::{self, Context};
use super::exit::Exit;
use super::failure::Usage;
use super::output::counted;
use super::{control, suppression};
use crate::action::{self, RetryOutcome};
use crate::invocation::{SkipReason, State, UnixMillis};
use crate::store::Filter;
use crate::validate::Rules;

/// Rows that are named of those that stay, for each kind of cause.
const NAMED_MAX: usize = 5;

pub(super) async fn retry(context: &mut Context, args: RetryArgs) -> anyhow::Result<Exit> {
    for state in &args.state {
        match state {
            State::Rejected | State::Failed | State::Skipped => {}
            State::Unknown => bail!(Usage(
                "unknown rows are not retried: they may have been sent\nhint: `mep-batch resolve BATCH` decides them"
                    .to_owned()
            )),
            State::Pending | State::Sending | State::Accepted | State::Cancelled => {
                bail!(Usage(format!("{state} rows are not retried; expected rejected, failed or skipped")));
            }
        }
    }
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    control::refuse_cancelled(&batch)?;
    let filter = Filter {
        states: args.state.clone(),
        code: args.code,
        lines: args.line.clone(),
        reason: args.reason_is.map(|reason| match reason {
            ReasonArg::Duplicate => SkipReason::Duplicate,
            ReasonArg::Expired => SkipReason::Expired,
        }),
        ..Filter::default()
    };
    let rules = Rules::of_batch(&batch.settings, context.bounds, context.phone_number_json);
    let list = suppression::list_of(context, &batch.settings, &args.map).await?;
    let outcome = action::retry(&store, &batch, &filter, &rules, &list, &context.actor, UnixMillis::now()).await?;
    if context.out.is_json() {
        let object = json!({
            "batch": batch.name,
            "pending": outcome.back,
            "stillRefused": rows_json(&outcome.still_refused),
            "heldBack": rows_json(&outcome.held_back),
            "repeats": outcome.repeats,
            "suppressed": outcome.suppressed,
            "exitCode": 0,
        });
        context.out.data(&format!("{object}\n"));
    } else {
        context.out.outcome(&text_of(&outcome, &batch.name));
    }
    store.close().await;
    Ok(Exit::Complete)
}

fn rows_json(rows: &[(u32, String)]) -> Value {
    rows.iter().map(|(line, why)| json!({ "line": line, "message": why })).collect()
}

fn text_of(outcome: &RetryOutcome, batch: &str) -> String {
    let mut text = format!("{} of batch `{batch}` put back to pending\n", counted(outcome.back, "row"));
    if outcome.repeats > 0 {
        let repeats = counted(outcome.repeats, "row");
        text.push_str(&format!("warning: {repeats} of them repeat another: those people are texted once more\n"));
    }
    if !outcome.still_refused.is_empty() {
        let refused = counted(outcome.still_refused.len() as u64, "row");
        text.push_str(&format!("{refused} would be refused again and stay as they are:\n"));
        name_rows(&mut text, &outcome.still_refused);
        text.push_str("hint: mend them in a file of their own and import that\n");
    }
    if !outcome.held_back.is_empty() {
        let held_back = counted(outcome.held_back.len() as u64, "row");
        text.push_str(&format!("{held_back} not put back, because another batch has reached those people or will:\n"));
        name_rows(&mut text, &outcome.held_back);
        text.push_str("hint: `mep-batch import FILE --again` sends them all the same\n");
    }
    if outcome.suppressed > 0 {
        text.push_str(&format!("{} on the suppression list: never sent\n", counted(outcome.suppressed, "row")));
    }
    if outcome.back > 0 {
        text.push_str(&format!("Next: mep-batch run {batch}\n"));
    }
    text
}

fn name_rows(text: &mut String, rows: &[(u32, String)]) {
    for (line, why) in rows.iter().take(NAMED_MAX) {
        text.push_str(&format!("  line {line}: {why}\n"));
    }
}
