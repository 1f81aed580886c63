//! The model's transactions, held against the store's: each that the model knows is made on a real queue, and must do the same.

mod cluster;
mod either;
mod intake;
mod one_row;
#[path = "one_row/real.rs"]
mod real;
mod rounds;

use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::LazyLock;

use cluster::{Cluster, Database};
use either::{On, facts};
use mep_batch::invocation::Outcome;
use mep_batch::store::{Address, Store};
use one_row::came::{Came, NOW};
use one_row::event::Event;
use one_row::queue::{AttemptRow, Op, Queue, RUNS_MAX, Reply, Turn};
use one_row::search::Search;
use one_row::weakness::Weakness;
use one_row::world::World;
use real::Real;
use tokio::runtime::Runtime;

/// As often as the row is taken in the model.
const ATTEMPTS_MAX: u32 = 2;

/// A prime, so that rounds one after another look at transactions far from one another.
const STRIDE: u64 = 7_919;

/// Transactions that the quick test holds against the store, of some thousands.
const QUICK: u64 = 25;

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
