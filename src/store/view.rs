//! What is asked for, and what comes back: rows, attempts, open questions, what is waited for.

use crate::invocation::{Cell, Hold, InvocationId, NoAnswer, SkipReason, State, UnixMillis};

/// Which rows of a batch are wanted; what is `None` or empty does not narrow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<State>,
    /// With this code.
    pub code: Option<u32>,
    /// At one of these lines.
    pub lines: Vec<u32>,
    /// To this number, digits only.
    pub phone: Option<u64>,
    /// With this request ID.
    pub request_id: Option<String>,
    /// Skipped, or rejected, for this reason.
    pub reason: Option<SkipReason>,
}

/// A row as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct InvocationView {
    /// Its identity.
    pub id: InvocationId,
    /// Its line in the file.
    pub line: u32,
    /// Its state.
    pub state: State,
    /// When it is due; 0: at once.
    pub due_at: UnixMillis,
    /// Why it was put off until then, but for a retry.
    pub hold: Option<Hold>,
    /// The number of the last attempt; 0: none yet.
    pub attempt: u32,
    /// Whether an earlier attempt may have texted the person before the last did.
    pub possible_duplicate: bool,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// The last answer's code, or this tool's.
    pub code: Option<u32>,
    /// What was said.
    pub message: Option<String>,
    /// Who refused it.
    pub refused_by: Option<String>,
    /// The service's name for the request.
    pub request_id: Option<String>,
    /// Why it was skipped, or that another row is the cause of its refusal.
    pub reason: Option<SkipReason>,
    /// When the last request left.
    pub sent_at: Option<UnixMillis>,
    /// When the outcome was known.
    pub finished_at: Option<UnixMillis>,
    /// The request's body; `None` for a row that this tool refused.
    pub body: Option<String>,
    /// The number that it is sent to; `None` for a row that this tool refused.
    pub phone: Option<u64>,
    /// The recipient's time zone.
    pub time_zone: Option<String>,
    /// A refused row's cells.
    pub cells: Vec<Cell>,
    /// When all of that was made unreadable.
    pub purged_at: Option<UnixMillis>,
    /// SHA-256, in hex, of the body that was.
    pub body_sha256: Option<String>,
}

/// One attempt of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptView {
    /// The row.
    pub row: InvocationId,
    /// Its number.
    pub number: u32,
    /// When its row was taken.
    pub taken_at: UnixMillis,
    /// When its request was started.
    pub sent_at: Option<UnixMillis>,
    /// When its outcome was known.
    pub finished_at: UnixMillis,
    /// What came of it.
    pub outcome: String,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// The answer's code.
    pub code: Option<u32>,
    /// What was said.
    pub message: Option<String>,
    /// The service's name for the request.
    pub request_id: Option<String>,
    /// The start of the answer's body.
    pub answer: Vec<u8>,
    /// Whether its run was thought dead before this was known: meanwhile the row was unknown.
    pub is_late: bool,
    /// Whether others have written it down for a run that could not tell: the request left between the row's taking and that
    /// moment, or never.
    pub is_judged: bool,
    /// The machine and process that made it.
    pub run: String,
    /// Who started that process.
    pub who: String,
}

/// An unknown row, with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownView {
    /// Its identity.
    pub id: InvocationId,
    /// The attempt that left it unknown.
    pub attempt: u32,
    /// When that attempt was last possibly on the wire.
    pub last_on_wire: UnixMillis,
    /// When its request left, as far as that is known.
    pub sent_at: Option<UnixMillis>,
    /// Whether its run died: then the request left after that moment, or not at all.
    pub is_judged: bool,
    /// Why it is unknown.
    pub message: String,
    /// The answer's status, where one came.
    pub http_status: Option<u16>,
    /// The service's name for the request, where one came.
    pub request_id: Option<String>,
    /// The recipient.
    pub phone: u64,
}

impl UnknownView {
    /// Whether what was sent is not known because the database has lost it.
    #[must_use]
    pub fn is_of_a_lost_turn(&self) -> bool {
        self.message == NoAnswer::RolledBack.to_string()
    }
}

/// Rows that wait for a later moment, for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Why they were put off; `None`: for a retry.
    pub hold: Option<Hold>,
    /// How many.
    pub rows: i64,
    /// When the first is due.
    pub next_due_at: UnixMillis,
    /// When the last is due.
    pub last_due_at: UnixMillis,
}

/// The first pending row of a batch that becomes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextDue {
    /// When it does; 0: at once.
    pub at: UnixMillis,
    /// Why it was put off until then, but for a retry.
    pub hold: Option<Hold>,
}
