//! Why a run stops at an answer, for the person who has to mend it.

use super::message::said;
use crate::invocation::Answer;
use crate::mep::{METHOD_NOT_ALLOWED, ROLE_NOT_ALLOWED};

/// What the service refused for a fault of the configuration, what it said, and what to mend.
pub(super) fn misconfigured(answer: &Answer) -> String {
    let (what, hint) = configuration_fault(answer.status, answer.code);
    told(answer, what, hint)
}

/// An answer that is not the vendor's, what it said, and what to look at.
pub(super) fn foreign(answer: &Answer) -> String {
    told(
        answer,
        "this is no answer of the Invoke Service API",
        "a proxy, a captive portal or a wrong host may have answered: check the endpoint, then resolve the row, which \
         is held as unknown",
    )
}

fn told(answer: &Answer, what: &str, hint: &str) -> String {
    let code = answer.code.map(|code| format!(", code {code}")).unwrap_or_default();
    format!("{what} (HTTP {}{code}); it said: {}\nhint: {hint}", answer.status, said(answer))
}

/// What is wrong with the configuration at an answer that says so, and what to mend.
#[must_use]
pub fn configuration_fault(status: u16, code: Option<u32>) -> (&'static str, &'static str) {
    match (status, code) {
        (401, _) => {
            ("the service refused the credentials", "check the account ID and the password; both are case-sensitive")
        }
        (300..=399, _) => (
            "the endpoint answers with a redirect, and redirects are never followed",
            "check the endpoint's base URL: scheme, host and path",
        ),
        (_, Some(ROLE_NOT_ALLOWED)) | (403, _) => (
            "the account may not use this API or this service",
            "it needs the role Services Manager, Service User or Service Viewer, plus Invoke Service API, and access \
             to the service's collection",
        ),
        (404, _) => ("the service's address does not exist", "check the endpoint's base URL and the service ID"),
        (407, _) => ("a proxy asks for credentials", "check the proxy's URL, user name and password"),
        (_, Some(METHOD_NOT_ALLOWED)) | (405, _) => (
            "the endpoint does not allow the request's method",
            "check the endpoint's base URL, and whether a proxy changes requests",
        ),
        (406 | 415, _) => {
            ("the endpoint does not take JSON", "check the endpoint's base URL, and whether a proxy changes requests")
        }
        (_, _) => ("the endpoint refused the request", "check the endpoint's base URL and the account"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_names_what_to_mend() {
        for (status, code, words) in [
            (401, None, "case-sensitive"),
            (401, Some(12001), "case-sensitive"),
            (403, None, "Services Manager, Service User or Service Viewer, plus Invoke Service API, and access to"),
            (400, Some(12001), "Services Manager"),
            (404, None, "base URL and the service ID"),
            (404, Some(12001), "Services Manager"),
            (405, None, "method"),
            (400, Some(12003), "method"),
            (406, None, "JSON"),
            (407, None, "proxy's URL"),
            (415, None, "JSON"),
            (301, None, "never followed"),
        ] {
            let told = misconfigured(&Answer { status, code, ..Answer::default() });
            assert!(told.contains(words) && told.contains("\nhint: "), "{status}: {told}");
            assert!(told.contains(&format!("(HTTP {status}")), "{status}: {told}");
        }
    }

    #[test]
    fn what_the_service_said_is_told() {
        let answer =
            Answer { status: 403, code: Some(12001), message: Some("role\0missing".to_owned()), ..Answer::default() };
        assert!(misconfigured(&answer).starts_with(
            "the account may not use this API or this service (HTTP 403, code 12001); it said: role missing\nhint: "
        ));
    }
}
