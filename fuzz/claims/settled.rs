//! What holds for any finding once it is settled, whatever the service says.

use std::time::Duration;

use mep_batch::invocation::{
    Answer, Attempt, BatchId, Effect, Finding, InvocationId, Outcome, Settlement, State, UnixMillis,
};
use mep_batch::retry::{Policy, RETRY_AFTER_MAX, settle};

/// 2026-11-22T12:00:00Z.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

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
    let (settlement, effect) = settle(attempt, finding, policy, Some(NOW), NOW, chance);
    let delay_ms = settlement.due_at.0 - NOW.0;
    let longest = policy.max.max(RETRY_AFTER_MAX).max(policy.vendor_retry.unwrap_or_default().mul_f64(1.1));
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
