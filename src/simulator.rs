//! A stand-in for the API: the contract's answers over HTTP, and what can go wrong on the way to them.
//!
//! Its checks are written from the contract alone and share the constants of [`crate::mep`] with the client's, so that
//! a fault in either shows against the other.

mod authorization;
mod chance;
mod check;
mod connection;
mod content;
mod effect;
mod fault;
mod latency;
mod plan;
mod port;
mod receipt;
mod reply;
mod service;
mod settings;
mod share;
mod summary;
mod variables;
mod wire;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use fault::{Fault, UnknownFault};
pub use latency::{Latency, LatencyError};
pub use settings::Settings;
pub use share::{FaultShare, Faults, ShareError};
pub use summary::Summary;

use connection::{Connections, Keep};
use port::Port;
use service::{Order, Service};

/// Orders that wait for the server.
const ORDERS_MAX: usize = 16;

/// How long requests in flight have at a shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Serves until `shutdown` completes, then answers what is in flight and closes all connections.
///
/// Fails where the receipts file cannot be opened or written, and where the port cannot be had again after
/// [`Fault::Refuse`]. Dropping the future closes everything at once.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<Summary> {
    let (orders_in, mut orders) = mpsc::channel(ORDERS_MAX);
    let service = Arc::new(Service::new(settings, orders_in)?);
    let mut port = Port::new(listener)?;
    let mut connections = Connections::new(Arc::clone(&service));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(order) = orders.recv() => match order {
                Order::Fail(error) => return Err(error),
                Order::ShutPort(shut) => {
                    let waiting = port.shut()?;
                    service.advance(|phase| phase.shuts += 1);
                    // Only now, or the change would close them unanswered.
                    for stream in waiting {
                        connections.open(stream, Keep::Once);
                    }
                    // A client that has gone in the meantime has no need to know.
                    let _ = shut.send(());
                }
            },
            stream = port.accept() => connections.open(stream?, Keep::Alive),
            Some(()) = connections.ended() => {}
        }
    }
    drop(port);
    service.advance(|phase| phase.stopping = true);
    match timeout(SHUTDOWN_GRACE, drain(&mut connections, &mut orders)).await {
        Ok(drained) => drained?,
        Err(_) => tracing::warn!(grace = ?SHUTDOWN_GRACE, "closing connections with requests in flight"),
    }
    Ok(service.summary())
}

async fn drain(connections: &mut Connections, orders: &mut mpsc::Receiver<Order>) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            ended = connections.ended() => if ended.is_none() {
                return Ok(());
            },
            Some(order) = orders.recv() => match order {
                Order::Fail(error) => return Err(error),
                // The port is shut for good, which the dropped sender says as well.
                Order::ShutPort(shut) => drop(shut),
            },
        }
    }
}
