//! Batches that an operator has paused or cancelled, as a run that begins finds them.

use super::context::Context;
use super::control::cancel_rest;
use super::exit::Exit;
use super::run_end;
use crate::invocation::State;
use crate::store::{Batch, Store};

/// Says which batches are withheld; the exit code where nothing else was named, so that there is nothing to send.
pub(super) async fn tell(
    context: &mut Context,
    store: &Store,
    named: Option<&[Batch]>,
) -> anyhow::Result<Option<Exit>> {
    let all = if named.is_none() { store.batches().await? } else { Vec::new() };
    let mut withheld = Vec::new();
    for batch in named.unwrap_or(&all) {
        let name = &batch.name;
        if let Some(at) = batch.cancelled_at {
            // Whoever cancelled it may not have come to the end.
            let pending = store.counts_of(batch.id).await?[State::Pending];
            if pending > 0 {
                cancel_rest(store, batch).await?;
            }
            if named.is_some() {
                context.out.note(&format!("batch `{name}` was cancelled at {at}; nothing of it is sent\n"));
            }
        } else if let Some(since) = batch.paused_at {
            if named.is_none() && store.counts_of(batch.id).await?[State::Pending] == 0 {
                continue;
            }
            context.out.note(&format!(
                "batch `{name}` has been paused since {since}; nothing of it is sent\nhint: mep-batch resume {name}\n"
            ));
        } else {
            continue;
        }
        withheld.push(batch.id);
    }
    match named {
        Some(named) if withheld.len() == named.len() => {
            Ok(Some(run_end::tell_unsent(context, store, &withheld).await?))
        }
        Some(_) | None => Ok(None),
    }
}
