//! TLS with a certificate of our own, trusted through `SSL_CERT_FILE`.
//!
//! A process reads its roots from its environment, which a test cannot change safely: the client runs in a process of
//! its own, this test program again. Its environment also names proxies that do not exist, which have to be ignored.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{PATIENT, client, send};

/// Tells the client's process where to send to.
const URL_VARIABLE: &str = "MEP_BATCH_WIRE_TEST_URL";

const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\nX-Request-Id: OVER-TLS\r\nContent-Length: 0\r\n\r\n";

/// A TLS server on this machine with a new certificate; gives its URL and the certificate as PEM.
fn tls_server(versions: &[&'static rustls::SupportedProtocolVersion]) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a server's settings");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream = StreamOwned::new(session, connection);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(ANSWER);
            }
        }
    });
    (url, made.cert.pem())
}

fn client_process(url: &str, certificates: &str) -> Output {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), certificates).expect("a file that can be written");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "tls::the_clients_process", "--ignored", "--nocapture"]);
    command.env(URL_VARIABLE, url).env("SSL_CERT_FILE", file.path()).env_remove("SSL_CERT_DIR");
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(proxy, "http://127.0.0.1:1");
    }
    command.output().expect("the client's process")
}

#[tokio::test]
#[ignore = "the client's side of the other tests here, which start it"]
async fn the_clients_process() {
    let url = std::env::var(URL_VARIABLE).expect("the server's URL");
    println!("{:?}", send(&client(&url, PATIENT), "A").await);
}

#[test]
fn a_trusted_server_is_sent_to_over_tls_1_2_and_1_3() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (url, certificate) = tls_server(&[version]);
        let output = client_process(&url, &certificate);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("Answered") && printed.contains("OVER-TLS"), "{version:?}: {printed}");
    }
}

#[test]
fn a_server_that_is_not_trusted_is_unreached() {
    let (url, _) = tls_server(&[&rustls::version::TLS13]);
    let (_, anothers) = tls_server(&[&rustls::version::TLS13]);
    // Without a readable certificate the built-in roots are trusted, which know nothing of this server either.
    for certificates in [anothers.as_str(), "no certificate"] {
        let output = client_process(&url, certificates);
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains("Unreached") && printed.contains("certificate"), "{printed}");
    }
}
