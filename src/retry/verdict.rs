//! The verdict on what the client saw: the contract's table, 'What each answer does'.

use super::Policy;
use crate::invocation::{Answer, Finding, Outcome};
use crate::mep::{INVALID_CONTENT, METHOD_NOT_ALLOWED, PERMANENT_ERROR, ROLE_NOT_ALLOWED, TEMPORARY_ERROR};

/// Says what came of an attempt.
///
/// Only what provably did not start the service, or what the vendor says to repeat, leads back to `pending`;
/// whatever the table does not name is unknown.
#[must_use]
pub fn classify(finding: &Finding, policy: &Policy) -> Outcome {
    match finding {
        Finding::Answered(answer) => by_answer(answer, policy),
        Finding::Unreached(_) => Outcome::Unreached,
        Finding::Unanswered(_) => Outcome::Unknown,
        Finding::GivenBack(_) => Outcome::GivenBack,
        Finding::Refused(_) => Outcome::Rejected,
        Finding::Skipped(_) => Outcome::Skipped,
    }
}

/// The precedence: 2xx, 3xx and 401 by status; then a known code; then the status.
fn by_answer(answer: &Answer, policy: &Policy) -> Outcome {
    match answer.status {
        202 if has_request_id(answer) => Outcome::Accepted,
        // 303 says that the request was processed and its result is elsewhere, so it may have texted someone.
        200..=299 | 303 => Outcome::Foreign,
        300..=399 | 401 => Outcome::Misconfigured,
        // An interim status ends no exchange; 101 would be the start of another protocol.
        0..=199 => Outcome::Unknown,
        status => {
            answer.code.and_then(|code| by_code(code, status, policy)).unwrap_or_else(|| by_status(status, policy))
        }
    }
}

fn has_request_id(answer: &Answer) -> bool {
    answer.request_id.as_deref().is_some_and(|id| !id.trim().is_empty())
}

/// The verdict of a code at a status at which the contract knows it; `None` leaves it to the status.
fn by_code(code: u32, status: u16, policy: &Policy) -> Option<Outcome> {
    match (code, status) {
        (INVALID_CONTENT, 400..=499) => Some(Outcome::Rejected),
        (ROLE_NOT_ALLOWED | METHOD_NOT_ALLOWED, _) => Some(Outcome::Misconfigured),
        (PERMANENT_ERROR, 500) => Some(Outcome::Failed),
        (TEMPORARY_ERROR, 500 | 503) => Some(match policy.vendor_retry {
            Some(_) => Outcome::Retry,
            None => Outcome::Unknown,
        }),
        _ => None,
    }
}

fn by_status(status: u16, policy: &Policy) -> Outcome {
    match status {
        403 | 404 | 405 | 406 | 407 | 415 => Outcome::Misconfigured,
        // Gateways and load balancers send it for a request that they have already passed on.
        408 => Outcome::Unknown,
        429 => Outcome::Throttled,
        400..=499 => Outcome::Rejected,
        503 if policy.retry_503 => Outcome::Retry,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{GivenBack, NoAnswer, SkipReason};
    use proptest::prelude::*;

    const NONE: Option<u32> = None;

    fn verdict(status: u16, code: Option<u32>, policy: &Policy) -> Outcome {
        classify(&Finding::Answered(Answer { status, code, ..Answer::default() }), policy)
    }

    #[test]
    fn a_202_is_accepted_only_with_a_request_id() {
        let answer = |request_id: Option<&str>| {
            let request_id = request_id.map(str::to_owned);
            Finding::Answered(Answer { status: 202, request_id, ..Answer::default() })
        };
        let policy = Policy::default();
        assert_eq!(classify(&answer(Some("7EYYG-EF3XM-5LSQ5-ILR73")), &policy), Outcome::Accepted);
        for no_id in [None, Some(""), Some("  ")] {
            assert_eq!(classify(&answer(no_id), &policy), Outcome::Foreign, "{no_id:?}");
        }
    }

    #[test]
    fn each_line_of_the_contracts_table_holds() {
        use Outcome::{Failed, Foreign, Misconfigured, Rejected, Retry, Throttled, Unknown};
        let table: &[(&[u16], Option<u32>, Outcome)] = &[
            (&[200, 201, 202, 203, 204, 205, 206, 226, 299, 303], NONE, Foreign),
            (&[300, 301, 302, 304, 305, 307, 308, 399], NONE, Misconfigured),
            (&[400, 413, 422, 431], NONE, Rejected),
            (&[402, 409, 410, 411, 412, 414, 416, 417, 418, 421, 423, 424, 425, 426, 428, 451, 499], NONE, Rejected),
            (&[400, 403, 404, 405, 408, 413, 422, 429, 499], Some(12002), Rejected),
            (&[500], Some(1000), Failed),
            (&[500, 503], Some(1010), Retry),
            (&[429], NONE, Throttled),
            (&[401, 403, 404, 405, 406, 407, 415], NONE, Misconfigured),
            (&[400, 403, 422, 429, 500, 503], Some(12001), Misconfigured),
            (&[400, 405, 422, 429, 500, 503], Some(12003), Misconfigured),
            (&[408, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599], NONE, Unknown),
            (&[100, 101, 102, 103, 199, 0, 600, 999], NONE, Unknown),
        ];
        for (statuses, code, outcome) in table {
            for status in *statuses {
                assert_eq!(verdict(*status, *code, &Policy::default()), *outcome, "{status} with {code:?}");
            }
        }
    }

    #[test]
    fn success_redirects_and_401_go_by_status_whatever_the_code() {
        for code in [1000, 1010, 12001, 12002, 12003] {
            let policy = Policy::default();
            assert_eq!(verdict(202, Some(code), &policy), Outcome::Foreign, "{code}");
            assert_eq!(verdict(302, Some(code), &policy), Outcome::Misconfigured, "{code}");
            assert_eq!(verdict(303, Some(code), &policy), Outcome::Foreign, "{code}");
            assert_eq!(verdict(401, Some(code), &policy), Outcome::Misconfigured, "{code}");
            assert_eq!(verdict(101, Some(code), &policy), Outcome::Unknown, "{code}");
        }
        let accepted = Answer { status: 202, code: Some(1000), request_id: Some("A".to_owned()), ..Answer::default() };
        assert_eq!(classify(&Finding::Answered(accepted), &Policy::default()), Outcome::Accepted);
    }

    #[test]
    fn a_code_at_a_status_where_the_contract_does_not_know_it_leaves_it_to_the_status() {
        let policy = Policy::default();
        for (status, code, outcome) in [
            (500, 12002, Outcome::Unknown),
            (502, 1010, Outcome::Unknown),
            (504, 1010, Outcome::Unknown),
            (408, 1010, Outcome::Unknown),
            (503, 1000, Outcome::Unknown),
            (400, 1010, Outcome::Rejected),
            (400, 1000, Outcome::Rejected),
            (429, 1010, Outcome::Throttled),
            (500, 12004, Outcome::Unknown),
            (400, 12004, Outcome::Rejected),
        ] {
            assert_eq!(verdict(status, Some(code), &policy), outcome, "{status} with {code}");
        }
    }

    #[test]
    fn a_503_is_repeated_only_where_the_operator_says_so() {
        let policy = Policy { retry_503: true, ..Policy::default() };
        assert_eq!(verdict(503, NONE, &policy), Outcome::Retry);
        for other in [500, 502, 504, 408] {
            assert_eq!(verdict(other, NONE, &policy), Outcome::Unknown, "{other}");
        }
    }

    #[test]
    fn the_vendors_1010_is_held_where_the_operator_says_never() {
        let policy = Policy { vendor_retry: None, retry_503: true, ..Policy::default() };
        assert_eq!(verdict(500, Some(1010), &policy), Outcome::Unknown);
        assert_eq!(verdict(503, Some(1010), &policy), Outcome::Unknown);
    }

    #[test]
    fn without_an_answer_it_matters_whether_anything_was_written() {
        let policy = Policy::default();
        for no_answer in [
            NoAnswer::TimedOut,
            NoAnswer::Broken("reset".to_owned()),
            NoAnswer::RunDied,
            NoAnswer::Abandoned,
            NoAnswer::Panicked,
            NoAnswer::RolledBack,
        ] {
            assert_eq!(classify(&Finding::Unanswered(no_answer), &policy), Outcome::Unknown);
        }
        assert_eq!(classify(&Finding::Unreached("refused".to_owned()), &policy), Outcome::Unreached);
        for given_back in [GivenBack::PastSellBy, GivenBack::Stopping, GivenBack::HeldBack, GivenBack::NotHandedOut] {
            assert_eq!(classify(&Finding::GivenBack(given_back), &policy), Outcome::GivenBack);
        }
        assert_eq!(classify(&Finding::Refused("not sent: no".to_owned()), &policy), Outcome::Rejected);
        assert_eq!(classify(&Finding::Skipped(SkipReason::Suppressed), &policy), Outcome::Skipped);
    }

    proptest! {
        /// The body may be lost on the way. Losing it must never turn 'held' or 'final' into 'sent again'.
        #[test]
        fn a_lost_body_never_sends_a_row_again(status in 0_u16..1000, code in any::<u32>(), known in 0_usize..6) {
            let codes = [code, 1000, 1010, 12001, 12002, 12003];
            let policy = Policy::default();
            let goes_back = |outcome| match outcome {
                Outcome::Retry | Outcome::Throttled | Outcome::Misconfigured | Outcome::Unreached
                | Outcome::GivenBack => true,
                Outcome::Accepted
                | Outcome::Rejected
                | Outcome::Failed
                | Outcome::Unknown
                | Outcome::Foreign
                | Outcome::Skipped => false,
            };
            let whole = verdict(status, Some(codes[known]), &policy);
            let cut = verdict(status, NONE, &policy);
            // 12002 at a status that names the configuration or the rate is the one case where the body says 'final'
            // and the head 'not processed': both mean that nobody was texted.
            let both_unprocessed = whole == Outcome::Rejected;
            prop_assert!(!goes_back(cut) || goes_back(whole) || both_unprocessed, "{status} {whole:?} {cut:?}");
        }
    }
}
