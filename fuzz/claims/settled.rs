//! What holds for any finding once it is settled, whatever the service says.

use std::time::Duration;

use mep_batch::invocation::{
    Answer, Attempt, BatchId, Effect, Finding, InvocationId, Outcome, Settlement, State, UnixMillis,
};
use mep_batch::mep::TEMPORARY_ERROR;
use mep_batch::retry::{Policy, RETRY_AFTER_MAX, settle};

/// 2026-11-22T12:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

/// How far the vendor's interval is spread, at most.
const SPREAD: f64 = 1.1;

/// The longest text of a settlement, in characters: what is quoted, and what is said around it.
const TEXT_CHARS_MAX: usize = 620;

/// As many digits in a row may be a phone number.
const LIKE_A_PHONE: usize = 9;

pub(crate) fn settled(finding: Finding, policy: &Policy, chance: f64) -> (Settlement, Effect) {
    let attempt = Attempt {
        id: InvocationId::new(BatchId(1), 2),
        number: 1,
        tries: 0,
        retry_until: None,
        possible_duplicate: false,
        taken_at: NOW,
    };
    let longest = longest_of(&finding, policy);
    let (settlement, effect) = settle(attempt, finding, policy, Some(NOW), NOW, chance);
    let delay_ms = settlement.due_at.0 - NOW.0;
    assert!((0..=millis(longest)).contains(&delay_ms), "a delay of {delay_ms} ms");
    assert!(!matches!(settlement.state, State::Sending | State::Cancelled), "{}", settlement.state);
    let is_repeated = matches!(settlement.outcome, Outcome::Retry | Outcome::Throttled);
    assert!(!is_repeated || delay_ms > 0, "repeated at once");
    let text = settlement.message.as_deref().unwrap_or_default();
    assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    assert!(text.chars().count() <= TEXT_CHARS_MAX, "{text}");
    let longest = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    assert!(longest < LIKE_A_PHONE, "{text}");
    (settlement, effect)
}

/// The longest delay: the vendor's interval for the vendor's 1010 alone, an hour only where the answer says when to come again.
fn longest_of(finding: &Finding, policy: &Policy) -> Duration {
    let Finding::Answered(answer) = finding else { return policy.max };
    let vendors = policy.vendor_retry.filter(|_| answer.code == Some(TEMPORARY_ERROR));
    let asked = answer.retry_after.as_ref().map(|_| RETRY_AFTER_MAX);
    policy.max.max(vendors.unwrap_or_default().mul_f64(SPREAD)).max(asked.unwrap_or_default())
}

/// Whether an outcome leads back to `pending` by itself.
pub(crate) fn is_sent_again(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Retry | Outcome::Throttled | Outcome::Misconfigured | Outcome::Unreached | Outcome::GivenBack => true,
        Outcome::Accepted
        | Outcome::Rejected
        | Outcome::Failed
        | Outcome::Unknown
        | Outcome::Foreign
        | Outcome::Skipped => false,
    }
}

pub(crate) fn throttled(status: u16, retry_after: &str) -> Finding {
    Finding::Answered(Answer { status, retry_after: Some(retry_after.to_owned()), ..Answer::default() })
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
