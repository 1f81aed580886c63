//! What the client makes of everything that a server, a proxy or a network may do to a request, byte by byte.
//!
//! The promise under test: one call is at most one request on the wire, and its class is exactly the contract's.

#[path = "../audit/mod.rs"]
mod audit;
mod behaviours;
mod chain;
mod chance;
#[path = "../cluster/mod.rs"]
mod cluster;
mod damage;
mod delivery;
mod keep_alive;
#[path = "../rounds/mod.rs"]
mod rounds;
mod rows;
#[path = "../scenario/mod.rs"]
mod scenario;
mod server;
mod tls;
mod tls_cuts;
mod unsent;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mep_batch::client::{BODY_KEPT_MAX, Client, Credentials, Timeouts};
use mep_batch::invocation::{Answer, Finding, Outcome};
use mep_batch::retry::{Policy, classify};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use behaviours::Behaviour;
use server::{Act, PRIME, Reads, Script, Server};

/// The body of every request: not plain ASCII, and with white space that a JSON writer would not make.
pub(crate) const BODY: &str =
    "{ \"endUser\":{\"phoneNumber\":12515550130},\t\"variables\":{\"user\":{\"a\":\"Zoë ✈\"}} }\n";

/// Long enough for a machine that is busy, where nothing is waited for.
pub(crate) const PATIENT: Timeouts = Timeouts { connect: Duration::from_secs(20), total: Duration::from_secs(30) };

/// Short, where the server stalls.
pub(crate) const SHORT: Timeouts = Timeouts { connect: Duration::from_millis(300), total: Duration::from_millis(400) };

/// How many requests are under way at once.
const AT_ONCE: usize = 48;

pub(crate) fn client(url: &str, timeouts: Timeouts) -> Client {
    Client::new(url, None, timeouts, 1, None).expect("a client")
}

pub(crate) async fn send(client: &Client, service: &str) -> Finding {
    client.send(&client.target(&service.parse().expect("a service ID")), BODY.to_owned(), || None).await
}

pub(crate) fn class(finding: &Finding) -> Outcome {
    classify(finding, &Policy::default())
}

fn serve(behaviours: &[Behaviour]) -> Server {
    let name = |(index, behaviour): (usize, &Behaviour)| (format!("B{index}"), behaviour.script.clone());
    Server::start(behaviours.iter().enumerate().map(name).collect::<HashMap<_, _>>())
}

fn scripted(acts: Vec<Act>) -> Server {
    Server::start(HashMap::from([("A".to_owned(), Script { reads: Reads::Whole, acts })]))
}

async fn answered(head_and_body: &str) -> Answer {
    let server = scripted(vec![Act::Say(head_and_body.into())]);
    let answer = match send(&client(&server.url(), PATIENT), "A").await {
        Finding::Answered(answer) => Some(answer),
        Finding::Unreached(_)
        | Finding::Unanswered(_)
        | Finding::GivenBack(_)
        | Finding::Refused(_)
        | Finding::Skipped(_) => None,
    };
    answer.expect("an answer")
}

/// Sends one request to the behaviour and says what is not as the contract has it.
async fn fault_of(server: &Server, index: usize, behaviour: &Behaviour, is_reused: bool) -> Option<String> {
    let timeouts = if behaviour.stalls_the_client() { SHORT } else { PATIENT };
    let client = client(&server.url(), timeouts);
    if is_reused {
        let prime = send(&client, PRIME).await;
        if class(&prime) != Outcome::Accepted {
            return Some(format!("{}: the first request of the connection: {prime:?}", behaviour.name));
        }
    }
    let service = format!("B{index}");
    let before = server.received(&service).len();
    let finding = send(&client, &service).await;
    let received = server.received(&service).len() - before;
    let outcome = class(&finding);
    (!behaviour.allows(outcome) || received != 1).then(|| {
        format!("{}: {outcome:?}, not {:?}; {received} requests; {finding:?}", behaviour.name, behaviour.outcome)
    })
}

async fn faults(is_reused: bool) -> Vec<String> {
    let behaviours = Arc::new(behaviours::all());
    let server = serve(&behaviours);
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for index in 0..behaviours.len() {
        let (server, behaviours, slots) = (server.clone(), Arc::clone(&behaviours), Arc::clone(&slots));
        running.spawn(async move {
            let _slot = slots.acquire_owned().await.expect("a slot");
            fault_of(&server, index, &behaviours[index], is_reused).await
        });
    }
    let mut faults: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    let on_used: usize =
        (0..behaviours.len()).map(|index| server.received_on_used_connections(&format!("B{index}"))).sum();
    // On a busy machine a connection may have been given up as idle before it was used again.
    let is_as_meant = if is_reused { on_used * 10 > behaviours.len() * 9 } else { on_used == 0 };
    if !is_as_meant {
        faults.push(format!("{on_used} of {} requests came on used connections", behaviours.len()));
    }
    faults
}

#[test]
fn behaviours_are_many_and_named_apart() {
    let mut names: Vec<String> = behaviours::all().into_iter().map(|behaviour| behaviour.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert!(names.len() == count && count >= 60, "{count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_behaviour_has_its_class_and_one_request_on_a_fresh_connection() {
    let faults = faults(false).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_behaviour_has_its_class_and_one_request_on_a_used_connection() {
    let faults = faults(true).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn the_request_is_the_contracts_and_its_body_leaves_byte_for_byte() {
    let server = scripted(vec![Act::Say(server::PRIME_ANSWER.into())]);
    let credentials = Credentials::new("Aladdin", "open sesame").expect("credentials");
    let client = Client::new(&server.url(), Some(&credentials), PATIENT, 1, None).expect("a client");
    assert!(!format!("{client:?}").contains("QWxh"));
    send(&client, "A").await;

    let received = server.received("A").remove(0);
    let (head, body) = received.split_once("\r\n\r\n").expect("a head and a body");
    assert_eq!(body, BODY);
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /service/v1/invokeService/A HTTP/1.1");
    lines.sort_unstable();
    let expected = [
        "accept: */*".to_owned(),
        "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned(),
        format!("content-length: {}", BODY.len()),
        "content-type: application/json".to_owned(),
        format!("host: {}", server.addr()),
        format!("user-agent: mep-batch/{}", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn an_answers_facts_are_kept_as_they_came() {
    let body = r#"{"errorCode":"12002","errorMessage":"bad\u0000 key"}"#;
    let answer = answered(&format!(
        "HTTP/1.1 400 No\r\nX-Request-Id: A-1\r\nRetry-After: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    let expected = Answer {
        status: 400,
        code: Some(12002),
        message: Some("bad\0 key".to_owned()),
        request_id: Some("A-1".to_owned()),
        retry_after: Some("Sun, 22 Nov 2026 12:00:00 GMT".to_owned()),
        body: body.into(),
    };
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn of_a_long_body_the_start_is_kept() {
    let body = "y".repeat(100_000);
    let answer = answered(&format!("HTTP/1.1 502 Bad\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!((answer.body.len(), answer.code, answer.message), (BODY_KEPT_MAX, None, None));
}

#[tokio::test]
async fn a_surplus_answer_is_not_taken_for_the_next_requests() {
    let doubled =
        server::PRIME_ANSWER.replace("PRIME-ID", "FIRST") + &server::PRIME_ANSWER.replace("PRIME-ID", "SURPLUS");
    let server = scripted(vec![Act::Say(doubled.into())]);
    let client = client(&server.url(), PATIENT);
    assert_eq!(class(&send(&client, "A").await), Outcome::Accepted);
    match send(&client, PRIME).await {
        Finding::Answered(answer) => assert_eq!(answer.request_id.as_deref(), Some("PRIME-ID")),
        // The surplus was seen as the second request was being written.
        Finding::Unanswered(_) => {}
        other @ (Finding::Unreached(_) | Finding::GivenBack(_) | Finding::Refused(_) | Finding::Skipped(_)) => {
            panic!("{other:?}")
        }
    }
    assert!(server.received(PRIME).len() <= 1);
}

#[tokio::test]
async fn a_kept_connection_that_is_closed_meanwhile_never_makes_one_request_two() {
    for _ in 0..50 {
        let server = scripted(vec![Act::Say(server::PRIME_ANSWER.into()), Act::Close]);
        let client = client(&server.url(), PATIENT);
        assert_eq!(class(&send(&client, "A").await), Outcome::Accepted);
        let (outcome, received) = (class(&send(&client, PRIME).await), server.received(PRIME).len());
        let is_promised = matches!((outcome, received), (Outcome::Accepted, 1) | (Outcome::Unknown, 0 | 1));
        assert!(is_promised, "{outcome:?} with {received} requests");
    }
}
