//! The gate at work: when rows may be taken for an endpoint and account, when it closes and opens, and when all stop.

use std::time::Duration;

use super::rate::Rate;
use crate::invocation::{Effect, InvocationId, Outcome, Settlement, UnixMillis};
use crate::retry;
use crate::store::{ClosedBecause, Gate};

/// The outcomes that are looked at for ambiguous ones.
const RECENT: u32 = 20;
/// Ambiguous ones among them that close the gate: a dead network must not turn thousands of rows into decisions.
const AMBIGUOUS_MAX: u32 = 3;
/// How long the rate of one run holds for others after it has sent last, or twice as long as it waits between two.
const PACE_FOR_US: i64 = 10_000_000;
/// Probes that fail in a row before the run ends.
const FAILED_PROBES_MAX: u32 = 5;

/// Decides when rows of one endpoint and account may be taken. Pure: times come in, the state is [`Gate`].
///
/// The gate is one for all who send there: each turn reads it, and stores what this makes of it.
#[derive(Debug, Clone)]
pub(super) struct Gatekeeper {
    gate: Gate,
    probe_after: Duration,
    rate: Option<Rate>,
    /// The rates that batches behind the gate have, whoever sends them: what was noted of another is not asked for any more.
    asked_for: Vec<Rate>,
    /// The stops of the gate that this run knows of: those before it began, and its own.
    stops_known: i64,
    changed: bool,
}

/// What a finished attempt did to the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Swing {
    /// Nothing.
    Stays,
    /// It closed, or stays closed for longer.
    Closed(ClosedBecause, UnixMillis),
    /// It opened.
    Opened,
    /// The last probe failed that the run had: the run ends.
    GivenUp(ClosedBecause),
}

impl Gatekeeper {
    /// The gate as this run finds it.
    pub(super) fn new(gate: Gate, now: UnixMillis) -> Self {
        let (stops_known, probe_after) = (gate.stops, Duration::ZERO);
        let (rate, asked_for) = (None, Vec::new());
        let mut keeper = Gatekeeper { gate: gate.clone(), probe_after, rate, asked_for, stops_known, changed: false };
        keeper.refresh(gate, now);
        keeper.changed = false;
        keeper
    }

    /// The gate's number.
    pub(super) fn id(&self) -> i64 {
        self.gate.id
    }

    /// The gate as it is stored now. A time that is further away than any gate closes for, or than the next token can be, was
    /// noted by a clock that was ahead or by a slower rate.
    pub(super) fn refresh(&mut self, mut gate: Gate, now: UnixMillis) {
        if let Some((until, _)) = &mut gate.closed {
            *until = (*until).min(now.after(retry::RETRY_AFTER_MAX));
        }
        self.gate = gate;
        if let Some(rate) = self.pace(now) {
            let next_us = rate.sane(self.gate.next_send_us, micros(now));
            // Stored, so that it comes nearer; who has a pace has read the gate exclusively.
            self.changed |= next_us != self.gate.next_send_us;
            self.gate.next_send_us = next_us;
        }
    }

    /// Has it closed for as long as it was to be, by a clock that was set by so much.
    pub(super) fn clock_was_set(&mut self, by_ms: i64) {
        if let Some((until, _)) = &mut self.gate.closed {
            *until = UnixMillis(until.0.saturating_add(by_ms));
            self.changed = true;
        }
    }

    /// Whether a turn may change the gate even where nothing has gone wrong in it: then it is read exclusively.
    ///
    /// Without a rate nobody has to wait for the others' turns while all is well.
    pub(super) fn is_contended(&self, now: UnixMillis) -> bool {
        self.pace(now).is_some() || self.gate.closed.is_some() || self.gate.recent != 0
    }

    /// Why another run stopped all that send there, since this one began.
    pub(super) fn stopped_by_another(&self) -> Option<&str> {
        self.gate.stopped_by.as_deref().filter(|_| self.gate.stops > self.stops_known)
    }

    /// Stops all runs that send there.
    pub(super) fn stop(&mut self, why: &str) {
        self.gate.stops += 1;
        self.gate.stopped_by = Some(why.to_owned());
        self.stops_known = self.gate.stops;
        self.changed = true;
    }

    /// Takes over what the batches that share the gate ask for: the lowest rate and the shortest wait of those that this run
    /// sends, and the rates of all.
    pub(super) fn configure(
        &mut self,
        rate: Option<f64>,
        probe_after: Duration,
        asked_for: impl IntoIterator<Item = f64>,
    ) {
        self.rate = rate.and_then(Rate::new);
        self.probe_after = probe_after;
        self.asked_for = asked_for.into_iter().filter_map(Rate::new).collect();
    }

    /// The rows that may be taken now, of `free` slots.
    pub(super) fn allowance(&self, free: u32, now: UnixMillis) -> u32 {
        let by_gate = match self.gate.closed {
            None => free,
            Some((until, _)) if until <= now && !self.gate.is_probing => free.min(1),
            Some(_) => 0,
        };
        match self.pace(now) {
            Some(rate) => by_gate.min(rate.available(self.gate.next_send_us, micros(now))),
            None => by_gate,
        }
    }

    /// Notes the rows that were taken within the allowance.
    pub(super) fn took(&mut self, rows: &[InvocationId], now: UnixMillis) {
        let Some(first) = rows.first() else { return };
        if self.gate.closed.is_some() {
            (self.gate.probe, self.gate.is_probing, self.changed) = (Some(*first), true, true);
        }
        if let Some(rate) = self.pace(now) {
            if self.rate == Some(rate) {
                (self.gate.period_us, self.gate.paced_at_us) = (rate.period_us(), micros(now));
            }
            let taken = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            self.gate.next_send_us = rate.after(taken, self.gate.next_send_us, micros(now));
            self.changed = true;
        }
    }

    /// The rate that holds: the lowest of all who send there, in this process and, of late, in others.
    fn pace(&self, now: UnixMillis) -> Option<Rate> {
        let others = Rate::of_period(self.gate.period_us);
        let lately = |rate: &Rate| {
            let for_us = PACE_FOR_US.max(rate.period_us().saturating_mul(2));
            micros(now).saturating_sub(self.gate.paced_at_us) <= for_us
        };
        let is_asked_for = |rate: &Rate| self.asked_for.contains(rate);
        Rate::slower(self.rate, others.filter(lately).filter(is_asked_for))
    }

    /// The earliest moment at which rows may be taken; `None`: not before the probe is back.
    pub(super) fn opens_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        match self.gate.closed {
            Some(_) if self.gate.is_probing => None,
            Some((until, _)) if until > now => Some(until),
            Some(_) | None => match self.pace(now) {
                Some(_) => Some(now.max(UnixMillis(self.gate.next_send_us.div_euclid(1_000) + 1))),
                None => Some(now),
            },
        }
    }

    /// Whether it is closed for now: no probe may go yet, or one is on its way.
    pub(super) fn is_shut(&self, now: UnixMillis) -> bool {
        self.gate.closed.is_some_and(|(until, _)| until > now || self.gate.is_probing)
    }

    /// Why it is closed and until when, where it is.
    pub(super) fn closed(&self) -> Option<(UnixMillis, ClosedBecause)> {
        self.gate.closed
    }

    /// Takes in what came of an attempt.
    pub(super) fn observe(&mut self, settlement: &Settlement, effect: &Effect, now: UnixMillis) -> Swing {
        let was_probe = self.gate.probe == Some(settlement.id);
        if was_probe {
            (self.gate.probe, self.gate.is_probing, self.changed) = (None, false, true);
        }
        match effect {
            Effect::Throttle(pause) => self.throttle(*pause, was_probe, now),
            Effect::Unreachable => self.fail(ClosedBecause::Unreachable, was_probe, now),
            Effect::Ambiguous => {
                self.remember(true);
                let too_many = self.gate.recent.count_ones() >= AMBIGUOUS_MAX;
                if was_probe || too_many { self.fail(ClosedBecause::Ambiguous, was_probe, now) } else { Swing::Stays }
            }
            Effect::Stop(why) => {
                self.stop(first_line(why));
                Swing::Stays
            }
            Effect::None if settlement.outcome == Outcome::GivenBack || settlement.http_status.is_none() => {
                Swing::Stays
            }
            Effect::None => self.answered(was_probe),
        }
    }

    /// The gate's state where it has changed since this was last asked.
    pub(super) fn take_change(&mut self) -> Option<Gate> {
        std::mem::take(&mut self.changed).then(|| self.gate.clone())
    }

    fn answered(&mut self, was_probe: bool) -> Swing {
        self.remember(false);
        if !was_probe {
            return Swing::Stays;
        }
        self.gate.closed = None;
        self.gate.failed_probes = 0;
        self.gate.recent = 0;
        Swing::Opened
    }

    /// 429 is an answer, so the endpoint lives and no probe has failed; but everybody waits for as long as it asks.
    fn throttle(&mut self, pause: Duration, was_probe: bool, now: UnixMillis) -> Swing {
        self.changed = true;
        if was_probe {
            self.gate.failed_probes = 0;
        }
        let until = now.after(pause);
        let until = match self.gate.closed {
            Some((earlier, _)) if !was_probe => earlier.max(until),
            Some(_) | None => until,
        };
        let was_open = self.gate.closed.is_none();
        self.gate.closed = Some((until, ClosedBecause::Throttled));
        if was_open || was_probe { Swing::Closed(ClosedBecause::Throttled, until) } else { Swing::Stays }
    }

    fn fail(&mut self, because: ClosedBecause, was_probe: bool, now: UnixMillis) -> Swing {
        if !was_probe && self.gate.closed.is_some() {
            return Swing::Stays; // it left before the gate closed
        }
        self.changed = true;
        if was_probe {
            self.gate.failed_probes += 1;
        }
        let given_up = self.gate.failed_probes >= FAILED_PROBES_MAX;
        if given_up {
            self.gate.failed_probes = 0; // whoever starts a run again wants it to try again
            self.stop(&format!("five probes in a row failed: {because}"));
        }
        let until = now.after(retry::probe_delay(self.probe_after, self.gate.failed_probes));
        self.gate.closed = Some((until, because));
        if given_up { Swing::GivenUp(because) } else { Swing::Closed(because, until) }
    }

    fn remember(&mut self, ambiguous: bool) {
        let recent = ((self.gate.recent << 1) | u32::from(ambiguous)) & ((1 << RECENT) - 1);
        self.changed |= recent != self.gate.recent;
        self.gate.recent = recent;
    }
}

/// What is wrong, without the hint how to mend it.
pub(super) fn first_line(why: &str) -> &str {
    why.lines().next().unwrap_or_default()
}

fn micros(time: UnixMillis) -> i64 {
    time.0.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{BatchId, State};

    const PROBE_AFTER: Duration = Duration::from_secs(60);

    fn keeper() -> Gatekeeper {
        let gate = Gate {
            id: 1,
            closed: None,
            probe: None,
            is_probing: false,
            failed_probes: 0,
            recent: 0,
            next_send_us: 0,
            period_us: 0,
            paced_at_us: 0,
            stops: 0,
            stopped_by: None,
        };
        let mut keeper = Gatekeeper::new(gate, UnixMillis(0));
        keeper.configure(None, PROBE_AFTER, []);
        keeper
    }

    fn row(line: u32) -> InvocationId {
        InvocationId::new(BatchId(1), line)
    }

    fn settled(line: u32, outcome: Outcome, http_status: Option<u16>) -> Settlement {
        Settlement {
            id: row(line),
            attempt: 1,
            outcome,
            state: State::Unknown,
            due_at: UnixMillis(0),
            tries: 0,
            retry_until: None,
            possible_duplicate: false,
            http_status,
            code: None,
            message: None,
            refused_by: None,
            reason: None,
            request_id: None,
            answer: Vec::new(),
            sent_at: None,
            finished_at: UnixMillis(0),
        }
    }

    fn accepted(keeper: &mut Gatekeeper, line: u32) -> Swing {
        keeper.observe(&settled(line, Outcome::Accepted, Some(202)), &Effect::None, UnixMillis(0))
    }

    fn ambiguous(keeper: &mut Gatekeeper, line: u32, now: UnixMillis) -> Swing {
        keeper.observe(&settled(line, Outcome::Unknown, None), &Effect::Ambiguous, now)
    }

    fn unreachable(keeper: &mut Gatekeeper, line: u32, now: UnixMillis) -> Swing {
        keeper.observe(&settled(line, Outcome::Unreached, None), &Effect::Unreachable, now)
    }

    #[test]
    fn a_rate_that_was_changed_holds_nobody_any_more() {
        let second = UnixMillis(1_795_000_001_000);
        let mut keeper = keeper();
        keeper.configure(Some(0.01), PROBE_AFTER, [0.01]);
        keeper.took(&[row(1)], UnixMillis(1_795_000_000_000));
        assert_eq!(keeper.allowance(16, second), 0);
        keeper.configure(Some(10.0), PROBE_AFTER, [10.0]);
        let stored = keeper.take_change().expect("the pace was noted");
        keeper.refresh(stored.clone(), second);
        assert_eq!(keeper.allowance(16, second), 0);
        let nearer = keeper.take_change().expect("the next token is nearer now");
        keeper.refresh(nearer, second.after(Duration::from_millis(100)));
        assert_eq!(keeper.allowance(16, second.after(Duration::from_millis(100))), 1);
        // Nor a run that begins only then, and keeps to none.
        let mut next = Gatekeeper::new(stored, second);
        next.configure(None, PROBE_AFTER, [10.0]);
        assert_eq!(next.allowance(16, second), 16);
        // Another run that goes on at the slow rate slows all.
        let late = second.after(Duration::from_secs(3));
        keeper.configure(Some(10.0), PROBE_AFTER, [10.0, 0.01]);
        let others = Gate { period_us: 100_000_000, paced_at_us: micros(late), next_send_us: 0, ..keeper.gate.clone() };
        keeper.refresh(others, late);
        assert!(keeper.pace(late) == Rate::new(0.01));
    }

    #[test]
    fn the_third_ambiguous_outcome_of_twenty_closes_the_gate() {
        let mut keeper = keeper();
        for _ in 0..4 {
            // Two of any twenty never close it.
            assert_eq!(ambiguous(&mut keeper, 1, UnixMillis(0)), Swing::Stays);
            assert_eq!(ambiguous(&mut keeper, 2, UnixMillis(0)), Swing::Stays);
            for line in 3..=22 {
                assert_eq!(accepted(&mut keeper, line), Swing::Stays);
            }
        }
        for line in 1..=2 {
            assert_eq!(ambiguous(&mut keeper, line, UnixMillis(0)), Swing::Stays);
        }
        let until = UnixMillis(60_000);
        assert_eq!(ambiguous(&mut keeper, 3, UnixMillis(0)), Swing::Closed(ClosedBecause::Ambiguous, until));
        assert_eq!((keeper.allowance(16, UnixMillis(59_999)), keeper.allowance(16, until)), (0, 1));
    }

    #[test]
    fn a_gate_stays_closed_for_as_long_as_it_was_to_by_a_clock_that_was_set() {
        let mut keeper = keeper();
        let (noon, hour_ms) = (UnixMillis(1_795_348_800_000), 3_600_000);
        unreachable(&mut keeper, 1, noon);
        keeper.clock_was_set(-hour_ms);
        let then = UnixMillis(noon.0 - hour_ms);
        assert_eq!((keeper.opens_at(then), keeper.allowance(16, then)), (Some(then.after(PROBE_AFTER)), 0));
        assert!(keeper.take_change().is_some_and(|gate| gate.closed.is_some_and(|(until, _)| until < noon)));
    }

    #[test]
    fn one_probe_goes_at_a_time_and_an_answer_opens_the_gate() {
        let mut keeper = keeper();
        assert!(matches!(unreachable(&mut keeper, 1, UnixMillis(0)), Swing::Closed(..)));
        assert_eq!(unreachable(&mut keeper, 2, UnixMillis(1)), Swing::Stays);
        let now = UnixMillis(60_000);
        assert_eq!(keeper.allowance(16, now), 1);
        keeper.took(&[row(7)], now);
        assert_eq!(keeper.allowance(16, now), 0);
        assert_eq!(accepted(&mut keeper, 6), Swing::Stays, "it left before the gate closed");
        assert_eq!(accepted(&mut keeper, 7), Swing::Opened);
        assert_eq!(keeper.allowance(16, now), 16);
    }

    #[test]
    fn the_fifth_failed_probe_in_a_row_gives_up_and_the_waits_double() {
        let mut keeper = keeper();
        unreachable(&mut keeper, 1, UnixMillis(0));
        let mut now = UnixMillis(60_000);
        for minutes in [2, 4, 8, 15] {
            keeper.took(&[row(2)], now);
            let until = UnixMillis(now.0 + minutes * 60_000);
            assert_eq!(unreachable(&mut keeper, 2, now), Swing::Closed(ClosedBecause::Unreachable, until));
            now = until;
        }
        keeper.took(&[row(2)], now);
        assert_eq!(unreachable(&mut keeper, 2, now), Swing::GivenUp(ClosedBecause::Unreachable));
        assert_eq!(keeper.allowance(16, now), 0, "the next run waits too, and then has its own five");
        assert_eq!(keeper.take_change().map(|gate| gate.failed_probes), Some(0));
    }

    #[test]
    fn a_429_makes_all_wait_for_the_longest_that_was_asked_for() {
        let mut keeper = keeper();
        let throttled = settled(1, Outcome::Throttled, Some(429));
        keeper.observe(&throttled, &Effect::Throttle(Duration::from_secs(30)), UnixMillis(0));
        keeper.observe(&throttled, &Effect::Throttle(Duration::from_secs(5)), UnixMillis(0));
        assert_eq!(keeper.allowance(16, UnixMillis(29_999)), 0);
        assert_eq!(keeper.opens_at(UnixMillis(0)), Some(UnixMillis(30_000)));
    }

    #[test]
    fn a_probe_that_was_given_back_is_no_failure() {
        let mut keeper = keeper();
        unreachable(&mut keeper, 1, UnixMillis(0));
        let now = UnixMillis(60_000);
        keeper.took(&[row(2)], now);
        assert_eq!(keeper.observe(&settled(2, Outcome::GivenBack, None), &Effect::None, now), Swing::Stays);
        assert_eq!(keeper.allowance(16, now), 1);
    }

    #[test]
    fn what_another_run_has_stored_counts_from_its_next_reading_on() {
        let (mut mine, mut other) = (keeper(), keeper());
        unreachable(&mut other, 1, UnixMillis(0));
        let now = UnixMillis(60_000);
        other.took(&[row(7)], now);
        mine.refresh(other.take_change().expect("changed"), now);
        assert_eq!(mine.allowance(16, now), 0, "the other one's probe is on its way");
        assert_eq!(accepted(&mut other, 7), Swing::Opened);
        mine.refresh(other.take_change().expect("changed"), now);
        assert_eq!(mine.allowance(16, now), 16);
    }

    #[test]
    fn a_stop_reaches_the_runs_that_go_on_and_not_those_that_begin_later() {
        let (mut mine, mut other) = (keeper(), keeper());
        other.observe(
            &settled(1, Outcome::Misconfigured, Some(401)),
            &Effect::Stop("401\nhint: no".to_owned()),
            UnixMillis(0),
        );
        assert_eq!(other.stopped_by_another(), None);
        let stored = other.take_change().expect("changed");
        mine.refresh(stored.clone(), UnixMillis(0));
        assert_eq!(mine.stopped_by_another(), Some("401"));
        assert_eq!(Gatekeeper::new(stored, UnixMillis(0)).stopped_by_another(), None);
    }

    #[test]
    fn the_lowest_rate_of_all_runs_holds_while_who_asked_for_it_sends() {
        let (mut slow, mut fast) = (keeper(), keeper());
        slow.configure(Some(1.0), PROBE_AFTER, [1.0]);
        fast.configure(None, PROBE_AFTER, [1.0]);
        let now = UnixMillis(1_795_000_000_000);
        slow.took(&[row(1)], now);
        fast.refresh(slow.take_change().expect("changed"), now);
        assert_eq!(fast.allowance(16, now), 0, "it has no rate of its own");
        let later = now.after(Duration::from_secs(3));
        assert_eq!(fast.allowance(16, later), 1);
        fast.took(&[row(2)], later);
        assert_eq!(fast.opens_at(later), Some(UnixMillis(later.0 + 1_001)));
        assert_eq!(fast.allowance(16, now.after(Duration::from_secs(11))), 16, "the slow one has gone");
    }

    #[test]
    fn a_rate_holds_behind_an_open_gate() {
        let mut keeper = keeper();
        keeper.configure(Some(10.0), PROBE_AFTER, [10.0]);
        let now = UnixMillis(1_795_000_000_000);
        assert_eq!(keeper.allowance(16, now), 5);
        keeper.took(&[row(1), row(2), row(3), row(4), row(5)], now);
        assert_eq!(keeper.allowance(16, now), 0);
        assert_eq!(keeper.opens_at(now), Some(UnixMillis(now.0 + 101)));
    }
}
