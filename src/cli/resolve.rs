//! `resolve`: unknown rows, listed or decided.

use std::fmt::Write;

use anyhow::bail;
use serde_json::json;

use super::args::{ResolveArgs, VerdictArg};
use super::context::{self, Context};
use super::exit::Exit;
use super::failure::Usage;
use super::output::counted;
use super::silent_runs;
use crate::action::{self, Resolution, Word};
use crate::invocation::{State, UnixMillis, mask_phone};
use crate::store::{Batch, Store, UnknownView, Verdict};

pub(super) async fn resolve(context: &mut Context, args: ResolveArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    if store.is_shared() {
        silent_runs::judge(context, &store, batch.id).await?;
    } else {
        settle_dead_runs(context, &store).await?;
    }
    let mut rows = store.unknown_rows(batch.id).await?;
    if !args.line.is_empty() {
        for line in &args.line {
            if !rows.iter().any(|row| row.id.line() == *line) {
                bail!(Usage(format!(
                    "line {line} of batch `{}` is not unknown\nhint: `mep-batch show {} {line}` says what it is",
                    batch.name, batch.name
                )));
            }
        }
        rows.retain(|row| args.line.contains(&row.id.line()));
    }
    let exit = match args.verdict {
        None => {
            tell_in_flight(context, &store, &batch).await?;
            list(context, &batch, &rows, args.reveal);
            Exit::Complete
        }
        Some(verdict) => decide(context, &store, &batch, &rows, verdict_of(verdict), &args).await?,
    };
    store.close().await;
    Ok(exit)
}

/// Says that rows are in flight, which may become unknown yet: a run that has just died is not known to be dead.
async fn tell_in_flight(context: &mut Context, store: &Store, batch: &Batch) -> anyhow::Result<()> {
    let sending = store.counts_of(batch.id).await?[State::Sending];
    if sending > 0 {
        context.out.note(&format!(
            "{} of batch `{}` in flight: a run that died less than 30 s ago may have had them\n\
             hint: `mep-batch status {}` says when each run was seen last\n",
            counted(sending.unsigned_abs(), "row"),
            batch.name,
            batch.name
        ));
    }
    Ok(())
}

/// Rows that a dead run left are unknown too; the next run would say so, and whoever resolves must not wait for it.
async fn settle_dead_runs(context: &Context, store: &Store) -> anyhow::Result<()> {
    if !store.has_sending().await? {
        return Ok(());
    }
    // Where the lock is held a run lives, and what it has in flight is its own.
    let who = format!("pid {} on {}, resolving", std::process::id(), context.actor.host);
    if let Ok(_lock) = store.admit_run(&who, false).await {
        store.settle_dead_runs(UnixMillis::now()).await?;
    }
    Ok(())
}

async fn decide(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    rows: &[UnknownView],
    verdict: Verdict,
    args: &ResolveArgs,
) -> anyhow::Result<Exit> {
    if args.line.is_empty() && !args.all {
        bail!(Usage("which rows is not said\nhint: `--line N,…` or `--all`".to_owned()));
    }
    if args.request_id.is_some() && rows.len() != 1 {
        bail!(Usage("one request ID names one row\nhint: `--line N` with it".to_owned()));
    }
    let word = Word {
        verdict,
        request_id: args.request_id.as_deref(),
        reason: args.reason.as_deref().unwrap_or_default(),
        at_once: args.yes,
    };
    match action::resolve(store, batch, rows, &word, &context.actor, store.now().await?).await? {
        Resolution::Decided(decided) => {
            if context.out.is_json() {
                let object = json!({ "batch": batch.name, "resolved": decided, "as": verdict.as_str(), "exitCode": 0 });
                context.out.data(&format!("{object}\n"));
            } else {
                let decided = counted(decided, "row");
                let state = verdict.state();
                let mut text = format!("{decided} of batch `{}`: {state} now\n", batch.name);
                if verdict.state() == State::Pending {
                    text.push_str(&format!("Next: mep-batch run {}\n", batch.name));
                }
                if verdict == Verdict::Resend {
                    text.push_str("They may text somebody twice, and are counted so.\n");
                }
                context.out.outcome(&text);
            }
            Ok(Exit::Complete)
        }
        Resolution::TooEarly(rested, early) => bail!(Usage(format!(
            "{} may still be on the wire somewhere; nothing was decided\n\
             hint: wait until {rested}, or say `--yes` if you know better",
            counted(early, "row")
        ))),
    }
}

fn list(context: &mut Context, batch: &Batch, rows: &[UnknownView], reveal: bool) {
    let phone = |row: &UnknownView| if reveal { row.phone.to_string() } else { mask_phone(&row.phone.to_string()) };
    if context.out.is_json() {
        for row in rows {
            let object = json!({
                "batch": batch.name,
                "line": row.id.line(),
                "phoneNumber": phone(row),
                "attempt": row.attempt,
                "sentAt": row.sent_at.map(|at| at.to_string()),
                "lastOnWireAt": row.last_on_wire.to_string(),
                "httpStatus": row.http_status,
                "requestId": row.request_id,
                "message": row.message,
            });
            context.out.data(&format!("{object}\n"));
        }
        return;
    }
    if rows.is_empty() {
        context.out.data(&format!("batch `{}` has no unknown rows\n", batch.name));
        return;
    }
    let count = counted(rows.len() as u64, "row");
    let mut text = format!("{count} of batch `{}` may or may not have been accepted:\n", batch.name);
    for row in rows {
        let sent = row.sent_at.map(|at| format!(", sent {at}")).unwrap_or_default();
        let id = row.request_id.as_ref().map(|id| format!(", request ID {id}")).unwrap_or_default();
        let _ = writeln!(text, "  line {}: {}{sent}{id}: {}", row.id.line(), phone(row), row.message);
    }
    let _ = write!(
        text,
        "Ask the vendor's support whether requests of service {} reached these\n\
         numbers at these times, then say for each, or for `--all`, what is true:\n\
         \x20 it was accepted            --as accepted\n\
         \x20 it was not: send it        --as not-sent\n\
         \x20 send it again in any case  --as resend\n\
         \x20 leave it                   --as abandoned\n\
         as in: mep-batch resolve {} --line {} --as accepted --reason 'case 4711'\n",
        batch.service,
        batch.name,
        rows[0].id.line()
    );
    context.out.data(&text);
}

fn verdict_of(verdict: VerdictArg) -> Verdict {
    match verdict {
        VerdictArg::Accepted => Verdict::Accepted,
        VerdictArg::NotSent => Verdict::NotSent,
        VerdictArg::Resend => Verdict::Resend,
        VerdictArg::Abandoned => Verdict::Abandoned,
    }
}
