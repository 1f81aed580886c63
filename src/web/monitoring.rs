//! `/metrics` and `/healthz`: for programs that watch. Neither holds a number, a text or a name of a request.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Semaphore;

use crate::invocation::UnixMillis;
use crate::report::{CONTENT_TYPE, LastAccepted, Page, QueueReader, Tallies};
use crate::store::Store;

/// How long the database may take to answer.
const HEALTHY: Duration = Duration::from_secs(1);

/// How long figures are waited for that take long to count: a page has 0.3 s in all.
const PATIENCE: Duration = Duration::from_millis(90);

/// Who answers programs that watch.
#[derive(Clone)]
pub struct Monitoring {
    store: Arc<Store>,
    queue: QueueReader,
    tallies: Arc<dyn Fn() -> Tallies + Send + Sync>,
    /// One question about its health at a time: of a database that hangs nobody asks more and more.
    asking: Arc<Semaphore>,
}

impl Monitoring {
    /// Tells of this queue; `tallies` gives what has been counted of its batches so far.
    pub fn new(store: Arc<Store>, tallies: impl Fn() -> Tallies + Send + Sync + 'static) -> Monitoring {
        let queue = QueueReader::new(Arc::clone(&store));
        Monitoring { store, queue, tallies: Arc::new(tallies), asking: Arc::new(Semaphore::new(1)) }
    }

    /// `/metrics`.
    pub fn metrics(&self) -> Router {
        Router::new().route("/metrics", get(metrics)).with_state(self.clone())
    }

    /// `/healthz`: it says nothing that anybody might not know.
    pub fn health(&self) -> Router {
        Router::new().route("/healthz", get(health)).with_state(self.clone())
    }

    /// Whether the database answers in time, or what is wrong.
    async fn is_healthy(&self) -> Result<(), &'static str> {
        const SLOW: &str = "the database did not answer within a second";
        let ask = async {
            let Ok(asking) = Arc::clone(&self.asking).acquire_owned().await else { return Err(SLOW) };
            let store = Arc::clone(&self.store);
            // A task of its own: a question to the database is not broken off.
            let asked = tokio::spawn(async move {
                let answered = store.answers().await;
                drop(asking);
                answered
            });
            match asked.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => {
                    tracing::warn!("the database cannot be read: {error}");
                    Err("the database cannot be read")
                }
                Err(_) => Err("the question to the database was broken off"),
            }
        };
        tokio::time::timeout(HEALTHY, ask).await.unwrap_or(Err(SLOW))
    }
}

async fn metrics(State(monitoring): State<Monitoring>) -> Response {
    // Before the batches: of one whose deletion has begun since, more was counted than is there, and of one before, it is left out.
    let tallies = (monitoring.tallies)();
    let reader = monitoring.queue.clone();
    // A task of its own: who asked may be gone before the database has answered.
    let read = tokio::spawn(async move { reader.read(None, PATIENCE).await });
    let queue = match read.await {
        Ok(Ok(queue)) => Some(queue),
        Ok(Err(error)) => {
            tracing::warn!("the figures cannot be read: {error}");
            None
        }
        Err(error) => {
            tracing::error!("reading the figures was broken off: {error}");
            None
        }
    };
    let page = Page {
        now: UnixMillis::now(),
        is_shared: monitoring.store.is_shared(),
        queue: queue.as_ref(),
        tallies: &tallies,
        last_accepted: &LastAccepted::new(),
        run: None,
    };
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], page.text()).into_response()
}

async fn health(State(monitoring): State<Monitoring>) -> Response {
    let (status, says) = match monitoring.is_healthy().await {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    (status, format!("{says}\n")).into_response()
}
