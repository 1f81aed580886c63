//! The model's transactions, held against the store's: each that the model knows is made on a real queue, and must do the same.

mod cluster;
mod either;
mod one_row;
mod rounds;

use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::LazyLock;

use cluster::{Cluster, Database};
use either::{On, facts};
use mep_batch::invocation::{
    Attempt, Counts, Findings, Fingerprint, ImportedRow, InvocationId, Outcome, RowContent, Settings, Settlement,
    State, Word,
};
use mep_batch::store::{
    Actor, Address, Batch, Claim, Decision, Error, Filter, NewBatch, Plain, RetrySelection, Run, Said, Store,
};
use one_row::came::{Came, NOW};
use one_row::event::Event;
use one_row::queue::{AttemptRow, Commit, Made, Op, Queue, RUNS_MAX, Reply, Ticket, Turn};
use one_row::search::Search;
use one_row::weakness::Weakness;
use one_row::world::World;
use tokio::runtime::Runtime;

/// As often as the row is taken in the model.
const ATTEMPTS_MAX: u32 = 2;

/// A row for each that can come of an attempt.
#[expect(clippy::cast_possible_truncation, reason = "they are few")]
const ROWS: u32 = Came::ALL.len() as u32;

/// A prime, so that rounds one after another look at transactions far from one another.
const STRIDE: u64 = 7_919;

/// Transactions that the quick test holds against the store, of some thousands.
const QUICK: u64 = 60;

fn main() -> ExitCode {
    let each: &[either::Fact] =
        facts![each_transaction_of_the_model_is_what_the_store_does, a_guard_that_the_model_forgets_is_noticed];
    either::run(&[(On::Either, each)])
}

fn each_transaction_of_the_model_is_what_the_store_does(database: Database) {
    let (queue, runtime) = (Place::new(database), runtime());
    let store = runtime.block_on(queue.open());
    let (part, held) = match database {
        Database::Sqlite => ("model-sqlite", "transactions held against a file"),
        Database::Postgres => ("model-postgres", "transactions held against a server"),
    };
    let all = MODEL.ways.len() as u64;
    assert_ne!(all % STRIDE, 0, "with such a stride not all would be come by");
    rounds::rounds(part, QUICK, |rng, figures| {
        // One round's seed is greater by one than the last one's, so that as many rounds as there are come by all.
        let place = usize::try_from(rng.get_seed() % all * STRIDE % all).expect("a place");
        let way = MODEL.way(MODEL.ways[place]);
        let gone = runtime.block_on(go(&store, &way, Weakness::None));
        gone.unwrap_or_else(|otherwise| unreachable!("{otherwise}\n{way:#?}"));
        figures.count(held, 1);
    });
}

fn a_guard_that_the_model_forgets_is_noticed(database: Database) {
    let (queue, runtime) = (Place::new(database), runtime());
    let store = runtime.block_on(queue.open());
    for (weakness, difference) in GUARDS.into_iter().zip(MODEL.differences) {
        let way = MODEL.way(difference.expect("the guard matters somewhere"));
        let gone = runtime.block_on(go(&store, &way, weakness));
        assert!(gone.is_err(), "{weakness:?}: the store does the same, after {way:#?}");
    }
}

/// Guards whose lack the store shows by itself: the others are rules of what a process does.
const GUARDS: [Weakness; 6] = [
    Weakness::JudgedGoesBack,
    Weakness::OutcomeOfAnyAttempt,
    Weakness::WordOnAnyAttempt,
    Weakness::LateOverrules,
    Weakness::EndedRunTakes,
    Weakness::CancelledIsTaken,
];

/// A last step, and the place of the world before it.
type Step = (usize, Event);

/// What the model says is to be held against the store.
struct Model {
    search: Search,
    /// A step for each transaction that differs from the others in what decides what it does, the shortest way to it first.
    ways: Vec<Step>,
    /// The first step at which each of the guards matters.
    differences: [Option<Step>; GUARDS.len()],
}

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let (mut ways, mut found, mut differences) = (Vec::new(), HashSet::new(), [None; GUARDS.len()]);
    let search = Search::all(ATTEMPTS_MAX, Weakness::None, |place, world, event, op| {
        if !found.insert(known(&world.queue, op)) {
            return;
        }
        ways.push((place, event));
        let apply = |weakness| {
            let mut queue = world.queue;
            (queue.apply(&op, weakness), queue)
        };
        for (guard, difference) in GUARDS.into_iter().zip(&mut differences) {
            if difference.is_none() && apply(guard) != apply(Weakness::None) {
                *difference = Some((place, event));
            }
        }
    });
    Model { search: search.expect("nothing is wrong with the model"), ways, differences }
});

impl Model {
    /// The steps that lead to a step, and that one.
    fn way(&self, (place, event): Step) -> Vec<Event> {
        let mut way = self.search.path(place);
        way.push(event);
        way
    }
}

/// What of the queue, and of the run that makes it, decides what a transaction does.
type Known = (Queue, Op);

/// A transaction with all that has no part in it made the same; what came of an attempt is tried in every way.
fn known(queue: &Queue, op: Op) -> Known {
    let own = match op {
        Op::Start(run) | Op::Judge(run) | Op::End(run) | Op::Turn(Turn { run, .. }) => Some(run),
        Op::Resolve(..) | Op::Retry | Op::Cancel | Op::CancelPending => None,
    };
    let renamed = |run: usize| if Some(run) == own { 0 } else { 1 };
    let op = match op {
        Op::Start(_) => Op::Start(0),
        Op::Judge(_) => Op::Judge(0),
        Op::End(_) => Op::End(0),
        Op::Turn(turn) => telling(Op::Turn(Turn { run: 0, ..turn }), Came::GivenBack),
        Op::Resolve(..) | Op::Retry | Op::Cancel | Op::CancelPending => op,
    };
    let mut queue = *queue;
    queue.run = queue.run.map(renamed);
    for row in queue.attempts.iter_mut().flatten() {
        let is_own = Some(row.run) == own;
        let (is_judged, is_late) = (row.is_judged && is_own, row.is_late && is_own);
        *row = AttemptRow { run: renamed(row.run), outcome: Outcome::Unknown, is_judged, is_late };
    }
    let own = own.and_then(|run| queue.runs[run]);
    queue.runs = [None; RUNS_MAX];
    queue.runs[0] = own;
    (queue, op)
}

/// The same transaction, where that came of the attempt that a slot had.
fn telling(op: Op, came: Came) -> Op {
    let Op::Turn(mut turn) = op else { return op };
    turn.outcomes[0] = turn.outcomes[0].map(|(ticket, _)| (ticket, came));
    Op::Turn(turn)
}

/// Goes a way through the model and through the store at once, with a row for each of all that can come of an attempt in the
/// last step.
///
/// `weakness`: the rule that the model lacks in each step.
///
/// # Errors
///
/// What the store does otherwise than the model.
async fn go(store: &Store, way: &[Event], weakness: Weakness) -> Result<(), String> {
    let mut real = Real::new(store).await;
    let mut world = World::new();
    for (place, event) in way.iter().enumerate() {
        let before = world.queue;
        let stepped = world.step(*event, Weakness::None);
        let Some(op) = stepped.expect("nothing is wrong with the model") else { continue };
        let is_last = place + 1 == way.len();
        let ops = Came::ALL.map(|came| if is_last { telling(op, came) } else { op });
        let mut queues = [before; Came::ALL.len()];
        let expected: Vec<Reply> = queues.iter_mut().zip(&ops).map(|(queue, op)| queue.apply(op, weakness)).collect();
        let found = real.does(&ops, &before, &queues).await?;
        if found != expected {
            return Err(format!("{op:?}: expected {expected:?}, found {found:?}"));
        }
        real.compare(&queues).await.map_err(|otherwise| format!("{op:?}: {otherwise}"))?;
    }
    real.compare_runs(&world.queue).await?;
    // So that the next way is not slower than this one.
    store.settle_dead_runs(NOW).await.expect("settled");
    Ok(())
}

/// Rows of a batch of their own, and the runs of a way.
struct Real<'a> {
    store: &'a Store,
    batch: Batch,
    rows: Vec<InvocationId>,
    /// Each with the number of the last turn that it knows of.
    runs: [Option<(Run, i64)>; RUNS_MAX],
}

impl<'a> Real<'a> {
    async fn new(store: &'a Store) -> Real<'a> {
        let lock = store.import_lock().await.expect("the lock");
        let mut intake = store.begin_intake(lock, NOW).await.expect("an intake");
        let lines = (0..ROWS).map(|row| row + 2);
        let ready = |line: u32| {
            let phone = 12_515_550_000 + u64::from(line);
            let body = format!(r#"{{"endUser":{{"phoneNumber":{phone}}}}}"#);
            ImportedRow { line, content: RowContent::Ready { body, phone, time_zone: None } }
        };
        intake.add(lines.clone().map(ready).collect()).await.expect("a chunk");
        let noted = |line: u32| Fingerprint { phone: 12_515_550_000 + u64::from(line), request_hash: 1, line };
        intake.note(&lines.clone().map(noted).collect::<Vec<_>>()).await.expect("noted");
        let (_, name) = intake.finish(&new_batch(), &actor()).await.expect("finished");
        let batch = store.batch_named(&name).await.expect("read").expect("the batch");
        let rows = lines.map(|line| InvocationId::new(batch.id, line)).collect();
        Real { store, batch, rows, runs: [const { None }; RUNS_MAX] }
    }

    /// Does the transaction, which is the same for all rows but for what came of them, and leads from one state of the queue to
    /// these, as the model has it; what it tells of each row.
    async fn does(&mut self, ops: &[Op], before: &Queue, after: &[Queue]) -> Result<Vec<Reply>, String> {
        let (store, batch) = (self.store, self.batch.id);
        let moves = before.state != after[0].state;
        match &ops[0] {
            Op::Start(run) => {
                let token = format!("{:032x}", fastrand::u128(..));
                let started = store.start_run(&token, &actor(), NOW).await.expect("a run");
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
    async fn compare(&self, queues: &[Queue]) -> Result<(), String> {
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
    async fn compare_runs(&self, queue: &Queue) -> Result<(), String> {
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

/// A folder, or a database of the server that the tests share.
struct Place {
    folder: tempfile::TempDir,
    database: Option<String>,
}

impl Place {
    fn new(database: Database) -> Place {
        // In memory where that can be: whether a commit reaches the disk has no part in this.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
        Place { folder, database: (database == Database::Postgres).then(|| Cluster::shared().database()) }
    }

    async fn open(&self) -> Store {
        let address = match &self.database {
            Some(url) => url.parse().expect("an address"),
            None => Address::File(self.folder.path().join("queue.db")),
        };
        Store::open(&address, true).await.expect("a store")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(url) = &self.database {
            Cluster::shared().forget(url);
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn actor() -> Actor {
    Actor { who: "op".to_owned(), host: "here".to_owned(), version: "0".to_owned() }
}

fn said(actor: &Actor) -> Said<'_> {
    Said { actor, now: NOW, reason: None }
}

fn new_batch() -> NewBatch {
    NewBatch {
        name: None,
        stem: format!("{:016x}", fastrand::u64(..)),
        service: "ABC123".parse().expect("an ID"),
        endpoint: "simulator".parse().expect("an endpoint"),
        account: String::new(),
        source_name: "a.csv".to_owned(),
        source_sha256: "00".to_owned(),
        file_sha256: "00".to_owned(),
        columns: vec!["phoneNumber".to_owned()],
        findings: Findings::default(),
        settings: Settings::default(),
        rows: i64::from(ROWS),
    }
}
