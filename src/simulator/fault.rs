//! The faults that the stand-in can show.

use std::fmt;
use std::str::FromStr;

/// What can go wrong with a request: each provokes one line of the contract's table 'What each answer does'.
///
/// Where nobody could know whether the service took the request, a coin decides, and the receipt tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// 400 with code 12002: rejected.
    InvalidContent,
    /// 404 with code 12002: rejected, because a known code comes before the status.
    InvalidContent404,
    /// 400 without a code: rejected.
    BadRequest,
    /// 401: the run stops.
    Unauthorized,
    /// 403 without a code: the run stops.
    Forbidden,
    /// 403 with code 12001: the run stops.
    RoleNotAllowed,
    /// 404: the run stops.
    NotFound,
    /// 405 without a code: the run stops.
    MethodNotAllowed,
    /// 405 with code 12003: the run stops.
    WrongMethod,
    /// 406: the run stops.
    NotAcceptable,
    /// 407: the run stops.
    ProxyAuthentication,
    /// 408: unknown.
    RequestTimeout,
    /// 409, a 4xx that the contract does not name: rejected.
    Conflict,
    /// 413: rejected.
    TooLarge,
    /// 415: the run stops.
    UnsupportedMediaType,
    /// 422: rejected.
    Unprocessable,
    /// 429 with `Retry-After` of one second: retried, and all rows wait.
    Throttled,
    /// 429 with `Retry-After` as a date one to two seconds away: likewise.
    ThrottledDate,
    /// 429 without `Retry-After`: retried after the backoff, and all rows wait.
    ThrottledBare,
    /// 431: rejected.
    HeadersTooLarge,
    /// 500 with code 1000: failed.
    PermanentError,
    /// 500 with code 1010: retried at the vendor's interval.
    TemporaryError,
    /// 503 with code 1010: likewise.
    TemporaryError503,
    /// 500 with code 12004, which nobody knows: unknown.
    UnknownCode,
    /// 500 without a code: unknown.
    ServerError,
    /// 502 with a proxy's page: unknown.
    BadGateway,
    /// 503 without a code: unknown, or retried where the operator knows better.
    Unavailable,
    /// 503 with `Retry-After`, as gateways send it too: likewise.
    UnavailableRetryAfter,
    /// 504 with a proxy's page: unknown.
    GatewayTimeout,
    /// 202 without `X-Request-Id`: unknown, and the run stops.
    AcceptedNoId,
    /// 202 with an empty `X-Request-Id`: unknown, and the run stops.
    AcceptedBlankId,
    /// Answered on its merits, each 202 with one and the same `X-Request-Id`: accepted, with a warning.
    AcceptedSameId,
    /// 200 with a page, as a captive portal sends it: unknown, and the run stops.
    Ok,
    /// 204: unknown, and the run stops.
    NoContent,
    /// 301 to another service ID of this server: the run stops, and a receipt convicts a client that follows.
    MovedPermanently,
    /// 302, likewise.
    Found,
    /// 303, likewise, but unknown: it may say 'done, look there'.
    SeeOther,
    /// 307, as 301.
    TemporaryRedirect,
    /// No answer: the connection is held until the client goes or the server stops. Unknown.
    Timeout,
    /// The request is read, then the connection is reset. Unknown.
    Reset,
    /// The request is read, then the connection is closed without an answer. Unknown.
    Close,
    /// A 202 whose head breaks off in the middle, then the connection closes. Unknown.
    CutHead,
    /// 500 with code 1010 whose body breaks off before its stated length, though its JSON is whole: unknown,
    /// because a cut body never upgrades an outcome.
    CutBody,
    /// Answered on its merits, with a body that breaks off: accepted where it is a 202, because the head decides.
    CutBodyMerits,
    /// Bytes that are no HTTP, then the connection closes. Unknown.
    Garbage,
    /// Answered on its merits, after an informational 103: accepted where it is a 202.
    EarlyHints,
    /// Answered on its merits once the port is shut: for two seconds new connections are refused, idle ones are
    /// closed and requests in flight are answered. The rows of the refused connections are retried.
    Refuse,
}

/// A text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault(String);

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 47] = [
        Fault::InvalidContent,
        Fault::InvalidContent404,
        Fault::BadRequest,
        Fault::Unauthorized,
        Fault::Forbidden,
        Fault::RoleNotAllowed,
        Fault::NotFound,
        Fault::MethodNotAllowed,
        Fault::WrongMethod,
        Fault::NotAcceptable,
        Fault::ProxyAuthentication,
        Fault::RequestTimeout,
        Fault::Conflict,
        Fault::TooLarge,
        Fault::UnsupportedMediaType,
        Fault::Unprocessable,
        Fault::Throttled,
        Fault::ThrottledDate,
        Fault::ThrottledBare,
        Fault::HeadersTooLarge,
        Fault::PermanentError,
        Fault::TemporaryError,
        Fault::TemporaryError503,
        Fault::UnknownCode,
        Fault::ServerError,
        Fault::BadGateway,
        Fault::Unavailable,
        Fault::UnavailableRetryAfter,
        Fault::GatewayTimeout,
        Fault::AcceptedNoId,
        Fault::AcceptedBlankId,
        Fault::AcceptedSameId,
        Fault::Ok,
        Fault::NoContent,
        Fault::MovedPermanently,
        Fault::Found,
        Fault::SeeOther,
        Fault::TemporaryRedirect,
        Fault::Timeout,
        Fault::Reset,
        Fault::Close,
        Fault::CutHead,
        Fault::CutBody,
        Fault::CutBodyMerits,
        Fault::Garbage,
        Fault::EarlyHints,
        Fault::Refuse,
    ];

    /// The word for it in `--fault` and in receipts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::InvalidContent => "12002",
            Fault::InvalidContent404 => "12002-404",
            Fault::BadRequest => "400",
            Fault::Unauthorized => "401",
            Fault::Forbidden => "403",
            Fault::RoleNotAllowed => "12001",
            Fault::NotFound => "404",
            Fault::MethodNotAllowed => "405",
            Fault::WrongMethod => "12003",
            Fault::NotAcceptable => "406",
            Fault::ProxyAuthentication => "407",
            Fault::RequestTimeout => "408",
            Fault::Conflict => "409",
            Fault::TooLarge => "413",
            Fault::UnsupportedMediaType => "415",
            Fault::Unprocessable => "422",
            Fault::Throttled => "429",
            Fault::ThrottledDate => "429-date",
            Fault::ThrottledBare => "429-bare",
            Fault::HeadersTooLarge => "431",
            Fault::PermanentError => "1000",
            Fault::TemporaryError => "1010",
            Fault::TemporaryError503 => "1010-503",
            Fault::UnknownCode => "12004",
            Fault::ServerError => "500",
            Fault::BadGateway => "502",
            Fault::Unavailable => "503",
            Fault::UnavailableRetryAfter => "503-retry-after",
            Fault::GatewayTimeout => "504",
            Fault::AcceptedNoId => "202-no-id",
            Fault::AcceptedBlankId => "202-blank-id",
            Fault::AcceptedSameId => "202-same-id",
            Fault::Ok => "200",
            Fault::NoContent => "204",
            Fault::MovedPermanently => "301",
            Fault::Found => "302",
            Fault::SeeOther => "303",
            Fault::TemporaryRedirect => "307",
            Fault::Timeout => "timeout",
            Fault::Reset => "reset",
            Fault::Close => "close",
            Fault::CutHead => "cut-head",
            Fault::CutBody => "cut-body",
            Fault::CutBodyMerits => "cut-body-202",
            Fault::Garbage => "garbage",
            Fault::EarlyHints => "early-hints",
            Fault::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Fault::ALL.into_iter().find(|fault| fault.as_str() == text).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Fault::ALL.map(Fault::as_str).join(", ");
        write!(f, "`{}` is no fault; expected one of {kinds}", self.0)
    }
}

impl std::error::Error for UnknownFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faults_word_reads_back_as_the_fault_and_an_unknown_word_is_told_all_kinds() {
        for fault in Fault::ALL {
            assert_eq!(fault.as_str().parse(), Ok(fault));
        }
        let error = "tmeout".parse::<Fault>().expect_err("no fault").to_string();
        assert!(Fault::ALL.iter().all(|fault| error.contains(fault.as_str())), "{error}");
    }
}
