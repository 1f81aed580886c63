//! The steps of one row between the commit that took it and its outcome.

mod canary;
mod clock;
mod sell_by;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, Target};
use crate::invocation::{
    Attempt, Effect, Finding, GivenBack, Leave, NoAnswer, Schedule, Settings, Settlement, SkipReason, Suppressed,
    Taken, UnixMillis,
};
use crate::retry::{self, Policy};
use crate::validate::{self, Rules};

pub use canary::canary;
pub use clock::QueueClock;
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
    /// When rows may be sent.
    pub schedule: Schedule,
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
/// Before a connection is made for it, and once more right before its request is written, the row is given back if
/// `stopping` is set, an operator holds the batch back, its sell-by has passed or its window is closed, and skipped if its
/// time has passed.
pub async fn attempt(
    taken: Taken,
    sell_by: SellBy,
    route: &Arc<Route>,
    stopping: &Arc<AtomicBool>,
) -> (Settlement, Effect) {
    let Taken { attempt, body, time_zone } = taken;
    match validate::check_body(&body, &route.rules) {
        Err(message) => return settle(attempt, Finding::Refused(message), &route.policy, None),
        Ok(phone) if route.suppressed.contains(phone) => {
            return settle(attempt, Finding::Skipped(SkipReason::Suppressed), &route.policy, None);
        }
        Ok(_) => {}
    }
    let look = {
        let (route, stopping) = (Arc::clone(route), Arc::clone(stopping));
        move || withheld(time_zone.as_deref(), sell_by, &route, &stopping)
    };
    match look() {
        Some(finding) => settle(attempt, finding, &route.policy, None),
        None => send(attempt, body, route, look).await,
    }
}

/// Why a row may not leave now, if it may not.
fn withheld(time_zone: Option<&str>, sell_by: SellBy, route: &Route, stopping: &AtomicBool) -> Option<Finding> {
    if stopping.load(Ordering::Acquire) {
        return Some(Finding::GivenBack(GivenBack::Stopping));
    }
    if route.held_back.load(Ordering::Acquire) {
        return Some(Finding::GivenBack(GivenBack::HeldBack));
    }
    if sell_by.has_passed() {
        return Some(Finding::GivenBack(GivenBack::PastSellBy));
    }
    match route.schedule.leave(time_zone, sell_by.queue_now()) {
        Leave::Now => None,
        Leave::Later(_) | Leave::NoZone => Some(Finding::GivenBack(GivenBack::OutsideHours)),
        Leave::Expired => Some(Finding::Skipped(SkipReason::Expired)),
    }
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

/// Sends the one request of an attempt unless the last look finds that it may not leave, and says what came of it.
async fn send<F>(attempt: Attempt, body: String, route: &Route, last_look: F) -> (Settlement, Effect)
where
    F: Fn() -> Option<Finding> + Send + Sync + Unpin + 'static,
{
    let began = UnixMillis::now();
    let finding = route.client.send(&route.target, body, last_look).await;
    let sent_at = match &finding {
        Finding::GivenBack(_) | Finding::Skipped(_) | Finding::Refused(_) => None,
        Finding::Answered(_) | Finding::Unreached(_) | Finding::Unanswered(_) => Some(began),
    };
    settle(attempt, finding, &route.policy, sent_at)
}

fn settle(attempt: Attempt, finding: Finding, policy: &Policy, sent_at: Option<UnixMillis>) -> (Settlement, Effect) {
    retry::settle(attempt, finding, policy, sent_at, UnixMillis::now(), fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::Timeouts;
    use crate::client::listening::listen;
    use crate::invocation::{BatchId, InvocationId, Outcome, State};
    use crate::mep::{Bounds, PhoneNumberJson};

    /// 2026-11-22T12:00Z.
    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    /// A route to where nobody listens.
    fn route(schedule: Schedule) -> Route {
        route_to("http://127.0.0.1:1", Duration::from_secs(1), schedule)
    }

    fn route_to(url: &str, timeout: Duration, schedule: Schedule) -> Route {
        let timeouts = Timeouts { connect: timeout, total: timeout };
        let client = Client::new(url, None, timeouts, 1, None).expect("a client");
        let settings = Settings::default();
        Route {
            target: client.target(&"ABC123".parse().expect("an ID")),
            client,
            policy: policy(&settings),
            rules: Rules::of_batch(&settings, Bounds::default(), PhoneNumberJson::default()),
            suppressed: Suppressed::default(),
            schedule,
            held_back: AtomicBool::new(false),
        }
    }

    async fn sent(schedule: Schedule, zone: Option<&str>) -> Settlement {
        let sell_by = SellBy::from_now(QueueClock::says(NOON));
        super::attempt(taken(zone), sell_by, &Arc::new(route(schedule)), &Arc::default()).await.0
    }

    fn taken(zone: Option<&str>) -> Taken {
        let attempt = Attempt {
            id: InvocationId::new(BatchId(1), 2),
            number: 1,
            tries: 0,
            retry_until: None,
            possible_duplicate: false,
            taken_at: NOON,
        };
        let body = r#"{"endUser":{"phoneNumber":12515550130}}"#.to_owned();
        Taken { attempt, body, time_zone: zone.map(str::to_owned) }
    }

    #[tokio::test]
    async fn a_row_that_may_not_leave_any_more_once_its_connection_is_made_is_given_back_unwritten() {
        let (url, received) = listen();
        let route = Arc::new(route_to(&url, Duration::from_secs(30), Schedule::default()));
        let sell_by = SellBy::from_now(QueueClock::says(NOON));
        let stopping = Arc::default();
        // The worker has had its first look by the time at which it waits for its connection.
        let attempt = super::attempt(taken(None), sell_by, &route, &stopping);
        let ((settlement, _), ()) = tokio::join!(attempt, async { stopping.store(true, Ordering::Release) });
        assert_eq!((settlement.outcome, settlement.sent_at), (Outcome::GivenBack, None));
        assert!(received.join().expect("a server").is_empty());
    }

    #[tokio::test]
    async fn a_row_outside_its_hours_is_given_back_right_before_it_would_be_sent() {
        let day = || Schedule { window: Some("09:00-20:00".parse().expect("a window")), ..Schedule::default() };
        for (zone, outcome) in [
            (Some("UTC"), Outcome::Unreached),
            (Some("Asia/Tokyo"), Outcome::GivenBack),
            (Some("Middle/Earth"), Outcome::GivenBack),
            (None, Outcome::GivenBack),
        ] {
            let settlement = sent(day(), zone).await;
            assert_eq!((settlement.outcome, settlement.state), (outcome, State::Pending), "{zone:?}");
            assert_eq!((settlement.tries, settlement.sent_at), (0, None), "{zone:?}");
        }
        let too_early = Schedule { not_before: Some(UnixMillis(NOON.0 + 60_000)), ..Schedule::default() };
        assert_eq!(sent(too_early, None).await.outcome, Outcome::GivenBack);
    }

    #[tokio::test]
    async fn a_row_whose_time_has_passed_is_skipped_right_before_it_would_be_sent() {
        let settlement = sent(Schedule { not_after: Some(NOON), ..Schedule::default() }, None).await;
        assert_eq!((settlement.state, settlement.reason), (State::Skipped, Some(SkipReason::Expired)));
        assert_eq!((settlement.outcome, settlement.sent_at), (Outcome::Skipped, None));
    }
}
