//! The row of the model in a real queue: one of a batch for each outcome, and each transaction as a run or an operator makes it.

use mep_batch::invocation::{Attempt, Counts, InvocationId, Settlement, State, Word};
use mep_batch::store::{Actor, Batch, Claim, Decision, Error, Filter, Plain, RetrySelection, Run, Said, Store};

use super::intake::{actor, import};
use super::one_row::came::{Came, NOW};
use super::one_row::queue::{Commit, Made, Op, Queue, RUNS_MAX, Reply, Ticket, Turn};

/// A row for each that can come of an attempt.
#[expect(clippy::cast_possible_truncation, reason = "they are few")]
const ROWS: u32 = Came::ALL.len() as u32;

/// Rows of a batch of their own, and the runs of a way.
pub(crate) struct Real<'a> {
    store: &'a Store,
    batch: Batch,
    rows: Vec<InvocationId>,
    /// Each with the number of the last turn that it knows of.
    runs: [Option<(Run, i64)>; RUNS_MAX],
}

impl<'a> Real<'a> {
    pub(crate) async fn new(store: &'a Store) -> Real<'a> {
        let batch = import(store, &format!("{:016x}", fastrand::u64(..)), ROWS).await;
        let rows = (0..ROWS).map(|row| InvocationId::new(batch.id, row + 2)).collect();
        Real { store, batch, rows, runs: [const { None }; RUNS_MAX] }
    }

    /// Does the transaction, which is the same for all rows but for what came of them, and leads from one state of the queue to
    /// these, as the model has it; what it tells of each row.
    pub(crate) async fn does(&mut self, ops: &[Op], before: &Queue, after: &[Queue]) -> Result<Vec<Reply>, String> {
        let (store, batch) = (self.store, self.batch.id);
        let moves = before.state != after[0].state;
        match &ops[0] {
            Op::Start(run) => {
                let token = format!("{:032x}", fastrand::u128(..));
                let started = store.start_run(&token, &actor(), None, NOW).await.expect("a run");
                self.runs[*run] = Some((started, 0));
            }
            Op::Turn(turn) => {
                let outcomes: Vec<_> = ops.iter().map(outcomes_of).collect();
                return Ok(self.turn(turn, &outcomes).await);
            }
            Op::Judge(run) => {
                let run = self.run(*run).0.id;
                let signs = store.signs_of_life(None).await.expect("read");
                let sign = signs.into_iter().find(|sign| sign.run == run).expect("it may be dead");
                store.end_silent_run(sign, NOW).await.expect("ended").expect("it showed nothing new");
            }
            Op::End(run) => store.end_run(self.run(*run).0, "done", NOW).await.expect("ended"),
            Op::Resolve(attempt, verdict) => {
                let decision = |row: &InvocationId| {
                    let word = Word { verdict: *verdict, request_id: None, reason: "r".to_owned() };
                    Decision { id: *row, attempt: *attempt, word }
                };
                let decisions: Vec<_> = self.rows.iter().map(decision).collect();
                let decided = store.resolve(batch, &decisions, &actor(), NOW).await;
                check_guarded(decided.map(|decided| decided.rows), moves)?;
            }
            Op::Retry => {
                let rows = self.rows.iter().map(|row| (*row, before.state)).collect();
                let selection = RetrySelection { rows, rebuilt: Vec::new() };
                let back = store.retry(batch, &selection, &actor(), NOW, &serde_json::json!({})).await;
                check_guarded(back, moves)?;
            }
            Op::Cancel => assert!(store.cancel(batch, said(&actor())).await.expect("cancelled")),
            Op::CancelPending => check_guarded(store.cancel_pending(batch, NOW).await, moves)?,
        }
        Ok(vec![Reply::Done; ops.len()])
    }

    /// A turn, which is made again where another was in the way, as a run does.
    async fn turn(&mut self, turn: &Turn, outcomes: &[[Option<(Ticket, Came)>; 2]]) -> Vec<Reply> {
        let told = self.rows.iter().zip(outcomes).flat_map(|(row, outcomes)| {
            let of_row =
                |(ticket, came): (Ticket, Came)| came.settlement(*row, ticket.attempt, ticket.possible_duplicate);
            outcomes.iter().flatten().copied().map(of_row)
        });
        let settlements: Vec<Settlement> = told.collect();
        let settlements: Vec<&Settlement> = settlements.iter().collect();
        let (run, last) = self.run(turn.run);
        let made = loop {
            match self.try_turn(run, last + 1, turn, &settlements).await {
                Err(error) if error.is_busy() => {}
                done => break done.expect("a turn"),
            }
        };
        if made.is_none() || turn.commit == Commit::Confirmed {
            self.runs[turn.run].as_mut().expect("the run").1 += 1;
        }
        let Some(Whole { taken, unsettled, is_ended }) = made else { return vec![Reply::Before; self.rows.len()] };
        let of_row = |row: &InvocationId| {
            let ticket = |all: &[Attempt]| all.iter().find(|attempt| attempt.id == *row).map(ticket);
            Reply::Made(Made { taken: ticket(&taken), unsettled: ticket(&unsettled), is_ended })
        };
        self.rows.iter().map(of_row).collect()
    }

    /// `None`: the turn of that number had been committed.
    async fn try_turn(
        &self,
        run: &Run,
        number: i64,
        turn: &Turn,
        settlements: &[&Settlement],
    ) -> Result<Option<Whole>, Error> {
        let mut writer = self.store.turn_writer().await?;
        let is_plain = !turn.asks && settlements.iter().all(|settlement| settlement.state != State::Pending);
        if is_plain && turn.commit != Commit::Undone && (turn.takes || !settlements.is_empty()) {
            let take = turn.takes.then_some((self.batch.id, ROWS));
            let plain = Plain { number, now: NOW, settlements, take };
            if let Some(taken) = writer.make_plain(run, &plain).await? {
                let taken = taken.into_iter().map(|row| row.attempt).collect();
                return Ok(Some(Whole { taken, unsettled: Vec::new(), is_ended: false }));
            }
        }
        let mut made = match writer.begin(run, number, NOW).await? {
            Claim::Committed => return Ok(None),
            Claim::Granted(made) => made,
        };
        made.settle(settlements).await?;
        let unsettled = if turn.asks { made.unsettled().await? } else { Vec::new() };
        if turn.takes {
            // In a file what is given back is due in the next turn only, unless something is looked at in between.
            made.gates(&[], true).await?;
        }
        let taken = if turn.takes { made.take(self.batch.id, ROWS).await? } else { Vec::new() };
        let is_ended = made.is_ended();
        if turn.commit != Commit::Undone {
            made.close().await?.commit().await?;
        }
        let taken = taken.into_iter().map(|row| row.attempt).collect();
        Ok(Some(Whole { taken, unsettled, is_ended }))
    }

    fn run(&self, run: usize) -> (&Run, i64) {
        let (run, last) = self.runs[run].as_ref().expect("the run has started");
        (run, *last)
    }

    /// Holds what is stored of each row against the model.
    pub(crate) async fn compare(&self, queues: &[Queue]) -> Result<(), String> {
        let rows = self.store.page(self.batch.id, &Filter::default(), 0, ROWS).await.expect("rows");
        let attempts = self.store.attempts(&self.rows).await.expect("attempts");
        let mut counts = Counts::default();
        for (row, queue) in rows.iter().zip(queues) {
            let found = (row.state, row.attempt, row.possible_duplicate);
            let expected = (queue.state, queue.attempt, queue.possible_duplicate);
            if found != expected {
                return Err(format!("the row is expected to be {expected:?}, and is {found:?}"));
            }
            let own = attempts.iter().filter(|attempt| attempt.row == row.id);
            let found: Vec<_> = own.map(|row| (row.number, row.outcome.as_str(), row.is_late)).collect();
            let told = |number| queue.attempt_row(number).map(|row| (number, row.outcome.as_str(), row.is_late));
            let expected: Vec<_> = (1..=queue.attempt).filter_map(told).collect();
            if found != expected {
                return Err(format!("the attempts are expected to be {expected:?}, and are {found:?}"));
            }
            counts[row.state] += 1;
        }
        let stored = self.store.counts_of(self.batch.id).await.expect("counts");
        let is_all = rows.len() == self.rows.len() && stored == counts;
        if is_all { Ok(()) } else { Err(format!("the counts are {stored:?}, and the rows {counts:?}")) }
    }

    /// Holds what is stored of the runs against the model.
    pub(crate) async fn compare_runs(&self, queue: &Queue) -> Result<(), String> {
        let open = self.store.open_runs().await.expect("runs");
        for (place, (run, _)) in self.runs.iter().enumerate().filter_map(|(place, run)| Some((place, run.as_ref()?))) {
            let is_ended = !open.iter().any(|open| open.id == run.id);
            if queue.runs[place].is_some_and(|expected| expected.is_ended != is_ended) {
                return Err(format!("whether run {place} was ended is {is_ended}"));
            }
        }
        Ok(())
    }
}

/// What a turn has told of all rows.
struct Whole {
    taken: Vec<Attempt>,
    unsettled: Vec<Attempt>,
    is_ended: bool,
}

fn outcomes_of(op: &Op) -> [Option<(Ticket, Came)>; 2] {
    match op {
        Op::Turn(turn) => turn.outcomes,
        Op::Start(_) | Op::Judge(_) | Op::End(_) | Op::Resolve(..) | Op::Retry | Op::Cancel | Op::CancelPending => {
            [None, None]
        }
    }
}

/// An operator's act moves all the rows, or says that they have changed meanwhile.
fn check_guarded(done: Result<u64, Error>, moves: bool) -> Result<(), String> {
    let moved = match done {
        Ok(rows) => rows == u64::from(ROWS),
        Err(Error::Conflict(_)) => false,
        Err(error) => unreachable!("{error}"),
    };
    if moved == moves { Ok(()) } else { Err(format!("expected that it moves the rows: {moves}, found {moved}")) }
}

fn ticket(attempt: &Attempt) -> Ticket {
    Ticket { attempt: attempt.number, possible_duplicate: attempt.possible_duplicate }
}

fn said(actor: &Actor) -> Said<'_> {
    Said { actor, now: NOW, reason: None }
}
