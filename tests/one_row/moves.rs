//! What must never be: the rules of the design, held against each transaction.

use mep_batch::invocation::State;

use super::process::Process;
use super::queue::Op;
use super::world::{Truth, Violation, World};

impl World {
    /// Holds a row that was just taken against the attempt before: `attempt`, of `run`.
    ///
    /// Where this holds at every taking, requests are never more than one, and one more for each answer that says to repeat
    /// and each word of the operator that asks for another: an attempt is written once at most.
    pub(crate) fn check_taking(&self, op: &Op, attempt: u32, run: Option<usize>) -> Result<(), Violation> {
        let may_be_sent = |process: &Process| Some(process.run) == run && process.may_send(attempt);
        let is_open = self.last == Truth::Written || self.processes.iter().flatten().any(may_be_sent);
        let is_ended = matches!(op, Op::Turn(turn) if self.queue.run(turn.run).is_ended);
        if is_ended {
            Err("a run that was ended takes a row")
        } else if self.queue.is_cancelled {
            Err("a row of a cancelled batch is taken")
        } else if attempt > 0 && is_open && !self.is_asked_for {
            Err("a row is taken again whose last request is, or may yet be, on the wire unasked")
        } else {
            Ok(())
        }
    }
}

/// Who may move a row out of which state: the rule of the design.
pub(crate) fn check_move(was: State, attempt: u32, run: Option<usize>, op: &Op) -> Result<(), Violation> {
    let is_its_outcome = match op {
        Op::Turn(turn) => {
            Some(turn.run) == run && turn.outcomes.iter().flatten().any(|(ticket, _)| ticket.attempt == attempt)
        }
        Op::Start(_) | Op::Judge(_) | Op::End(_) | Op::Resolve(..) | Op::Retry | Op::Cancel | Op::CancelPending => {
            false
        }
    };
    match was {
        State::Pending => Ok(()),
        State::Sending if is_its_outcome || matches!(op, Op::Judge(judged) if Some(*judged) == run) => Ok(()),
        State::Sending => Err("a row leaves `sending` by what is not its own attempt's outcome"),
        State::Unknown if is_its_outcome || matches!(op, Op::Resolve(looked, _) if *looked == attempt) => Ok(()),
        State::Unknown => Err("a row leaves `unknown`, and neither by an operator's word on it nor by its own outcome"),
        State::Rejected | State::Failed | State::Skipped if matches!(op, Op::Retry) => Ok(()),
        State::Rejected | State::Failed | State::Skipped | State::Accepted | State::Cancelled => {
            Err("a final state changes unasked")
        }
    }
}
