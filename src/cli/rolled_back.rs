//! A database that is older than what was sent from it: nothing is sent, all commands say so, and `resolve --rolled-back` makes
//! unknown what may have been sent in what it has lost.

use std::fmt::Write;

use serde_json::{Value, json};

use super::args::ResolveArgs;
use super::context::Context;
use super::exit::Exit;
use super::failure::Usage;
use super::output::{counted, grouped};
use super::silent_runs;
use crate::import::FileFault;
use crate::invocation::UnixMillis;
use crate::report::{self, Lacks};
use crate::store::{InDoubt, NotedBatch, Notes, Rollback, Store, WhyAll};

/// Why, where the operator does not say.
const REASON: &str = "the database is older than what was sent from it";

/// The notes of what is sent, if they can be written: else it is said once that nobody notes it. Ends the command where the
/// database lacks what was noted before.
pub(super) async fn notes_of(context: &mut Context, store: &Store) -> anyhow::Result<Option<Notes>> {
    let notes = notes(context, store).await?;
    refuse(store, notes.as_ref()).await?;
    let why = match &notes {
        Some(notes) => match notes.prepare() {
            Ok(()) => return Ok(Some(notes.clone())),
            Err(error) => format!("`{}`: {error}", notes.folder().display()),
        },
        None => "neither XDG_STATE_HOME nor HOME is set".to_owned(),
    };
    context.out.note(&format!(
        "warning: what is sent cannot be noted, so that a backup that is put back would not be known as one: {why}\n\
         hint: XDG_STATE_HOME names a folder of this user's\n"
    ));
    Ok(None)
}

/// Ends the command where the database lacks what was noted.
pub(super) async fn refuse(store: &Store, notes: Option<&Notes>) -> anyhow::Result<()> {
    if let Some(notes) = notes {
        store.refuse_rolled_back(notes).await?;
    }
    Ok(())
}

/// Likewise for an import: what was told to whom is not in the database, so that it would be told to them once more.
pub(super) async fn refuse_import(context: &Context, store: &Store) -> anyhow::Result<()> {
    refuse(store, notes(context, store).await?.as_ref()).await
}

/// Says that the database lacks what was noted; what it lacks, or why that is not known, for who shows its figures.
pub(super) async fn tell(context: &mut Context, store: &Store) -> anyhow::Result<Option<Lacks>> {
    let Some(notes) = notes(context, store).await? else { return Ok(None) };
    let lacks = report::lacks(store, &notes).await?;
    if let Some(lacks) = &lacks {
        context.out.note(&format!("warning: {}\nhint: {}\n", lacks.why, lacks.hint));
    }
    Ok(lacks)
}

/// The batch of that content of which it is known that this database has lost it.
pub(super) async fn lost_batch(context: &Context, store: &Store, sha256: &str) -> anyhow::Result<Option<NotedBatch>> {
    match notes(context, store).await? {
        Some(notes) => Ok(store.lost_batch(&notes, sha256)?),
        None => Ok(None),
    }
}

/// Why a file is not imported that was a batch which the database has lost.
pub(super) fn fault(lost: &NotedBatch) -> FileFault {
    FileFault::new(
        format!(
            "it was batch `{}`, which this database has lost since (a backup was put back): {}",
            lost.name,
            may_have_been_sent(lost)
        ),
        "ask the vendor which rows it got, take those out, and import what is left; `--again` imports all, and those people are \
         texted once more"
            .to_owned(),
    )
}

/// Which rows of a lost batch may have been sent: not all that were taken were.
fn may_have_been_sent(lost: &NotedBatch) -> String {
    match lost.last_line() {
        Some(line) => format!("no row behind line {line} of its file was sent; those up to it may have been"),
        None => "any row of its file may have been sent".to_owned(),
    }
}

/// Says what may have been sent, and with `--apply` makes it unknown.
pub(super) async fn resolve(context: &mut Context, store: &Store, args: &ResolveArgs) -> anyhow::Result<Exit> {
    let Some(notes) = notes(context, store).await? else {
        return Err(
            Usage("neither XDG_STATE_HOME nor HOME is set, so there are no notes of what was sent".to_owned()).into()
        );
    };
    // Held until the end: nobody may begin meanwhile.
    let mut _lock = None;
    if args.apply {
        let who = format!("pid {} on {}, resolving", std::process::id(), context.actor.host);
        _lock = store.admit_run(&who, true).await?;
        if store.is_shared() {
            silent_runs::judge_all(context, store).await?;
            store.refuse_beside_a_run().await?;
        } else {
            store.settle_dead_runs(UnixMillis::now()).await?;
        }
    }
    let Some(rollback) = store.rollback(&notes).await? else {
        return Ok(tell_nothing_missing(context, &notes));
    };
    if let (true, Some(folder)) = (args.apply, &context.state_folder) {
        let reason = args.reason.as_deref().unwrap_or(REASON);
        store.resolve_rollback(&notes, folder, &rollback, &context.actor, reason).await?;
    }
    if context.out.is_json() {
        context.out.data(&format!("{}\n", json_of(&rollback, args.apply)));
    } else {
        context.out.outcome(&text_of(&rollback, args.apply));
    }
    Ok(Exit::Complete)
}

/// The notes that this user has about the database, wherever they are kept.
pub(super) async fn notes(context: &Context, store: &Store) -> anyhow::Result<Option<Notes>> {
    match &context.state_folder {
        Some(folder) => Ok(Some(store.notes(folder).await?)),
        None => Ok(None),
    }
}

fn tell_nothing_missing(context: &mut Context, notes: &Notes) -> Exit {
    if context.out.is_json() {
        let object = json!({ "missingTurns": 0, "atLeast": false, "applied": false, "batches": [], "lostBatches": [], "exitCode": 0 });
        context.out.data(&format!("{object}\n"));
    } else {
        context.out.outcome(&format!(
            "nothing is missing: the database is as far as noted in `{}`\n\
             hint: notes are of one user on one machine; where there are none, `mep-batch pause` every batch before you send\n",
            notes.folder().display()
        ));
    }
    Exit::Complete
}

fn json_of(rollback: &Rollback, applied: bool) -> Value {
    let batch = |doubtful: &InDoubt| json!({ "batch": doubtful.batch.name, "rows": doubtful.rows, "upToLine": doubtful.up_to, "left": doubtful.left });
    let lost = |lost: &NotedBatch| json!({ "batch": lost.name, "sha256": lost.sha256, "upToLine": lost.last_line() });
    json!({
        "missingTurns": rollback.missing.turns,
        "atLeast": rollback.missing.at_least,
        "applied": applied,
        "batches": rollback.batches.iter().map(batch).collect::<Vec<_>>(),
        "lostBatches": rollback.lost.iter().map(lost).collect::<Vec<_>>(),
        "exitCode": 0,
    })
}

fn text_of(rollback: &Rollback, applied: bool) -> String {
    let mut text = format!("This database is older than what was sent from it: {}.\n", rollback.missing);
    text.push_str(match rollback.why_all {
        Some(WhyAll::Shared) => {
            "Other machines may have sent from it too, which have notes of their own: every pending row may have been sent.\n"
        }
        Some(WhyAll::NotAllNoted) => {
            "Not all that was sent is noted here (another user sent, or a power cut or a full disk came between): every pending row may have been sent.\n"
        }
        None => "",
    });
    let become_unknown = if applied { "unknown now" } else { "to become unknown" };
    for InDoubt { batch, up_to, rows, left } in &rollback.batches {
        let (rows, name) = (counted(rows.unsigned_abs(), "row"), &batch.name);
        let up_to = up_to.map(|line| format!(", up to line {line}")).unwrap_or_default();
        let left = if *left > 0 { format!("; {} behind stay pending", grouped(*left)) } else { String::new() };
        let _ = writeln!(text, "  batch {name}: {rows} {become_unknown}{up_to}{left}");
    }
    if rollback.batches.is_empty() {
        text.push_str("No pending row of it may have been sent.\n");
    }
    for lost in &rollback.lost {
        let (name, which) = (&lost.name, may_have_been_sent(lost));
        let _ = writeln!(
            text,
            "  batch {name} is lost, with its import: {which}. Ask the vendor which it got, and do not import it as it is"
        );
    }
    if !rollback.left_out.is_empty() {
        let names: Vec<&str> = rollback.left_out.iter().map(|lost| lost.name.as_str()).collect();
        let _ = writeln!(
            text,
            "There is no room to note that all of these are lost; nothing stops the import of: {}",
            names.join(", ")
        );
    }
    if rollback.why_all.is_none() {
        text.push_str(
            "This is what this user has noted on this machine: if anybody else may have sent since, `mep-batch pause` every batch \
             first.\n",
        );
    }
    text.push_str(
        "What operators said since (pauses, cancellations, settings, suppressions) is lost too: say it again, but no `retry` and no \
         `resolve`: what they put back may have been sent.\n",
    );
    text.push_str(&next(rollback, applied));
    text
}

/// What to type next.
fn next(rollback: &Rollback, applied: bool) -> String {
    if !applied {
        return "Nothing was changed.\nNext: mep-batch resolve --rolled-back --apply\n".to_owned();
    }
    let commands: Vec<String> =
        rollback.batches.iter().map(|doubtful| format!("mep-batch resolve {}", doubtful.batch.name)).collect();
    if commands.is_empty() {
        return "Next: mep-batch run\n".to_owned();
    }
    format!("Next, once you know what the vendor got: {}; then mep-batch run\n", commands.join(", "))
}
