//! What the contract says of a request: line, headers, size, then content.

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::authorization::is_basic;
use super::content::check_content;
use super::reply::Reply;
use crate::mep::{INVALID_CONTENT, INVOKE_PATH, METHOD_NOT_ALLOWED, SERVICE_ID_LENGTH_MAX};

/// The longest body that is read; the contract knows no limit, and a good body has a few hundred bytes.
pub(super) const BODY_MAX: usize = 1 << 20;

/// Checks a request, the first fault deciding: `Err` is the answer that refuses it.
pub(super) fn check(head: &Parts, body: &[u8]) -> Result<(), Box<Reply>> {
    let Some(service) = service_id(head) else {
        return refuse(StatusCode::NOT_FOUND, None, "there is nothing at this path");
    };
    if head.method != Method::POST {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, Some(METHOD_NOT_ALLOWED), "the method is not POST");
    }
    if head.headers.get(AUTHORIZATION).is_some_and(|header| !is_basic(header.as_bytes())) {
        return refuse(StatusCode::UNAUTHORIZED, None, "`Authorization` is not well-formed HTTP Basic");
    }
    if !is_json(&head.headers) {
        let reason = "`Content-Type` is not `application/json` in UTF-8";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, reason);
    }
    if body.len() > BODY_MAX {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, None, "the body is longer than 1 MiB");
    }
    match check_service_id(service).and_then(|()| check_content(body)) {
        Ok(()) => Ok(()),
        Err(reason) => refuse(StatusCode::BAD_REQUEST, Some(INVALID_CONTENT), &reason),
    }
}

/// The segment of the path that names the service, well-formed or not; `None` at any other path.
pub(super) fn service_id(head: &Parts) -> Option<&str> {
    head.uri.path().strip_prefix(INVOKE_PATH).filter(|id| !id.is_empty() && !id.contains('/'))
}

fn refuse(status: StatusCode, code: Option<u32>, description: &str) -> Result<(), Box<Reply>> {
    Err(Box::new(Reply::error(status, code, description)))
}

fn check_service_id(id: &str) -> Result<(), String> {
    if id.len() <= SERVICE_ID_LENGTH_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(format!("the service ID is not 1 to {SERVICE_ID_LENGTH_MAX} letters and digits"))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}
