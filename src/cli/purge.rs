//! `purge`: what would be made unreadable or deleted, and, with `--apply`, doing it.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::args::PurgeArgs;
use super::context::Context;
use super::exit::Exit;
use super::output::grouped;
use crate::action::{self, LeftBecause, PurgeOrder, PurgePlan, Purged};
use crate::invocation::UnixMillis;
use crate::store::{ActionRecord, Address, Erasure, PurgeHow, RunLock, Store};

/// Characters of a time up to its day.
const DAY_CHARS: usize = 10;

/// Rows that take long enough for somebody to wonder.
const MANY_ROWS: i64 = 50_000;

pub(super) async fn purge(context: &mut Context, args: PurgeArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let lock = if args.apply { lock(context, &store)? } else { None };
    let imports = if args.apply { Some(store.import_lock().await?) } else { None };
    let now = store.now().await?;
    let how = if args.delete { PurgeHow::Delete } else { PurgeHow::Redact };
    let before = now.before(args.older_than);
    let plans = action::plan_purge(&store, how, before).await?;
    let actor = context.actor.clone();
    let order = PurgeOrder { before, how, reason: args.reason.as_deref(), actor: &actor };
    let purged = match imports {
        Some(imports) => {
            announce(context, &plans);
            Some(action::purge(&store, &plans, &order, imports, now).await?)
        }
        None => None,
    };
    let earlier = store.purges_of_deleted().await?;
    drop(lock);
    store.close().await;
    if context.out.is_json() {
        let mut object = json_of(&plans, purged.as_ref(), how, before);
        object["deletedBatches"] = earlier.iter().map(deleted_json).collect();
        context.out.data(&format!("{object}\n"));
    } else {
        context.out.outcome(&(text_of(&plans, purged.as_ref(), before) + &deleted_text(&earlier)));
    }
    if let Some(purged) = &purged {
        warn(context, &purged.erasure);
    }
    Ok(Exit::Complete)
}

/// Says how much is to be done, where it is much: what is typed again goes on with it.
fn announce(context: &mut Context, plans: &[PurgePlan]) {
    let rows: i64 = plans.iter().filter(|plan| plan.fate.is_ok()).map(|plan| plan.view.batch.rows).sum();
    if rows >= MANY_ROWS {
        let rows = grouped(rows);
        context.out.note(&format!("Purging {rows} rows; it may be interrupted, and goes on when it is typed again\n"));
    }
}

fn warn(context: &mut Context, erasure: &Erasure) {
    let (why, hint) = match erasure {
        Erasure::Done => return,
        Erasure::Left(why) => (why, "\nhint: type it again later"),
        Erasure::NotOurs(why) => (why, ""),
    };
    context.out.note(&format!("warning: old bytes may be left in the database's files: {why}{hint}\n"));
}

/// In a file nobody may send meanwhile: it is rewritten as a whole. On a server no batch is touched that a run may have.
fn lock(context: &Context, store: &Store) -> anyhow::Result<Option<RunLock>> {
    let who = format!("pid {} on {}, purging", std::process::id(), context.actor.host);
    match store.address() {
        Address::File(path) => Ok(Some(RunLock::acquire(path, &who)?)),
        Address::Postgres(_) => Ok(None),
    }
}

fn json_of(plans: &[PurgePlan], purged: Option<&Purged>, how: PurgeHow, before: UnixMillis) -> Value {
    let was = |plan: &PurgePlan| {
        purged.is_some_and(|purged| purged.batches.iter().any(|(name, _)| *name == plan.view.batch.name))
    };
    let batches: Vec<Value> = plans
        .iter()
        .map(|plan| {
            json!({
                "batch": plan.view.batch.name,
                "rows": plan.view.batch.rows,
                "lastChangeAt": plan.view.last_change.to_string(),
                "how": plan.fate.ok().map(PurgeHow::as_str),
                "leftBecause": plan.fate.err().map(reason_of),
                "purged": was(plan),
            })
        })
        .collect();
    let erased = purged.map(|purged| purged.erasure == Erasure::Done);
    json!({
        "how": how.as_str(),
        "before": before.to_string(),
        "applied": purged.is_some(),
        "erased": erased,
        "batches": batches,
        "exitCode": 0,
    })
}

fn text_of(plans: &[PurgePlan], purged: Option<&Purged>, before: UnixMillis) -> String {
    let mut text = String::new();
    let chosen: Vec<(&PurgePlan, PurgeHow)> =
        plans.iter().filter_map(|plan| plan.fate.ok().map(|how| (plan, how))).collect();
    if chosen.is_empty() {
        let _ = writeln!(text, "Nothing to purge: no batch with numbers was finished before {}", day(before));
    } else {
        let heading = if purged.is_some() { "what was done" } else { "what would be done" };
        let rows = chosen.iter().map(|(plan, how)| (*plan, done_by(*how).to_owned()));
        text.push_str(&table(["Batch", "rows", "last change", heading], rows));
    }
    let left: Vec<(&PurgePlan, String)> =
        plans.iter().filter_map(|plan| plan.fate.err().map(|because| (plan, reason_of(because)))).collect();
    if !left.is_empty() {
        text.push('\n');
        text.push_str(&table(["Left as it is", "rows", "last change", "because"], left.into_iter()));
    }
    text.push_str(&ending(&chosen, purged));
    text
}

/// What it means, and what comes next.
fn ending(chosen: &[(&PurgePlan, PurgeHow)], purged: Option<&Purged>) -> String {
    let mut text = String::new();
    if chosen.is_empty() {
        return text;
    }
    if chosen.iter().any(|(_, how)| *how == PurgeHow::Redact) {
        text.push_str(
            "\nUnreadable: numbers, variables, cells of refused rows, answers, and numbers in\n\
             texts. What stays: states, request IDs, times, attempts, who did what and a\n\
             hash of each body. A row that was sent is still known as already sent.\n\
             Who guesses a number and its text can tell by the hash that it was sent:\n\
             --delete leaves no hash either.\n",
        );
    }
    if chosen.iter().any(|(_, how)| *how == PurgeHow::Delete) {
        text.push_str(
            "\nDeleted: all of it but a note of who deleted it and when. The same file,\n\
             imported again, would be sent again.\n",
        );
    }
    match purged {
        None => text.push_str("\nNothing was changed. To do it, type it again with --apply\n"),
        Some(purged) => {
            for name in &purged.passed_over {
                let _ = writeln!(text, "batch `{name}` was left as it is: rows of it were put back meanwhile");
            }
            if purged.erasure == Erasure::Done {
                text.push_str("Nothing of it is left in the database; backups and server logs may have it.\n");
            }
        }
    }
    text
}

/// What was noted of a batch that is not there any more.
fn detail_of(action: &ActionRecord) -> Value {
    serde_json::from_str(&action.detail).unwrap_or_default()
}

fn deleted_json(action: &ActionRecord) -> Value {
    let detail = detail_of(action);
    json!({
        "batch": detail["batch"],
        "rows": detail["rows"],
        "states": detail["states"],
        "how": detail["how"],
        "at": action.at.to_string(),
        "who": action.actor.who,
        "host": action.actor.host,
        "reason": action.reason,
    })
}

fn deleted_text(earlier: &[ActionRecord]) -> String {
    let mut text = String::new();
    for action in earlier {
        let detail = detail_of(action);
        if detail["how"] == PurgeHow::Delete.as_str() {
            let (name, rows) =
                (detail["batch"].as_str().unwrap_or_default(), detail["rows"].as_i64().unwrap_or_default());
            let heading = if text.is_empty() { "\nDeleted for good\n" } else { "" };
            let _ = writeln!(
                text,
                "{heading}  {name}, {} rows, on {} by {}",
                grouped(rows),
                day(action.at),
                action.actor.who
            );
        }
    }
    text
}

fn table<'a>(header: [&str; 4], rows: impl Iterator<Item = (&'a PurgePlan, String)>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for (PurgePlan { view, .. }, last) in rows {
        table.add_row([view.batch.name.clone(), grouped(view.batch.rows), day(view.last_change), last]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n", table.trim_fmt())
}

fn done_by(how: PurgeHow) -> &'static str {
    match how {
        PurgeHow::Redact => "made unreadable",
        PurgeHow::Delete => "deleted",
    }
}

fn reason_of(because: LeftBecause) -> String {
    match because {
        LeftBecause::Open(pending, sending, unknown) => {
            let open = [(pending, "pending"), (sending, "sending"), (unknown, "unknown")];
            let told =
                open.iter().filter(|(rows, _)| *rows > 0).map(|(rows, state)| format!("{} {state}", grouped(*rows)));
            told.collect::<Vec<_>>().join(", ")
        }
        LeftBecause::InARun => "a run that has sent of it goes on".to_owned(),
        LeftBecause::Young => "it is too young".to_owned(),
        LeftBecause::Purged(at) => format!("purged on {}", day(at)),
    }
}

fn day(at: UnixMillis) -> String {
    at.to_string().chars().take(DAY_CHARS).collect()
}
