//! When the last row of a run leaves: read beside it now and then, so that what is shown while it goes on costs it nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::invocation::UnixMillis;
use crate::report;
use crate::run::Which;
use crate::store::Store;

use super::run::selected;

/// It is worth no more than this share of the time: of millions of rows that wait it takes a while.
const ONE_IN: u32 = 20;

/// The forecast as it was read last.
#[derive(Debug, Clone, Default)]
pub(super) struct Forecast(Arc<Mutex<Option<UnixMillis>>>);

/// Reads the forecast until it is dropped.
pub(super) struct Reading(JoinHandle<()>);

impl Forecast {
    /// When the last row leaves, where that can be told.
    pub(super) fn eta(&self) -> Option<UnixMillis> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it beside the run of these batches, that often at most.
    pub(super) fn read(&self, store: &Arc<Store>, which: &Which, every: Duration) -> Reading {
        let (latest, store, which) = (Arc::clone(&self.0), Arc::clone(store), which.clone());
        Reading(tokio::spawn(async move {
            loop {
                let began = Instant::now();
                let eta = read(&store, &which).await.unwrap_or_else(|error| {
                    tracing::debug!("when the last row leaves cannot be told: {error:#}");
                    None
                });
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = eta;
                tokio::time::sleep(every.max(began.elapsed() * ONE_IN)).await;
            }
        }))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // It only reads: whatever it is doing, nobody needs it.
        self.0.abort();
    }
}

async fn read(store: &Store, which: &Which) -> anyhow::Result<Option<UnixMillis>> {
    let now = store.now().await?;
    let batches = selected(store, which).await?;
    let mut last = None;
    for batch in &batches {
        match report::eta(store, batch, now).await? {
            report::Eta::Nothing => {}
            report::Eta::Unknown => return Ok(None),
            report::Eta::At(at) => last = last.max(Some(at)),
        }
    }
    Ok(last)
}
