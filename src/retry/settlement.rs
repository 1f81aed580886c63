//! From the verdict to what the turn writes, and to what it means for the run.

use std::time::Duration;

use super::delay::{backoff_delay, scaled};
use super::message::{MESSAGE_CHARS_MAX, message_of, one_line};
use super::retry_after::{RETRY_AFTER_MAX, retry_after};
use super::{Policy, classify, stop};
use crate::invocation::{Answer, Attempt, Effect, Finding, Outcome, RefusedBy, Settlement, State, UnixMillis};
use crate::mep::{INVALID_CONTENT, TEMPORARY_ERROR};

/// How far the vendor's interval is spread to either side, so that a batch does not come back as one burst.
const VENDOR_RETRY_SPREAD: f64 = 0.1;

/// Decides a row's next state from what the client saw of its attempt.
///
/// `sent_at` is when the request was started; it is dropped where nothing was written. `chance` is a number from 0 up
/// to 1, without 1. `due_at` matters to `pending` only and is `now` elsewhere.
#[must_use]
pub fn settle(
    attempt: Attempt,
    finding: Finding,
    policy: &Policy,
    sent_at: Option<UnixMillis>,
    now: UnixMillis,
    chance: f64,
) -> (Settlement, Effect) {
    let outcome = classify(&finding, policy);
    let effect = effect_of(&finding, outcome, attempt.tries, policy, now, chance);
    let mut settlement = unmoved(&attempt, &finding, outcome, now);
    settlement.sent_at = sent_at.filter(|_| was_sent(&finding));
    match outcome {
        Outcome::Accepted => settlement.state = State::Accepted,
        Outcome::Rejected => settlement.state = State::Rejected,
        Outcome::Skipped => settlement.state = State::Skipped,
        Outcome::Failed => settlement.state = State::Failed,
        Outcome::Unknown | Outcome::Foreign => settlement.state = State::Unknown,
        Outcome::Unreached | Outcome::Misconfigured | Outcome::GivenBack => settlement.state = State::Pending,
        Outcome::Retry => {
            // Nobody can see whether the service got to the text message before its error.
            settlement.possible_duplicate = true;
            repeat(&mut settlement, repeat_delay(&finding, attempt.tries, policy, now, chance), policy);
        }
        Outcome::Throttled => {
            repeat(&mut settlement, pause(&finding, attempt.tries, policy, now, chance), policy);
        }
    }
    (settlement, effect)
}

/// The facts of the attempt, with the row as it was; the state is the one in which a row is never sent by itself.
fn unmoved(attempt: &Attempt, finding: &Finding, outcome: Outcome, now: UnixMillis) -> Settlement {
    let answer = answer_of(finding);
    Settlement {
        id: attempt.id,
        attempt: attempt.number,
        outcome,
        state: State::Unknown,
        due_at: now,
        tries: attempt.tries,
        retry_until: attempt.retry_until,
        possible_duplicate: attempt.possible_duplicate,
        http_status: answer.map(|answer| answer.status),
        code: match finding {
            Finding::Refused(_) => Some(INVALID_CONTENT),
            Finding::Answered(answer) => answer.code,
            Finding::Unreached(_) | Finding::Unanswered(_) | Finding::GivenBack(_) | Finding::Skipped(_) => None,
        },
        message: message_of(finding, outcome),
        refused_by: refused_by(finding, outcome),
        reason: match finding {
            Finding::Skipped(reason) => Some(*reason),
            Finding::Answered(_)
            | Finding::Unreached(_)
            | Finding::Unanswered(_)
            | Finding::GivenBack(_)
            | Finding::Refused(_) => None,
        },
        request_id: answer.and_then(|answer| shown_id(answer.request_id.as_deref()?)),
        answer: answer.map(|answer| answer.body.clone()).unwrap_or_default(),
        sent_at: None,
        finished_at: now,
    }
}

/// The service's name for the request, in one line. Nothing in it is masked, whatever it looks like: the vendor finds the
/// request by it, to the letter.
fn shown_id(id: &str) -> Option<String> {
    let line: String = one_line(id).chars().take(MESSAGE_CHARS_MAX).collect();
    (!line.is_empty()).then_some(line)
}

/// Sets the row to be sent again after the delay, or to failed where its retry time is over by then.
fn repeat(settlement: &mut Settlement, delay: Duration, policy: &Policy) {
    let now = settlement.finished_at;
    let due_at = now.after(delay);
    let until = settlement.retry_until.unwrap_or_else(|| now.after(policy.retry_for));
    settlement.tries = settlement.tries.saturating_add(1);
    settlement.retry_until = Some(until);
    if due_at > until {
        settlement.state = State::Failed;
        let said = settlement.message.take().unwrap_or_default();
        settlement.message = Some(format!("gave up: the retry time ends at {until}; the last answer: {said}"));
    } else {
        settlement.state = State::Pending;
        settlement.due_at = due_at;
    }
}

/// The delay of [`Outcome::Retry`]: the vendor's interval for its 1010, `Retry-After` or the backoff for a 503.
fn repeat_delay(finding: &Finding, tries: u32, policy: &Policy, now: UnixMillis, chance: f64) -> Duration {
    let is_vendors = answer_of(finding).is_some_and(|answer| answer.code == Some(TEMPORARY_ERROR));
    match policy.vendor_retry {
        Some(interval) if is_vendors => {
            scaled(interval, 1.0 - VENDOR_RETRY_SPREAD + 2.0 * VENDOR_RETRY_SPREAD * chance)
        }
        Some(_) | None => pause(finding, tries, policy, now, chance),
    }
}

/// How long the service asks to wait, else the backoff.
///
/// 'Now' is taken for no answer: a service that throttles and says 0 would be asked again without a pause.
fn pause(finding: &Finding, tries: u32, policy: &Policy, now: UnixMillis, chance: f64) -> Duration {
    answer_of(finding)
        .and_then(|answer| answer.retry_after.as_deref())
        .and_then(|raw| retry_after(raw, now))
        .filter(|asked| !asked.is_zero())
        .map_or_else(|| backoff_delay(policy, tries, chance), |asked| asked.min(RETRY_AFTER_MAX))
}

fn effect_of(finding: &Finding, outcome: Outcome, tries: u32, policy: &Policy, now: UnixMillis, chance: f64) -> Effect {
    match outcome {
        Outcome::Accepted
        | Outcome::Rejected
        | Outcome::Failed
        | Outcome::Retry
        | Outcome::GivenBack
        | Outcome::Skipped => Effect::None,
        Outcome::Throttled => Effect::Throttle(pause(finding, tries, policy, now, chance)),
        Outcome::Unreached => Effect::Unreachable,
        Outcome::Unknown => Effect::Ambiguous,
        Outcome::Misconfigured => answer_of(finding).map(stop::misconfigured).map_or(Effect::None, Effect::Stop),
        Outcome::Foreign => answer_of(finding).map(stop::foreign).map_or(Effect::None, Effect::Stop),
    }
}

fn refused_by(finding: &Finding, outcome: Outcome) -> Option<RefusedBy> {
    match outcome {
        Outcome::Rejected if matches!(finding, Finding::Refused(_)) => Some(RefusedBy::Tool),
        Outcome::Rejected => Some(RefusedBy::Service),
        Outcome::Accepted
        | Outcome::Failed
        | Outcome::Retry
        | Outcome::Throttled
        | Outcome::Unreached
        | Outcome::Misconfigured
        | Outcome::Unknown
        | Outcome::Foreign
        | Outcome::GivenBack
        | Outcome::Skipped => None,
    }
}

fn was_sent(finding: &Finding) -> bool {
    match finding {
        Finding::Answered(_) | Finding::Unanswered(_) => true,
        Finding::Unreached(_) | Finding::GivenBack(_) | Finding::Refused(_) | Finding::Skipped(_) => false,
    }
}

fn answer_of(finding: &Finding) -> Option<&Answer> {
    match finding {
        Finding::Answered(answer) => Some(answer),
        Finding::Unreached(_)
        | Finding::Unanswered(_)
        | Finding::GivenBack(_)
        | Finding::Refused(_)
        | Finding::Skipped(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{BatchId, GivenBack, InvocationId, NoAnswer, SkipReason};
    use proptest::prelude::*;

    const SENT: UnixMillis = UnixMillis(1_795_348_799_000);
    const NOW: UnixMillis = UnixMillis(1_795_348_800_000);
    const HALF: f64 = 0.5;

    fn attempt() -> Attempt {
        Attempt {
            id: InvocationId::new(BatchId(1), 7),
            number: 3,
            tries: 2,
            retry_until: None,
            possible_duplicate: false,
            taken_at: SENT,
        }
    }

    fn answered(status: u16, code: Option<u32>) -> Finding {
        Finding::Answered(Answer { status, code, message: Some("said so".to_owned()), ..Answer::default() })
    }

    fn throttled(retry_after: &str) -> Finding {
        Finding::Answered(Answer { status: 429, retry_after: Some(retry_after.to_owned()), ..Answer::default() })
    }

    fn settled(attempt: Attempt, finding: Finding) -> (Settlement, Effect) {
        settle(attempt, finding, &Policy::default(), Some(SENT), NOW, HALF)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_accepted_row_keeps_its_request_id_and_needs_no_text() {
        let answer = Answer { status: 202, request_id: Some("7EYYG-EF3XM".to_owned()), ..Answer::default() };
        let (settlement, effect) = settled(attempt(), Finding::Answered(answer));
        assert_eq!((settlement.id, settlement.attempt), (attempt().id, 3));
        assert_eq!((settlement.state, settlement.outcome), (State::Accepted, Outcome::Accepted));
        assert_eq!(settlement.request_id.as_deref(), Some("7EYYG-EF3XM"));
        let ids = [("460453E817268065", "460453E817268065"), ("12515550130", "12515550130"), (" a\t\u{1b}b ", "a b")];
        for (came, kept) in ids {
            assert_eq!(shown_id(came).as_deref(), Some(kept));
        }
        assert_eq!(shown_id(" \t"), None);
        assert_eq!((settlement.http_status, settlement.message), (Some(202), None));
        assert_eq!((settlement.sent_at, settlement.finished_at), (Some(SENT), NOW));
        assert_eq!(effect, Effect::None);
    }

    #[test]
    fn a_refusal_says_by_whom() {
        let (by_service, effect) = settled(attempt(), answered(400, Some(12002)));
        assert_eq!((by_service.state, by_service.code), (State::Rejected, Some(12002)));
        assert_eq!((by_service.refused_by, by_service.message.as_deref()), (Some(RefusedBy::Service), Some("said so")));
        assert_eq!(effect, Effect::None);

        let (by_tool, effect) = settled(attempt(), Finding::Refused("not sent: no phone number".to_owned()));
        assert_eq!((by_tool.state, by_tool.code), (State::Rejected, Some(INVALID_CONTENT)));
        assert_eq!(by_tool.refused_by, Some(RefusedBy::Tool));
        assert_eq!(by_tool.message.as_deref(), Some("not sent: no phone number"));
        assert_eq!((by_tool.http_status, by_tool.sent_at, effect), (None, None, Effect::None));
    }

    #[test]
    fn a_row_that_is_skipped_when_it_is_taken_says_why_and_counts_no_try() {
        let (settlement, effect) = settled(attempt(), Finding::Skipped(SkipReason::Suppressed));
        assert_eq!((settlement.state, settlement.reason), (State::Skipped, Some(SkipReason::Suppressed)));
        assert_eq!((settlement.sent_at, settlement.tries, settlement.refused_by), (None, attempt().tries, None));
        assert_eq!((settlement.message, effect), (Some(SkipReason::Suppressed.to_string()), Effect::None));
    }

    #[test]
    fn a_permanent_error_is_failed() {
        let (settlement, effect) = settled(attempt(), answered(500, Some(1000)));
        assert_eq!((settlement.state, settlement.refused_by), (State::Failed, None));
        assert_eq!((settlement.message.as_deref(), effect), (Some("said so"), Effect::None));
    }

    #[test]
    fn the_vendors_interval_is_spread_by_a_tenth_and_the_row_marked() {
        for (chance, due) in [(0.0, 810_000), (HALF, 900_000), (0.999_999_999, 989_999)] {
            let finding = answered(500, Some(1010));
            let (settlement, effect) = settle(attempt(), finding, &Policy::default(), Some(SENT), NOW, chance);
            assert_eq!((settlement.state, settlement.tries), (State::Pending, 3));
            assert_eq!(settlement.due_at.0 - NOW.0, due, "{chance}");
            assert_eq!(settlement.retry_until, Some(NOW.after(seconds(24 * 3600))));
            assert!(settlement.possible_duplicate);
            assert_eq!(effect, Effect::None);
        }
    }

    #[test]
    fn a_503_by_the_operators_word_waits_for_retry_after_or_the_backoff() {
        let policy = Policy { retry_503: true, ..Policy::default() };
        for (asked, due) in [(Some("30"), 30_000), (None, 2_000), (Some("soon"), 2_000), (Some("7200"), 3_600_000)] {
            let answer = Answer { status: 503, retry_after: asked.map(str::to_owned), ..Answer::default() };
            let (settlement, effect) = settle(attempt(), Finding::Answered(answer), &policy, Some(SENT), NOW, HALF);
            assert_eq!((settlement.state, settlement.due_at.0 - NOW.0), (State::Pending, due), "{asked:?}");
            assert_eq!((settlement.possible_duplicate, effect), (true, Effect::None));
        }
    }

    #[test]
    fn retry_after_beats_backoff_for_all_rows_and_at_most_an_hour() {
        for (asked, wait) in
            [("17", 17), ("86400", 3600), ("Sun, 22 Nov 2026 12:01:30 GMT", 90), ("garbage", 2), ("0", 2), ("-3", 2)]
        {
            let (settlement, effect) = settled(attempt(), throttled(asked));
            assert_eq!(effect, Effect::Throttle(seconds(wait)), "{asked}");
            assert_eq!((settlement.state, settlement.due_at), (State::Pending, NOW.after(seconds(wait))), "{asked}");
            assert_eq!((settlement.tries, settlement.possible_duplicate), (3, false));
            assert_eq!(settlement.retry_until, Some(NOW.after(seconds(24 * 3600))));
        }
    }

    #[test]
    fn a_row_whose_retry_time_would_be_over_is_failed_and_says_so() {
        let nearly_over = || Attempt { retry_until: Some(NOW.after(seconds(5))), ..attempt() };
        let (settlement, _) = settled(nearly_over(), answered(500, Some(1010)));
        assert_eq!((settlement.state, settlement.outcome), (State::Failed, Outcome::Retry));
        assert_eq!(
            settlement.message.as_deref(),
            Some("gave up: the retry time ends at 2026-11-22T12:00:05.000Z; the last answer: said so")
        );
        assert!(settlement.possible_duplicate);

        let (settlement, effect) = settled(nearly_over(), throttled("17"));
        assert_eq!((settlement.state, effect), (State::Failed, Effect::Throttle(seconds(17))));
        let (settlement, _) = settled(nearly_over(), throttled("5"));
        assert_eq!((settlement.state, settlement.retry_until), (State::Pending, Some(NOW.after(seconds(5)))));
    }

    #[test]
    fn the_retry_time_runs_from_the_first_retry() {
        let until = NOW.after(seconds(3600));
        let (settlement, _) = settled(Attempt { retry_until: Some(until), ..attempt() }, answered(500, Some(1010)));
        assert_eq!((settlement.state, settlement.retry_until), (State::Pending, Some(until)));
    }

    #[test]
    fn what_was_not_sent_spends_no_try_and_is_due_at_once() {
        let cases = [
            (Finding::Unreached("connection refused".to_owned()), "not sent: connection refused", Effect::Unreachable),
            (Finding::GivenBack(GivenBack::Stopping), "not sent: the run was stopping", Effect::None),
        ];
        for (finding, message, expected) in cases {
            let (settlement, effect) = settled(attempt(), finding);
            assert_eq!((settlement.state, settlement.due_at, settlement.tries), (State::Pending, NOW, 2));
            assert_eq!((settlement.retry_until, settlement.possible_duplicate), (None, false));
            assert_eq!((settlement.message.as_deref(), settlement.sent_at), (Some(message), None));
            assert_eq!(effect, expected);
        }
    }

    #[test]
    fn a_fault_of_the_configuration_leaves_the_row_unharmed_and_stops_the_run() {
        let (settlement, effect) = settled(attempt(), answered(403, Some(12001)));
        assert_eq!((settlement.state, settlement.due_at, settlement.tries), (State::Pending, NOW, 2));
        assert_eq!((settlement.http_status, settlement.code), (Some(403), Some(12001)));
        assert!(matches!(effect, Effect::Stop(text) if text.contains("Service Viewer") && text.contains("said so")));
    }

    #[test]
    fn what_nobody_can_know_is_held() {
        let (settlement, effect) = settled(attempt(), Finding::Unanswered(NoAnswer::TimedOut));
        assert_eq!((settlement.state, effect), (State::Unknown, Effect::Ambiguous));
        assert_eq!((settlement.message.as_deref(), settlement.sent_at), (Some("no answer in time"), Some(SENT)));

        let gateway = Answer { status: 502, body: b"<b>Bad\0Gateway".to_vec(), ..Answer::default() };
        let (settlement, effect) = settled(attempt(), Finding::Answered(gateway));
        assert_eq!((settlement.state, effect), (State::Unknown, Effect::Ambiguous));
        assert_eq!(settlement.message.as_deref(), Some("HTTP 502: <b>Bad Gateway"));
        assert_eq!(settlement.answer, b"<b>Bad\0Gateway");

        let (settlement, effect) = settled(attempt(), answered(200, None));
        assert_eq!((settlement.state, settlement.outcome), (State::Unknown, Outcome::Foreign));
        assert!(matches!(effect, Effect::Stop(_)));
    }

    proptest! {
        #[test]
        fn a_row_is_due_again_only_by_an_outcome_that_allows_it(
            status in 0_u16..700,
            code in prop_oneof![Just(None), any::<u32>().prop_map(Some), Just(Some(1010)), Just(Some(12001))],
            retry_after in proptest::option::of(".{0,20}"),
            message in proptest::option::of(".{0,2000}"),
            id in proptest::option::of("\\PC{0,20}"),
            tries in any::<u32>(), chance in 0.0..1.0_f64, retry_503 in any::<bool>()
        ) {
            let answer = Answer { status, code, message, request_id: id, retry_after, body: Vec::new() };
            let policy = Policy { retry_503, ..Policy::default() };
            let row = Attempt { tries, ..attempt() };
            let (settlement, effect) = settle(row, Finding::Answered(answer), &policy, Some(SENT), NOW, chance);
            match settlement.outcome {
                Outcome::Retry | Outcome::Throttled => {
                    prop_assert!(settlement.due_at > NOW && settlement.tries >= tries);
                    prop_assert_eq!(settlement.state, State::Pending);
                }
                Outcome::Misconfigured => prop_assert_eq!(settlement.state, State::Pending),
                Outcome::Accepted | Outcome::Rejected | Outcome::Failed | Outcome::Unreached | Outcome::Unknown
                | Outcome::Foreign | Outcome::GivenBack | Outcome::Skipped => {
                    prop_assert_ne!(settlement.state, State::Pending);
                }
            }
            prop_assert_ne!(settlement.state, State::Sending);
            prop_assert_eq!(
                matches!(effect, Effect::Stop(_)),
                matches!(settlement.outcome, Outcome::Foreign | Outcome::Misconfigured)
            );
            let text = settlement.message.unwrap_or_default();
            prop_assert!(!text.contains(|c: char| c.is_control()) && text.chars().count() <= 600);
        }
    }
}
