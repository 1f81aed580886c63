//! The end of a run, as it is told: the accounting of each batch, why the run ended, and what to type next.

use std::time::Instant;

use serde_json::json;

use super::context::Context;
use super::control::cancel_rest;
use super::exit::{self, Exit};
use super::output::counted;
use super::status::accounting;
use crate::invocation::{BatchId, UnixMillis};
use crate::report::{self, BatchStatus, Standing};
use crate::run::{Ended, Ending};
use crate::store::{Batch, Store};

/// The accounting of each batch, why the run ended, and the next command to type.
pub(super) async fn tell(
    context: &mut Context,
    store: &Store,
    ended: &Ended,
    started: Instant,
) -> anyhow::Result<Exit> {
    let is_readable = !matches!(ended.ending, Ending::StoreFailed(..));
    let statuses = match statuses_of(context, store, ended).await {
        // A store that cannot be written is rarely read any better; why the run ended is told in any case.
        Err(error) if !is_readable => {
            tracing::debug!("how the batches stand cannot be read: {error:#}");
            Vec::new()
        }
        statuses => statuses?,
    };
    if context.out.is_quiet() {
        ended.left.iter().for_each(|why| context.out.note(&format!("{why}\n")));
    }
    let worst = statuses.iter().map(report::standing).min().unwrap_or(Standing::Complete);
    let exit = exit::of_run(&ended.ending, worst);
    for status in &statuses {
        if context.out.is_json() {
            let mut object = serde_json::to_value(status)?;
            object["exitCode"] = exit.code().into();
            object["elapsedMs"] = u64::try_from(started.elapsed().as_millis())?.into();
            context.out.data(&format!("{object}\n"));
        } else {
            let text = accounting(status, store.address(), context.paint[0]);
            context.out.outcome(&text);
        }
    }
    if statuses.is_empty() && context.out.is_json() {
        context.out.data(&format!("{}\n", json!({ "exitCode": exit.code() })));
    } else if statuses.is_empty() && is_readable {
        context.out.outcome("nothing is left to send\n");
    }
    context.out.note(&ending_text(&ended.ending));
    Ok(exit)
}

/// The accounting of batches of which nothing was sent because nothing may be.
pub(super) async fn tell_unsent(context: &mut Context, store: &Store, batches: &[BatchId]) -> anyhow::Result<Exit> {
    let ended = Ended { ending: Ending::Done, batches: batches.to_vec(), left: Vec::new(), is_replaced: false };
    tell(context, store, &ended, Instant::now()).await
}

async fn statuses_of(context: &mut Context, store: &Store, ended: &Ended) -> anyhow::Result<Vec<BatchStatus>> {
    let mut statuses = Vec::new();
    if ended.is_replaced {
        return Ok(statuses); // the log of the one would be folded into the other
    }
    for batch in store.batches().await?.iter().filter(|batch| ended.batches.contains(&batch.id)) {
        if batch.cancelled_at.is_some() {
            cancel_rest(store, batch).await?; // whoever cancels it is perhaps still at it
        }
        statuses.push(report::status(store, batch, UnixMillis::now()).await?);
        warn_of_repeated_request_ids(context, store, batch).await?;
    }
    Ok(statuses)
}

/// The service's name for a request is an operator's only proof: one that stands on several rows proves less.
async fn warn_of_repeated_request_ids(context: &mut Context, store: &Store, batch: &Batch) -> anyhow::Result<()> {
    let (repeated, batch) = (store.repeated_request_ids(batch.id).await?, &batch.name);
    if repeated > 0 {
        let ids = counted(repeated.unsigned_abs(), "request ID");
        context.out.note(&format!(
            "warning: {ids} among the last requests of batch `{batch}` stand on more than one row\n\
             hint: `mep-batch list {batch} --request-id ID` shows them; ask the vendor's support which request each names\n"
        ));
    }
    Ok(())
}

fn ending_text(ending: &Ending) -> String {
    match ending {
        Ending::Done => String::new(),
        Ending::Waiting(until) => {
            let due = until.map(|until| format!("; the next row is due at {until}")).unwrap_or_default();
            format!("nothing more can be sent for now{due}\n")
        }
        Ending::LimitReached => "as many rows as `--limit` allows have been taken\n".to_owned(),
        Ending::Interrupted(_, 0) => "interrupted; everything in flight was finished\n".to_owned(),
        Ending::Interrupted(_, abandoned) => {
            let rows = counted(*abandoned as u64, "row");
            format!("interrupted; {rows} abandoned in flight and unknown now\n")
        }
        Ending::Stopped(why) => format!("stopped: {why}\n"),
        Ending::StoreFailed(why, 0) => format!("error: {why}\n"),
        Ending::StoreFailed(why, lost) => format!(
            "error: {why}\n{lost} outcomes could not be stored; each is in the log above. Their rows become unknown at the next \
             run: `mep-batch resolve BATCH` takes what the log says\n"
        ),
    }
}
