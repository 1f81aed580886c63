//! The yardstick: sends the same requests with the same number in flight, and stores nothing.
//!
//! `bare-loop URL BODIES CONCURRENCY`, where BODIES is a file with one body a line. Prints how many it sent and in how many
//! seconds, as JSON. It is a loop around reqwest as anybody would write it who wants it fast, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, ensure};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, bodies, concurrency] = &arguments[..] else {
        anyhow::bail!("usage: bare-loop URL BODIES CONCURRENCY");
    };
    let url: Url = url.parse().context("the URL")?;
    let concurrency: usize = concurrency.parse().context("the concurrency")?;
    let bodies: Vec<String> =
        std::fs::read_to_string(bodies).context(bodies.clone())?.lines().map(str::to_owned).collect();
    let client = Client::builder()
        .http1_only()
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(concurrency)
        .default_headers(HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]))
        .tls_backend_preconfigured(no_tls()?)
        .build()?;
    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..concurrency {
        senders.spawn(send(client.clone(), url.clone(), Arc::clone(&bodies), Arc::clone(&next)));
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    #[expect(clippy::print_stdout, reason = "its answer")]
    {
        println!(r#"{{"sent":{},"seconds":{}}}"#, bodies.len(), began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Sends whatever body is next, until there is none.
async fn send(client: Client, url: Url, bodies: Arc<Vec<String>>, next: Arc<AtomicUsize>) -> anyhow::Result<()> {
    while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
        let answer = client.post(url.clone()).body(body.clone()).send().await?;
        let status = answer.status();
        answer.bytes().await?;
        ensure!(status == 202, "the server answered {status}");
    }
    Ok(())
}

/// Trusts nobody: the server is on this machine, without TLS.
fn no_tls() -> anyhow::Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
