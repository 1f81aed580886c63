//! An attempt: the row that a run has taken, what the client saw, what that means, and what is stored of it.
//!
//! The path is [`Taken`] → [`Finding`] (facts) → [`Outcome`] (the verdict) → [`Settlement`] (what the turn writes).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{InvocationId, SkipReason, State, UnixMillis};

/// A row that a confirmed, durable commit has moved to `sending`: the only leave to send there is.
///
/// Not `Clone`: sending consumes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken {
    /// The attempt that it was taken for.
    pub attempt: Attempt,
    /// The request's body, as stored at import.
    pub body: String,
    /// The zone that the row names for its recipient; read only where the batch's schedule asks for it.
    pub time_zone: Option<String>,
}

/// One attempt of a row, and what its retries are computed from. No leave to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The row.
    pub id: InvocationId,
    /// The number of this attempt; from 1.
    pub number: u32,
    /// Attempts since the first or since the last operator's action that count for the backoff, without this one.
    pub tries: u32,
    /// When the retries end; `None` before the first retry.
    pub retry_until: Option<UnixMillis>,
    /// Whether an earlier attempt may have texted the person already.
    pub possible_duplicate: bool,
    /// When the row was taken.
    pub taken_at: UnixMillis,
}

/// What the client saw of one attempt. No verdict: that is [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The complete head of an answer came.
    Answered(Answer),
    /// No connection, so nothing was written: the text says why.
    Unreached(String),
    /// The request may have been written, and no readable answer came.
    Unanswered(NoAnswer),
    /// Nothing was written, on purpose.
    GivenBack(GivenBack),
    /// The check right before sending refused the body: the text says why. Nothing was written.
    Refused(String),
    /// Nothing is wrong with the row, and it is not sent all the same. Nothing was written.
    Skipped(SkipReason),
}

/// An answer whose head came whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// OpenMarket's code, where the body came whole and has one.
    pub code: Option<u32>,
    /// The body's error text, likewise.
    pub message: Option<String>,
    /// `X-Request-Id`, where it is not empty; it may come on errors too.
    pub request_id: Option<String>,
    /// `Retry-After`, as it came.
    pub retry_after: Option<String>,
    /// The start of the body, as it came.
    pub body: Vec<u8>,
}

/// Why there is no answer to a request that may have been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// None came in the time allowed.
    TimedOut,
    /// The connection ended or broke, or what came was no HTTP: the text says which.
    Broken(String),
    /// The run ended while the request was on the wire: killed, crashed or out of power.
    RunDied,
    /// An operator interrupted the run a second time.
    Abandoned,
    /// A defect of this program: the worker that had it panicked.
    Panicked,
    /// The database has lost what came after this row was pending in it: a backup was put back, or a copy was sent from.
    RolledBack,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::TimedOut => f.write_str("no answer in time"),
            NoAnswer::Broken(how) => write!(f, "no answer: {how}"),
            NoAnswer::RunDied => f.write_str("the run died while the request may have been on the wire"),
            NoAnswer::Abandoned => f.write_str("abandoned: an operator interrupted the run before the answer came"),
            NoAnswer::Panicked => f.write_str("the worker panicked while the request may have been on the wire"),
            NoAnswer::RolledBack => f.write_str(
                "it may have been sent in turns that this database has lost: a backup was put back, or a copy was run",
            ),
        }
    }
}

/// Why a taken row was given back unsent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBack {
    /// More time went by since it was taken than the promise allows.
    PastSellBy,
    /// The run is stopping.
    Stopping,
    /// An operator has paused or cancelled the batch.
    HeldBack,
    /// It was taken by a commit that was not confirmed in time, and never handed out.
    NotHandedOut,
    /// Its window closed after it was taken, or its zone is not known. The next turn puts it off.
    OutsideHours,
}

impl fmt::Display for GivenBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GivenBack::PastSellBy => "not sent: too long since it was taken",
            GivenBack::Stopping => "not sent: the run was stopping",
            GivenBack::HeldBack => "not sent: an operator paused or cancelled the batch",
            GivenBack::NotHandedOut => "not sent: the commit that took it was not confirmed",
            GivenBack::OutsideHours => "not sent: outside the hours in which it may be",
        })
    }
}

/// What came of an attempt: the verdict on a [`Finding`].
///
/// `retry::classify` alone decides it. Stored by its word with each attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The service took it.
    Accepted,
    /// The service or this tool refused it as invalid.
    Rejected,
    /// The service says that it will never work.
    Failed,
    /// The vendor's word that it may be repeated (1010), or an operator's (503).
    Retry,
    /// 429: not processed, and everybody has to wait.
    Throttled,
    /// No connection: not sent.
    Unreached,
    /// Refused for a fault of the configuration: not processed, and nothing else will be.
    Misconfigured,
    /// It may have been accepted; nobody can know.
    Unknown,
    /// Likewise, and the answer is not the vendor's contract: a proxy, a captive portal, a wrong host.
    Foreign,
    /// Not sent, on purpose.
    GivenBack,
    /// Never to be sent, which was known only when it was taken.
    Skipped,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 11] = [
        Outcome::Accepted,
        Outcome::Rejected,
        Outcome::Failed,
        Outcome::Retry,
        Outcome::Throttled,
        Outcome::Unreached,
        Outcome::Misconfigured,
        Outcome::Unknown,
        Outcome::Foreign,
        Outcome::GivenBack,
        Outcome::Skipped,
    ];

    /// The word for it in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Rejected => "rejected",
            Outcome::Failed => "failed",
            Outcome::Retry => "retry",
            Outcome::Throttled => "throttled",
            Outcome::Unreached => "unreached",
            Outcome::Misconfigured => "misconfigured",
            Outcome::Unknown => "unknown",
            Outcome::Foreign => "foreign",
            Outcome::GivenBack => "given-back",
            Outcome::Skipped => "skipped",
        }
    }
}

/// A text that names no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no outcome")]
pub struct UnknownOutcome(String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or_else(|| UnknownOutcome(text.to_owned()))
    }
}

/// What an outcome means for the run, beyond its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// The gate closes for that long: the service asked for it.
    Throttle(Duration),
    /// The gate closes: the endpoint cannot be reached.
    Unreachable,
    /// It may have been sent and nobody can know: three of twenty close the gate.
    Ambiguous,
    /// The run stops; the text says what is wrong and what to fix.
    Stop(String),
}

/// Who refused a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// This program's own checks; nothing was sent.
    Tool,
    /// The service.
    Service,
}

impl RefusedBy {
    /// The word for it in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RefusedBy::Tool => "mep-batch",
            RefusedBy::Service => "service",
        }
    }
}

/// What the turn writes of a finished attempt: the row's next state and the attempt's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The row.
    pub id: InvocationId,
    /// The attempt; together with the run it guards the write.
    pub attempt: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The row's next state.
    pub state: State,
    /// When the row may be taken again; matters to `pending` only.
    pub due_at: UnixMillis,
    /// The tries that count for the backoff from here on.
    pub tries: u32,
    /// When the retries end.
    pub retry_until: Option<UnixMillis>,
    /// Whether this attempt or an earlier one may have texted the person before the row is sent again.
    pub possible_duplicate: bool,
    /// The HTTP status, where an answer came.
    pub http_status: Option<u16>,
    /// OpenMarket's code, or this tool's own refusal (12002).
    pub code: Option<u32>,
    /// What the service said, or why there is no answer. Free of NUL, which databases' text functions stop at.
    pub message: Option<String>,
    /// Who refused it.
    pub refused_by: Option<RefusedBy>,
    /// Why it is skipped.
    pub reason: Option<SkipReason>,
    /// `X-Request-Id`, whenever it came.
    pub request_id: Option<String>,
    /// The start of the answer's body, as it came.
    pub answer: Vec<u8>,
    /// When the request was started; `None` where nothing was written.
    pub sent_at: Option<UnixMillis>,
    /// When the outcome was known.
    pub finished_at: UnixMillis,
}
