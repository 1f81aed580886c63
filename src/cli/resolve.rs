//! `resolve`: unknown rows, listed or decided.

use anyhow::bail;
use serde_json::json;

use super::args::{Lines, ResolveArgs, VerdictArg};
use super::context::{self, Context};
use super::exit::Exit;
use super::failure::Usage;
use super::output::counted;
use super::unknown_rows::{self, Extent};
use super::{resend, rolled_back, silent_runs, verdict_file, verdict_text};
use crate::action::{self, TooEarly};
use crate::invocation::{State, UnixMillis, Verdict, Word};
use crate::store::{Batch, Decision, Store, UnknownView};

pub(super) async fn resolve(context: &mut Context, args: ResolveArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let Some(batch) = &args.batch else {
        let exit = rolled_back::resolve(context, &store, &args).await?;
        store.close().await;
        return Ok(exit);
    };
    let batch = context::batch(&store, batch).await?;
    if store.is_shared() {
        silent_runs::judge(context, &store, batch.id).await?;
    } else {
        settle_dead_runs(context, &store).await?;
    }
    let rows = store.unknown_rows(batch.id).await?;
    let exit = match (&args.from, args.verdict) {
        (Some(file), _) => verdict_file::resolve(context, &store, &batch, &rows, file, &args).await?,
        (None, None) => {
            tell_in_flight(context, &store, &batch).await?;
            let extent = if args.all || !args.line.is_empty() { Extent::All } else { Extent::Screen };
            let rows = selected(rows, &args.line, &batch)?;
            unknown_rows::list(context, &batch, &rows, store.now().await?, extent, args.reveal);
            Exit::Complete
        }
        (None, Some(verdict)) => decide(context, &store, &batch, rows, verdict_of(verdict), &args).await?,
    };
    store.close().await;
    Ok(exit)
}

/// The rows at these lines; no lines mean all.
fn selected(mut rows: Vec<UnknownView>, lines: &[Lines], batch: &Batch) -> anyhow::Result<Vec<UnknownView>> {
    let name = &batch.name;
    let is_none = |lines: &&Lines| !rows.iter().any(|row| lines.contains(row.id.line()));
    if let Some(lines) = lines.iter().find(is_none) {
        match lines.single() {
            Some(line) => bail!(Usage(format!(
                "line {line} of batch `{name}` is not unknown\nhint: `mep-batch show {name} {line}` says what it is"
            ))),
            None => bail!(Usage(format!(
                "no line of {lines} of batch `{name}` is unknown\nhint: `mep-batch resolve {name}` lists those that are"
            ))),
        }
    }
    rows.retain(|row| lines.is_empty() || lines.iter().any(|lines| lines.contains(row.id.line())));
    Ok(rows)
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

/// Decides rows as the flags say.
async fn decide(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    unknown: Vec<UnknownView>,
    verdict: Verdict,
    args: &ResolveArgs,
) -> anyhow::Result<Exit> {
    if args.line.is_empty() && !args.all {
        bail!(Usage("which rows is not said\nhint: `--line N,…` or `--all`".to_owned()));
    }
    let (all, rows) = (unknown.len(), selected(unknown, &args.line, batch)?);
    if args.request_id.is_some() && (rows.len() != 1 || verdict != Verdict::Accepted) {
        bail!(Usage(
            "a request ID names one row, which was accepted\nhint: `--line N --as accepted` with it".to_owned()
        ));
    }
    let word = Word { verdict, request_id: args.request_id.clone(), reason: args.reason.clone().unwrap_or_default() };
    let decisions: Vec<Decision> = rows.iter().map(|row| action::decide(row, word.clone())).collect();
    if let Some(early) = early(&rows, &decisions, store.now().await?, args.yes) {
        bail!(Usage(early_text(&early)));
    }
    if !resend::is_meant(context, batch, &decisions, args.yes)? {
        return Ok(Exit::Usage);
    }
    let decided = store.resolve(batch.id, &decisions, &context.actor, store.now().await?).await?;
    if context.out.is_json() {
        let object = json!({
            "batch": batch.name,
            "resolved": decided.rows,
            "as": verdict.as_str(),
            "state": verdict.state_in(decided.cancelled_at).as_str(),
            "unknown": all - rows.len(),
            "exitCode": 0,
        });
        context.out.data(&format!("{object}\n"));
    } else {
        context.out.outcome(&verdict_text::decided(batch, &decisions, &decided, all));
    }
    Ok(Exit::Complete)
}

/// What is too early, where nobody waives the rest.
pub(super) fn early(rows: &[UnknownView], decisions: &[Decision], now: UnixMillis, yes: bool) -> Option<TooEarly> {
    if yes { None } else { action::too_early(rows, decisions, now) }
}

pub(super) fn early_text(early: &TooEarly) -> String {
    format!(
        "{} may still be on the wire somewhere; nothing was decided\n\
         hint: wait until {}, or say `--yes` if you know better",
        counted(early.rows, "row"),
        early.until
    )
}

fn verdict_of(verdict: VerdictArg) -> Verdict {
    match verdict {
        VerdictArg::Accepted => Verdict::Accepted,
        VerdictArg::NotSent => Verdict::NotSent,
        VerdictArg::Resend => Verdict::Resend,
        VerdictArg::Abandoned => Verdict::Abandoned,
    }
}
