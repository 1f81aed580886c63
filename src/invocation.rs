//! The vocabulary: what an invocation is, the states it goes through, and what can come of an attempt.
//!
//! No I/O and no clock: times come in as [`UnixMillis`]. The rules of time zones alone are looked up, in the system's
//! database or the one that is built in.

mod about;
mod attempt;
mod counted;
mod findings;
mod fingerprint;
mod imported;
mod phone;
mod phone_rules;
mod phone_table;
mod results;
mod schedule;
mod settings;
mod skip;
mod state;
mod steering;
mod suppressed;
mod time;
mod verdict;
mod window;

pub use about::about;
pub use attempt::{
    Answer, Attempt, Effect, Finding, GivenBack, NoAnswer, Outcome, RefusedBy, Settlement, Taken, UnknownOutcome,
};
pub use counted::{counted, grouped};
pub use findings::Findings;
pub use fingerprint::Fingerprint;
pub use imported::{Cell, ImportedRow, RowContent};
pub use phone::{mask_phone, shown_ends};
pub use phone_rules::{
    CallingCode, National, NationalLength, NoCallingCode, NoNationalLength, PhoneRules, calling_code,
};
pub use phone_table::{PhoneLength, PhoneTable};
pub use results::RESULT_COLUMNS;
pub use schedule::{HELD_UNTIL, Hold, Leave, Schedule, time_zone};
pub use settings::{Expressions, Settings};
pub use skip::{SkipReason, already_sent};
pub use state::{Counts, State, UnknownState};
pub use steering::is_steering;
pub use suppressed::Suppressed;
pub use time::UnixMillis;
pub use verdict::{FiledWord, UnknownVerdict, Verdict, Word};
pub use window::Window;

/// Identifies an invocation: the batch's number and the row's line, so that a row is found without an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvocationId(pub i64);

/// Bits of an [`InvocationId`] that hold the line.
const LINE_BITS: u32 = 32;

impl InvocationId {
    /// The invocation of a batch at a line.
    #[must_use]
    pub fn new(batch: BatchId, line: u32) -> Self {
        InvocationId((batch.0 << LINE_BITS) | i64::from(line))
    }

    /// The batch that it belongs to.
    #[must_use]
    pub fn batch(self) -> BatchId {
        BatchId(self.0 >> LINE_BITS)
    }

    /// Its line in the file, or its place in a JSON array; from 1.
    #[must_use]
    pub fn line(self) -> u32 {
        u32::try_from(self.0 & i64::from(u32::MAX)).unwrap_or(u32::MAX)
    }
}

/// Identifies a batch in its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(pub i64);

impl BatchId {
    /// The numbers between which its rows' lie, neither of them a row's.
    #[must_use]
    pub fn row_bounds(self) -> (i64, i64) {
        (InvocationId::new(self, 0).0, InvocationId::new(BatchId(self.0 + 1), 0).0)
    }
}

/// Identifies a run in its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub i64);

/// The longest batch name, in characters.
pub const BATCH_NAME_LENGTH_MAX: usize = 64;

/// Whether a batch name may hold the character.
#[must_use]
pub fn is_batch_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_id_gives_back_its_batch_and_line() {
        for (batch, line) in [(1, 1), (7, u32::MAX), (i64::from(i32::MAX), 200_001)] {
            let id = InvocationId::new(BatchId(batch), line);
            assert_eq!((id.batch(), id.line()), (BatchId(batch), line));
        }
    }
}
