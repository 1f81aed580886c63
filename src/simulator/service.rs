//! One request's way through the stand-in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::chance::Chance;
use super::check::{BODY_MAX, check, service_id};
use super::effect::Delivery;
use super::fault::Fault;
use super::latency::Latency;
use super::plan::Plan;
use super::receipt::{Receipt, Receipts, phone_number};
use super::settings::Settings;
use super::share::Faults;
use super::summary::Summary;
use super::wire::Switch;
use crate::invocation::UnixMillis;

/// What the connections share.
pub(super) struct Service {
    latency: Latency,
    faults: Faults,
    chance: Chance,
    receipts: Option<Receipts>,
    received: AtomicU64,
    summary: Mutex<Summary>,
    orders: mpsc::Sender<Order>,
    phase: watch::Sender<Phase>,
}

/// What a request has the server do.
pub(super) enum Order {
    /// Shut the port for a while, and say once it is shut.
    ShutPort(oneshot::Sender<()>),
    /// Stop: what happened can no longer be told.
    Fail(anyhow::Error),
}

/// Each change has connections close as soon as they have answered what they are at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Phase {
    /// How often the port has been shut.
    pub(super) shuts: u64,
    /// Whether the server is stopping, so that held answers are given up.
    pub(super) stopping: bool,
}

/// Why a request gets no answer; hyper closes the connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("the request did not come whole: {0}")]
    Broken(#[from] hyper::Error),
    #[error("held until the server stopped")]
    Held,
    #[error("its receipt could not be written")]
    NoReceipt,
}

/// The most of a body that is read before it is refused: a client that still writes would see no answer.
const DISCARD_MAX: usize = 16 * BODY_MAX;

impl Service {
    pub(super) fn new(settings: Settings, orders: mpsc::Sender<Order>) -> anyhow::Result<Self> {
        Ok(Service {
            latency: settings.latency,
            faults: settings.faults,
            chance: Chance::new(settings.seed),
            receipts: settings.receipts.as_deref().map(Receipts::open).transpose()?,
            received: AtomicU64::new(0),
            summary: Mutex::default(),
            orders,
            phase: watch::Sender::new(Phase::default()),
        })
    }

    /// Reads a request, decides what is done about it, notes that down, and answers.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        switch: Switch,
    ) -> Result<Response<Full<Bytes>>, Unanswered> {
        let (head, body) = request.into_parts();
        let body = read(body).await?;
        let n = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        let now = UnixMillis::now();
        let mut rng = self.chance.of_request(n);
        let fault = self.faults.draw(&mut rng);
        let plan = Plan::new(check(&head, &body), fault, now, &mut rng);
        self.note(n, now, &head, &body, &plan, fault).await?;

        let latency = self.latency.draw(&mut rng);
        if !latency.is_zero() {
            sleep(latency).await;
        }
        match plan.delivery {
            Delivery::Whole | Delivery::SameId => {}
            Delivery::Spoiled(spoil) => switch.set(spoil),
            Delivery::PortShut => self.shut_port().await,
            Delivery::Never => return Err(self.hold().await),
        }
        Ok(plan.reply.into_response())
    }

    /// Changes the phase that the connections watch.
    pub(super) fn advance(&self, change: impl FnOnce(&mut Phase)) {
        self.phase.send_modify(change);
    }

    pub(super) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the request and writes its receipt; without a receipt there is no answer, and the server stops.
    async fn note(
        &self,
        n: u64,
        now: UnixMillis,
        head: &Parts,
        body: &[u8],
        plan: &Plan,
        fault: Option<Fault>,
    ) -> Result<(), Unanswered> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).count(plan, fault);
        let Some(receipts) = &self.receipts else {
            return Ok(());
        };
        let body = String::from_utf8_lossy(body);
        let receipt = Receipt {
            n,
            at: now.to_string(),
            service_id: service_id(head),
            phone_number: phone_number(&body),
            body: &body,
            status: plan.status(),
            request_id: plan.reply.request_id.as_deref(),
            fault: fault.map(Fault::as_str),
            taken: plan.taken,
        };
        if let Err(error) = receipts.write(&receipt).with_context(|| format!("cannot write the receipt of request {n}"))
        {
            // Nobody receives orders any more once another receipt has failed.
            let _ = self.orders.send(Order::Fail(error)).await;
            return Err(Unanswered::NoReceipt);
        }
        Ok(())
    }

    async fn shut_port(&self) {
        let (shut, is_shut) = oneshot::channel();
        // Both fail only in a server that is stopping, whose port is shut anyway.
        let _ = self.orders.send(Order::ShutPort(shut)).await;
        let _ = is_shut.await;
    }

    async fn hold(&self) -> Unanswered {
        // An error would mean that the service is gone, and with it this request.
        let _ = self.phase().wait_for(|phase| phase.stopping).await;
        Unanswered::Held
    }
}

/// Reads a body: whole, or the start of one that is longer than [`BODY_MAX`], one byte beyond it at least.
async fn read(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        length += data.len();
        if kept.len() <= BODY_MAX {
            kept.extend_from_slice(&data);
        }
        if length > DISCARD_MAX {
            break;
        }
    }
    Ok(kept)
}
