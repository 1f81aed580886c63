//! Where a request goes: the endpoint, the service ID and the URL that they make.

use std::fmt;
use std::str::FromStr;

use super::bounds::SERVICE_ID_LENGTH_MAX;

/// The path of the Invoke operation, before the service ID.
pub const INVOKE_PATH: &str = "/service/v1/invokeService/";

const PRODUCTION: &str = "https://servicemanager.openmarket.com";
const CIE: &str = "https://servicemanager-cie.openmarket.com";

/// The server that a batch is sent to. Stored with the batch as its text form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// The vendor's production service: each accepted request starts a service for a real person.
    Production,
    /// The vendor's test environment: validates as production does and starts nothing.
    Cie,
    /// The stand-in that is started inside this process.
    Simulator,
    /// Another server: the base URL without a trailing slash, https unless its host is loopback.
    Url(String),
}

/// Why a text names no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is neither a known name nor a URL.
    #[error("`{0}` is no endpoint; expected `production`, `cie`, `simulator` or a URL")]
    Unknown(String),
    /// Plain http leaves the machine.
    #[error("`{0}` is not https; plain http is allowed to this machine only (localhost, 127.0.0.1, [::1])")]
    Insecure(String),
    /// It has a part that a base URL has no use for.
    #[error("the endpoint's URL has {0}; expected `https://HOST[:PORT][/PATH]`")]
    Part(&'static str),
}

impl Endpoint {
    /// The base URL to which [`INVOKE_PATH`] is appended; `None` for the stand-in, whose port is not known before it runs.
    #[must_use]
    pub fn base_url(&self) -> Option<&str> {
        match self {
            Endpoint::Production => Some(PRODUCTION),
            Endpoint::Cie => Some(CIE),
            Endpoint::Simulator => None,
            Endpoint::Url(url) => Some(url),
        }
    }

    /// Whether a batch for this endpoint may reach real people and is therefore confirmed before its first send.
    #[must_use]
    pub fn needs_confirmation(&self) -> bool {
        match self {
            Endpoint::Production => true,
            Endpoint::Cie | Endpoint::Simulator => false,
            Endpoint::Url(url) => !is_loopback_url(url),
        }
    }

    /// Whether requests carry an account and a password.
    #[must_use]
    pub fn needs_credentials(&self) -> bool {
        match self {
            Endpoint::Production | Endpoint::Cie => true,
            Endpoint::Simulator => false,
            Endpoint::Url(url) => !is_loopback_url(url),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "production" => return Ok(Endpoint::Production),
            "cie" => return Ok(Endpoint::Cie),
            "simulator" => return Ok(Endpoint::Simulator),
            _ => {}
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| EndpointError::Unknown(text.to_owned()))?;
        let scheme = scheme.to_ascii_lowercase();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if rest.contains(['?', '#']) {
            return Err(EndpointError::Part("a query or a fragment"));
        }
        if authority.contains('@') {
            return Err(EndpointError::Part("a user name or a password (give `--account` and `--password-file`)"));
        }
        let (host, port) = split_port(authority);
        if host.is_empty() {
            return Err(EndpointError::Part("no host"));
        }
        if !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':')) {
            return Err(EndpointError::Part("a host with characters that no host name has"));
        }
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(EndpointError::Part("a port that is no number"));
        }
        if path.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(EndpointError::Part("white space"));
        }
        let url = format!("{scheme}://{}{}", authority.to_ascii_lowercase(), path.trim_end_matches('/'));
        match scheme.as_str() {
            "https" => {}
            "http" if is_loopback_url(&url) => {}
            "http" => return Err(EndpointError::Insecure(url)),
            _ => return Err(EndpointError::Unknown(text.to_owned())),
        }
        match url.as_str() {
            PRODUCTION => Ok(Endpoint::Production),
            CIE => Ok(Endpoint::Cie),
            _ => Ok(Endpoint::Url(url)),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::Production => "production",
            Endpoint::Cie => "cie",
            Endpoint::Simulator => "simulator",
            Endpoint::Url(url) => url,
        })
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_loopback_url(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, _) = split_port(authority);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The ID of the service that a batch invokes. The server checks its format only: a mistyped one still gets 202.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceId(String);

impl ServiceId {
    /// The ID as it stands in the URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed =
            text.chars().all(|c| c.is_ascii_alphanumeric()) && (1..=SERVICE_ID_LENGTH_MAX).contains(&text.len());
        if well_formed {
            Ok(ServiceId(text.to_owned()))
        } else {
            Err(format!("expected 1 to {SERVICE_ID_LENGTH_MAX} letters and digits, found `{}`", text.escape_debug()))
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:9",
            "http://127.8.8.8",
            "https://example.test/base/",
        ] {
            assert!(good.parse::<Endpoint>().is_ok(), "{good}");
        }
        for bad in
            ["http://example.test", "http://127.0.0.1.example.test", "http://localhost.example.test:80", "http://[::2]"]
        {
            assert!(matches!(bad.parse::<Endpoint>(), Err(EndpointError::Insecure(_))), "{bad}");
        }
    }

    #[test]
    fn a_url_with_a_password_or_a_query_is_refused() {
        for bad in [
            "https://user:pw@example.test",
            "https://example.test/?a=b",
            "https://",
            "https://a b",
            "https://h:x",
            "https://h/a b",
        ] {
            assert!(matches!(bad.parse::<Endpoint>(), Err(EndpointError::Part(_))), "{bad}");
        }
        for bad in ["ftp://example.test", "example.test", "", "prod"] {
            assert!(matches!(bad.parse::<Endpoint>(), Err(EndpointError::Unknown(_))), "{bad}");
        }
    }

    #[test]
    fn only_what_may_reach_people_needs_a_confirmation() {
        let needs = |text: &str| text.parse::<Endpoint>().expect("an endpoint").needs_confirmation();
        assert!(needs("production"));
        assert!(needs("https://SERVICEMANAGER.openmarket.com/"));
        assert!(needs("https://example.test"));
        assert!(!needs("cie"));
        assert!(!needs("simulator"));
        assert!(!needs("https://localhost:8443"));
    }

    #[test]
    fn the_vendors_own_url_is_the_vendors_endpoint() {
        assert_eq!("https://servicemanager.openmarket.com/".parse(), Ok(Endpoint::Production));
        assert_eq!("https://servicemanager-cie.openmarket.com".parse(), Ok(Endpoint::Cie));
    }
}
