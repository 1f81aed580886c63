//! The answer reader: whatever comes back on the connection, there is one outcome, and only an answer of the contract accepts a
//! row or sends it again.

use std::cell::RefCell;
use std::time::Duration;

use mep_batch::client::{BODY_KEPT_MAX, Client, REQUEST_ID_LENGTH_MAX, Timeouts};
use mep_batch::invocation::{Answer, Finding, Outcome, State};
use mep_batch::mep::read_error_body;
use mep_batch::retry::{Policy, classify};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::settled::{is_sent_again, settled};

/// The bytes are what comes back on the wire; and, for themselves, a body.
pub(crate) fn hold(data: &[u8]) {
    let body = read_error_body(data);
    assert!(body.message.as_deref().is_none_or(|text| !text.is_empty() && text.trim() == text));
    let policy = Policy::default();
    let finding = WIRE.with_borrow_mut(|wire| wire.answers(data));
    let outcome = classify(&finding, &policy);
    match &finding {
        Finding::Answered(answer) => check_answer(answer, data),
        Finding::Unanswered(_) => assert_eq!(outcome, Outcome::Unknown),
        Finding::Unreached(_) | Finding::GivenBack(_) | Finding::Refused(_) | Finding::Skipped(_) => {
            unreachable!("a request was written: {finding:?}")
        }
    }
    if outcome == Outcome::Accepted {
        let text = data.to_ascii_lowercase();
        assert!(has(&text, b" 202") && has(&text, b"x-request-id:"), "accepted out of nothing");
    }
    let (settlement, _) = settled(finding, &policy, 0.5);
    assert_eq!(settlement.outcome, outcome);
    assert_eq!(settlement.state == State::Pending, is_sent_again(outcome));
    assert_eq!(settlement.state == State::Accepted, outcome == Outcome::Accepted);

    // Cut somewhere, it never becomes more than it was whole.
    let at = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % (data.len() + 1);
    let cut = classify(&WIRE.with_borrow_mut(|wire| wire.answers(&data[..at])), &policy);
    assert!(cut != Outcome::Accepted || outcome == Outcome::Accepted, "accepted by being cut at {at}");
    let may_be_repeated = is_sent_again(outcome) || outcome == Outcome::Rejected;
    assert!(!is_sent_again(cut) || may_be_repeated, "{outcome:?}, and sent again by being cut at {at}");
}

fn check_answer(answer: &Answer, data: &[u8]) {
    // Blank lines before an answer are passed over, as HTTP says.
    let start = data.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(data.len());
    assert!(data[start..].starts_with(b"HTTP/1."), "an answer out of nothing");
    assert!(answer.body.len() <= BODY_KEPT_MAX);
    let id = answer.request_id.as_deref().unwrap_or("-");
    assert!(id.len() <= REQUEST_ID_LENGTH_MAX && !id.trim().is_empty(), "{id:?}");
    assert!(!id.contains(|c: char| c.is_control() && c != '\t'), "{id:?}");
    if answer.code.is_some() || answer.message.is_some() {
        let read = read_error_body(&answer.body);
        assert_eq!((read.code, read.message.as_ref()), (answer.code, answer.message.as_ref()));
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

thread_local! {
    static WIRE: RefCell<Wire> = RefCell::new(Wire::new());
}

/// The real client, and a server that answers with what it is given.
struct Wire {
    runtime: Runtime,
    listener: TcpListener,
    client: Client,
}

impl Wire {
    fn new() -> Wire {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let second = Duration::from_secs(10);
        let timeouts = Timeouts { connect: second, total: second };
        let client = {
            let _guard = runtime.enter();
            Client::new(&format!("http://{address}"), None, timeouts, 1, None).expect("a client")
        };
        Wire { runtime, listener, client }
    }

    /// What the client makes of it. The connection has ended on both sides before this returns.
    fn answers(&mut self, bytes: &[u8]) -> Finding {
        let target = self.client.target(&"ABC123".parse().expect("an ID"));
        let body = r#"{"endUser":{"phoneNumber":12515550130}}"#;
        self.runtime.block_on(async {
            let serving = async {
                let (mut stream, _) = self.listener.accept().await.expect("a connection");
                read_request(&mut stream, body.len()).await;
                // Whoever has read enough closes, which is no fault of the server.
                let _ = stream.write_all(bytes).await;
                let _ = stream.shutdown().await;
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            };
            let sending = self.client.send(&target, body.to_owned(), || None);
            let (_, finding) = tokio::join!(serving, sending);
            finding
        })
    }
}

/// Reads the request to its end: what is unread makes a reset of the end of the answer.
async fn read_request(stream: &mut TcpStream, body: usize) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).await.expect("the client writes");
        assert!(read > 0, "the client ends before its request does");
        request.extend_from_slice(&part[..read]);
        let head = request.windows(4).position(|window| window == b"\r\n\r\n");
        if head.is_some_and(|head| request.len() >= head + 4 + body) {
            return;
        }
    }
}
