//! `show`: one row with all that is known of it.

use std::fmt::Write;

use anyhow::bail;
use serde_json::{Value, json};

use super::args::ShowArgs;
use super::context::{self, Context};
use super::exit::Exit;
use super::failure::Usage;
use crate::invocation::{Hold, SkipReason, State, mask_phone};
use crate::report;
use crate::store::{ActionRecord, AttemptView, Batch, Filter, InvocationView, RowAction};
use crate::validate;

pub(super) async fn show(context: &mut Context, args: ShowArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batch = context::batch(&store, &args.batch).await?;
    let at_line = Filter { lines: vec![args.line], ..Filter::default() };
    let Some(row) = store.page(batch.id, &at_line, args.line.saturating_sub(1), 1).await?.pop() else {
        bail!(Usage(format!(
            "batch `{}` has no row at line {}\nhint: a row has the number of its first line in the file, the header's counted",
            batch.name, args.line
        )));
    };
    let attempts = store.attempts(&[row.id]).await?;
    let acts = Acts { on_row: store.row_actions(row.id).await?, on_batch: store.batch_actions(batch.id).await? };
    if context.out.is_json() {
        let object = json_of(&batch, &row, &attempts, &acts, args.reveal);
        context.out.data(&format!("{object}\n"));
    } else {
        let text = text_of(&batch, &row, &attempts, &acts, args.reveal);
        context.out.data(&text);
    }
    store.close().await;
    Ok(Exit::Complete)
}

/// Why a pending row is not sent yet.
fn waits_for(batch: &Batch, row: &InvocationView) -> String {
    let (due, zone) = (row.due_at, row.time_zone.as_deref().or(batch.settings.schedule.time_zone.as_deref()));
    match (row.hold, batch.settings.schedule.window) {
        (None, _) if row.state == State::Pending && due.0 > 0 => format!("  due at {due}\n"),
        (None, _) => String::new(),
        (Some(Hold::TimeZone), _) => match zone {
            Some(zone) => format!("  held: `{zone}` is no time zone\n"),
            None => "  held: it names no time zone, and `--time-zone` none either\n".to_owned(),
        },
        (Some(Hold::Window), Some(window)) if batch.settings.schedule.not_before != Some(due) => {
            format!("  waits until {due}: the window is {window} in {}\n", zone.unwrap_or("its zone"))
        }
        (Some(Hold::Window), Some(_) | None) => {
            format!("  waits until {due}: nothing is sent earlier (`--not-before`)\n")
        }
    }
}

/// What operators did.
struct Acts {
    on_row: Vec<RowAction>,
    on_batch: Vec<ActionRecord>,
}

fn body_of(row: &InvocationView, reveal: bool) -> Option<String> {
    row.body.as_ref().map(|body| if reveal { body.clone() } else { report::masked_body(body) })
}

/// The hash of what was sent, of a purged row too.
fn hash_of(row: &InvocationView) -> Option<String> {
    row.body_sha256.clone().or_else(|| row.body.as_deref().map(validate::body_sha256))
}

fn cells_of(row: &InvocationView, reveal: bool) -> Vec<(String, String)> {
    let shown = |text: &str| if reveal { text.to_owned() } else { mask_phone(text) };
    row.cells
        .iter()
        .map(|cell| match cell.column.as_str() {
            "phoneNumber" => (cell.column.clone(), shown(&cell.text)),
            // A row that was shifted by a cell has its number elsewhere.
            _ => (cell.column.clone(), text_as_wanted(&cell.text, reveal)),
        })
        .collect()
}

/// A text of the file's or of the service's, which may repeat the number.
fn text_as_wanted(text: &str, reveal: bool) -> String {
    if reveal { text.to_owned() } else { validate::without_phones(text) }
}

fn json_of(batch: &Batch, row: &InvocationView, attempts: &[AttemptView], acts: &Acts, reveal: bool) -> Value {
    let requests: Vec<Value> = attempts
        .iter()
        .map(|attempt| {
            json!({
                "attempt": attempt.number,
                "outcome": attempt.outcome,
                "takenAt": attempt.taken_at.to_string(),
                "sentAt": attempt.sent_at.map(|at| at.to_string()),
                "finishedAt": attempt.finished_at.to_string(),
                "httpStatus": attempt.http_status,
                "code": attempt.code,
                "message": attempt.message,
                "requestId": attempt.request_id,
                "answer": text_as_wanted(&String::from_utf8_lossy(&attempt.answer), reveal),
                "late": attempt.is_late,
                "run": attempt.run,
                "who": attempt.who,
            })
        })
        .collect();
    let actions: Vec<Value> = acts
        .on_row
        .iter()
        .map(|RowAction { action, was, became }| {
            let mut object = act_json(action);
            object["as"] = word_of(action).into();
            object["was"] = was.as_str().into();
            object["became"] = became.as_str().into();
            object
        })
        .collect();
    let cells: Vec<Value> =
        cells_of(row, reveal).into_iter().map(|(column, text)| json!({ "column": column, "text": text })).collect();
    json!({
        "batch": batch.name,
        "line": row.line,
        "state": row.state.as_str(),
        "reason": row.reason.map(SkipReason::as_str),
        "message": row.message,
        "requestId": row.request_id,
        "dueAt": (row.due_at.0 > 0 && row.hold != Some(Hold::TimeZone)).then(|| row.due_at.to_string()),
        "hold": row.hold.map(Hold::as_str),
        "timeZone": row.time_zone,
        "possibleDuplicate": row.possible_duplicate,
        "textedTwice": report::is_texted_twice(row, attempts),
        "body": body_of(row, reveal),
        "bodySha256": hash_of(row),
        "purgedAt": row.purged_at.map(|at| at.to_string()),
        "cells": cells,
        "attempts": requests,
        "actions": actions,
        "batchActions": acts.on_batch.iter().map(act_json).collect::<Vec<Value>>(),
    })
}

fn act_json(action: &ActionRecord) -> Value {
    json!({
        "action": action.kind,
        "at": action.at.to_string(),
        "who": action.actor.who,
        "host": action.actor.host,
        "version": action.actor.version,
        "reason": action.reason,
    })
}

/// The verdict of a `resolve`.
fn word_of(action: &ActionRecord) -> Option<String> {
    let detail: Value = serde_json::from_str(&action.detail).ok()?;
    detail["as"].as_str().map(str::to_owned)
}

fn text_of(batch: &Batch, row: &InvocationView, attempts: &[AttemptView], acts: &Acts, reveal: bool) -> String {
    let mut text = format!("Batch {}, line {}: {}\n", batch.name, row.line, row.state);
    if let Some(message) = &row.message {
        let _ = writeln!(text, "  {message}");
    }
    text.push_str(&waits_for(batch, row));
    if let Some(request_id) = &row.request_id {
        let _ = writeln!(text, "  request ID {request_id}");
    }
    if report::is_texted_twice(row, attempts) {
        text.push_str("  texted twice: an earlier attempt was accepted too, which was known too late\n");
    } else if row.possible_duplicate {
        text.push_str(if row.state == State::Cancelled {
            "  it was given up as unknown: it may have texted the person\n"
        } else {
            "  an earlier attempt may have texted the person already\n"
        });
    }
    match (body_of(row, reveal), row.purged_at) {
        (Some(body), _) => {
            let _ = writeln!(text, "Request to {}, service {}\n  {body}", batch.endpoint, batch.service);
        }
        (None, Some(at)) => match hash_of(row) {
            Some(hash) => {
                let _ = writeln!(text, "Request to {}, service {}: purged at {at}", batch.endpoint, batch.service);
                let _ = writeln!(text, "  SHA-256 of its body\n  {hash}");
            }
            None => {
                let _ = writeln!(text, "Cells: purged at {at}");
            }
        },
        (None, None) => {
            text.push_str("Cells, as they came\n");
            for (column, cell) in cells_of(row, reveal) {
                let _ = writeln!(text, "  {column}: {}", cell.escape_debug());
            }
        }
    }
    if attempts.is_empty() {
        text.push_str("No attempts\n");
    }
    attempts.iter().for_each(|attempt| tell_attempt(&mut text, attempt));
    for RowAction { action, was, became } in &acts.on_row {
        let word = word_of(action).map(|word| format!(" as {word}")).unwrap_or_default();
        let _ = writeln!(text, "{}{word}: {was} → {became}, at {}", action.kind, action.at);
        tell_actor(&mut text, action);
    }
    let _ = writeln!(text, "Batch {}, from `{}`", batch.name, batch.source_name.escape_debug());
    for action in &acts.on_batch {
        let _ = writeln!(text, "{} at {}", action.kind, action.at);
        tell_actor(&mut text, action);
    }
    text
}

fn tell_attempt(text: &mut String, attempt: &AttemptView) {
    let known = attempt.finished_at;
    let when = match attempt.sent_at {
        Some(at) if attempt.is_judged => format!("left from {at} to {known}, or never"),
        Some(at) => format!("sent {at}, known {known}"),
        None => format!("not sent, known {known}"),
    };
    let _ = write!(text, "Attempt {}: {}\n  {when}\n", attempt.number, attempt.outcome);
    let _ = writeln!(text, "  in a run of {} on {}", attempt.who, attempt.run);
    if attempt.is_late {
        text.push_str("  late: this run was thought dead, and the row was unknown until it told\n");
    }
    if let Some(status) = attempt.http_status {
        let code = attempt.code.map(|code| format!(", code {code}")).unwrap_or_default();
        let id = attempt.request_id.as_ref().map(|id| format!(", request ID {id}")).unwrap_or_default();
        let _ = writeln!(text, "  HTTP {status}{code}{id}");
    }
    if let Some(message) = &attempt.message {
        let _ = writeln!(text, "  {message}");
    }
}

fn tell_actor(text: &mut String, ActionRecord { actor, reason, .. }: &ActionRecord) {
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let _ = writeln!(text, "  by {} on {}, mep-batch {}{reason}", actor.who, actor.host, actor.version);
}
