//! What every answer carries: what a browser may do with it, and what it may not.

use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;

/// Nothing but the program's own style, script, events and form; no page may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How long browsers keep what has its hash in its name.
pub(super) const FOR_GOOD: &str = "public, max-age=31536000, immutable";

const ALWAYS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// Puts them into an answer. What does not say that it never changes is kept by nobody.
pub(super) fn put(answer: &mut Response) {
    let headers = answer.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if headers.get(CACHE_CONTROL).is_none_or(|kept| kept != FOR_GOOD) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
