//! The figures of all batches for who looks at them again and again: what costs little is read each time, what costs more once a
//! second at most for all who look.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::campaign::{Campaign, Past, past, put_together};
use super::follow::Known;
use super::followers::{FOLLOWED_MAX, Followers};
use super::lacks::{Lacks, lacks};
use super::latest::Latest;
use super::metrics::Tallies;
use super::status::{BatchStatus, status};
use super::tally::Tally;
use crate::invocation::{BatchId, Counts, State, UnixMillis};
use crate::store::{self, Batch, Notes, Store};

/// How long a page waits for figures that it can do without: it has 0.3 s in all.
const PATIENCE: Duration = Duration::from_millis(90);

/// Batches of which the status is kept.
const KEPT_MAX: usize = 1_000;

/// The figures of all batches.
pub struct Figures {
    store: Arc<Store>,
    notes: Option<Notes>,
    lacks: Latest<Option<Lacks>>,
    statuses: Kept<BatchId, BatchStatus>,
    /// With the number of runs that it was read for.
    pasts: Kept<(BatchId, usize), Past>,
    followers: Followers,
}

/// What is kept of each batch.
type Kept<K, T> = Mutex<HashMap<K, Latest<T>>>;

/// A batch as it stands.
#[derive(Debug, Clone)]
pub struct Standings {
    /// The batch.
    pub batch: Batch,
    /// Its rows by state.
    pub counts: Counts,
    /// All else; `None` while that is being read, and where it is at its end and only the counts are wanted.
    pub status: Option<Arc<BatchStatus>>,
}

impl Standings {
    /// Whether rows are still to be sent or on their way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.counts[State::Pending] + self.counts[State::Sending] > 0
    }

    /// Whether somebody has something to do or to wait for: rows are open, or nobody can know what became of them.
    #[must_use]
    pub fn needs_a_look(&self) -> bool {
        self.is_open() || self.counts[State::Unknown] > 0 || !self.adds_up()
    }

    /// Whether the states add up to the rows in the file.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.counts.total() == self.batch.rows
    }
}

impl Figures {
    /// The figures of what is in that store, of which its user may have notes.
    #[must_use]
    pub fn new(store: Arc<Store>, notes: Option<Notes>) -> Figures {
        let (statuses, pasts, followers) = (Mutex::default(), Mutex::default(), Followers::default());
        Figures { store, notes, lacks: Latest::default(), statuses, pasts, followers }
    }

    /// What the database lacks of what was sent from it; `None`: nothing that is known.
    pub fn lacks(&self) -> impl Future<Output = Option<Lacks>> + Send + 'static {
        let (latest, notes, store) = (self.lacks.clone(), self.notes.clone(), Arc::clone(&self.store));
        async move {
            let notes = notes?;
            let read = async move { lacks(&store, &notes).await };
            // Where it cannot be read, the page says so of all else.
            latest.get(PATIENCE, read).await?.ok()?.as_ref().clone()
        }
    }

    /// Every batch: those that need a look with all that is known, the others with their counts.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn all(&self) -> Result<Vec<Standings>, Arc<store::Error>> {
        let batches = self.store.batches().await.map_err(Arc::new)?;
        let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
        let counts = self.store.counts(&ids).await.map_err(Arc::new)?;
        let mut all: Vec<Standings> =
            batches.into_iter().zip(counts).map(|(batch, counts)| Standings { batch, counts, status: None }).collect();
        // Together: where one is late, no other one waits for it.
        let looked_at = all.iter_mut().filter(|standings| standings.needs_a_look());
        let statuses = looked_at.map(|standings| async {
            standings.status = self.status(&standings.batch).await?;
            Ok::<(), Arc<store::Error>>(())
        });
        futures_util::future::try_join_all(statuses).await?;
        Ok(all)
    }

    /// One batch, with all that is known.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn one(&self, batch: Batch) -> Result<Standings, Arc<store::Error>> {
        let counts = self.store.counts_of(batch.id).await.map_err(Arc::new)?;
        let status = self.status(&batch).await?;
        Ok(Standings { batch, counts, status })
    }

    /// What came of the rows of a batch, as far as they are counted. From now on that is kept up for a while.
    ///
    /// Who looks first at a small batch has it at once.
    pub async fn known(&self, batch: &Batch) -> Arc<Known> {
        let mut known = self.followers.look(&self.store, batch);
        if !known.borrow().is_complete && known.borrow().lines == 0 {
            // It is late: then nothing is known yet.
            let _ = tokio::time::timeout(PATIENCE, known.changed()).await;
        }
        Arc::clone(&known.borrow_and_update())
    }

    /// All that is told of a batch, as far as it is counted; `None` while something of it is still being read.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn campaign(&self, standings: &Standings, known: &Known) -> Result<Option<Campaign>, Arc<store::Error>> {
        let Some(status) = &standings.status else { return Ok(None) };
        let status =
            BatchStatus { states: standings.counts, adds_up: standings.adds_up(), ..BatchStatus::clone(status) };
        let id = standings.batch.id;
        let runs: Vec<_> = known.tally.runs.keys().copied().collect();
        let kept = latest_of(&self.pasts, (id, runs.len()));
        let store = Arc::clone(&self.store);
        let read = async move { past(&store, id, runs).await };
        let past = kept.get(PATIENCE, read).await.transpose()?;
        Ok(past.map(|past| {
            let (batch, tally) = (standings.batch.clone(), Tally::clone(&known.tally));
            put_together(&self.store, batch, status, tally, &past, UnixMillis::now())
        }))
    }

    /// Has batches counted, as many as there is room for: those of which rows are still to be sent, then the newest. For who asks
    /// for their figures without looking at any.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn follow(&self) -> store::Result<()> {
        let batches = self.store.batches().await?;
        let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
        let counts = self.store.counts(&ids).await?;
        let is_open = |counts: &Counts| counts[State::Pending] + counts[State::Sending] > 0;
        let mut wanted: Vec<(bool, &Batch)> = counts.iter().map(is_open).zip(&batches).collect();
        wanted.sort_by_key(|(is_open, batch)| (!is_open, Reverse(batch.id)));
        let wanted: Vec<&Batch> = wanted.into_iter().map(|(_, batch)| batch).take(FOLLOWED_MAX).collect();
        self.followers.follow_these(&self.store, &wanted);
        Ok(())
    }

    /// What has been counted of the batches that somebody looks at.
    #[must_use]
    pub fn tallies(&self) -> Tallies {
        self.followers.tallies()
    }

    async fn status(&self, batch: &Batch) -> Result<Option<Arc<BatchStatus>>, Arc<store::Error>> {
        let batch_id = batch.id;
        let (store, batch) = (Arc::clone(&self.store), batch.clone());
        let lacks = self.lacks();
        let read = async move {
            let (status, lacks) = tokio::join!(status(&store, &batch, UnixMillis::now()), lacks);
            Ok(BatchStatus { lacks, ..status? })
        };
        latest_of(&self.statuses, batch_id).get(PATIENCE, read).await.transpose()
    }
}

fn latest_of<K: Eq + Hash, T: Send + Sync + 'static>(kept: &Kept<K, T>, key: K) -> Latest<T> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
        kept.clear();
    }
    kept.entry(key).or_default().clone()
}
