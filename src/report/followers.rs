//! The batches that somebody looks at: each is counted by a task of its own, which ends when nobody looks any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::follow::{Counting, Known, Step};
use super::metrics::Tallies;
use crate::invocation::{BatchId, UnixMillis};
use crate::store::{Batch, Store};

/// How long after it was looked at last a batch is followed: a page that is reloaded by hand finds it fresh.
const LOOKED_AT: Duration = Duration::from_secs(30);

/// A batch that is followed is counted for one part of the time in so many.
const ONE_IN: u32 = 20;

/// Likewise until each line has been counted once: somebody waits for it, and it is done once.
const ONE_IN_AT_FIRST: u32 = 4;

/// The shortest time between two rounds.
const ROUND: Duration = Duration::from_secs(1);

/// How often the figures are told during a round.
const TOLD: Duration = Duration::from_secs(1);

/// Batches of which figures are kept.
pub(super) const FOLLOWED_MAX: usize = 32;

/// The batches that are followed, or were of late.
pub(super) struct Followers {
    all: Mutex<HashMap<BatchId, Arc<Followed>>>,
    /// One is counted at a time, the pause that it owes included: what is said of the processor's time holds for all together.
    turn: Arc<Semaphore>,
}

impl Default for Followers {
    fn default() -> Followers {
        Followers { all: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

struct Followed {
    batch: BatchId,
    /// A batch that was deleted leaves its number to a new one.
    imported_at: UnixMillis,
    /// Whether its place was given to another one.
    is_forgotten: AtomicBool,
    known: watch::Sender<Arc<Known>>,
    /// When somebody asked for its figures last.
    asked_at: Mutex<Instant>,
    /// When somebody did who looks at it in particular; `None`: nobody has.
    looked_at: Mutex<Option<Instant>>,
    counting: tokio::sync::Mutex<Counting>,
}

impl Followers {
    /// What is known of a batch. From now on it is followed for a while.
    pub(super) fn look(&self, store: &Arc<Store>, batch: &Batch) -> watch::Receiver<Arc<Known>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = all.len() >= FOLLOWED_MAX && !all.contains_key(&batch.id);
        if is_full && !forget(&mut all, |followed| !followed.is_looked_at()) {
            forget(&mut all, |_| true);
        }
        let followed = self.follow(&mut all, store, batch);
        *followed.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        followed.known.subscribe()
    }

    /// Likewise of several, for who looks at none in particular: what somebody does look at makes no room for them, and what nobody
    /// asks for any more does.
    pub(super) fn follow_these(&self, store: &Arc<Store>, batches: &[&Batch]) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |id: BatchId| batches.iter().any(|batch| batch.id == id);
        for batch in batches {
            if all.len() >= FOLLOWED_MAX && !all.contains_key(&batch.id) {
                forget(&mut all, |followed| !is_wanted(followed.batch) && !followed.is_looked_at());
            }
            if all.len() < FOLLOWED_MAX || all.contains_key(&batch.id) {
                self.follow(&mut all, store, batch);
            }
        }
    }

    fn follow(&self, all: &mut HashMap<BatchId, Arc<Followed>>, store: &Arc<Store>, batch: &Batch) -> Arc<Followed> {
        let followed = all.entry(batch.id).or_insert_with(|| Arc::new(Followed::new(batch)));
        if followed.imported_at != batch.imported_at {
            followed.is_forgotten.store(true, Ordering::Relaxed);
            *followed = Arc::new(Followed::new(batch));
        }
        *followed.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if let Ok(counting) = Arc::clone(followed).counting.try_lock() {
            // Nobody counts it.
            drop(counting);
            tokio::spawn(Arc::clone(followed).count(Arc::clone(store), Arc::clone(&self.turn)));
        }
        Arc::clone(followed)
    }

    /// The figures of those whose lines were all counted.
    pub(super) fn tallies(&self) -> Tallies {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let of =
            |followed: &Arc<Followed>| ((followed.batch, followed.imported_at), Arc::clone(&followed.known.borrow()));
        let known = all.values().map(of).filter(|(_, known)| known.is_complete);
        known.map(|(batch, known)| (batch, Arc::clone(&known.tally))).collect()
    }
}

/// Forgets that of these which nobody has asked for for the longest; whether there was one.
fn forget(all: &mut HashMap<BatchId, Arc<Followed>>, which: impl Fn(&Followed) -> bool) -> bool {
    let those = all.values().filter(|followed| which(followed));
    let oldest = those.max_by_key(|followed| followed.unasked_for()).map(|followed| followed.batch);
    let forgotten = oldest.and_then(|batch| all.remove(&batch));
    forgotten.inspect(|followed| followed.is_forgotten.store(true, Ordering::Relaxed)).is_some()
}

impl Followed {
    fn new(batch: &Batch) -> Followed {
        Followed {
            batch: batch.id,
            imported_at: batch.imported_at,
            is_forgotten: AtomicBool::new(false),
            known: watch::Sender::default(),
            asked_at: Mutex::new(Instant::now()),
            looked_at: Mutex::default(),
            counting: tokio::sync::Mutex::new(Counting::new(batch.id)),
        }
    }

    fn unasked_for(&self) -> Duration {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn is_looked_at(&self) -> bool {
        self.looked_at.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < LOOKED_AT)
    }

    fn is_wanted(&self) -> bool {
        self.unasked_for() < LOOKED_AT && !self.is_forgotten.load(Ordering::Relaxed)
    }

    async fn count(self: Arc<Self>, store: Arc<Store>, turn: Arc<Semaphore>) {
        let Ok(mut counting) = self.counting.try_lock() else { return };
        // What is known first is told at once: somebody may wait for it.
        let (mut told_at, mut is_news) = (None::<Instant>, false);
        let mut worked = Duration::ZERO;
        while self.is_wanted() {
            // It is never closed.
            let Ok(its_turn) = turn.acquire().await else { return };
            let began = Instant::now();
            let was_round = counting.has_been_round();
            let step = counting.step(&store).await;
            is_news |= matches!(step, Ok(Step::Counted)) || was_round != counting.has_been_round();
            if counting.is_at_end() && step.is_ok() {
                worked += began.elapsed();
                // Whether all is counted is known in a moment.
                continue;
            }
            let is_round = matches!(step, Ok(Step::Round));
            if is_news && (is_round || told_at.is_none_or(|at| at.elapsed() >= TOLD)) {
                self.known.send_replace(Arc::new(counting.known()));
                (told_at, is_news) = (Some(Instant::now()), false);
            }
            worked += began.elapsed();
            if !matches!(step, Ok(Step::Looked)) {
                let rest = if counting.has_been_round() { ONE_IN - 1 } else { ONE_IN_AT_FIRST - 1 };
                tokio::time::sleep(std::mem::take(&mut worked) * rest).await;
            }
            drop(its_turn);
            match step {
                Ok(Step::Counted | Step::Looked) => {}
                Ok(Step::Round) => tokio::time::sleep(ROUND).await,
                Err(error) => {
                    tracing::debug!("what came of a batch cannot be counted: {error}");
                    tokio::time::sleep(ROUND).await;
                }
            }
        }
    }
}
