//! The warning before somebody may be texted twice, and the question where there is somebody to ask.

use std::io::IsTerminal;

use super::context::Context;
use super::output::{self, counted, grouped};
use crate::invocation::Verdict;
use crate::store::{Batch, Decision};

/// Says how many rows would be sent again that may have been accepted; whether that is meant. On a terminal the number is
/// typed; in a script the flags are the answer.
pub(super) fn is_meant(
    context: &mut Context,
    batch: &Batch,
    decisions: &[Decision],
    yes: bool,
) -> anyhow::Result<bool> {
    let rows = decisions.iter().filter(|decision| decision.word.verdict == Verdict::Resend).count() as u64;
    // Nothing of a cancelled batch is sent again.
    if rows == 0 || batch.cancelled_at.is_some() {
        return Ok(true);
    }
    let warning = format!(
        "warning: `resend` sends {} again that may have been accepted:\nit may text somebody twice\n",
        counted(rows, "row")
    );
    if yes || !std::io::stdin().is_terminal() {
        context.out.note(&warning);
        return Ok(true);
    }
    let question = format!("{warning}Type the number of rows to go on ({}): ", grouped(rows.cast_signed()));
    let typed = output::ask(&question)?;
    let is_meant = typed.replace(',', "").parse() == Ok(rows);
    if !is_meant {
        output::stderr(&format!("`{typed}` is not {rows}; nothing was decided\n"));
    }
    Ok(is_meant)
}
