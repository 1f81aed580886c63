//! Sends one attempt and says what it saw.
//!
//! One call of [`Client::send`] puts at most one request on the wire: no redirects, no repeats, HTTP/1.1 only, no proxy
//! from the environment. What came is told as facts ([`Finding`]); the verdict is `retry`'s.

mod answer;
mod connection;
mod credentials;
mod fault;
mod last_look;
mod secrets;
mod target;
mod trust;

use anyhow::Context;
use reqwest::{Body, Url};

use crate::invocation::Finding;
use crate::mep::ServiceId;

pub use answer::{BODY_KEPT_MAX, REQUEST_ID_LENGTH_MAX};
pub use connection::Timeouts;
pub use credentials::Credentials;
pub use target::Target;
pub use trust::{Trusted, trusted};

use last_look::GuardedBody;
#[cfg(test)]
pub(crate) use last_look::listening;
use secrets::Secrets;

/// Sends invocations to one endpoint on behalf of one account. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    secrets: Secrets,
}

impl Client {
    /// Prepares a client: reads the trusted roots, opens no connection.
    ///
    /// `concurrency` is the number of connections kept open between requests. `proxy` is the URL of an HTTP proxy.
    ///
    /// # Errors
    ///
    /// A base URL or a proxy that is none. The text holds no secret: neither the password nor the proxy's.
    pub fn new(
        base_url: &str,
        credentials: Option<&Credentials>,
        timeouts: Timeouts,
        concurrency: usize,
        proxy: Option<&str>,
    ) -> anyhow::Result<Client> {
        let base = target::base(base_url)?;
        let proxy = proxy.map(connection::proxy_url).transpose()?;
        let secrets = Secrets::of(credentials, proxy.as_ref());
        let needs_tls = [Some(&base), proxy.as_ref()].into_iter().flatten().any(|url| url.scheme() == "https");
        let mut builder = connection::builder(timeouts, concurrency)
            .default_headers(connection::headers(credentials))
            .tls_backend_preconfigured(trust::tls_config(needs_tls)?);
        if let Some(url) = proxy {
            builder = builder.proxy(connection::proxy(url)?);
        }
        let http = builder.build().map_err(reqwest::Error::without_url).context("the HTTP client cannot be set up")?;
        Ok(Client { http, base, secrets })
    }

    /// The address of a service at this endpoint.
    #[must_use]
    pub fn target(&self, service: &ServiceId) -> Target {
        Target::new(&self.base, service)
    }

    /// Sends the body byte for byte, once, and says what came of it.
    ///
    /// `last_look` is asked when the connection is made, right before the first byte is written: what it finds then is
    /// what came of the request, of which nothing is written.
    ///
    /// Dropping the future closes the connection; the request may have been received all the same.
    pub async fn send<F>(&self, target: &Target, body: String, last_look: F) -> Finding
    where
        F: Fn() -> Option<Finding> + Send + Sync + Unpin + 'static,
    {
        let body = Body::wrap(GuardedBody::new(body, last_look));
        match self.http.post(target.url()).body(body).send().await {
            Ok(response) => Finding::Answered(answer::read(response, &self.secrets).await),
            Err(error) => fault::finding(error),
        }
    }
}

/// Shows nothing of the connections: a proxy's URL may hold a password.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::listening::listen;
    use super::*;
    use crate::invocation::GivenBack;

    #[tokio::test]
    async fn of_a_request_that_is_withheld_at_the_last_look_no_byte_is_written() {
        let (url, received) = listen();
        let second = Duration::from_secs(30);
        let client = Client::new(&url, None, Timeouts { connect: second, total: second }, 1, None).expect("a client");
        let target = client.target(&"ABC123".parse().expect("an ID"));
        let withheld = Finding::GivenBack(GivenBack::PastSellBy);
        let found = withheld.clone();
        assert_eq!(client.send(&target, "{}".to_owned(), move || Some(found.clone())).await, withheld);
        assert_eq!(String::from_utf8(received.join().expect("a server")).expect("text"), "");
    }
}
