//! The batches that somebody looks at: each is counted by a task of its own, which ends when nobody looks any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::follow::{Counting, Known, Step};
use super::tally::Tally;
use crate::invocation::BatchId;
use crate::store::Store;

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
#[derive(Default)]
pub(super) struct Followers(Mutex<HashMap<BatchId, Arc<Followed>>>);

struct Followed {
    batch: BatchId,
    known: watch::Sender<Arc<Known>>,
    looked_at: Mutex<Instant>,
    counting: tokio::sync::Mutex<Counting>,
}

impl Followers {
    /// What is known of a batch. From now on it is followed for a while.
    pub(super) fn look(&self, store: &Arc<Store>, batch: BatchId) -> watch::Receiver<Arc<Known>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= FOLLOWED_MAX && !all.contains_key(&batch) {
            forget_the_oldest(&mut all);
        }
        let followed = all.entry(batch).or_insert_with(|| Arc::new(Followed::new(batch)));
        *followed.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if let Ok(counting) = Arc::clone(followed).counting.try_lock() {
            // Nobody counts it.
            drop(counting);
            tokio::spawn(Arc::clone(followed).follow(Arc::clone(store)));
        }
        followed.known.subscribe()
    }
}

impl Followers {
    /// The figures of those whose lines were all counted.
    pub(super) fn tallies(&self) -> HashMap<BatchId, Arc<Tally>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.values().map(|followed| (followed.batch, Arc::clone(&followed.known.borrow())));
        known.filter(|(_, known)| known.is_complete).map(|(batch, known)| (batch, Arc::clone(&known.tally))).collect()
    }
}

fn forget_the_oldest(all: &mut HashMap<BatchId, Arc<Followed>>) {
    let oldest = all.values().max_by_key(|followed| followed.unseen_for()).map(|followed| followed.batch);
    oldest.map(|batch| all.remove(&batch));
}

impl Followed {
    fn new(batch: BatchId) -> Followed {
        Followed {
            batch,
            known: watch::Sender::default(),
            looked_at: Mutex::new(Instant::now()),
            counting: tokio::sync::Mutex::new(Counting::new(batch)),
        }
    }

    fn unseen_for(&self) -> Duration {
        self.looked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    async fn follow(self: Arc<Self>, store: Arc<Store>) {
        let Ok(mut counting) = self.counting.try_lock() else { return };
        let (mut told_at, mut is_news) = (Instant::now(), false);
        while self.unseen_for() < LOOKED_AT {
            let began = Instant::now();
            let was_round = counting.has_been_round();
            let step = counting.step(&store).await;
            let is_round = matches!(step, Ok(Step::Round));
            is_news |= was_round != counting.has_been_round();
            let rest = if counting.has_been_round() { ONE_IN - 1 } else { ONE_IN_AT_FIRST - 1 };
            let pause = match step {
                Ok(Step::Counted) => {
                    is_news = true;
                    began.elapsed() * rest
                }
                Ok(Step::Looked) => continue,
                Ok(Step::Round) => ROUND.max(began.elapsed() * rest),
                Err(error) => {
                    tracing::debug!("what came of a batch cannot be counted: {error}");
                    ROUND
                }
            };
            if is_news && (is_round || told_at.elapsed() >= TOLD) {
                self.known.send_replace(Arc::new(counting.known()));
                (told_at, is_news) = (Instant::now(), false);
            }
            tokio::time::sleep(pause).await;
        }
    }
}
