//! What is known where no head of an answer came.

use std::error::Error;

use super::last_look::Withheld;
use crate::invocation::{Finding, NoAnswer};

/// The longest text about a fault, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// Says whether a failed request may have been written.
///
/// Only a failure to connect (name look-up, TCP, a proxy's tunnel, TLS handshake, and the timeout of all of these)
/// proves that it was not, and so does that it was withheld. All else may have been received: a kept connection that the server
/// closes as it is used again gives the same error as a server that died on the request.
pub(super) fn finding(error: reqwest::Error) -> Finding {
    // The URL is in the log already, and the rows' texts are read by more people.
    let error = error.without_url();
    if let Some(Withheld(finding)) = causes(&error).find_map(|cause| cause.downcast_ref()) {
        finding.clone()
    } else if error.is_connect() {
        Finding::Unreached(text(&error))
    } else if error.is_timeout() {
        Finding::Unanswered(NoAnswer::TimedOut)
    } else {
        Finding::Unanswered(NoAnswer::Broken(text(&error)))
    }
}

/// What caused it, and what caused that.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// The causes in one line, from the first that says more than 'error sending request'.
fn text(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let told = cause.to_string();
        // hyper's `client error (Connect)` says nothing that its cause does not, and some wrappers repeat what they wrap.
        let is_wrapper = told.starts_with("client error (") && cause.source().is_some();
        if !is_wrapper && !texts.last().is_some_and(|last| last.contains(&told)) {
            texts.push(told);
        }
    }
    if texts.is_empty() {
        texts.push(error.to_string());
    }
    texts.join(": ").chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}
