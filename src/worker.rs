//! The steps of one row between the commit that took it and its outcome.

mod sell_by;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, Target};
use crate::invocation::{
    Attempt, Effect, Finding, GivenBack, NoAnswer, Settings, Settlement, SkipReason, Suppressed, Taken, UnixMillis,
};
use crate::retry::{self, Policy};
use crate::validate::{self, Rules};

pub use sell_by::SellBy;

/// How the rows of one batch are sent.
pub struct Route {
    /// The connection to the endpoint.
    pub client: Client,
    /// The service's address there.
    pub target: Target,
    /// What is repeated, when and for how long.
    pub policy: Policy,
    /// What is checked right before sending.
    pub rules: Rules,
    /// The numbers that are never sent to.
    pub suppressed: Suppressed,
    /// Whether an operator has the batch's rows given back that are not written yet.
    pub held_back: AtomicBool,
}

impl Route {
    /// Has rows given back before they are written, or no longer.
    pub fn hold_back(&self, is_held_back: bool) {
        self.held_back.store(is_held_back, Ordering::Release);
    }
}

/// Sends one taken row and says what came of it: validates once more, sends, and lets `retry` decide.
///
/// A row whose number is suppressed is skipped: it may have become pending after the list was held against the batch.
/// Right before the request is written the row is given back if `stopping` is set, an operator holds the batch back, or its
/// sell-by has passed.
pub async fn attempt(taken: Taken, sell_by: SellBy, route: &Route, stopping: &AtomicBool) -> (Settlement, Effect) {
    let Taken { attempt, body } = taken;
    match validate::check_body(&body, &route.rules) {
        Err(message) => return settle(attempt, Finding::Refused(message), &route.policy, None),
        Ok(phone) if route.suppressed.contains(phone) => {
            return settle(attempt, Finding::Skipped(SkipReason::Suppressed), &route.policy, None);
        }
        Ok(_) => {}
    }
    if stopping.load(Ordering::Acquire) {
        return settle(attempt, Finding::GivenBack(GivenBack::Stopping), &route.policy, None);
    }
    if route.held_back.load(Ordering::Acquire) {
        return settle(attempt, Finding::GivenBack(GivenBack::HeldBack), &route.policy, None);
    }
    if sell_by.has_passed() {
        return settle(attempt, Finding::GivenBack(GivenBack::PastSellBy), &route.policy, None);
    }
    let sent_at = UnixMillis::now();
    let finding = route.client.send(&route.target, body).await;
    settle(attempt, finding, &route.policy, Some(sent_at))
}

/// What is stored of an attempt whose worker is gone: nobody can know whether its request left.
#[must_use]
pub fn lost(attempt: Attempt, why: NoAnswer, policy: &Policy) -> Settlement {
    settle(attempt, Finding::Unanswered(why), policy, Some(attempt.taken_at)).0
}

/// What is stored of a row that was taken and never handed to a worker.
#[must_use]
pub fn not_handed_out(attempt: Attempt, policy: &Policy) -> Settlement {
    settle(attempt, Finding::GivenBack(GivenBack::NotHandedOut), policy, None).0
}

/// What a batch's settings say about retries.
#[must_use]
pub fn policy(settings: &Settings) -> Policy {
    Policy {
        initial: settings.retry_initial,
        max: settings.retry_max,
        vendor_retry: settings.vendor_retry,
        retry_503: settings.retry_503,
        retry_for: settings.retry_for,
    }
}

fn settle(attempt: Attempt, finding: Finding, policy: &Policy, sent_at: Option<UnixMillis>) -> (Settlement, Effect) {
    retry::settle(attempt, finding, policy, sent_at, UnixMillis::now(), fastrand::f64())
}
