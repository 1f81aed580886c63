//! Whom TLS trusts.

use std::sync::Arc;

use anyhow::Context;
use rustls::{ClientConfig, RootCertStore};

/// How many certificate authorities are trusted, and whose list of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// So many of the system's.
    System(usize),
    /// The system has none: so many of Mozilla's, which are built in.
    BuiltIn(usize),
}

/// Whom a client on this machine would trust.
#[must_use]
pub fn trusted() -> Trusted {
    let mut system = RootCertStore::empty();
    system.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if system.is_empty() { Trusted::BuiltIn(roots().len()) } else { Trusted::System(system.len()) }
}

/// The TLS settings: versions 1.2 and 1.3, ring, and the system's roots.
///
/// The cryptography is named here and not taken from the process's default, so that nothing else decides it. Without
/// `needs_tls` nobody is trusted: reading the system's roots takes a while, and a plain connection has no use for them.
pub(super) fn tls_config(needs_tls: bool) -> anyhow::Result<ClientConfig> {
    let roots = if needs_tls { roots() } else { RootCertStore::empty() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), and Mozilla's where there are none: a minimal
/// container has no certificates.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    roots
}
