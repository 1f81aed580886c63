//! What is told of decisions: what they lead to, and what comes next.

use std::fmt::Write;

use super::output::{counted, grouped};
use crate::invocation::{State, UnixMillis, Verdict};
use crate::store::{Batch, Decided, Decision};

/// What was decided, of so many rows that were unknown, and the next command.
pub(super) fn decided(batch: &Batch, decisions: &[Decision], decided: &Decided, unknown: usize) -> String {
    let name = &batch.name;
    let mut text = match decided.rows {
        0 => format!("nothing to decide in batch `{name}`\n"),
        rows => format!("{} of batch `{name}` decided\n", counted(rows, "row")),
    };
    text.push_str(&table(decisions, decided.cancelled_at));
    let left = (unknown as u64).saturating_sub(decided.rows);
    let sends = decisions.iter().any(|decision| leads_to(decision, decided.cancelled_at) == State::Pending);
    if left > 0 {
        let _ = writeln!(text, "{} still unknown", counted(left, "row"));
    }
    let next = match (sends, left) {
        (true, 0) => format!("mep-batch run {name}"),
        (true, _) => format!("mep-batch run {name}\n      mep-batch resolve {name}"),
        (false, 0) => format!("mep-batch status {name}"),
        (false, _) => format!("mep-batch resolve {name}"),
    };
    let _ = writeln!(text, "Next: {next}");
    text
}

/// A line a verdict: how many rows, and what becomes of them.
pub(super) fn table(decisions: &[Decision], cancelled_at: Option<UnixMillis>) -> String {
    let mut text = String::new();
    for (verdict, rows) in counts(decisions).into_iter().filter(|(_, rows)| *rows > 0) {
        let _ = writeln!(text, "  {verdict:<9} {:>8}  {}", grouped(rows.cast_signed()), meaning(verdict, cancelled_at));
    }
    text
}

/// How many rows each verdict has.
pub(super) fn counts(decisions: &[Decision]) -> [(Verdict, u64); Verdict::ALL.len()] {
    let count = |verdict| decisions.iter().filter(|decision| decision.word.verdict == verdict).count() as u64;
    Verdict::ALL.map(|verdict| (verdict, count(verdict)))
}

fn leads_to(decision: &Decision, cancelled_at: Option<UnixMillis>) -> State {
    decision.word.verdict.state_in(cancelled_at)
}

fn meaning(verdict: Verdict, cancelled_at: Option<UnixMillis>) -> &'static str {
    match (verdict, cancelled_at) {
        (Verdict::Accepted, _) => "accepted",
        (Verdict::Abandoned, _) => "cancelled: never sent again",
        (Verdict::NotSent | Verdict::Resend, Some(_)) => "cancelled, not pending: the batch is cancelled",
        (Verdict::NotSent, None) => "pending: the next run sends them",
        (Verdict::Resend, None) => "pending: may text somebody twice, and counted so",
    }
}
