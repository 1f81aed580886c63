//! The server of the status page: bounded in connections, in what a request may be, and in how long anybody may hold it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::gate::{Gate, Lock};
use super::patient::Patient;
use super::router::Router;
use super::site::Site;
use crate::store::{Notes, Store};

/// Connections that are open at a time. More wait until one ends.
const CONNECTIONS_MAX: usize = 128;

/// How long the head of a request may take, and how long a connection may be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the other end may take nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// How long what is being answered has at the end.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// The wait after a connection could not be accepted: most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The status page, ready to be served.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    gate: Gate,
    database: Option<String>,
}

impl Server {
    /// Listens on that port for who has what opens the lock. `database` is a word for a shell: the address behind the flag
    /// that named the queue, where one did, so that the commands on the pages name it too.
    ///
    /// # Errors
    ///
    /// The listener has no address, or the system no random bytes.
    pub fn new(listener: TcpListener, lock: Lock, database: Option<String>) -> anyhow::Result<Server> {
        let address = listener.local_addr().context("the listener has no address")?;
        Ok(Server { gate: Gate::new(address, lock)?, listener, address, database })
    }

    /// What to open in a browser. It may hold the token: to be printed for who started this, and to be logged nowhere.
    #[must_use]
    pub fn url(&self) -> String {
        self.gate.url(self.address)
    }

    /// Serves until `shutdown` completes; the notes tell whether the database lacks something. Nobody can hold up the end:
    /// listeners are told, and the rest has half a second.
    pub async fn serve(self, store: Arc<Store>, notes: Option<Notes>, shutdown: impl Future<Output = ()>) {
        let (end, ends) = watch::channel(false);
        let router = Router::new(Arc::new(Site::new(store, notes, self.gate, self.database, ends.clone())));
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut open = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_ended) = open.join_next() => {}
                (stream, place) = accept(&self.listener, &room) => {
                    let (router, ends) = (router.clone(), ends.clone());
                    open.spawn(async move {
                        let _place = place;
                        serve_connection(stream, router, ends).await;
                    });
                }
            }
        }
        drop(self.listener);
        end.send_replace(true);
        let ended = async { while open.join_next().await.is_some() {} };
        if timeout(SHUTDOWN_GRACE, ended).await.is_err() {
            tracing::debug!("closing connections with requests in flight");
        }
    }
}

/// The next connection, once there is room for it. Cancel-safe.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // It is never closed.
    let place = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, mut ends: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true); // slower without, and no reason to refuse it
    let answer = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.answer(request.map(Body::new)).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(false);
    let io = TokioIo::new(Patient::new(stream, WRITE_TIMEOUT));
    let mut connection = pin!(builder.serve_connection(io, answer));
    let ended = async { ends.wait_for(|ends| *ends).await.is_ok() };
    let served = tokio::select! {
        served = connection.as_mut() => Some(served),
        _ = ended => None,
    };
    let served = match served {
        Some(served) => served,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
