//! A batch while a run sends it.

use std::sync::Arc;

use super::hours::Hours;
use super::set_back::Ahead;
use crate::invocation::{Counts, Hold, RefusedBy, Settlement, State, UnixMillis};
use crate::store::{Batch, NextDue};
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
    /// Whether the last turn took none of its due rows: another run is just taking them, or an operator has withheld it since
    /// it was read.
    pub(super) is_passed_over: bool,
    /// Why the row was put off that is due next, but for a retry.
    pub(super) next_hold: Option<Hold>,
    /// How far its due rows have been held against its hours; `None` where they may be sent at any time.
    pub(super) hours: Option<Hours>,
    /// Whether its retries may have been noted by a clock that was ahead.
    pub(super) ahead: Ahead,
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
    /// None is pending, or none but rows that are held because their zone is not known.
    Nothing,
}

#[derive(Default)]
struct Refusals {
    text: Option<String>,
    in_a_row: u32,
}

impl Sending {
    pub(super) fn new(batch: Batch, route: Arc<Route>, gate: usize, counts: Counts) -> Self {
        let hours = Hours::of(&batch.settings.schedule);
        let (due, next_hold, ahead, is_left, refusals) = (Due::Now, None, Ahead::MayBe, false, Refusals::default());
        let sending = Sending {
            batch,
            route,
            gate,
            counts,
            due,
            is_passed_over: false,
            next_hold,
            hours,
            ahead,
            is_left,
            refusals,
        };
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

    /// Whether rows of it have to be held against their hours, whatever may be taken.
    pub(super) fn has_hours_to_keep(&self, now: UnixMillis) -> bool {
        let is_to_be_kept = |hours: &Hours| hours.are_to_be_kept(self.is_due(now), now);
        self.counts[State::Pending] > 0 && !self.is_left && self.hours.as_ref().is_some_and(is_to_be_kept)
    }

    /// Whether pending rows of it are to be skipped, now or once another run is through with them.
    pub(super) fn is_expiring(&self, now: UnixMillis) -> bool {
        self.counts[State::Pending] > 0 && !self.is_left && self.hours.as_ref().is_some_and(|hours| hours.are_over(now))
    }

    /// Takes in how it stands, as it was read, and what has come since that is not stored yet: that is known here only.
    pub(super) fn is_read<'s>(
        &mut self,
        counts: Counts,
        next: Option<NextDue>,
        unstored: impl IntoIterator<Item = &'s Settlement>,
    ) {
        self.counts = counts;
        self.is_due_next(next, UnixMillis(0));
        let id = self.batch.id;
        unstored.into_iter().filter(|row| row.id.batch() == id).for_each(|row| self.moves(row));
    }

    /// Takes in when its next row is due, as it was read, and that none is before that moment.
    pub(super) fn is_due_next(&mut self, next: Option<NextDue>, soonest: UnixMillis) {
        let is_earlier = |next: NextDue| match self.due {
            Due::At(at) => next.at < at,
            Due::Nothing => true,
            Due::Now | Due::Unclear { .. } => false,
        };
        // An operator has put rows back, or another run has: they are held against the hours before any is taken.
        if let (Some(hours), Some(next)) = (&mut self.hours, next.filter(|next| is_earlier(*next))) {
            hours.reach_back(next.at);
        }
        self.is_passed_over = next.is_some_and(|next| next.at < soonest);
        self.next_hold = next.and_then(|next| next.hold);
        self.due = next.map_or(Due::Nothing, |next| Due::At(next.at.max(soonest)));
    }

    /// Why its next row is not due yet.
    pub(super) fn waits_for_time(&self, now: UnixMillis) -> String {
        let schedule = &self.batch.settings.schedule;
        match (self.next_hold, schedule.window) {
            (None, _) => "retries are scheduled".to_owned(),
            (Some(_), _) if schedule.not_before.is_some_and(|begin| begin > now) => {
                "nothing is sent before that moment (`--not-before`)".to_owned()
            }
            (Some(_), Some(window)) => format!("outside the window {window}"),
            (Some(_), None) => "outside the hours in which rows are sent".to_owned(),
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
        let are_skipped = self.hours.as_ref().is_none_or(|hours| hours.is_skipping);
        let has_held_ones_only = !are_skipped && self.due == Due::Nothing;
        let is_over = self.counts[State::Pending] == 0 || self.is_left || self.batch.cancelled_at.is_some();
        (is_over || has_held_ones_only) && self.counts[State::Sending] == 0
    }

    /// Takes in a stored outcome; the text of the refusal where it is one too many of the same.
    pub(super) fn settled(&mut self, settlement: &Settlement) -> Option<String> {
        self.moves(settlement);
        self.refusals.note(settlement)
    }

    /// Takes in a row's next state, and when it is due.
    fn moves(&mut self, settlement: &Settlement) {
        self.counts.moved(State::Sending, settlement.state);
        if settlement.state == State::Pending {
            let due = settlement.due_at;
            if let Some(hours) = &mut self.hours {
                hours.reach_back(due);
            }
            if !matches!(self.due, Due::At(at) if at <= due) {
                self.next_hold = None;
            }
            self.due = match self.due {
                Due::Now => Due::Now,
                unclear @ Due::Unclear { .. } => unclear,
                Due::At(at) => Due::At(at.min(due)),
                Due::Nothing => Due::At(due),
            };
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::client::{Client, Timeouts};
    use crate::invocation::{
        Answer, Attempt, BatchId, Finding, Findings, InvocationId, Schedule, Settings, Suppressed,
    };
    use crate::mep::{Bounds, PhoneNumberJson, TEMPORARY_ERROR};
    use crate::retry::{self, Policy};
    use crate::validate::Rules;
    use crate::worker::policy;

    const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

    /// A batch with hours, of which so many rows are in these states.
    fn sending(states: &[(State, i64)]) -> Sending {
        let window = Some("09:00-20:00".parse().expect("a window"));
        let settings = Settings { schedule: Schedule { window, ..Schedule::default() }, ..Settings::default() };
        let timeouts = Timeouts { connect: Duration::from_secs(1), total: Duration::from_secs(1) };
        let client = Client::new("http://127.0.0.1:1", None, timeouts, 1, None).expect("a client");
        let batch = Batch {
            id: BatchId(1),
            name: "june".to_owned(),
            service: "ABC123".parse().expect("an ID"),
            endpoint: "simulator".parse().expect("an endpoint"),
            account: String::new(),
            source_name: "june.csv".to_owned(),
            source_sha256: String::new(),
            columns: Vec::new(),
            settings,
            findings: Findings::default(),
            rows: 9,
            imported_at: NOW,
            confirmed_at: None,
            paused_at: None,
            cancelled_at: None,
            throttle: None,
            purge: None,
        };
        let route = Route {
            target: client.target(&batch.service),
            client,
            policy: policy(&batch.settings),
            rules: Rules::of_batch(&batch.settings, Bounds::default(), PhoneNumberJson::default()),
            suppressed: Suppressed::default(),
            schedule: batch.settings.schedule.clone(),
            held_back: AtomicBool::new(false),
        };
        Sending::new(batch, Arc::new(route), 0, counts(states))
    }

    fn counts(states: &[(State, i64)]) -> Counts {
        let mut counts = Counts::default();
        states.iter().for_each(|(state, rows)| counts[*state] = *rows);
        counts
    }

    /// A row that is to be sent once more, in a second.
    fn retry() -> Settlement {
        let attempt = Attempt {
            id: InvocationId::new(BatchId(1), 2),
            number: 1,
            tries: 0,
            retry_until: None,
            possible_duplicate: false,
            taken_at: NOW,
        };
        let answer = Answer { status: 500, code: Some(TEMPORARY_ERROR), ..Answer::default() };
        let policy = Policy { vendor_retry: Some(Duration::from_secs(1)), ..Policy::default() };
        retry::settle(attempt, Finding::Answered(answer), &policy, Some(NOW), NOW, 0.5).0
    }

    #[test]
    fn a_retry_that_is_not_stored_yet_keeps_a_run_alive_that_has_read_of_held_rows_only() {
        let mut sending = sending(&[(State::Sending, 1), (State::Pending, 3)]);
        let retry = retry();
        assert_eq!(sending.settled(&retry), None);
        sending.is_read(counts(&[(State::Sending, 1), (State::Pending, 3)]), None, [&retry]);
        assert_eq!((sending.due, sending.counts[State::Pending]), (Due::At(retry.due_at), 4));
        assert!(!sending.is_done());
        sending.is_read(counts(&[(State::Pending, 3)]), None, []);
        assert!(sending.is_done(), "what is held keeps no run alive");
    }

    #[test]
    fn due_rows_that_a_turn_was_not_given_are_no_retries() {
        let mut sending = sending(&[(State::Pending, 3)]);
        let next = Some(NextDue { at: NOW, hold: None });
        sending.due = Due::Unclear { nothing: true };
        sending.is_due_next(next, NOW.after(Duration::from_millis(50)));
        assert!(sending.is_passed_over);
        sending.is_read(counts(&[(State::Pending, 3)]), next, []);
        assert!(!sending.is_passed_over, "what is read anew tells why");
    }

    #[test]
    fn held_rows_that_are_being_skipped_keep_a_run_alive() {
        let mut sending = sending(&[(State::Pending, 3)]);
        sending.is_read(counts(&[(State::Pending, 3)]), None, []);
        assert!(sending.is_done());
        sending.hours.as_mut().expect("hours").is_skipping = true;
        assert!(!sending.is_done());
    }
}
