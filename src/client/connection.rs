//! How connections are made and kept: everything that could make one request two is switched off here.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{ClientBuilder, Proxy, Url};

use super::Credentials;

/// How long an idle connection is kept. A request that leaves within one round trip before its server closes an idle
/// connection meets a closed door and is an unknown outcome; measured (`tests/wire/keep_alive.rs`), nearly each of those is, and
/// hardly any that leaves earlier or later. Of the servers and gateways in common use hardly any keeps an idle connection for
/// less than 5 s (Apache, Node; nginx 75 s, an AWS load balancer 60 s), so that 2 s leave 3 s for the round trip and for a
/// machine that is busy. A longer time would spare only handshakes, of runs that send less than once in 2 s on a connection.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, with name look-up and TLS handshake.
    pub connect: Duration,
    /// For everything, the answer's body included. A long one makes fewer unknown outcomes than a short one.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { connect: Duration::from_secs(10), total: Duration::from_secs(60) }
    }
}

/// Settings under which a request leaves at most once.
///
/// What no setting reaches: a request that the connection pool hands to a connection which has ended is handed to
/// another one, and only if not one byte of it was started.
pub(super) fn builder(timeouts: Timeouts, concurrency: usize) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("mep-batch/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .no_proxy()
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(concurrency)
        .tcp_nodelay(true)
        .connect_timeout(connect_timeout(timeouts))
        .timeout(timeouts.total);
    // reqwest gives a silent connection up after 30 s, so that a network that is away for a minute would make unknown
    // outcomes of requests whose answers were still to come. The total timeout alone decides.
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(timeouts.total);
    builder
}

/// The headers of every request.
///
/// There is no `Idempotency-Key` on purpose: other clients and proxies read it as leave to repeat a request.
pub(super) fn headers(credentials: Option<&Credentials>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(credentials) = credentials {
        headers.insert(AUTHORIZATION, credentials.header().clone());
    }
    headers
}

/// Reads a proxy's URL. It may hold a password, so no error shows it.
pub(super) fn proxy_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).context("the proxy is no URL; expected `http://HOST:PORT`")?;
    if !matches!(url.scheme(), "http" | "https") {
        bail!("the proxy's scheme is no `http` or `https`; expected `http://HOST:PORT`");
    }
    Ok(url)
}

/// The proxy for all requests.
pub(super) fn proxy(url: Url) -> anyhow::Result<Proxy> {
    Proxy::all(url).map_err(reqwest::Error::without_url).context("the proxy's URL cannot be used")
}

/// The connect timeout, always shorter than the total one.
///
/// Which of two timers that end together is seen first is chance, and only the connect timeout proves that nothing was
/// sent; where the total one ends first, every row behind a dead network would be unknown.
fn connect_timeout(timeouts: Timeouts) -> Duration {
    timeouts.connect.min(timeouts.total - timeouts.total / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connect_timeout_ends_before_the_total_one() {
        let timeouts =
            |connect, total| Timeouts { connect: Duration::from_secs(connect), total: Duration::from_secs(total) };
        assert_eq!(connect_timeout(timeouts(10, 60)), Duration::from_secs(10));
        assert_eq!(connect_timeout(timeouts(10, 10)), Duration::from_secs(9));
        assert_eq!(connect_timeout(timeouts(60, 10)), Duration::from_secs(9));
    }

    #[test]
    fn a_proxy_that_is_none_is_refused_without_its_password() {
        for bad in ["socks5://u:hunter2@h:1", "u:hunter2@h:1", "http://u:hunter2@:1", "hunter2"] {
            let told = format!("{:?}", proxy_url(bad).unwrap_err());
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert!(proxy_url("http://u:hunter2@proxy.test:3128").and_then(proxy).is_ok());
    }
}
