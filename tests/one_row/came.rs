//! What can come of an attempt: one finding for each way in which the program's own decision treats them.

use std::sync::LazyLock;

use mep_batch::invocation::{
    Answer, Attempt, BatchId, Finding, GivenBack, InvocationId, NoAnswer, Outcome, Settlement, SkipReason, State,
    UnixMillis,
};
use mep_batch::retry::{self, Policy};

use super::weakness::Weakness;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Came {
    Accepted,
    Rejected,
    Failed,
    /// 1010.
    Repeat,
    /// 1010 once more, after the time for retries.
    GaveUp,
    Throttled,
    Misconfigured,
    TimedOut,
    Foreign,
    /// No connection.
    Unreached,
    /// An operator has lost patience.
    Abandoned,
    GivenBack,
    /// The last check of the body refused it.
    Refused,
    Skipped,
}

/// What follows for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) outcome: Outcome,
    pub(crate) state: State,
    pub(crate) may_have_texted: bool,
}

pub(crate) const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

impl Came {
    pub(crate) const ALL: [Came; 14] = [
        Came::Accepted,
        Came::Rejected,
        Came::Failed,
        Came::Repeat,
        Came::GaveUp,
        Came::Throttled,
        Came::Misconfigured,
        Came::TimedOut,
        Came::Foreign,
        Came::Unreached,
        Came::Abandoned,
        Came::GivenBack,
        Came::Refused,
        Came::Skipped,
    ];

    /// What the service, or the lack of its answer, may tell of a request on the wire.
    pub(crate) const ANSWERS: &[Came] = Came::ALL.split_at(9).0;

    /// Why a row that was handed out may not be sent after all.
    pub(crate) const WITHHELD: [Came; 3] = [Came::GivenBack, Came::Refused, Came::Skipped];

    /// Whether it is the service's own word that the request may be repeated, or was not processed.
    pub(crate) fn says_to_repeat(self) -> bool {
        matches!(self, Came::Repeat | Came::GaveUp | Came::Throttled | Came::Misconfigured)
    }

    /// What the program decides.
    pub(crate) fn next(self, weakness: Weakness) -> Next {
        static NEXT: LazyLock<Vec<Next>> = LazyLock::new(|| {
            let decided = |came: Came| {
                let settlement = came.settlement(InvocationId::new(BatchId(1), 1), 1, false);
                let Settlement { outcome, state, possible_duplicate, .. } = settlement;
                Next { outcome, state, may_have_texted: possible_duplicate }
            };
            Came::ALL.into_iter().map(decided).collect()
        });
        let next = NEXT[self as usize];
        let is_repeated = self == Came::TimedOut && weakness == Weakness::TimeoutIsRepeated;
        if is_repeated { Next { state: State::Pending, ..next } } else { next }
    }

    /// What the program gives the store to write.
    pub(crate) fn settlement(self, row: InvocationId, number: u32, possible_duplicate: bool) -> Settlement {
        let retry_until = (self == Came::GaveUp).then_some(NOW);
        let attempt = Attempt { id: row, number, tries: 0, retry_until, possible_duplicate, taken_at: NOW };
        let (mut settlement, _) =
            retry::settle(attempt, self.finding(), &Policy::default(), Some(NOW), NOW, ANY_CHANCE);
        if settlement.state == State::Pending {
            settlement.due_at = LONG_AGO;
        }
        settlement
    }

    fn finding(self) -> Finding {
        let answered = |status, code| {
            let request_id = (status == 202).then(|| "7EYYG-EF3XM".to_owned());
            let message = Some("said so".to_owned()).filter(|_| status != 202);
            Finding::Answered(Answer { status, code, request_id, message, ..Answer::default() })
        };
        match self {
            Came::Accepted => answered(202, None),
            Came::Rejected => answered(400, Some(12002)),
            Came::Failed => answered(500, Some(1000)),
            Came::Repeat | Came::GaveUp => answered(500, Some(1010)),
            Came::Throttled => answered(429, None),
            Came::Misconfigured => answered(401, None),
            Came::Foreign => answered(200, None),
            Came::TimedOut => Finding::Unanswered(NoAnswer::TimedOut),
            Came::Abandoned => Finding::Unanswered(NoAnswer::Abandoned),
            Came::Unreached => Finding::Unreached("refused".to_owned()),
            Came::GivenBack => Finding::GivenBack(GivenBack::PastSellBy),
            Came::Refused => Finding::Refused("not sent: no phone number".to_owned()),
            Came::Skipped => Finding::Skipped(SkipReason::Expired),
        }
    }
}

const ANY_CHANCE: f64 = 0.5;

/// Time passes, so that what waits is due.
const LONG_AGO: UnixMillis = UnixMillis(1);
