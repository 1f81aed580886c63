//! TLS with a certificate of our own, trusted through `SSL_CERT_FILE`.
//!
//! A process reads its roots from its environment, which a test cannot change safely: the client runs in a process of
//! its own, this test program again. Its environment also names proxies that do not exist, which have to be ignored.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mep_batch::client::Timeouts;
use rcgen::{Certificate, CertificateParams, KeyPair, PKCS_ED25519, SanType, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use crate::unsent::listener;
use crate::{PATIENT, class, client, send};

/// Short, with room for a handshake on a busy machine.
const SHORT: Timeouts = Timeouts { connect: Duration::from_secs(1), total: Duration::from_millis(1_500) };

/// Tells the client's process where to send to.
const URL_VARIABLE: &str = "MEP_BATCH_WIRE_TEST_URL";

/// Tells it to have little patience.
const SHORT_VARIABLE: &str = "MEP_BATCH_WIRE_TEST_SHORT";
/// What comes before its word.
const SAYS: &str = "the client says ";

pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: OVER-TLS\r\nContent-Length: 0\r\n\r\n";

/// A certificate for these names, which is its own authority, and its key. Its length is the same each time.
pub(crate) fn certificate(change: impl FnOnce(&mut CertificateParams)) -> (Certificate, KeyPair) {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("names");
    change(&mut params);
    let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
    (params.self_signed(&key).expect("a certificate"), key)
}

/// What a TLS server of these versions says with that certificate.
pub(crate) fn server_settings(
    versions: &[&'static SupportedProtocolVersion],
    (certificate, key): &(Certificate, KeyPair),
) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a server's settings")
}

/// A TLS server on this machine; gives its URL and how many requests it has received.
fn tls_server(settings: ServerConfig) -> (String, Arc<AtomicUsize>) {
    let (settings, received) = (Arc::new(settings), Arc::new(AtomicUsize::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let counted = Arc::clone(&received);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&settings)).expect("a session");
            let mut stream = StreamOwned::new(session, connection);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(ANSWER);
            }
        }
    });
    (url, received)
}

/// What a client says that trusts these certificates: the class of the outcome, and all that it saw.
pub(crate) fn client_says(url: &str, certificates: &str, is_short: bool) -> String {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), certificates).expect("a file that can be written");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "tls::the_clients_process", "--ignored", "--nocapture"]);
    command.env(URL_VARIABLE, url).env("SSL_CERT_FILE", file.path()).env_remove("SSL_CERT_DIR");
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(proxy, "http://127.0.0.1:1");
    }
    if is_short {
        command.env(SHORT_VARIABLE, "1");
    }
    let output = command.output().expect("the client's process");
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = printed.lines().find_map(|line| line.split_once(SAYS)).map(|(_, said)| said.to_owned());
    said.unwrap_or_else(|| unreachable!("{printed}"))
}

#[tokio::test]
#[ignore = "the client's side of the other tests here, which start it"]
async fn the_clients_process() {
    let url = std::env::var(URL_VARIABLE).expect("the server's URL");
    let timeouts = if std::env::var_os(SHORT_VARIABLE).is_some() { SHORT } else { PATIENT };
    let finding = send(&client(&url, timeouts), "A").await;
    println!("{SAYS}{:?}: {finding:?}", class(&finding));
}

#[test]
fn a_trusted_server_is_sent_to_over_tls_1_2_and_1_3() {
    for version in [&TLS12, &TLS13] {
        let own = certificate(|_| {});
        let (url, received) = tls_server(server_settings(&[version], &own));
        let said = client_says(&url, &own.0.pem(), false);
        assert!(said.starts_with("Accepted") && said.contains("OVER-TLS"), "{version:?}: {said}");
        assert_eq!(received.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_server_that_is_not_trusted_is_unreached() {
    let (own, another) = (certificate(|_| {}), certificate(|_| {}));
    let (url, received) = tls_server(server_settings(&[&TLS13], &own));
    // Without a readable certificate the built-in roots are trusted, which know nothing of this server either.
    for certificates in [another.0.pem().as_str(), "no certificate"] {
        let said = client_says(&url, certificates, false);
        assert!(said.starts_with("Unreached") && said.contains("certificate"), "{said}");
    }
    assert_eq!(received.load(Ordering::SeqCst), 0);
}

#[test]
fn a_certificate_of_another_name_or_time_is_unreached_though_who_signed_it_is_trusted() {
    let name = |name: &str| SanType::DnsName(name.try_into().expect("a name"));
    let wrong: [(&str, Box<dyn Fn(&mut CertificateParams)>); 5] = [
        ("NotValidForName", Box::new(move |params| params.subject_alt_names = vec![name("service.test")])),
        (
            "NotValidForName",
            Box::new(|params| params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 2].into())]),
        ),
        ("NotValidForName", Box::new(|params| params.subject_alt_names.clear())),
        ("expired", Box::new(|params| params.not_after = date_time_ymd(2020, 2, 29))),
        ("not valid yet", Box::new(|params| params.not_before = date_time_ymd(3000, 1, 1))),
    ];
    for (why, change) in wrong {
        for version in [&TLS12, &TLS13] {
            let own = certificate(&change);
            let (url, received) = tls_server(server_settings(&[version], &own));
            let said = client_says(&url, &own.0.pem(), false);
            assert!(said.starts_with("Unreached"), "{why}, {version:?}: {said}");
            let told = said.to_lowercase().replace(' ', "");
            assert!(told.contains(&why.to_lowercase().replace(' ', "")), "{why}, {version:?}: {said}");
            assert_eq!(received.load(Ordering::SeqCst), 0, "{why}, {version:?}");
        }
    }
}

/// The first record of a server that knows no newer version than this one: its choice of a cipher that goes with it.
fn hello_of(version: u8) -> Vec<u8> {
    let mut hello = vec![2, 0, 0, 38, 3, version];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    [vec![22, 3, version, 0, 42], hello].concat()
}

#[test]
fn a_server_that_speaks_no_newer_tls_than_1_1_is_unreached() {
    let own = certificate(|_| {});
    // SSL 3.0, TLS 1.0 and TLS 1.1 are versions 3.0, 3.1 and 3.2 on the wire.
    for version in 0..=2 {
        // A fatal alert: protocol_version.
        for answer in [hello_of(version), vec![21, 3, version, 0, 2, 2, 70]] {
            let said = client_says(&format!("https://{}", listener(answer, false)), &own.0.pem(), false);
            assert!(said.starts_with("Unreached"), "3.{version}: {said}");
        }
    }
}
