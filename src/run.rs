//! One run: takes due rows, has them sent, and stores what came of them, until nothing is left to do.
//!
//! Everything is written in turns by the one task below. A turn stores the outcomes that have come since the last
//! one and takes as many rows as slots are free; only once it is durable are its rows handed to the workers.

mod batches;
mod end;
mod engine;
mod gatekeeper;
mod heartbeat;
mod hours;
mod judge;
mod measures;
mod order;
mod pace;
mod patience;
mod plain;
mod rate;
mod routes;
mod sending;
mod set_back;
mod slots;
mod telling;
mod trouble;
mod turns;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::invocation::{BatchId, Counts, UnixMillis};
use crate::mep::Endpoint;
use crate::store::{self, Actor, Batch, ClosedBecause, Notes, RunLock, Settled, Store};

use heartbeat::Heartbeat;
pub use judge::Judge;
pub use measures::Measures;
pub use routes::{Connections, ReadSuppressed, Routes};

/// Rows of a batch that CIE is sent without a limit: it is not for load.
pub const CIE_ROWS_MAX: i64 = 100;

/// Why the batch is not sent to CIE (`would send …`), where it has so many rows to send and no limit is given.
#[must_use]
pub fn too_much_for_cie(batch: &Batch, to_send: i64, limit: Option<u64>) -> Option<String> {
    let too_much = batch.endpoint == Endpoint::Cie && to_send > CIE_ROWS_MAX && limit.is_none();
    too_much.then(|| {
        format!(
            "would send {to_send} rows to CIE, which is not for load\nhint: `--limit {CIE_ROWS_MAX}` sends the first ones"
        )
    })
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which batches.
    pub which: Which,
    /// Requests in flight at most.
    pub concurrency: NonZeroUsize,
    /// Rows to take at most.
    pub limit: Option<u64>,
    /// How long, in all, to wait while nothing can be sent; `None`: as long as anything may still be.
    pub wait: Option<Duration>,
    /// How long to look for a server that is gone before what it was not told goes to the log.
    pub store_grace: Duration,
    /// Where it is noted how far the run has come; `None`: nowhere.
    pub notes: Option<Notes>,
    /// Where it counts what it does, for whoever watches; `None`: nowhere.
    pub measures: Option<Measures>,
}

/// Which batches a run sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// These.
    Named(Vec<BatchId>),
    /// Every confirmed one, those that are imported meanwhile included.
    All,
}

impl Which {
    /// Those that are named, if any are.
    fn named(&self) -> Option<&[BatchId]> {
        match self {
            Which::Named(batches) => Some(batches),
            Which::All => None,
        }
    }
}

/// What an operator or the system wants of a run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Nothing.
    None,
    /// Take no more, finish what is in flight.
    Drain(Signal),
    /// Abandon what is in flight; those rows become unknown.
    Abandon(Signal),
}

/// The signal that interrupted a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Int,
    /// The system's wish.
    Term,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub ending: Ending,
    /// The batches that it sent, or that it was to send.
    pub batches: Vec<BatchId>,
    /// Why it could not send some of them.
    pub left: Vec<String>,
    /// Whether there is another file at the database's path now, or none: nothing of it may be opened.
    pub is_replaced: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is left that could be sent.
    Done,
    /// What is left waits for longer than was asked for; until when, as far as that is known.
    Waiting(Option<UnixMillis>),
    /// As many rows as were asked for have been taken.
    LimitReached,
    /// A signal; so many rows were abandoned in flight.
    Interrupted(Signal, usize),
    /// A fault that would meet every row: the text says what to fix.
    Stopped(String),
    /// The store could not be written; so many outcomes are in the log only.
    StoreFailed(String, usize),
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A turn was committed, or a second has passed.
    Progress(&'a Progress),
    /// Nothing is sent there until then; then one row probes.
    GateClosed(&'a Endpoint, ClosedBecause, UnixMillis),
    /// Rows are sent there again.
    GateOpened(&'a Endpoint),
    /// No more is taken.
    Ending(&'a Ending),
    /// The store could not be written; it is tried again for that long.
    StoreTrouble(&'a store::Error, Duration),
    /// The store can be written again, and all that was known is in it.
    StoreBack,
    /// Another run was found dead; what it had in flight is unknown now.
    Settled(&'a Settled),
    /// A batch has joined a run of all batches.
    Joined(&'a str),
    /// A batch cannot be sent by this process: the text names it and says why.
    Left(&'a str),
}

/// How far a run is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The rows of the run's batches, by state.
    pub counts: Counts,
    /// Rows in flight.
    pub in_flight: usize,
    /// Outcomes a second of late.
    pub rate: f64,
    /// Requests a second that may be sent; `None`: as fast as answers come.
    pub rate_limit: Option<f64>,
    /// Why nothing is sent at present, and until when, as far as that is known.
    pub waiting: Option<(String, Option<UnixMillis>)>,
}

/// Registers a run, sends what is due until there is no more or something ends it, and ends the run.
///
/// In a file the caller has settled what dead runs left: the lock proves that none lives. Where several share the queue,
/// this judges the others. An error means that the run could not begin; once it has, whatever happens is an [`Ending`].
pub async fn run(
    store: Arc<Store>,
    lock: Option<RunLock>,
    actor: &Actor,
    options: Options,
    routes: Routes,
    interrupts: watch::Receiver<Interrupt>,
    observer: &mut (dyn FnMut(Event<'_>) + Send),
) -> store::Result<Ended> {
    let run = store.start_run(&store::random_token(), actor, options.which.named(), UnixMillis::now()).await?;
    let noting = match options.notes.clone() {
        Some(notes) => Some(store.begin_noting(notes, &run).await?),
        None => None,
    };
    let mut engine = engine::Engine::new(Arc::clone(&store), lock, run.clone(), options, routes, interrupts, observer);
    engine.noting = noting;
    let heartbeat = Heartbeat::start(&store, &run);
    let ending = engine.send_until_done().await;
    engine.end_note();
    if let Some(measures) = &engine.options.measures {
        measures.ended(engine.slots.in_flight());
    }
    let how = match &ending {
        Ending::Done => "done".to_owned(),
        Ending::Waiting(_) => "waiting".to_owned(),
        Ending::LimitReached => "limit reached".to_owned(),
        Ending::Interrupted(..) => "interrupted".to_owned(),
        Ending::Stopped(why) => format!("{}{}", store::STOPPED, why.lines().next().unwrap_or_default()),
        Ending::StoreFailed(..) => "the store failed".to_owned(),
    };
    tracing::info!(run = run.id.0, turns = engine.turns, %how, "the run ends");
    // After a failed commit nothing on that connection can be trusted.
    if engine.trouble.is_some() {
        store.forget_connections();
    }
    let is_replaced = engine.lock.as_ref().is_some_and(|lock| !lock.still_holds());
    let (at, me) = (Arc::clone(&store), run.clone());
    let end = async move { if is_replaced { Ok(()) } else { at.end_run(&me, &how, UnixMillis::now()).await } };
    if let Err(error) = patience::patiently(&store, "end the run", end).await {
        tracing::warn!("the end of this run is not stored; the next run will settle it: {error}");
    }
    if let Some(heartbeat) = heartbeat {
        heartbeat.stop().await;
    }
    // What is in a log that nobody else finds is put into the file before anything more is opened or closed.
    if !is_replaced && engine.lock.as_ref().is_some_and(|lock| !lock.log_is_in_place()) {
        let at = Arc::clone(&store);
        let folded = patience::patiently(&store, "fold the log", async move { at.fold_log().await }).await;
        if let Err(error) = folded {
            tracing::error!("what is in the database's log could not be put into its file: {error}");
        }
    }
    let sent = engine.batches.iter().map(|sending| sending.batch.id);
    let batches =
        sent.chain(engine.left.iter().map(|(batch, _)| *batch)).chain(engine.settled.iter().copied()).collect();
    let left = engine.left.into_iter().map(|(_, why)| why).collect();
    // Whatever it was, it is not stored where anybody looks.
    let is_told = matches!(ending, Ending::StoreFailed(..)) || !is_replaced;
    let ending = if is_told { ending } else { Ending::StoreFailed(turns::replaced().to_string(), 0) };
    Ok(Ended { ending, batches, left, is_replaced })
}
