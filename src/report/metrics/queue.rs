//! How the queue stands, as the database tells it at little cost: no row of a batch is read but the one that is due next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::families::{
    CANCELLED, DUPLICATES, GATE_CLOSED, OLDEST_DUE, OPEN_RUN_IN_FLIGHT, OPEN_RUN_RATE, OPEN_RUN_SILENT, PAUSED,
    RATE_LIMIT, ROWS, RUNS_ALIVE, UNKNOWN, WAITING,
};
use super::labels::{GATE_REASONS, endpoint_label};
use super::page::seconds;
use crate::invocation::{BatchId, Counts, Hold, RunId, State, UnixMillis};
use crate::report::exposition::Exposition;
use crate::report::latest::Latest;
use crate::report::{hours, tally};
use crate::store::{self, Batch, ClosedBecause, Confirmation, NextDue, PurgeHow, RunView, Store};

/// Why pending rows may wait: the words of `status`.
const REASONS: [&str; 10] = [
    "paused",
    "confirmation",
    "max-unknown",
    "throttled",
    "unreachable",
    "ambiguous",
    "not-before",
    "window",
    "time-zone",
    "retry",
];

/// How batches, their gates and the runs stand.
#[derive(Debug, Clone)]
pub struct QueueFigures {
    pub(super) batches: Vec<BatchFigures>,
    /// Why nothing is sent to an endpoint, by its label: of each account, where something is to be sent there.
    gates: BTreeMap<String, Vec<ClosedBecause>>,
    runs: Vec<RunView>,
}

/// How a batch stands.
#[derive(Debug, Clone)]
pub(super) struct BatchFigures {
    pub(super) id: BatchId,
    pub(super) imported_at: UnixMillis,
    pub(super) name: String,
    counts: Counts,
    orphaned: i64,
    /// `None` while they are being counted.
    possible_duplicates: Option<i64>,
    due_since: Option<UnixMillis>,
    rate: Option<f64>,
    is_paused: bool,
    is_cancelled: bool,
    /// Empty where its rows are sent as fast as they may, or none is pending.
    waits_for: Vec<&'static str>,
}

/// Who reads how the queue stands, again and again.
#[derive(Clone)]
pub struct QueueReader {
    store: Arc<Store>,
    /// Kept for a while: to count them takes the longer the more there are.
    possible_duplicates: Latest<BTreeMap<BatchId, i64>>,
}

impl QueueReader {
    /// Reads it there.
    #[must_use]
    pub fn new(store: Arc<Store>) -> QueueReader {
        QueueReader { store, possible_duplicates: Latest::default() }
    }

    /// How it stands: of these batches, or of all; a batch that is being deleted is gone from the first moment on.
    ///
    /// What takes long to count is waited for so long: then it is as it was counted last, or left out.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn read(&self, which: Option<&[BatchId]>, patience: Duration) -> Result<QueueFigures, Arc<store::Error>> {
        let store = Arc::clone(&self.store);
        let counted = self.possible_duplicates.get(patience, async move { store.all_possible_duplicates().await });
        let possible_duplicates = counted.await.transpose()?;
        read(&self.store, which, possible_duplicates.as_deref()).await.map_err(Arc::new)
    }
}

async fn read(
    store: &Store,
    which: Option<&[BatchId]>,
    duplicates: Option<&BTreeMap<BatchId, i64>>,
) -> store::Result<QueueFigures> {
    let now = store.now().await?;
    let mut batches = store.batches().await?;
    batches.retain(|batch| {
        let is_being_deleted = batch.purge.is_some_and(|purge| purge.how == PurgeHow::Delete);
        !is_being_deleted && which.is_none_or(|wanted| wanted.contains(&batch.id))
    });
    let ids: Vec<BatchId> = batches.iter().map(|batch| batch.id).collect();
    let counts = store.counts(&ids).await?;
    let runs = store.open_runs().await?;
    let alive: Vec<RunId> = runs.iter().filter(|run| run.is_alive).map(|run| run.id).collect();
    let mut figures = QueueFigures { batches: Vec::with_capacity(batches.len()), gates: BTreeMap::new(), runs };
    for (batch, counts) in batches.iter().zip(counts) {
        let pending = counts[State::Pending];
        let is_open = pending + counts[State::Sending] > 0;
        let gate = if is_open { store.find_gate(&batch.endpoint, &batch.account).await? } else { None };
        let closed = gate.and_then(|gate| gate.closed).map(|(_, because)| because);
        figures.gates.entry(endpoint_label(&batch.endpoint)).or_default().extend(closed);
        let next = if pending > 0 { store.next_due(batch.id).await? } else { None };
        let due = next.map(|next| hours::next_due(batch, next.at, now)).filter(|due| *due <= now);
        let possible_since = batch.imported_at.max(batch.settings.schedule.not_before.unwrap_or(batch.imported_at));
        figures.batches.push(BatchFigures {
            id: batch.id,
            imported_at: batch.imported_at,
            name: batch.name.clone(),
            orphaned: if counts[State::Sending] > 0 { store.orphaned(batch.id, &alive).await? } else { 0 },
            possible_duplicates: duplicates.map(|counted| counted.get(&batch.id).copied().unwrap_or_default()),
            due_since: due.map(|due| due.max(possible_since)),
            rate: batch.rate(),
            is_paused: batch.paused_at.is_some(),
            is_cancelled: batch.cancelled_at.is_some(),
            waits_for: waits_for(batch, &counts, next, due.is_some(), closed, now),
            counts,
        });
    }
    Ok(figures)
}

fn waits_for(
    batch: &Batch,
    counts: &Counts,
    next: Option<NextDue>,
    is_due: bool,
    closed: Option<ClosedBecause>,
    now: UnixMillis,
) -> Vec<&'static str> {
    let pending = counts[State::Pending];
    if pending == 0 {
        return Vec::new();
    }
    let put_off = match next {
        _ if is_due => None,
        // Those that no moment is known for are held for their zone.
        None => Some("time-zone"),
        Some(next) if next.at > now => Some(hours::reason(batch, next.hold, now)),
        Some(_) => Some(hours::reason(batch, Some(Hold::Window), now)),
    };
    let too_many_unknown = counts[State::Unknown] > batch.settings.unknown_limit(batch.rows);
    let reasons = [
        batch.paused_at.is_some().then_some("paused"),
        (batch.confirmation(pending) != Confirmation::Given).then_some("confirmation"),
        too_many_unknown.then_some("max-unknown"),
        closed.filter(|_| is_due).map(ClosedBecause::as_str),
        put_off,
    ];
    reasons.into_iter().flatten().collect()
}

/// When a request of the batch was accepted last; `None` where none was. Reads each attempt of the batch once, chunk by chunk.
///
/// # Errors
///
/// The database cannot be read.
pub async fn last_accepted(store: &Store, batch: BatchId) -> store::Result<Option<UnixMillis>> {
    let mut last = None;
    if let Some(last_line) = store.last_line(batch).await? {
        for lines in tally::chunks(last_line) {
            last = last.max(store.last_accepted(batch, lines).await?);
        }
    }
    Ok(last)
}

impl QueueFigures {
    /// The batches that have rows in the state.
    pub fn batches_with(&self, state: State) -> impl Iterator<Item = BatchId> {
        self.batches.iter().filter(move |batch| batch.counts[state] > 0).map(|batch| batch.id)
    }

    pub(super) fn write(&self, page: &mut Exposition) {
        self.batches.iter().for_each(|batch| batch.write(page));
        for (endpoint, closed) in &self.gates {
            for reason in GATE_REASONS {
                page.add(&GATE_CLOSED, &[endpoint, reason.as_str()], u8::from(closed.contains(&reason)));
            }
        }
        page.add(&RUNS_ALIVE, &[], self.runs.iter().filter(|run| run.is_alive).count());
        for run in &self.runs {
            let number = run.id.0.to_string();
            let labels = [number.as_str(), run.host.as_str()];
            page.add(&OPEN_RUN_SILENT, &labels, run.silent.as_secs_f64());
            page.add(&OPEN_RUN_IN_FLIGHT, &labels, run.sending);
            page.add(&OPEN_RUN_RATE, &labels, run.rate);
        }
    }
}

impl BatchFigures {
    fn write(&self, page: &mut Exposition) {
        let name = self.name.as_str();
        for (state, rows) in self.counts.iter() {
            page.add(&ROWS, &[name, state.as_str()], rows);
        }
        page.add(&UNKNOWN, &[name], self.counts[State::Unknown] + self.orphaned);
        if let Some(rows) = self.possible_duplicates {
            page.add(&DUPLICATES, &[name], rows);
        }
        if let Some(since) = self.due_since {
            page.add(&OLDEST_DUE, &[name], seconds(since));
        }
        if let Some(rate) = self.rate {
            page.add(&RATE_LIMIT, &[name], rate);
        }
        page.add(&PAUSED, &[name], u8::from(self.is_paused));
        page.add(&CANCELLED, &[name], u8::from(self.is_cancelled));
        if self.counts[State::Pending] > 0 {
            for reason in REASONS {
                page.add(&WAITING, &[name, reason], u8::from(self.waits_for.contains(&reason)));
            }
        }
    }
}
