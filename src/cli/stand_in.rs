//! The simulator inside this process, for batches whose endpoint it is.

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::mep::Endpoint;
use crate::simulator;
use crate::store::Batch;

/// The simulator, if it was started.
pub(super) struct StandIn {
    /// Where it listens, if it was started.
    pub(super) base_url: Option<String>,
    running: Option<(oneshot::Sender<()>, JoinHandle<anyhow::Result<simulator::Summary>>)>,
}

impl StandIn {
    pub(super) async fn start_if_needed(batches: &[Batch]) -> anyhow::Result<StandIn> {
        if !batches.iter().any(|batch| batch.endpoint == Endpoint::Simulator) {
            return Ok(StandIn { base_url: None, running: None });
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = Some(format!("http://{}", listener.local_addr()?));
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await; // an error means that the sender is gone, which says the same
        };
        let serving = tokio::spawn(simulator::serve(listener, simulator::Settings::default(), shutdown));
        Ok(StandIn { base_url, running: Some((stop, serving)) })
    }

    pub(super) async fn stop(self) {
        let Some((stop, serving)) = self.running else { return };
        let _ = stop.send(()); // it may have ended already
        if let Ok(Err(error)) = serving.await {
            tracing::warn!("the simulator ended with an error: {error:#}");
        }
    }
}
