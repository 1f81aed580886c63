//! Everybody and everything, and what each step does; what must never be is looked for at each of them.

use mep_batch::invocation::{State, Verdict};

use super::came::Came;
use super::event::Event;
use super::moves::check_move;
use super::process::{Held, Included, Process, Stage, Trouble};
use super::queue::{Commit, Made, Op, Queue, RUNS_MAX, Reply, Ticket, Turn};
use super::weakness::Weakness;

/// The row, two processes, and the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) queue: Queue,
    pub(crate) processes: [Option<Process>; 2],
    /// The attempt that the operator has seen to have left the row unknown.
    pub(crate) looked: Option<u32>,
    /// What is so of the last attempt, whether anybody knows it or not.
    pub(crate) last: Truth,
    /// Whether the operator has asked for another request since the row was taken last.
    pub(crate) is_asked_for: bool,
}

/// What is so of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Unwritten,
    Written,
    /// Written, and the service has said to repeat it, or that it did not process it.
    SaysToRepeat,
}

/// What must never be.
pub(crate) type Violation = &'static str;

impl World {
    pub(crate) fn new() -> World {
        World {
            queue: Queue::new(),
            processes: [None, None],
            looked: None,
            last: Truth::Unwritten,
            is_asked_for: false,
        }
    }

    /// The process that has the run.
    pub(crate) fn place_of(&self, run: usize) -> Option<usize> {
        self.processes.iter().position(|process| process.as_ref().is_some_and(|process| process.run == run))
    }

    /// Takes a step; the transaction that it was, if it was one.
    pub(crate) fn step(&mut self, event: Event, weakness: Weakness) -> Result<Option<Op>, Violation> {
        match event {
            Event::Starts(place) => {
                let run = self.free_run();
                self.processes[place] = Some(Process::of(run));
                self.act(Op::Start(run), weakness)
            }
            Event::Takes(place, commit) => {
                let op = self.turn(place, true, commit, weakness);
                self.see_through(place);
                op.map(Some)
            }
            Event::Stores(place, commit) => {
                let op = self.turn(place, false, commit, weakness);
                self.see_through(place);
                op.map(Some)
            }
            Event::Mends(place, commit) => {
                let op = self.mend(place, commit, weakness);
                self.see_through(place);
                op.map(Some)
            }
            Event::Exits(place) => {
                let ended = Op::End(self.process(place).run);
                self.processes[place] = None;
                self.act(ended, weakness)
            }
            Event::IsJudged(run) => {
                // Who was judged may wake up at any time, and does nothing before.
                if let Some(place) = self.place_of(run) {
                    self.process(place).is_silent = false;
                }
                self.act(Op::Judge(run), weakness)
            }
            Event::Looks => {
                self.looked = Some(self.queue.attempt);
                Ok(None)
            }
            Event::Resolves(verdict) => {
                let attempt = self.looked.take().expect("the operator has looked");
                self.act(Op::Resolve(attempt, verdict), weakness)
            }
            Event::Retries => self.act(Op::Retry, weakness),
            Event::Cancels => self.act(Op::Cancel, weakness),
            Event::CancelsPending => self.act(Op::CancelPending, weakness),
            Event::Crashes(place) => {
                self.processes[place] = None;
                Ok(None)
            }
            Event::FallsSilent(_)
            | Event::Wakes(_)
            | Event::Checks(_)
            | Event::Withholds(..)
            | Event::Writes(_)
            | Event::FindsNobody(_)
            | Event::Hears(..)
            | Event::IsAbandoned(_) => self.step_within(event, weakness).map(|()| None),
        }
    }

    /// A step that touches no database.
    fn step_within(&mut self, event: Event, weakness: Weakness) -> Result<(), Violation> {
        match event {
            Event::FallsSilent(place) => {
                let process = self.process(place);
                process.is_silent = true;
                let is_handed = |held: &&mut Held| held.stage == Stage::Handed;
                if let Some(held) = process.held.as_mut().filter(is_handed)
                    && weakness != Weakness::NoSellBy
                {
                    held.stage = Stage::Stale;
                }
            }
            Event::Wakes(place) => self.process(place).is_silent = false,
            Event::Checks(place) => {
                let (run, ticket) = self.advance(place, Stage::Checked);
                if !self.queue.is_in_flight_of(run) || self.queue.attempt != ticket.attempt {
                    return Err("a row is about to be sent that is not the run's any more");
                }
            }
            Event::Writes(place) => {
                let (run, ticket) = self.advance(place, Stage::OnWire);
                if self.is_last(run, ticket) {
                    self.last = Truth::Written;
                }
            }
            Event::Hears(place, came) => {
                let (run, ticket) = self.advance(place, Stage::Ended(came));
                if came.says_to_repeat() && self.is_last(run, ticket) {
                    self.last = Truth::SaysToRepeat;
                }
            }
            Event::Withholds(place, came) => drop(self.advance(place, Stage::Ended(came))),
            Event::FindsNobody(place) => drop(self.advance(place, Stage::Ended(Came::Unreached))),
            Event::IsAbandoned(place) => drop(self.advance(place, Stage::Ended(Came::Abandoned))),
            Event::Starts(_)
            | Event::Crashes(_)
            | Event::Takes(..)
            | Event::Stores(..)
            | Event::Mends(..)
            | Event::Exits(_)
            | Event::IsJudged(_)
            | Event::Looks
            | Event::Resolves(_)
            | Event::Retries
            | Event::Cancels
            | Event::CancelsPending => unreachable!("{event:?} is no step within a process"),
        }
        Ok(())
    }

    /// `run/turns.rs`: stores what is known, takes what is due, and hands out what was taken once the commit is confirmed.
    fn turn(&mut self, place: usize, takes: bool, commit: Commit, weakness: Weakness) -> Result<Op, Violation> {
        let process = self.process(place);
        let included = process.finished();
        let outcomes = process.outcomes(included);
        let op = Op::Turn(Turn { run: process.run, outcomes, takes, asks: false, commit });
        let Reply::Made(Made { taken, .. }) = self.apply(&op, weakness)? else {
            unreachable!("a run that is not in trouble knows of all its turns")
        };
        let process = self.process(place);
        if commit == Commit::Confirmed {
            process.committed(included);
        } else {
            process.trouble = Some(Trouble { unconfirmed: Some(included) });
        }
        if commit == Commit::Confirmed || weakness == Weakness::HandsOutUnconfirmed {
            let handed = taken.map(|ticket| Held { ticket, stage: Stage::Handed });
            process.held = handed.or(process.held);
        }
        Ok(op)
    }

    /// `run/trouble.rs`, `store_rest`: first the turn that may have been committed is claimed once more, then what is known is
    /// stored, and what the run has in flight and in no slot is given back.
    fn mend(&mut self, place: usize, commit: Commit, weakness: Weakness) -> Result<Op, Violation> {
        let process = self.process(place);
        let (run, finished) = (process.run, process.finished());
        let unconfirmed = process.trouble.as_ref().and_then(|trouble| trouble.unconfirmed);
        let included = unconfirmed.unwrap_or(finished);
        let outcomes = process.outcomes(included);
        let op = Op::Turn(Turn { run, outcomes, takes: false, asks: unconfirmed.is_none(), commit });
        let reply = self.apply(&op, weakness)?;
        let process = self.process(place);
        match (reply, commit) {
            (Reply::Before, _) => process.known(included),
            (Reply::Made(_), Commit::Unheard | Commit::Undone) => {
                process.trouble = Some(Trouble { unconfirmed: Some(included) });
            }
            (Reply::Made(_), Commit::Confirmed) if unconfirmed.is_some() => process.known(included),
            (Reply::Made(made), Commit::Confirmed) => {
                let is_held = |ticket: &Ticket| process.held.is_some_and(|held| held.ticket.attempt == ticket.attempt);
                let forgets = weakness == Weakness::GivesBackWhatIsHeld;
                let stray = made.unsettled.filter(|ticket| forgets || !is_held(ticket));
                process.committed(included);
                (process.trouble, process.stray) = (None, stray);
            }
            (Reply::Done, _) => unreachable!("it was a turn"),
        }
        Ok(op)
    }

    /// A place for a run to which nothing refers.
    fn free_run(&self) -> usize {
        let queue = &self.queue;
        let made_attempt = |run: usize| queue.attempts.iter().flatten().any(|row| row.run == run);
        let is_free = |run: &usize| queue.run != Some(*run) && self.place_of(*run).is_none() && !made_attempt(*run);
        (0..RUNS_MAX).find(is_free).expect("there is one place more than what can be referred to")
    }

    /// Takes a trouble off a process in which mending would find nothing to do: nothing can tell it from one without it.
    fn see_through(&mut self, place: usize) {
        let Some(process) = self.processes[place] else { return };
        let run = process.run;
        let is_in_doubt = self.queue.run(run).is_ahead;
        let is_unsettled = |attempt| self.queue.is_open(attempt, run);
        let is_at_a_loss = self.queue.is_in_flight_of(run) || (1..=self.queue.attempt).any(is_unsettled);
        let trouble = &mut self.process(place).trouble;
        let had_outcomes = trouble.is_some_and(|trouble| trouble.unconfirmed.is_some_and(|had| !had.is_empty()));
        if is_in_doubt || had_outcomes || trouble.is_none() {
            return;
        }
        let has_nothing = process.held.is_none() && process.stray.is_none() && !is_at_a_loss;
        *trouble = (!has_nothing).then_some(Trouble { unconfirmed: None });
    }

    fn act(&mut self, op: Op, weakness: Weakness) -> Result<Option<Op>, Violation> {
        self.apply(&op, weakness)?;
        Ok(Some(op))
    }

    /// Does a transaction, and looks at what it has done to the row.
    fn apply(&mut self, op: &Op, weakness: Weakness) -> Result<Reply, Violation> {
        let (state, attempt, run) = (self.queue.state, self.queue.attempt, self.queue.run);
        let reply = self.queue.apply(op, weakness);
        if self.queue.state != state {
            check_move(state, attempt, run, op)?;
        }
        if self.queue.attempt > attempt {
            self.check_taking(op, attempt, run)?;
            (self.last, self.is_asked_for) = (Truth::Unwritten, false);
        }
        let is_put_back = state != State::Pending && self.queue.state == State::Pending;
        let asks = match op {
            Op::Resolve(looked, Verdict::NotSent | Verdict::Resend) => *looked == attempt,
            Op::Retry => true,
            Op::Resolve(_, Verdict::Accepted | Verdict::Abandoned)
            | Op::Start(_)
            | Op::Turn(_)
            | Op::Judge(_)
            | Op::End(_)
            | Op::Cancel
            | Op::CancelPending => false,
        };
        self.is_asked_for |= is_put_back && asks;
        Ok(reply)
    }

    fn is_last(&self, run: usize, ticket: Ticket) -> bool {
        self.queue.run == Some(run) && self.queue.attempt == ticket.attempt
    }

    /// Moves what the slot has to another stage; whose it is.
    fn advance(&mut self, place: usize, stage: Stage) -> (usize, Ticket) {
        let process = self.process(place);
        let held = process.held.as_mut().expect("a slot has the row");
        held.stage = stage;
        (process.run, held.ticket)
    }

    fn process(&mut self, place: usize) -> &mut Process {
        self.processes[place].as_mut().expect("the process is there")
    }
}

impl Process {
    /// What became of the turn that was in doubt is known: these outcomes are durable.
    fn known(&mut self, included: Included) {
        self.committed(included);
        self.trouble = Some(Trouble { unconfirmed: None });
    }
}
