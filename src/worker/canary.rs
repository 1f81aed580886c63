//! The canary: one request for a handset of the operator's own, of which no row knows.

use super::{Route, send, settle};
use crate::invocation::{Attempt, BatchId, Effect, Finding, InvocationId, Settlement, UnixMillis};
use crate::validate;

/// Sends the body once, and says what came of it; the settlement's row and state are nobody's.
///
/// The suppression list says nothing against it: the number is the operator's own.
pub async fn canary(body: String, route: &Route) -> (Settlement, Effect) {
    let attempt = Attempt {
        id: InvocationId::new(BatchId(0), 1),
        number: 1,
        tries: 0,
        retry_until: None,
        possible_duplicate: false,
        taken_at: UnixMillis::now(),
    };
    if let Err(message) = validate::check_body(&body, &route.rules) {
        return settle(attempt, Finding::Refused(message), &route.policy, None);
    }
    send(attempt, body, route, || None).await
}
