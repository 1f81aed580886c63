//! All that a report tells of one batch, gathered before any of it is written.

use super::status::{self, BatchStatus};
use super::tally::{Tally, tally};
use crate::invocation::{BatchId, Counts, RunId, State, UnixMillis};
use crate::store::{self, ActionRecord, Batch, PastRun, Store, UnknownView};

/// Unknown rows and lines that are told one by one: beyond, `resolve` and `export` list them.
pub const ROWS_TOLD: u32 = 50;

/// Operators' acts that are told.
pub const ACTIONS_TOLD: u32 = 500;

/// Runs that are told, the last ones.
const RUNS_TOLD: usize = 200;

/// A batch with everything that came of it.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The batch.
    pub batch: Batch,
    /// How it stood when the counting began.
    pub status: BatchStatus,
    /// What came of its rows and attempts.
    pub tally: Tally,
    /// The runs that made attempts, oldest first; no more than are told.
    pub runs: Vec<CampaignRun>,
    /// How many more there were before them.
    pub earlier_runs: usize,
    /// What operators did, oldest first; [`ACTIONS_TOLD`] at most.
    pub actions: Vec<ActionRecord>,
    /// Its unknown rows; [`ROWS_TOLD`] at most.
    pub unknown: Vec<UnknownView>,
    /// The lines of those that may have been texted twice; [`ROWS_TOLD`] at most.
    pub possible_duplicates: Vec<u32>,
    /// How many request IDs stand on more than one of its last requests.
    pub repeated_request_ids: i64,
    /// Whether no run sent it, and its rows were in the same states before and after they were counted one by one.
    pub was_still: bool,
    /// When all of that was read.
    pub at: UnixMillis,
    /// The database, without its password.
    pub database: String,
}

/// A run with what it did for the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignRun {
    /// The run.
    pub run: PastRun,
    /// Whether it lives.
    pub is_alive: bool,
    /// The attempts that it made of the batch's rows.
    pub attempts: i64,
}

impl Campaign {
    /// Whether some of it was being sent meanwhile: then its figures are of moments that lie a little apart.
    #[must_use]
    pub fn is_being_sent(&self) -> bool {
        self.status.is_being_sent()
    }

    /// The rows by state as they were counted one by one.
    #[must_use]
    pub fn counted(&self) -> Counts {
        let mut counts = Counts::default();
        for ((state, _), rows) in &self.tally.rows {
            counts[*state] += rows;
        }
        counts
    }

    /// What does not agree, of that which always has to: the kept counts with the rows in the file, and, where nothing moved
    /// meanwhile, with the rows themselves.
    #[must_use]
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let (kept, counted) = (self.status.states.total(), self.counted());
        let mut found = Vec::new();
        if !self.status.adds_up {
            found.push(Disagreement::File { states: kept, rows: self.status.rows });
        }
        if self.was_still {
            let differ =
                self.status.states.iter().zip(counted.iter()).filter(|((_, kept), (_, counted))| kept != counted);
            found.extend(differ.map(|((state, kept), (_, counted))| Disagreement::State { state, kept, counted }));
        }
        found
    }
}

/// Figures that have to agree and do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// All states together, and the rows in the file.
    File {
        /// The rows of all states.
        states: i64,
        /// As the importer counted them.
        rows: i64,
    },
    /// The kept count of a state, and its rows.
    State {
        /// The state.
        state: State,
        /// As it is kept.
        kept: i64,
        /// As they were counted one by one.
        counted: i64,
    },
}

/// What of it is read beside the status and the tally.
#[derive(Debug, Clone)]
pub(super) struct Past {
    runs: Vec<PastRun>,
    alive: Vec<RunId>,
    earlier_runs: usize,
    actions: Vec<ActionRecord>,
    unknown: Vec<UnknownView>,
    possible_duplicates: Vec<u32>,
    repeated_request_ids: i64,
}

/// Gathers it. Reads every row and attempt of the batch, chunk by chunk, and keeps figures only.
///
/// # Errors
///
/// The database cannot be read.
pub async fn campaign(store: &Store, batch: Batch, at: UnixMillis) -> store::Result<Campaign> {
    let status = status::status(store, &batch, at).await?;
    let tally = tally(store, &batch).await?;
    let was_still = !status.is_being_sent() && store.counts_of(batch.id).await? == status.states;
    let past = past(store, batch.id, tally.runs.keys().copied().collect()).await?;
    Ok(Campaign { was_still, ..put_together(store, batch, status, tally, &past, at) })
}

/// Reads what these runs and the operators did, and what is open.
pub(super) async fn past(store: &Store, batch: BatchId, runs: Vec<RunId>) -> store::Result<Past> {
    let earlier_runs = runs.len().saturating_sub(RUNS_TOLD);
    Ok(Past {
        alive: store.open_runs().await?.into_iter().filter(|run| run.is_alive).map(|run| run.id).collect(),
        runs: store.runs(&runs[earlier_runs..]).await?,
        earlier_runs,
        actions: store.all_actions(batch, ACTIONS_TOLD).await?,
        unknown: store.first_unknown_rows(batch, ROWS_TOLD).await?,
        possible_duplicates: store.possible_duplicate_lines(batch, ROWS_TOLD).await?,
        repeated_request_ids: store.repeated_request_ids(batch).await?,
    })
}

/// All of it, of what was read at several moments.
pub(super) fn put_together(
    store: &Store,
    batch: Batch,
    status: BatchStatus,
    tally: Tally,
    past: &Past,
    at: UnixMillis,
) -> Campaign {
    let runs = past.runs.iter().map(|run| CampaignRun {
        is_alive: run.ended.is_none() && past.alive.contains(&run.id),
        attempts: tally.runs.get(&run.id).copied().unwrap_or_default(),
        run: run.clone(),
    });
    Campaign {
        runs: runs.collect(),
        earlier_runs: past.earlier_runs,
        actions: past.actions.clone(),
        unknown: past.unknown.clone(),
        possible_duplicates: past.possible_duplicates.clone(),
        repeated_request_ids: past.repeated_request_ids,
        database: store.address().to_string(),
        was_still: false,
        status,
        tally,
        at,
        batch,
    }
}
