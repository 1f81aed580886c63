//! The row in the database, and what each transaction of the store does to it: the guards of its statements once more.

use mep_batch::invocation::{Outcome, State, Verdict};

use super::came::Came;
use super::weakness::Weakness;

/// The row with all that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Queue {
    pub(crate) state: State,
    /// The number of the last attempt; 0: none yet.
    pub(crate) attempt: u32,
    /// The run that made it.
    pub(crate) run: Option<usize>,
    pub(crate) possible_duplicate: bool,
    pub(crate) is_cancelled: bool,
    /// By their numbers, from 1.
    pub(crate) attempts: [Option<AttemptRow>; ATTEMPTS_MAX],
    /// Those that a process has, or that made an attempt; the places of others are used again.
    pub(crate) runs: [Option<RunRow>; RUNS_MAX],
}

/// The most attempts of a row that are ever looked at: four in a search, and one more when all is calm.
pub(crate) const ATTEMPTS_MAX: usize = 5;

/// One for each process and for each attempt, and one that starts.
pub(crate) const RUNS_MAX: usize = ATTEMPTS_MAX + 3;

/// What is stored of an attempt whose outcome is known, or was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttemptRow {
    pub(crate) run: usize,
    pub(crate) outcome: Outcome,
    pub(crate) is_judged: bool,
    pub(crate) is_late: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct RunRow {
    pub(crate) is_ended: bool,
    /// Whether a turn was committed of which the run does not know.
    pub(crate) is_ahead: bool,
}

/// An attempt, as a run knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    pub(crate) attempt: u32,
    pub(crate) possible_duplicate: bool,
}

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// A run starts in a place that nobody refers to.
    Start(usize),
    Turn(Turn),
    /// Ends a run that was found dead, and loses what it had in flight.
    Judge(usize),
    /// A run ends itself.
    End(usize),
    Resolve(u32, Verdict),
    Retry,
    Cancel,
    CancelPending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    pub(crate) run: usize,
    /// That of a slot, and that of none.
    pub(crate) outcomes: [Option<(Ticket, Came)>; 2],
    pub(crate) takes: bool,
    /// Whether it looks for attempts without an outcome.
    pub(crate) asks: bool,
    pub(crate) commit: Commit,
}

/// What becomes of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Commit {
    /// It is durable, and its run knows.
    Confirmed,
    /// It is durable, and its run does not know.
    Unheard,
    /// It is not, and its run does not know.
    Undone,
}

/// What a transaction tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    /// The turn of that number had been committed.
    Before,
    Made(Made),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) taken: Option<Ticket>,
    /// At most one: a run that was judged takes nothing more.
    pub(crate) unsettled: Option<Ticket>,
    pub(crate) is_ended: bool,
}

impl Queue {
    /// A row that was just imported.
    pub(crate) fn new() -> Queue {
        Queue {
            state: State::Pending,
            attempt: 0,
            run: None,
            possible_duplicate: false,
            is_cancelled: false,
            attempts: [None; ATTEMPTS_MAX],
            runs: [None; RUNS_MAX],
        }
    }

    /// What is stored of a run.
    pub(crate) fn run(&self, run: usize) -> RunRow {
        self.runs[run].expect("the run has started")
    }

    fn run_mut(&mut self, run: usize) -> &mut RunRow {
        self.runs[run].as_mut().expect("the run has started")
    }

    /// What is stored of an attempt.
    pub(crate) fn attempt_row(&self, number: u32) -> Option<AttemptRow> {
        self.attempts[number as usize - 1]
    }

    /// Whether the attempt was judged, and its run has not told what came of it.
    pub(crate) fn is_open(&self, number: u32, run: usize) -> bool {
        self.attempt_row(number).is_some_and(|row| row.run == run && row.is_judged && !row.is_late)
    }

    /// Whether the run has the row in flight.
    pub(crate) fn is_in_flight_of(&self, run: usize) -> bool {
        self.state == State::Sending && self.run == Some(run)
    }

    /// Does the transaction.
    pub(crate) fn apply(&mut self, op: &Op, weakness: Weakness) -> Reply {
        match op {
            Op::Start(run) => self.runs[*run] = Some(RunRow::default()),
            Op::Turn(turn) => return self.turn(turn, weakness),
            Op::Judge(run) => self.judge(*run, weakness),
            Op::End(run) => self.run_mut(*run).is_ended |= !self.is_in_flight_of(*run),
            Op::Resolve(attempt, verdict) => self.resolve(*attempt, *verdict, weakness),
            Op::Retry => {
                if matches!(self.state, State::Rejected | State::Failed | State::Skipped) && !self.is_cancelled {
                    self.state = State::Pending;
                }
            }
            Op::Cancel => self.is_cancelled = true,
            Op::CancelPending => {
                if self.is_cancelled && self.state == State::Pending {
                    self.state = State::Cancelled;
                }
            }
        }
        Reply::Done
    }

    fn turn(&mut self, turn: &Turn, weakness: Weakness) -> Reply {
        let Turn { run, outcomes, takes, asks, commit } = turn;
        if std::mem::take(&mut self.run_mut(*run).is_ahead) {
            return Reply::Before;
        }
        let before = *self;
        for (ticket, came) in outcomes.iter().flatten() {
            self.settle(*run, *ticket, *came, weakness);
        }
        let unsettled = if *asks { self.unsettled(*run) } else { None };
        let is_ended = self.run(*run).is_ended;
        let taken = if *takes { self.take(*run, weakness) } else { None };
        match commit {
            Commit::Confirmed => {}
            Commit::Unheard => self.run_mut(*run).is_ahead = true,
            Commit::Undone => *self = before,
        }
        Reply::Made(Made { taken, unsettled, is_ended })
    }

    /// `store/settle.rs`: `MOVE` and `RECORD`, guarded by state, run and attempt.
    fn settle(&mut self, run: usize, ticket: Ticket, came: Came, weakness: Weakness) {
        let Ticket { attempt, possible_duplicate } = ticket;
        let next = came.next(weakness);
        let is_its = self.is_in_flight_of(run) && self.attempt == attempt;
        if is_its || (weakness == Weakness::OutcomeOfAnyAttempt && self.state == State::Sending) {
            self.note(attempt, AttemptRow { run, outcome: next.outcome, is_judged: false, is_late: false });
            self.possible_duplicate |= possible_duplicate || next.may_have_texted;
            self.become_(next.state);
        } else {
            self.settle_late(run, ticket, came, weakness);
        }
    }

    /// `store/late.rs`.
    fn settle_late(&mut self, run: usize, ticket: Ticket, came: Came, weakness: Weakness) {
        let next = came.next(weakness);
        if !self.is_open(ticket.attempt, run) {
            return;
        }
        self.note(ticket.attempt, AttemptRow { run, outcome: next.outcome, is_judged: true, is_late: true });
        if self.attempt == ticket.attempt {
            let overrules = weakness == Weakness::LateOverrules && self.state != next.state;
            if overrules || self.state.after_late(next.state).is_some() {
                self.possible_duplicate = ticket.possible_duplicate || next.may_have_texted;
                self.become_(next.state);
            }
        } else if next.outcome == Outcome::Accepted && self.state == State::Pending {
            self.state = State::Accepted;
        } else if next.outcome == Outcome::Accepted {
            self.possible_duplicate = true;
        }
    }

    /// In a cancelled batch whatever would become pending becomes cancelled.
    fn become_(&mut self, state: State) {
        self.state = if self.is_cancelled && state == State::Pending { State::Cancelled } else { state };
    }

    /// `store/take.rs`: `TAKE`.
    fn take(&mut self, run: usize, weakness: Weakness) -> Option<Ticket> {
        let may_take = !self.run(run).is_ended || weakness == Weakness::EndedRunTakes;
        let may_be_taken = !self.is_cancelled || weakness == Weakness::CancelledIsTaken;
        if self.state != State::Pending || !may_take || !may_be_taken {
            return None;
        }
        (self.state, self.run) = (State::Sending, Some(run));
        self.attempt += 1;
        Some(self.ticket(self.attempt))
    }

    /// `store/take.rs`: `unsettled`.
    fn unsettled(&self, run: usize) -> Option<Ticket> {
        let sending = self.is_in_flight_of(run).then_some(self.attempt);
        let mut unsettled = sending.into_iter().chain((1..=self.attempt).filter(|attempt| self.is_open(*attempt, run)));
        let first = unsettled.next();
        assert_eq!(unsettled.next(), None, "a run has two attempts without an outcome");
        first.map(|attempt| self.ticket(attempt))
    }

    fn note(&mut self, number: u32, row: AttemptRow) {
        self.attempts[number as usize - 1] = Some(row);
    }

    fn ticket(&self, attempt: u32) -> Ticket {
        Ticket { attempt, possible_duplicate: self.possible_duplicate }
    }

    /// `store/dead.rs`: `END` and `lose`.
    fn judge(&mut self, run: usize, weakness: Weakness) {
        self.run_mut(run).is_ended = true;
        if self.is_in_flight_of(run) {
            let judged = AttemptRow { run, outcome: Outcome::Unknown, is_judged: true, is_late: false };
            self.note(self.attempt, judged);
            self.state = if weakness == Weakness::JudgedGoesBack { State::Pending } else { State::Unknown };
        }
    }

    /// `store/resolution.rs`: `DECIDE`, guarded by state and attempt.
    fn resolve(&mut self, attempt: u32, verdict: Verdict, weakness: Weakness) {
        let is_meant = self.attempt == attempt || weakness == Weakness::WordOnAnyAttempt;
        if self.state == State::Unknown && is_meant {
            self.state = verdict.state_in(self.is_cancelled.then_some(super::came::NOW));
            self.possible_duplicate |= matches!(verdict, Verdict::Resend | Verdict::Abandoned);
        }
    }
}
