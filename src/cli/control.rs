//! `pause`, `resume`, `cancel`, `throttle`: what an operator says of a whole batch, obeyed by each run within a second.

use std::io::IsTerminal;

use anyhow::bail;

use super::args::{CancelArgs, ControlArgs, ThrottleArgs};
use super::context::{self, Context};
use super::exit::Exit;
use super::failure::{Told, Usage};
use super::output::{self, counted, grouped};
use super::rolled_back;
use crate::invocation::{State, UnixMillis};
use crate::report::{self, BatchStatus};
use crate::store::{Actor, Batch, Said, Store};

pub(super) async fn pause(context: &mut Context, args: ControlArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    refuse_cancelled(&batch)?;
    let is_new = store.pause(batch.id, said(&context.actor, &args)).await?;
    let name = &batch.name;
    let counts = store.counts_of(batch.id).await?;
    let text = match (is_new, batch.paused_at) {
        (true, _) => format!("batch `{name}` is paused: nothing more of it is sent"),
        (false, Some(since)) => format!("batch `{name}` has been paused since {since}"),
        (false, None) => format!("batch `{name}` is paused already"),
    };
    let (pending, sending) = (grouped(counts[State::Pending]), counts[State::Sending]);
    let in_flight = match sending {
        0 => String::new(),
        1.. => format!(", and {} in flight to their end", counted(sending.unsigned_abs(), "row")),
        _ => unreachable!("a count is never negative"),
    };
    tell(
        context,
        &store,
        &batch,
        &format!("{text}; {pending} stay pending{in_flight}\nNext: mep-batch resume {name}\n"),
    )
    .await
}

pub(super) async fn resume(context: &mut Context, args: ControlArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    refuse_cancelled(&batch)?;
    let is_new = store.resume(batch.id, said(&context.actor, &args)).await?;
    let name = &batch.name;
    let text = match (is_new, is_run(&store, &batch).await?) {
        (false, _) => format!("batch `{name}` is not paused\nhint: to go on sending, `mep-batch run {name}`\n"),
        (true, true) => format!("batch `{name}` goes on: the run that has it takes its rows again\n"),
        (true, false) => {
            format!("batch `{name}` is paused no longer, and no run sends it\nNext: mep-batch run {name}\n")
        }
    };
    tell(context, &store, &batch, &text).await
}

pub(super) async fn throttle(context: &mut Context, args: ThrottleArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.control.batch).await?;
    refuse_cancelled(&batch)?;
    store.throttle(batch.id, args.rate, said(&context.actor, &args.control)).await?;
    let name = &batch.name;
    let own = batch.settings.rate.map_or("unlimited".to_owned(), |rate| format!("{rate} a second"));
    let when = if is_run(&store, &batch).await? { "from now on, in every run" } else { "from the next run on" };
    let text = match args.rate {
        Some(rate) => format!(
            "batch `{name}`: {rate} a second at most {when} (its own rate: {own})\n\
             It stays so until `mep-batch throttle {name} --clear`.\n"
        ),
        None => format!("batch `{name}`: its own rate again {when}: {own}\n"),
    };
    tell(context, &store, &batch, &text).await
}

pub(super) async fn cancel(context: &mut Context, args: CancelArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.control.batch).await?;
    let pending = store.counts_of(batch.id).await?[State::Pending];
    if batch.cancelled_at.is_none() && !args.yes && std::io::stdin().is_terminal() && !ask(&batch, pending)? {
        bail!(Told(Exit::Usage));
    }
    store.cancel(batch.id, said(&context.actor, &args.control)).await?;
    let cancelled = cancel_rest(&store, &batch).await?;
    let counts = store.counts_of(batch.id).await?;
    let name = &batch.name;
    let mut text = match batch.cancelled_at {
        Some(at) if cancelled == 0 => format!("batch `{name}` has been cancelled since {at}; nothing of it is sent\n"),
        Some(_) | None => {
            format!("batch `{name}` is cancelled: {} will never be sent\n", counted(cancelled, "pending row"))
        }
    };
    for (state, what) in
        [(State::Sending, "in flight to their end"), (State::Unknown, "unknown: `mep-batch resolve` decides")]
    {
        if counts[state] > 0 {
            text.push_str(&format!("{:>10}  {what}\n", grouped(counts[state])));
        }
    }
    tell(context, &store, &batch, &text).await
}

/// Cancels what is pending of a cancelled batch: how many rows. A `cancel` that was killed half-way is brought to its end so.
pub(super) async fn cancel_rest(store: &Store, batch: &Batch) -> anyhow::Result<u64> {
    let mut cancelled = 0;
    loop {
        match store.cancel_pending(batch.id, UnixMillis::now()).await? {
            0 => return Ok(cancelled),
            more => cancelled += more,
        }
    }
}

fn said<'a>(actor: &'a Actor, args: &'a ControlArgs) -> Said<'a> {
    Said { actor, now: UnixMillis::now(), reason: args.reason.as_deref() }
}

/// A cancelled batch is beyond what an operator may say of it.
pub(super) fn refuse_cancelled(batch: &Batch) -> anyhow::Result<()> {
    match batch.cancelled_at {
        Some(at) => {
            bail!(Usage(format!("batch `{}` was cancelled at {at}; nothing of it is sent any more", batch.name)))
        }
        None => Ok(()),
    }
}

/// Whether some run that sends it shows that it lives.
async fn is_run(store: &Store, batch: &Batch) -> anyhow::Result<bool> {
    Ok(store.open_runs().await?.iter().any(|run| run.is_alive && run.sends(batch.id)))
}

fn ask(batch: &Batch, pending: i64) -> anyhow::Result<bool> {
    let typed = output::ask(&format!(
        "Cancels {} of batch `{}` for good: they can never be sent. `pause` only holds them.\n\
         Type the batch's name to go on: ",
        counted(pending.unsigned_abs(), "pending row"),
        batch.name
    ))?;
    let agreed = typed == batch.name;
    if !agreed {
        output::stderr("not cancelled\n");
    }
    Ok(agreed)
}

/// Tells what was done; with `--json`, how the batch stands now.
async fn tell(context: &mut Context, store: &Store, batch: &Batch, text: &str) -> anyhow::Result<Exit> {
    if context.out.is_json() {
        let batch = context::batch(store, &batch.name).await?;
        let lacks = rolled_back::tell(context, store).await?;
        let status = BatchStatus { lacks, ..report::status(store, &batch, UnixMillis::now()).await? };
        context.out.data(&format!("{}\n", serde_json::to_string(&status)?));
    }
    // What was said is not what was asked for, where that is an object.
    if context.out.is_json() {
        context.out.note(text)
    } else {
        context.out.outcome(text)
    }
    store.close().await;
    Ok(Exit::Complete)
}
