//! What came of attempts: a turn writes the attempt's record and the row's next state, each guarded.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::counts::note_move;
use super::given::{Columns, GIVEN_MAX, Given, Kind};
use super::statement::{Statement, Value, query};
use super::{Result, Turn, control, late};
use crate::invocation::{BatchId, Outcome, Settlement, State, UnixMillis};

/// What came of attempts, as statements are given it.
pub(super) const OUTCOMES: Columns = &[
    ("id", Kind::Integer),
    ("attempt", Kind::Integer),
    ("sent_at", Kind::Integer),
    ("finished_at", Kind::Integer),
    ("outcome", Kind::Text),
    ("http_status", Kind::Integer),
    ("code", Kind::Integer),
    ("message", Kind::Text),
    ("request_id", Kind::Text),
    ("answer", Kind::Bytes),
];

/// The next states of rows, and of the attempts what is not among them, or is not always what the row is told.
const NEXT_AND_OUTCOMES: Columns = &[
    ("id", Kind::Integer),
    ("attempt", Kind::Integer),
    ("was", Kind::Text),
    ("state", Kind::Text),
    ("due_at", Kind::Integer),
    ("tries", Kind::Integer),
    ("retry_until", Kind::Integer),
    ("possible_duplicate", Kind::Integer),
    ("http_status", Kind::Integer),
    ("code", Kind::Integer),
    ("message", Kind::Text),
    ("refused_by", Kind::Text),
    ("request_id", Kind::Text),
    ("finished_at", Kind::Integer),
    ("reason", Kind::Text),
    ("sent_at", Kind::Integer),
    ("answered_at", Kind::Integer),
    ("outcome", Kind::Text),
    ("answered_id", Kind::Text),
    ("answer", Kind::Bytes),
];

/// The next states of rows alone: what [`next`] makes.
pub(super) const NEXT: Columns = NEXT_AND_OUTCOMES.split_at(15).0;

/// Moves rows that a run has to the states that they are given.
///
/// What the service answered belongs to the row once the row is done; while it waits, only why it waits. While an attempt has
/// the row, an earlier one may have turned out to have texted the person. `given.was`: a bound value that is held against the
/// state has SQLite plan the statement anew each time, for what the partial indexes are worth to it; and PostgreSQL would look
/// for each row among all that are in flight, and not by its number.
macro_rules! move_rows {
    () => {
        "UPDATE invocation SET state = given.state, due_at = given.due_at, tries = given.tries,
            retry_until = given.retry_until,
            possible_duplicate = CASE WHEN invocation.state = 'sending' AND invocation.possible_duplicate = 1 THEN 1
                                      ELSE given.possible_duplicate END,
            http_status = given.http_status, code = given.code, message = given.message,
            refused_by = given.refused_by, request_id = given.request_id, finished_at = given.finished_at,
            reason = given.reason, hold = NULL
        FROM given
        WHERE invocation.id = given.id AND invocation.state = given.was AND invocation.run_id = $1
          AND invocation.attempt = given.attempt"
    };
}

pub(super) const MOVE: &str = move_rows!();

/// Writes the records of attempts whose rows are a run's.
pub(super) const RECORD: &str = "
    INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status,
                         code, message, request_id, answer)
    SELECT i.id, i.attempt, i.run_id, i.taken_at, given.sent_at, given.finished_at, given.outcome, given.http_status,
           given.code, given.message, given.request_id, given.answer
    FROM given CROSS JOIN invocation AS i
    WHERE i.id = given.id AND i.state = 'sending' AND i.run_id = $1 AND i.attempt = given.attempt";

/// What came of attempts that were accepted, and nothing more is to be said of them: nearly all.
pub(super) const ACCEPTED: Columns = &[
    ("id", Kind::Integer),
    ("attempt", Kind::Integer),
    ("sent_at", Kind::Integer),
    ("finished_at", Kind::Integer),
    ("request_id", Kind::Text),
];

/// [`MOVE`] for these. What it leaves alone is so already: a row that is `sending` has none of it, or keeps it.
pub(super) const MOVE_ACCEPTED: &str = "
    UPDATE invocation SET state = 'accepted', due_at = given.finished_at, http_status = 202, code = NULL, message = NULL,
        request_id = given.request_id, finished_at = given.finished_at
    FROM given
    WHERE invocation.id = given.id AND invocation.state = 'sending' AND invocation.run_id = $1
      AND invocation.attempt = given.attempt";

/// [`RECORD`] for these.
pub(super) const RECORD_ACCEPTED: &str = "
    INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status, request_id)
    SELECT i.id, i.attempt, i.run_id, i.taken_at, given.sent_at, given.finished_at, 'accepted', 202, given.request_id
    FROM given CROSS JOIN invocation AS i
    WHERE i.id = given.id AND i.state = 'sending' AND i.run_id = $1 AND i.attempt = given.attempt";

/// What a file's turn writes of attempts whose rows it takes to be in flight.
pub(super) struct Settling {
    /// Writes the attempts.
    pub(super) record: Statement<'static>,
    /// Moves their rows.
    pub(super) moves: Statement<'static>,
    /// How many they are.
    pub(super) rows: u64,
}

/// What to write of these attempts, each of which leads to the state that it is told with.
pub(super) fn settling(run: i64, settled: &[(&Settlement, State)]) -> Vec<Settling> {
    let (accepted, others): (Vec<&(&Settlement, State)>, Vec<_>) =
        settled.iter().partition(|(s, state)| *state == State::Accepted && is_plainly_accepted(s));
    let mut all = Vec::new();
    for accepted in accepted.chunks(GIVEN_MAX) {
        let given = || Given::new(ACCEPTED, accepted.iter().map(|(s, _)| acceptance(s))).owned();
        all.push(Settling {
            record: query(RECORD_ACCEPTED).bind(run).given(given()),
            moves: query(MOVE_ACCEPTED).bind(run).given(given()),
            rows: accepted.len() as u64,
        });
    }
    for others in others.chunks(GIVEN_MAX) {
        let settlements: Vec<&Settlement> = others.iter().map(|(s, _)| *s).collect();
        let next = Given::new(NEXT, others.iter().map(|(s, state)| next(s, State::Sending, *state)));
        all.push(Settling {
            record: query(RECORD).bind(run).given(outcomes(&settlements).owned()),
            moves: query(MOVE).bind(run).given(next.owned()),
            rows: others.len() as u64,
        });
    }
    all
}

/// Whether all that is to be said of an accepted attempt is in [`ACCEPTED`].
fn is_plainly_accepted(s: &Settlement) -> bool {
    s.http_status == Some(202)
        && s.code.is_none()
        && s.message.is_none()
        && s.answer.is_empty()
        && s.due_at == s.finished_at
        && s.outcome == Outcome::Accepted
}

fn acceptance(s: &Settlement) -> [Value<'_>; 5] {
    [
        s.id.0.into(),
        s.attempt.into(),
        s.sent_at.map(|at| at.0).into(),
        s.finished_at.0.into(),
        s.request_id.as_deref().into(),
    ]
}

impl Turn<'_> {
    /// Writes what came of finished attempts: the attempt's record, and the row's next state.
    ///
    /// Guarded by state, run and attempt number; where somebody else was first nothing is overwritten and it is logged.
    pub async fn settle(&mut self, settlements: &[&Settlement]) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        let rest = if self.store.is_shared() {
            self.settle_on_server(settlements).await?
        } else {
            self.settle_in_file(settlements).await?
        };
        if rest.is_empty() { Ok(()) } else { self.settle_late(&rest).await }
    }

    /// Two statements, and those whose row was no longer this run's. Of a run that nobody has ended, every row in flight is,
    /// and they are put off unseen; where that proves wrong, the turn is repeated and looks first.
    async fn settle_in_file<'s>(&mut self, settlements: &[&'s Settlement]) -> Result<Vec<&'s Settlement>> {
        let looks_first = self.is_ended || self.store.looks_first.load(Ordering::Relaxed);
        let sending = if looks_first { self.sending().await? } else { Vec::new() };
        let is_ours =
            |s: &&Settlement| !looks_first || sending.iter().any(|row| (row.id, row.number) == (s.id, s.attempt));
        let (ours, rest): (Vec<&Settlement>, Vec<&Settlement>) = settlements.iter().copied().partition(is_ours);
        let cancelled = self.cancelled(&ours).await?;
        let settled: Vec<(&Settlement, State)> = ours.iter().map(|s| (*s, becomes(s, &cancelled))).collect();
        for Settling { record, moves, rows } in settling(self.run.id.0, &settled) {
            self.later(record, rows);
            self.later(moves, rows);
        }
        for (settlement, state) in settled {
            note_move(&mut self.moved, settlement.id.batch(), State::Sending, state);
        }
        Ok(rest)
    }

    /// One statement that finds each row once, moves it and writes its attempt; and those whose row was no longer this run's.
    async fn settle_on_server<'s>(&mut self, settlements: &[&'s Settlement]) -> Result<Vec<&'s Settlement>> {
        const SETTLE: &str = concat!(
            ", moved AS (",
            move_rows!(),
            " RETURNING given.id, given.attempt, invocation.taken_at, given.sent_at, given.answered_at, given.outcome,
                  given.http_status, given.code, given.message, given.answered_id, given.answer)
             INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status,
                                  code, message, request_id, answer)
             SELECT id, attempt, $1, taken_at, sent_at, answered_at, outcome, http_status, code, message, answered_id, answer
             FROM moved RETURNING invocation_id"
        );
        let failed = || self.store.failed("store outcomes");
        let cancelled = self.cancelled(settlements).await?;
        let mut ours: HashSet<i64> = HashSet::with_capacity(settlements.len());
        for settlements in settlements.chunks(GIVEN_MAX) {
            let rows = settlements.iter().map(|s| next_and_outcome(s, State::Sending, becomes(s, &cancelled)));
            let settle = query(SETTLE).bind(self.run.id.0).given(Given::new(NEXT_AND_OUTCOMES, rows));
            ours.extend(settle.fetch_column::<i64>(&mut self.tx).await.map_err(failed())?);
        }
        let (ours, rest): (Vec<&Settlement>, Vec<&Settlement>) =
            settlements.iter().copied().partition(|s| ours.contains(&s.id.0));
        for settlement in ours {
            note_move(&mut self.moved, settlement.id.batch(), State::Sending, becomes(settlement, &cancelled));
        }
        Ok(rest)
    }

    /// Writes outcomes of attempts whose run was thought dead.
    async fn settle_late(&mut self, settlements: &[&Settlement]) -> Result<()> {
        let failed = || self.store.failed("store late outcomes");
        self.catch_up().await?;
        let late = late::write(&mut self.tx, &self.run, settlements).await.map_err(failed())?;
        for (was, settled) in late.moving {
            self.move_on(&[settled], was).await?;
        }
        for row in late.spared {
            note_move(&mut self.moved, row.batch(), State::Pending, State::Accepted);
        }
        Ok(())
    }

    /// Moves the rows to their next states, from the one in which they are.
    async fn move_on(&mut self, settlements: &[&Settlement], was: State) -> Result<()> {
        let cancelled = self.cancelled(settlements).await?;
        for settlements in settlements.chunks(GIVEN_MAX) {
            let next = Given::new(NEXT, settlements.iter().map(|s| next(s, was, becomes(s, &cancelled))));
            self.later(query(MOVE).bind(self.run.id.0).given(next), settlements.len() as u64);
        }
        for settlement in settlements {
            note_move(&mut self.moved, settlement.id.batch(), was, becomes(settlement, &cancelled));
        }
        Ok(())
    }

    /// Which of the batches are cancelled to whose rows something happens that makes them pending: they become cancelled.
    async fn cancelled(&mut self, settlements: &[&Settlement]) -> Result<Vec<(BatchId, UnixMillis)>> {
        let pending = settlements.iter().filter(|settlement| settlement.state == State::Pending);
        let mut batches: Vec<BatchId> = pending.map(|settlement| settlement.id.batch()).collect();
        batches.sort_unstable();
        batches.dedup();
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        control::cancelled(&mut self.tx, &batches).await.map_err(self.store.failed("look for cancelled batches"))
    }
}

/// The state that a settlement leads to: in a cancelled batch whatever would become pending becomes cancelled.
fn becomes(settlement: &Settlement, cancelled: &[(BatchId, UnixMillis)]) -> State {
    let is_withdrawn =
        settlement.state == State::Pending && cancelled.iter().any(|(batch, _)| *batch == settlement.id.batch());
    if is_withdrawn { State::Cancelled } else { settlement.state }
}

/// What came of attempts, for a statement that reads it.
pub(super) fn outcomes<'q>(settlements: &[&'q Settlement]) -> Given<'q> {
    let outcome = |s: &&'q Settlement| {
        [
            s.id.0.into(),
            s.attempt.into(),
            s.sent_at.map(|at| at.0).into(),
            s.finished_at.0.into(),
            s.outcome.as_str().into(),
            s.http_status.map(i64::from).into(),
            s.code.map(i64::from).into(),
            s.message.as_deref().into(),
            s.request_id.as_deref().into(),
            Some(s.answer.as_slice()).filter(|answer| !answer.is_empty()).into(),
        ]
    };
    Given::new(OUTCOMES, settlements.iter().map(outcome))
}

/// A row's next state, with what belongs to it.
fn next<'q>(s: &'q Settlement, was: State, state: State) -> [Value<'q>; 15] {
    let done = state != State::Pending;
    [
        s.id.0.into(),
        s.attempt.into(),
        was.as_str().into(),
        state.as_str().into(),
        s.due_at.0.into(),
        s.tries.into(),
        s.retry_until.map(|at| at.0).into(),
        i64::from(s.possible_duplicate).into(),
        s.http_status.map(i64::from).into(),
        s.code.map(i64::from).into(),
        s.message.as_deref().into(),
        s.refused_by.filter(|_| done).map(|by| by.as_str()).into(),
        s.request_id.as_deref().filter(|_| done).into(),
        done.then_some(s.finished_at.0).into(),
        s.reason.map(|reason| reason.as_str()).into(),
    ]
}

/// The same, with what came of the attempt.
fn next_and_outcome<'q>(s: &'q Settlement, was: State, state: State) -> impl Iterator<Item = Value<'q>> {
    let outcome = [
        s.sent_at.map(|at| at.0).into(),
        s.finished_at.0.into(),
        s.outcome.as_str().into(),
        s.request_id.as_deref().into(),
        Some(s.answer.as_slice()).filter(|answer| !answer.is_empty()).into(),
    ];
    next(s, was, state).into_iter().chain(outcome)
}
