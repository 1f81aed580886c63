//! The heartbeat: while a run goes on it shows the others that share its queue that it lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::patience::patiently;
use crate::store::{Heart, Run, Store};

/// How often the counter is raised.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// A heart that beats until it is stopped.
pub(super) struct Heartbeat {
    stop: oneshot::Sender<()>,
    beating: JoinHandle<()>,
}

impl Heartbeat {
    /// Starts it, where the queue is shared: elsewhere a lock shows that the run lives.
    pub(super) fn start(store: &Arc<Store>, run: &Run) -> Option<Heartbeat> {
        if !store.is_shared() {
            return None;
        }
        let (stop, stopped) = oneshot::channel();
        let beating = tokio::spawn(beat_until(stopped, Arc::clone(store), run.clone()));
        Some(Heartbeat { stop, beating })
    }

    /// Stops it between two beats.
    pub(super) async fn stop(self) {
        drop(self.stop);
        if self.beating.await.is_err() {
            tracing::debug!("the heartbeat had ended already");
        }
    }
}

async fn beat_until(mut stopped: oneshot::Receiver<()>, store: Arc<Store>, run: Run) {
    let mut heart: Option<Heart> = None;
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
        let (at, me, held) = (Arc::clone(&store), run.clone(), heart.take());
        let beat = async move {
            let mut heart = match held {
                Some(heart) => heart,
                None => at.heart().await?,
            };
            at.beat(&mut heart, &me).await?;
            Ok(heart)
        };
        match patiently(&store, "show that this run lives", beat).await {
            Ok(beaten) => heart = Some(beaten),
            // The next one is tried on a connection of its own; a turn is a sign of life too.
            Err(error) => tracing::debug!("no heartbeat: {error}"),
        }
    }
}
