//! The open connections of the stand-in.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::service::{Phase, Service};
use super::wire::Wire;

/// How long a connection may take to send the head of a request, or stay idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The open connections. Dropping them closes them all.
pub(super) struct Connections {
    service: Arc<Service>,
    open: JoinSet<()>,
}

/// How many requests a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// As many as come.
    Alive,
    /// One.
    Once,
}

impl Connections {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Connections { service, open: JoinSet::new() }
    }

    /// Serves a connection in a task of its own.
    pub(super) fn open(&mut self, stream: TcpStream, keep: Keep) {
        // Not in the task, which may start late: every change from here on is this connection's business.
        let phase = self.service.phase();
        self.open.spawn(serve(Arc::clone(&self.service), stream, keep, phase));
    }

    /// Waits until a connection has ended; `None` where there is none.
    pub(super) async fn ended(&mut self) -> Option<()> {
        let ended = self.open.join_next().await?;
        if let Err(error) = ended {
            tracing::error!(%error, "a connection's task failed");
        }
        Some(())
    }
}

async fn serve(service: Arc<Service>, stream: TcpStream, keep: Keep, mut phase: watch::Receiver<Phase>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let (wire, switch) = Wire::new(stream);
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        let switch = switch.clone();
        async move { service.answer(request, switch).await }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(keep == Keep::Alive);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(wire), answer));
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => served,
        _ = phase.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        // Spoiled answers end here too, and clients that went away.
        tracing::debug!(%error, "a connection ended early");
    }
}
