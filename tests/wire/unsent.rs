//! What proves that nothing was sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use mep_batch::client::Client;
use mep_batch::invocation::{Finding, Outcome};

use crate::server::{Act, Reads, Script, Server};
use crate::{PATIENT, SHORT, class, client, send};

/// A listener that does the same with every connection: reads what comes first, says something, and closes or stalls.
pub(crate) fn listener(says: impl Into<Vec<u8>>, stalls: bool) -> SocketAddr {
    let says = says.into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(&says);
            if stalls {
                let _ = connection.read_to_end(&mut Vec::new());
            }
        }
    });
    addr
}

fn text_of_unreached(finding: Finding) -> String {
    assert_eq!(class(&finding), Outcome::Unreached, "{finding:?}");
    let text = match finding {
        Finding::Unreached(text) => Some(text),
        Finding::Answered(_)
        | Finding::Unanswered(_)
        | Finding::GivenBack(_)
        | Finding::Refused(_)
        | Finding::Skipped(_) => None,
    };
    text.expect("a finding of nothing sent")
}

/// The text of a failure to connect, which says something and names no URL.
async fn unreached(url: &str) -> String {
    let text = text_of_unreached(send(&client(url, SHORT), "A").await);
    assert!(!text.is_empty() && !text.contains("invokeService") && text.chars().count() <= 300, "{text}");
    text
}

#[tokio::test]
async fn a_refused_connection_is_unreached() {
    // Nothing listens on the port of tcpmux, and no other test is given it.
    assert!(unreached("http://127.0.0.1:1").await.contains("refused"));
    assert!(unreached("https://127.0.0.1:1").await.contains("refused"));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_unreached() {
    // A label of 64 characters is no name anywhere, so that no resolver off this machine is asked.
    unreached(&format!("https://{}.invalid", "a".repeat(64))).await;
}

#[tokio::test]
async fn a_tls_handshake_that_fails_is_unreached() {
    let answers: [&'static [u8]; 5] = [
        b"",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nX-Request-Id: A\r\nContent-Length: 0\r\n\r\n",
        // A fatal alert: handshake_failure.
        b"\x15\x03\x03\0\x02\x02\x28",
        b"\x16\x03\x03\xff\xff garbage",
    ];
    for answer in answers {
        unreached(&format!("https://{}", listener(answer, false))).await;
    }
}

#[tokio::test]
async fn a_tls_handshake_that_stalls_is_unreached_by_the_connect_timeout() {
    for answer in [&b""[..], b"\x16\x03\x03"] {
        unreached(&format!("https://{}", listener(answer, true))).await;
    }
}

#[tokio::test]
async fn a_connect_timeout_longer_than_the_total_one_still_says_unreached() {
    let url = format!("https://{}", listener(b"", true));
    let timeouts = mep_batch::client::Timeouts { connect: PATIENT.connect, ..SHORT };
    text_of_unreached(send(&client(&url, timeouts), "A").await);
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_is_unreached() {
    for answer in [
        &b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"garbage",
    ] {
        let proxy = format!("http://user:hunter2@{}", listener(answer, false));
        let client = Client::new("https://service.test", None, SHORT, 1, Some(&proxy)).expect("a client");
        let text = text_of_unreached(send(&client, "A").await);
        assert!(!text.contains("hunter2") && !format!("{client:?}").contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_named_is_used() {
    let answer = "HTTP/1.1 202 Accepted\r\nX-Request-Id: A\r\nContent-Length: 0\r\n\r\n";
    let script = Script { reads: Reads::Whole, acts: vec![Act::Say(answer.into())] };
    let proxy = Server::start([("A".to_owned(), script)].into());
    let client = Client::new("http://service.test", None, PATIENT, 1, Some(&proxy.url())).expect("a client");
    assert_eq!(class(&send(&client, "A").await), Outcome::Accepted);
    assert!(proxy.received("A")[0].starts_with("POST http://service.test/service/v1/invokeService/A HTTP/1.1\r\n"));
}
