//! The list of unknown rows: what is known of each, what to ask, and how to decide.

use std::fmt::Write;

use serde_json::{Value, json};

use super::context::Context;
use super::output::counted;
use super::{support_text, typed};
use crate::action;
use crate::invocation::{UnixMillis, mask_phone};
use crate::store::{Batch, UnknownView};

/// Rows that are listed where nobody asks for more: some screens of them.
const LISTED_MAX: usize = 50;

/// How much is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The first, where there are many.
    Screen,
    /// All.
    All,
}

pub(super) fn list(
    context: &mut Context,
    batch: &Batch,
    rows: &[UnknownView],
    now: UnixMillis,
    extent: Extent,
    reveal: bool,
) {
    if context.out.is_json() {
        let lines: String = rows.iter().map(|row| format!("{}\n", json_of(batch, row, reveal))).collect();
        context.out.data(&lines);
        return;
    }
    if rows.is_empty() {
        context.out.data(&format!("batch `{}` has no unknown rows\n", batch.name));
        return;
    }
    let listed = match extent {
        Extent::Screen => &rows[..rows.len().min(LISTED_MAX)],
        Extent::All => rows,
    };
    let mut text = rows_text(batch, rows.len(), listed, now, reveal);
    text.push_str(&support_text::text(batch, listed, rows.len() - listed.len(), reveal));
    text.push_str(&how_to_decide(batch, listed, reveal));
    context.out.data(&typed::whole(&text));
}

/// The row's number as it may be shown.
pub(super) fn phone(row: &UnknownView, reveal: bool) -> String {
    let number = row.phone.to_string();
    if reveal { number } else { mask_phone(&number) }
}

fn json_of(batch: &Batch, row: &UnknownView, reveal: bool) -> Value {
    json!({
        "batch": batch.name,
        "line": row.id.line(),
        "phoneNumber": phone(row, reveal),
        "attempt": row.attempt,
        "sentAt": row.sent_at.map(|at| at.to_string()),
        "lastOnWireAt": row.last_on_wire.to_string(),
        "mayBeSentFrom": action::rested_at(row).to_string(),
        "runDied": row.is_judged,
        "httpStatus": row.http_status,
        "requestId": row.request_id,
        "message": row.message,
    })
}

fn rows_text(batch: &Batch, all: usize, listed: &[UnknownView], now: UnixMillis, reveal: bool) -> String {
    let name = &batch.name;
    let mut text = format!("{} of batch `{name}` may or may not have been accepted:\n", counted(all as u64, "row"));
    for row in listed {
        let status = row.http_status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
        let id = row.request_id.as_ref().map(|id| format!(", request ID {id}")).unwrap_or_default();
        let until = row.last_on_wire;
        let left = match row.sent_at {
            Some(at) if row.is_judged => format!("left from {at} to {until}, or never"),
            Some(at) => format!("left {at}, on the wire until {until}"),
            None => format!("left before {until}"),
        };
        let rested = action::rested_at(row);
        let rest = if rested > now { format!(" from {rested}") } else { ": its 15 minutes are over".to_owned() };
        let (line, phone, why) = (row.id.line(), phone(row, reveal), &row.message);
        let _ =
            write!(text, "  line {line}: {phone}{status}{id}\n    {why}\n    {left}\n    may be sent again{rest}\n");
    }
    if all > listed.len() {
        let _ = writeln!(
            text,
            "  and {} more: `mep-batch resolve {name} --all` lists all",
            counted((all - listed.len()) as u64, "row")
        );
    }
    text
}

fn how_to_decide(batch: &Batch, listed: &[UnknownView], reveal: bool) -> String {
    let (name, line) = (&batch.name, listed.first().map_or(0, |row| row.id.line()));
    let hint = if reveal { "" } else { "hint: `--reveal` puts phone numbers in full into it\n" };
    let cancelled = match batch.cancelled_at {
        Some(_) => "The batch is cancelled: `not-sent` and `resend` cancel the row and send nothing.\n",
        None => "",
    };
    format!(
        "{hint}Then say for each, or for `--all`, what is true:\n\
         \x20 it was accepted            --as accepted\n\
         \x20 it was not: send it        --as not-sent\n\
         \x20 send it again in any case  --as resend (may text somebody twice)\n\
         \x20 leave it                   --as abandoned\n\
         {cancelled}\
         as in: mep-batch resolve {name} --line {line} --as accepted --reason 'case 4711'\n\
         Or in a sheet: mep-batch export {name} --state unknown -o unknown.csv,\n\
         add a column `as`, and mep-batch resolve {name} --from unknown.csv\n"
    )
}
