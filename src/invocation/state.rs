//! The states of an invocation, and counts by state.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where an invocation stands. Every change is a compare-and-set on the old state, the run and the attempt number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// To be sent once its due time has come, a retry included. A run takes it.
    Pending,
    /// An attempt is committed and may be on the wire. Its outcome moves it out; it is given back; or its run is
    /// proved dead and it becomes unknown.
    Sending,
    /// The service answered 202, or an operator says that it did. Final.
    Accepted,
    /// Refused as invalid, by this tool or by the service. An operator's `retry` moves it out.
    Rejected,
    /// A permanent error, or its retry time ran out. An operator's `retry` moves it out.
    Failed,
    /// May or may not have been accepted. An operator's `resolve` moves it out, or the late outcome of the same attempt.
    Unknown,
    /// Never to be sent, with the reason. An operator's `retry` moves it out.
    Skipped,
    /// Withdrawn by an operator, or abandoned after being unknown. Final.
    Cancelled,
}

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state; expected one of pending, sending, accepted, rejected, failed, unknown, skipped, cancelled")]
pub struct UnknownState(String);

impl State {
    /// Every state, in the order in which they are shown.
    pub const ALL: [State; 8] = [
        State::Pending,
        State::Sending,
        State::Accepted,
        State::Rejected,
        State::Failed,
        State::Unknown,
        State::Skipped,
        State::Cancelled,
    ];

    /// The word for it in the database, in flags and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Sending => "sending",
            State::Accepted => "accepted",
            State::Rejected => "rejected",
            State::Failed => "failed",
            State::Unknown => "unknown",
            State::Skipped => "skipped",
            State::Cancelled => "cancelled",
        }
    }

    /// What a row of this state is, in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            State::Pending => "to be sent once it is due; also while it waits for a retry or its hours",
            State::Sending => "stored, and may be on the wire",
            State::Accepted => "202 with a request ID, or an operator's word for it",
            State::Rejected => "refused as invalid, by this tool or by the service",
            State::Failed => "a permanent error, or its retry time ran out",
            State::Unknown => "may or may not have been accepted",
            State::Skipped => "never to be sent: a duplicate, already sent, suppressed, or expired",
            State::Cancelled => "withdrawn, or abandoned after it was unknown",
        }
    }

    /// What moves a row out of it, as Markdown.
    #[must_use]
    pub fn way_out(self) -> &'static str {
        match self {
            State::Pending => "a run takes it",
            State::Sending => "its outcome, or the proof that its run is dead",
            State::Accepted => "final",
            State::Rejected => "`retry`",
            State::Failed => "`retry`",
            State::Unknown => "`resolve`, or the late outcome of the same attempt",
            State::Skipped => "`retry`; suppressed: never",
            State::Cancelled => "final",
        }
    }

    /// Where a row of this state goes when its last attempt turns out to have led to `outcome` after its run had been
    /// thought dead; `None` where it stays as it is.
    #[must_use]
    pub fn after_late(self, outcome: State) -> Option<State> {
        match (self, outcome) {
            // What nobody could know is known now.
            (State::Unknown, State::Sending | State::Cancelled) => None,
            (State::Unknown, known) => Some(known),
            // An operator has put it back to be sent, which it need not be any more.
            (State::Pending, State::Accepted | State::Rejected | State::Failed | State::Skipped) => Some(outcome),
            (State::Pending, State::Pending | State::Sending | State::Unknown | State::Cancelled) => None,
            // An operator's word stands, beside the attempt that tells what was so.
            (State::Sending | State::Accepted | State::Rejected | State::Failed, _) => None,
            (State::Skipped | State::Cancelled, _) => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        State::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// How many rows are in each state; also the change of those figures, where a figure may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([i64; State::ALL.len()]);

impl Counts {
    /// All rows of all states.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Notes that one row went from one state to another.
    pub fn moved(&mut self, from: State, to: State) {
        self[from] -= 1;
        self[to] += 1;
    }

    /// Each state with its figure, in the order of [`State::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (State, i64)> + '_ {
        State::ALL.into_iter().zip(self.0)
    }
}

/// A map from each state's word to its figure; all eight, in the order of [`State::ALL`].
impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(state, count)| (state.as_str(), count)))
    }
}

impl Index<State> for Counts {
    type Output = i64;

    fn index(&self, state: State) -> &i64 {
        &self.0[state as usize]
    }
}

impl IndexMut<State> for Counts {
    fn index_mut(&mut self, state: State) -> &mut i64 {
        &mut self.0[state as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_states_word_reads_back_as_the_state() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("Pending".parse::<State>().is_err());
    }

    #[test]
    fn a_late_outcome_leads_out_of_unknown_and_spares_a_second_request_and_overrules_nobody() {
        use State::{Accepted, Cancelled, Failed, Pending, Rejected, Sending, Skipped, Unknown};
        for known in [Pending, Accepted, Rejected, Failed, Unknown, Skipped] {
            assert_eq!(Unknown.after_late(known), Some(known));
        }
        for done in [Accepted, Rejected, Failed, Skipped] {
            assert_eq!(Pending.after_late(done), Some(done), "put back by an operator, and done already");
        }
        for open in [Pending, Unknown] {
            assert_eq!(Pending.after_late(open), None, "the operator's word stands");
        }
        for was in [Sending, Accepted, Rejected, Failed, Skipped, Cancelled] {
            assert!(State::ALL.into_iter().all(|outcome| was.after_late(outcome).is_none()), "{was}");
        }
    }

    #[test]
    fn a_move_changes_no_total() {
        let mut counts = Counts::default();
        counts[State::Pending] = 3;
        counts.moved(State::Pending, State::Sending);
        assert_eq!((counts[State::Pending], counts[State::Sending], counts.total()), (2, 1, 3));
    }
}
