//! A batch while a run sends it.

use std::sync::Arc;

use crate::invocation::{Counts, RefusedBy, Settlement, State, UnixMillis};
use crate::store::Batch;
use crate::worker::Route;

/// Refusals in a row with one text that stop a run: a mistake in the mapping, not in a row.
const EQUAL_REFUSALS_MAX: u32 = 20;

/// A batch that is being sent, and what the run knows of it between two looks at the database.
pub(super) struct Sending {
    pub(super) batch: Batch,
    pub(super) route: Arc<Route>,
    /// The place of its gate among the run's gates.
    pub(super) gate: usize,
    pub(super) counts: Counts,
    pub(super) due: Due,
    /// Whether its settings have come to name what this process does not have: then nothing of it is taken.
    pub(super) is_left: bool,
    refusals: Refusals,
}

/// When rows of a batch may be found due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Now, as far as is known.
    Now,
    /// The last turn found fewer than wanted; when the next is due is not known yet.
    Unclear {
        /// Whether it found none at all, though some were due: another run is just taking them.
        nothing: bool,
    },
    /// None before that moment.
    At(UnixMillis),
    /// None is pending.
    Nothing,
}

#[derive(Default)]
struct Refusals {
    text: Option<String>,
    in_a_row: u32,
}

impl Sending {
    pub(super) fn new(batch: Batch, route: Arc<Route>, gate: usize, counts: Counts) -> Self {
        let sending =
            Sending { batch, route, gate, counts, due: Due::Now, is_left: false, refusals: Refusals::default() };
        sending.hold_back();
        sending
    }

    /// Whether more of its rows are unknown than its settings allow: then nothing of it is taken.
    pub(super) fn too_many_unknown(&self) -> bool {
        self.counts[State::Unknown] > self.batch.settings.unknown_limit(self.batch.rows)
    }

    /// Whether nothing of it may be taken, whatever is due.
    pub(super) fn is_held(&self) -> bool {
        self.is_left || self.is_withheld() || self.too_many_unknown()
    }

    /// Whether an operator has paused or cancelled it.
    pub(super) fn is_withheld(&self) -> bool {
        self.batch.paused_at.is_some() || self.batch.cancelled_at.is_some()
    }

    /// Has rows that are taken and not written yet given back while an operator withholds the batch.
    pub(super) fn hold_back(&self) {
        self.route.hold_back(self.is_withheld());
    }

    pub(super) fn is_due(&self, now: UnixMillis) -> bool {
        match self.due {
            Due::Now => true,
            Due::At(at) => at <= now,
            Due::Unclear { .. } | Due::Nothing => false,
        }
    }

    /// When its next rows may be found due; `None` where none is pending.
    pub(super) fn next_due(&self, now: UnixMillis) -> Option<UnixMillis> {
        match self.due {
            Due::Now | Due::Unclear { .. } => Some(now),
            Due::At(at) => Some(at),
            Due::Nothing => None,
        }
    }

    /// Whether nothing of it is in flight, in any run, and nothing pending that this process can send.
    pub(super) fn is_done(&self) -> bool {
        let is_over = self.counts[State::Pending] == 0 || self.is_left || self.batch.cancelled_at.is_some();
        is_over && self.counts[State::Sending] == 0
    }

    /// Takes in a stored outcome; the text of the refusal where it is one too many of the same.
    pub(super) fn settled(&mut self, settlement: &Settlement) -> Option<String> {
        self.counts.moved(State::Sending, settlement.state);
        if settlement.state == State::Pending {
            let due = settlement.due_at;
            self.due = match self.due {
                Due::Now => Due::Now,
                unclear @ Due::Unclear { .. } => unclear,
                Due::At(at) => Due::At(at.min(due)),
                Due::Nothing => Due::At(due),
            };
        }
        self.refusals.note(settlement)
    }
}

impl Refusals {
    fn note(&mut self, settlement: &Settlement) -> Option<String> {
        // Without an answer nothing is known of what the service thinks of the rows.
        settlement.http_status?;
        if settlement.refused_by != Some(RefusedBy::Service) {
            *self = Refusals::default();
            return None;
        }
        if self.text != settlement.message {
            self.text.clone_from(&settlement.message);
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        (self.in_a_row == EQUAL_REFUSALS_MAX).then(|| self.text.clone().unwrap_or_default())
    }
}
