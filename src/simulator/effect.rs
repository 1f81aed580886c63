//! What each fault does to a request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fastrand::Rng;
use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER};

use super::chance::request_id;
use super::fault::Fault;
use super::reply::Reply;
use super::wire::Spoil;
use crate::invocation::UnixMillis;
use crate::mep::{INVALID_CONTENT, METHOD_NOT_ALLOWED, PERMANENT_ERROR, ROLE_NOT_ALLOWED, TEMPORARY_ERROR};

/// What a fault does.
pub(super) enum Effect {
    /// An answer by which the service did not take the request.
    NotTaken(Reply),
    /// An answer by which nobody can know whether the service took the request.
    Ambiguous(Reply, Delivery),
    /// The answer that the request deserves, delivered so.
    Merits(Delivery),
}

/// How an answer gets to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As HTTP has it.
    Whole,
    /// With this request ID in place of its own.
    SameId,
    /// Spoiled on the wire.
    Spoiled(Spoil),
    /// Whole, once the port is shut.
    PortShut,
    /// Not at all.
    Never,
}

/// A code of the vendor's that no document explains.
const UNKNOWN_CODE: u32 = 12004;

/// Seconds of `Retry-After`. A date says whole seconds only, so that it is put one later to be at least one away.
const RETRY_AFTER_SECONDS: &str = "1";
const RETRY_AFTER_DATE: Duration = Duration::from_secs(2);

/// Where redirects lead: a well-formed service ID here, so that a client that follows leaves a receipt.
const REDIRECT_TARGET: &str = "/service/v1/invokeService/FOLLOWED";

/// What the fault does to a request that came at `now`.
pub(super) fn effect(fault: Fault, now: UnixMillis, rng: &mut Rng) -> Effect {
    let retry_after = HeaderValue::from_static(RETRY_AFTER_SECONDS);
    match fault {
        Fault::InvalidContent => not_taken(400, Some(INVALID_CONTENT)),
        Fault::InvalidContent404 => not_taken(404, Some(INVALID_CONTENT)),
        Fault::BadRequest => not_taken(400, None),
        Fault::Unauthorized => not_taken(401, None),
        Fault::Forbidden => not_taken(403, None),
        Fault::RoleNotAllowed => not_taken(403, Some(ROLE_NOT_ALLOWED)),
        Fault::NotFound => not_taken(404, None),
        Fault::MethodNotAllowed => not_taken(405, None),
        Fault::WrongMethod => not_taken(405, Some(METHOD_NOT_ALLOWED)),
        Fault::NotAcceptable => not_taken(406, None),
        Fault::ProxyAuthentication => Effect::NotTaken(Reply::page(status(407))),
        Fault::Conflict => not_taken(409, None),
        Fault::TooLarge => Effect::NotTaken(Reply::page(status(413))),
        Fault::UnsupportedMediaType => not_taken(415, None),
        Fault::Unprocessable => not_taken(422, None),
        Fault::Throttled => Effect::NotTaken(error(429, None).with(RETRY_AFTER, retry_after)),
        Fault::ThrottledDate => Effect::NotTaken(error(429, None).with(RETRY_AFTER, retry_date(now))),
        Fault::ThrottledBare => not_taken(429, None),
        Fault::HeadersTooLarge => Effect::NotTaken(Reply::page(status(431))),
        Fault::PermanentError => not_taken(500, Some(PERMANENT_ERROR)),
        Fault::TemporaryError => ambiguous(error(500, Some(TEMPORARY_ERROR))),
        Fault::TemporaryError503 => ambiguous(error(503, Some(TEMPORARY_ERROR))),
        Fault::UnknownCode => ambiguous(error(500, Some(UNKNOWN_CODE))),
        Fault::ServerError => ambiguous(error(500, None)),
        Fault::RequestTimeout => ambiguous(Reply::page(status(408))),
        Fault::BadGateway => ambiguous(Reply::page(status(502))),
        Fault::Unavailable => ambiguous(Reply::page(status(503))),
        Fault::UnavailableRetryAfter => ambiguous(Reply::page(status(503)).with(RETRY_AFTER, retry_after)),
        Fault::GatewayTimeout => ambiguous(Reply::page(status(504))),
        Fault::AcceptedNoId => ambiguous(Reply::empty(StatusCode::ACCEPTED)),
        Fault::AcceptedBlankId => ambiguous(Reply::accepted(String::new())),
        Fault::AcceptedSameId => Effect::Merits(Delivery::SameId),
        Fault::Ok => ambiguous(Reply::page(StatusCode::OK)),
        Fault::NoContent => ambiguous(Reply::empty(StatusCode::NO_CONTENT)),
        Fault::MovedPermanently => Effect::NotTaken(redirect(301)),
        Fault::Found => Effect::NotTaken(redirect(302)),
        Fault::SeeOther => ambiguous(redirect(303)),
        Fault::TemporaryRedirect => Effect::NotTaken(redirect(307)),
        Fault::Timeout => Effect::Ambiguous(Reply::empty(StatusCode::ACCEPTED), Delivery::Never),
        Fault::Reset => spoiled(Reply::empty(StatusCode::ACCEPTED), Spoil::Reset),
        Fault::Close => spoiled(Reply::empty(StatusCode::ACCEPTED), Spoil::Close),
        Fault::CutHead => spoiled(Reply::accepted(request_id(rng)), Spoil::CutHead),
        Fault::CutBody => spoiled(error(500, Some(TEMPORARY_ERROR)), Spoil::CutBody),
        Fault::CutBodyMerits => Effect::Merits(Delivery::Spoiled(Spoil::CutBody)),
        Fault::Garbage => spoiled(Reply::empty(StatusCode::ACCEPTED), Spoil::Garbage),
        Fault::EarlyHints => Effect::Merits(Delivery::Spoiled(Spoil::EarlyHints)),
        Fault::Refuse => Effect::Merits(Delivery::PortShut),
    }
}

/// The request ID of [`Delivery::SameId`]: the one of the vendor's documents.
pub(super) const SAME_ID: &str = "7EYYG-EF3XM-5LSQ5-ILR73";

/// What is added to a body that will be cut, so that the whole JSON of it arrives all the same.
pub(super) fn pad(body: &Bytes) -> Bytes {
    let mut padded = body.to_vec();
    padded.extend_from_slice(&[b' '; 2 * Spoil::CUT_BYTES]);
    padded.into()
}

fn not_taken(status: u16, code: Option<u32>) -> Effect {
    Effect::NotTaken(error(status, code))
}

fn ambiguous(reply: Reply) -> Effect {
    Effect::Ambiguous(reply, Delivery::Whole)
}

fn spoiled(reply: Reply, spoil: Spoil) -> Effect {
    Effect::Ambiguous(reply, Delivery::Spoiled(spoil))
}

fn error(code_of_http: u16, code: Option<u32>) -> Reply {
    Reply::error(status(code_of_http), code, "simulated fault")
}

fn redirect(code_of_http: u16) -> Reply {
    Reply::page(status(code_of_http)).with(LOCATION, HeaderValue::from_static(REDIRECT_TARGET))
}

fn status(code_of_http: u16) -> StatusCode {
    StatusCode::from_u16(code_of_http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn retry_date(now: UnixMillis) -> HeaderValue {
    let now_ms = Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    let date: SystemTime = UNIX_EPOCH + now_ms + RETRY_AFTER_DATE;
    HeaderValue::try_from(httpdate::fmt_http_date(date)).unwrap_or(HeaderValue::from_static(RETRY_AFTER_SECONDS))
}
