//! The stand-in for the API keeps the contract, and each of its faults is what its documentation says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use mep_batch::mep::read_error_body;
use mep_batch::simulator::{Fault, FaultShare, Faults, Settings, Summary, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const GUIDE: &str = r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":383},"variables":{"session":{"seatLocation":"aisle","seatClass":"first","flightNumber":49,"flightAirline":"AwesomeAirways"},"user":{"frequentFlyerAccountNumber":"MJHF787679"}}}"#;

/// No answer takes longer, and no test.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a held answer is waited for.
const A_MOMENT: Duration = Duration::from_millis(200);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<anyhow::Result<Summary>>,
}

impl Server {
    async fn start(settings: Settings) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, settings, async {
            let _ = stopped.await;
        }));
        Server { address, stop, served }
    }

    async fn with_fault(fault: Fault) -> Server {
        Server::start(Settings { faults: Faults::always(fault), seed: Some(1), ..Settings::default() }).await
    }

    async fn post(&self, body: &str) -> Answer {
        self.exchange(&request("POST", "/service/v1/invokeService/0AE1", JSON, body.as_bytes())).await
    }

    /// Sends bytes on a connection of their own and reads until it ends.
    async fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut bytes = Vec::new();
        let end = within(stream.read_to_end(&mut bytes)).await;
        Answer { bytes, was_reset: end.is_err() }
    }

    async fn stop(self) -> Summary {
        let _ = self.stop.send(());
        within(self.served).await.unwrap().unwrap()
    }
}

/// All that came on a connection until its end.
#[derive(Debug, PartialEq)]
struct Answer {
    bytes: Vec<u8>,
    was_reset: bool,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The status of the last head: an informational one may come first.
    fn status(&self) -> u16 {
        let text = self.text();
        let line = text.lines().rfind(|line| line.starts_with("HTTP/1.1 ")).expect("a status line");
        line[9..12].parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.text().lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    fn body(&self) -> Vec<u8> {
        let start = self.text().rfind("\r\n\r\n").expect("a whole head") + 4;
        self.bytes[start..].to_vec()
    }

    fn code(&self) -> Option<u32> {
        read_error_body(&self.body()).code
    }

    fn reason(&self) -> String {
        read_error_body(&self.body()).message.unwrap_or_default()
    }

    fn id(&self) -> Option<String> {
        self.header("x-request-id")
    }

    fn lacks(&self) -> usize {
        let length: usize = self.header("content-length").expect("a length").parse().unwrap();
        length - self.body().len()
    }
}

/// A header, its line end included, as [`request`] takes them.
const JSON: &str = "Content-Type: application/json\r\n";

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes too long")
}

fn read_receipts(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn receipts_in(directory: &tempfile::TempDir) -> (std::path::PathBuf, Settings) {
    let path = directory.path().join("receipts.ndjson");
    (path.clone(), Settings { seed: Some(5), receipts: Some(path), ..Settings::default() })
}

#[tokio::test]
async fn the_guides_example_is_accepted_with_an_empty_body_and_a_request_id() {
    let server = Server::start(Settings::default()).await;
    let answer = server.post(GUIDE).await;
    assert_eq!((answer.status(), answer.body()), (202, Vec::new()));
    let id = answer.id().unwrap();
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5]);
    let summary = server.stop().await;
    assert_eq!((summary.received, summary.accepted, summary.taken), (1, 1, 1));
    assert_eq!(summary.statuses.into_iter().collect::<Vec<_>>(), [(202, 1)]);
}

#[tokio::test]
async fn what_the_contract_allows_is_accepted() {
    let server = Server::start(Settings::default()).await;
    let variables = |variables: &str| format!(r#"{{"endUser":{{"phoneNumber":12515550130}},"variables":{variables}}}"#);
    let key = "k".repeat(255);
    let value = "é".repeat(255);
    let bodies = [
        r#"{"endUser":{"phoneNumber":"123456"}}"#.to_owned(),
        r#"{"endUser":{"phoneNumber":1234567890123456}}"#.to_owned(),
        " {\n\"variables\" : {\"user\":{\"a\":1}} , \"endUser\":{\"phoneNumber\":\"\\u0031234567\"}}\n".to_owned(),
        variables(r#"{"SESSION":{"quiz1":"x"},"userServiceColl":{"a_b-c.d":-1.5e3}}"#),
        variables(&format!(r#"{{"request":{{"{key}":"{value}"}}}}"#)),
        variables(r#"{"request":{"a":"tab\t, line\r\n, ${af:generatePin(6,true)}, \ud83d\ude00"}}"#),
        variables(r#"{"user":{"circle":"","initialKeyword.a":"x","identifier":"x","trueish":"x","ids":"x"}}"#),
    ];
    for body in bodies {
        let answer = server.post(&body).await;
        assert_eq!(answer.status(), 202, "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn what_the_contract_forbids_is_refused_naming_the_field() {
    let server = Server::start(Settings::default()).await;
    let user = |user: &str| format!(r#"{{"endUser":{user}}}"#);
    let variables = |variables: &str| format!(r#"{{"endUser":{{"phoneNumber":12515550130}},"variables":{variables}}}"#);
    let long = "x".repeat(256);
    let bodies = [
        (String::new(), "the body"),
        ("[]".to_owned(), "the body"),
        (format!("{GUIDE}x"), "the body"),
        (GUIDE[..GUIDE.len() - 1].to_owned(), "the body"),
        ("{}".to_owned(), "endUser"),
        (r#"{"enduser":{"phoneNumber":12515550130}}"#.to_owned(), "enduser"),
        (r#"{"endUser":{"phoneNumber":12515550130},"endUser":{"phoneNumber":12515550131}}"#.to_owned(), "endUser"),
        (r#"{"endUser":{"phoneNumber":12515550130},"serviceId":"A"}"#.to_owned(), "serviceId"),
        (user("7"), "endUser"),
        (user("{}"), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":12515550130,"phone\u004eumber":1}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":12515550130,"name":"x"}"#), "name"),
        (user(r#"{"phoneNumber":12345}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":12345678901234567}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":1.2515550130e10}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":-2515550130}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":"+12515550130"}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":"0012515550130"}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":"١٢٥١٥٥٥٠"}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":""}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":null}"#), "endUser.phoneNumber"),
        (user(r#"{"phoneNumber":12515550130,"mobileOperatorId":0}"#), "endUser.mobileOperatorId"),
        (user(r#"{"phoneNumber":12515550130,"mobileOperatorId":"383"}"#), "endUser.mobileOperatorId"),
        (user(r#"{"phoneNumber":12515550130,"mobileOperatorId":3.5}"#), "endUser.mobileOperatorId"),
        (user(r#"{"phoneNumber":12515550130,"mobileOperatorId":9007199254740992}"#), "endUser.mobileOperatorId"),
        (variables("{}"), "variables"),
        (variables("null"), "variables"),
        (variables(r#"{"session":{}}"#), "variables.session"),
        (variables(r#"{"session":[]}"#), "variables.session"),
        (variables(r#"{"global":{"a":"x"}}"#), "variables.global"),
        (variables(r#"{"session":{"a":"x"},"Session":{"b":"x"}}"#), "variables.session"),
        (variables(r#"{"session":{"a":"x","A":"y"}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":"x","\u0061":"y"}}"#), "variables.session.a"),
        (variables(r#"{"session":{"":"x"}}"#), "variables.session."),
        (variables(&format!(r#"{{"session":{{"{long}":"x"}}}}"#)), "variables.session.x"),
        (variables(r#"{"session":{"a b":"x"}}"#), "variables.session.a b"),
        (variables(r#"{"session":{"é":"x"}}"#), "variables.session."),
        (variables(r#"{"session":{"Empty":"x"}}"#), "variables.session.empty"),
        (variables(r#"{"session":{"Circle":"x"}}"#), "variables.session.circle"),
        (variables(r#"{"user":{"identifiers.msisdn":"x"}}"#), "variables.user.identifiers.msisdn"),
        (variables(r#"{"user":{"id":"x"}}"#), "variables.user.id"),
        (variables(r#"{"request":{"initialkeyword":"x"}}"#), "variables.request.initialkeyword"),
        (variables(r#"{"session":{"a":true}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":null}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":["x"]}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":{"b":"x"}}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":1e999}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":"nul \u0000"}}"#), "variables.session.a"),
        (variables(r#"{"session":{"a":"\ud83d"}}"#), "variables.session.a"),
        (variables(&format!(r#"{{"session":{{"a":"{long}"}}}}"#)), "variables.session.a"),
    ];
    for (body, field) in bodies {
        let answer = server.post(&body).await;
        assert_eq!((answer.status(), answer.code(), answer.id()), (400, Some(12002), None), "{body}");
        assert!(answer.reason().contains(field), "{body}: {}", answer.reason());
        assert!(!answer.text().contains("2515550"), "a phone number in {}", answer.text());
    }
    let no_utf8 = request("POST", "/service/v1/invokeService/A", JSON, b"{\"\xff\":1}");
    assert_eq!(server.exchange(&no_utf8).await.code(), Some(12002));
}

#[tokio::test]
async fn a_wrong_line_or_header_has_its_own_status() {
    let server = Server::start(Settings::default()).await;
    let path = "/service/v1/invokeService/0AE1";
    let long = format!("/service/v1/invokeService/{}", "A".repeat(65));
    let big = vec![b' '; (1 << 20) + 1];
    let guide = GUIDE.as_bytes();
    let with = |header: &str| format!("{JSON}Authorization: {header}\r\n");
    let requests = [
        ("POST", path, "content-type: Application/JSON; charset=UTF-8\r\n", guide, 202, None),
        ("POST", path, &with("Basic YTpi"), guide, 202, None),
        ("POST", "/", JSON, guide, 404, None),
        ("POST", "/service/v1/invokeService/", JSON, guide, 404, None),
        ("POST", "/service/v1/invokeService/A/B", JSON, guide, 404, None),
        ("POST", "/service/v1/invokeService/A-B", JSON, guide, 400, Some(12002)),
        ("POST", &long, JSON, guide, 400, Some(12002)),
        ("GET", path, JSON, &guide[..0], 405, Some(12003)),
        ("PUT", path, JSON, guide, 405, Some(12003)),
        ("POST", path, "", guide, 415, None),
        ("POST", path, "Content-Type: text/json\r\n", guide, 415, None),
        ("POST", path, "Content-Type: application/json; charset=latin1\r\n", guide, 415, None),
        ("POST", path, &with("Bearer YTpi"), guide, 401, None),
        ("POST", path, &with("Basic a:b"), guide, 401, None),
        ("POST", path, JSON, &big, 413, None),
    ];
    for (method, path, headers, body, status, code) in requests {
        let answer = server.exchange(&request(method, path, headers, body)).await;
        assert_eq!((answer.status(), answer.code()), (status, code), "{method} {path} {headers:?}");
    }
}

#[tokio::test]
async fn each_fault_with_an_answer_gives_its_status_and_code() {
    let answers = [
        ("12002", 400, Some(12002)),
        ("12002-404", 404, Some(12002)),
        ("400", 400, None),
        ("401", 401, None),
        ("403", 403, None),
        ("12001", 403, Some(12001)),
        ("404", 404, None),
        ("405", 405, None),
        ("12003", 405, Some(12003)),
        ("406", 406, None),
        ("407", 407, None),
        ("408", 408, None),
        ("409", 409, None),
        ("413", 413, None),
        ("415", 415, None),
        ("422", 422, None),
        ("429", 429, None),
        ("429-date", 429, None),
        ("429-bare", 429, None),
        ("431", 431, None),
        ("1000", 500, Some(1000)),
        ("1010", 500, Some(1010)),
        ("1010-503", 503, Some(1010)),
        ("12004", 500, Some(12004)),
        ("500", 500, None),
        ("502", 502, None),
        ("503", 503, None),
        ("503-retry-after", 503, None),
        ("504", 504, None),
        ("202-no-id", 202, None),
        ("202-blank-id", 202, None),
        ("202-same-id", 202, None),
        ("200", 200, None),
        ("204", 204, None),
        ("301", 301, None),
        ("302", 302, None),
        ("303", 303, None),
        ("307", 307, None),
    ];
    let on_the_wire = ["timeout", "reset", "close", "cut-head", "cut-body", "cut-body-202", "garbage", "early-hints"];
    assert_eq!(answers.len() + on_the_wire.len() + ["refuse"].len(), Fault::ALL.len(), "a fault without a test");
    for (name, status, code) in answers {
        let fault: Fault = name.parse().unwrap();
        let server = Server::with_fault(fault).await;
        let answer = server.post(GUIDE).await;
        assert_eq!((answer.status(), answer.code()), (status, code), "{name}");
        assert!(!answer.was_reset, "{name}");
        let has_retry_after = ["429", "429-date", "503-retry-after"].contains(&name);
        assert_eq!(answer.header("retry-after").is_some(), has_retry_after, "{name}");
        let redirects = (300..400).contains(&status);
        assert_eq!(answer.header("location").is_some(), redirects, "{name}");
        let ids = [("202-same-id", "7EYYG-EF3XM-5LSQ5-ILR73"), ("202-blank-id", "")];
        let id = ids.iter().find(|(fault, _)| *fault == name).map(|(_, id)| (*id).to_owned());
        assert_eq!(answer.id(), id, "{name}");
        assert_eq!(server.stop().await.faults.into_iter().collect::<Vec<_>>(), [(fault, 1)], "{name}");
    }
}

#[tokio::test]
async fn a_retry_date_is_one_to_two_seconds_away() {
    let server = Server::with_fault(Fault::ThrottledDate).await;
    let before = std::time::SystemTime::now();
    let date = server.post(GUIDE).await.header("retry-after").unwrap();
    let date = httpdate::parse_http_date(&date).unwrap();
    assert!(date > before + Duration::from_millis(990), "{date:?} {before:?}");
    assert!(date < std::time::SystemTime::now() + Duration::from_millis(2010), "{date:?}");
}

#[tokio::test]
async fn a_timeout_holds_the_connection_until_the_server_stops() {
    let server = Server::with_fault(Fault::Timeout).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = request("POST", "/service/v1/invokeService/A", JSON, GUIDE.as_bytes());
    stream.write_all(&request).await.unwrap();
    let mut byte = [0];
    assert!(timeout(A_MOMENT, stream.read(&mut byte)).await.is_err(), "an answer");
    let summary = server.stop().await;
    assert_eq!((summary.received, summary.statuses.len()), (1, 0));
    assert_eq!(stream.read(&mut byte).await.unwrap(), 0);
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_none() {
    let nothing = |was_reset| Answer { bytes: Vec::new(), was_reset };
    assert_eq!(Server::with_fault(Fault::Reset).await.post(GUIDE).await, nothing(true));
    assert_eq!(Server::with_fault(Fault::Close).await.post(GUIDE).await, nothing(false));
}

#[tokio::test]
async fn a_cut_head_has_a_status_line_and_no_end() {
    let answer = Server::with_fault(Fault::CutHead).await.post(GUIDE).await;
    assert!(answer.text().starts_with("HTTP/1.1 202 Accepted\r\n"), "{}", answer.text());
    assert!(!answer.text().contains("\r\n\r\n") && !answer.was_reset, "{}", answer.text());
}

#[tokio::test]
async fn a_cut_body_lacks_bytes_though_its_json_is_whole() {
    let answer = Server::with_fault(Fault::CutBody).await.post(GUIDE).await;
    assert_eq!((answer.status(), answer.code(), answer.lacks()), (500, Some(1010), 16));
}

#[tokio::test]
async fn a_cut_body_on_the_merits_keeps_the_head_whole() {
    let server = Server::with_fault(Fault::CutBodyMerits).await;
    let answer = server.post(GUIDE).await;
    assert_eq!((answer.status(), answer.lacks()), (202, 16));
    assert_eq!(answer.id().map(|id| id.len()), Some(23));
    let answer = server.post("{}").await;
    assert_eq!((answer.status(), answer.code(), answer.lacks()), (400, Some(12002), 16));
}

#[tokio::test]
async fn garbage_is_no_http() {
    let answer = Server::with_fault(Fault::Garbage).await.post(GUIDE).await;
    assert!(!answer.bytes.is_empty() && !answer.text().contains("HTTP"), "{}", answer.text());
}

#[tokio::test]
async fn early_hints_come_before_a_good_answer_and_keep_the_connection() {
    let server = Server::with_fault(Fault::EarlyHints).await;
    let post = request("POST", "/service/v1/invokeService/A", JSON, GUIDE.as_bytes());
    let keep = String::from_utf8(post.clone()).unwrap().replace("Connection: close\r\n", "");
    let answer = server.exchange(&[keep.as_bytes(), &post].concat()).await;
    assert!(answer.text().starts_with("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 "), "{}", answer.text());
    assert_eq!(answer.text().matches("HTTP/1.1 202 ").count(), 2, "{}", answer.text());
}

#[tokio::test]
async fn refuse_shuts_the_port_and_idle_connections_for_two_seconds_and_answers_what_is_in_flight() {
    let server = Server::with_fault(Fault::Refuse).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let answer = server.post(GUIDE).await;
    assert_eq!((answer.status(), answer.id().is_some()), (202, true));
    let shut = Instant::now();
    assert_eq!(TcpStream::connect(server.address).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(matches!(within(idle.read(&mut [0])).await, Ok(0) | Err(_)));
    while TcpStream::connect(server.address).await.is_err() {
        assert!(shut.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(shut.elapsed() > Duration::from_millis(1900), "{:?}", shut.elapsed());
    assert_eq!(server.post(GUIDE).await.status(), 202);
    assert_eq!(server.stop().await.faults.get(&Fault::Refuse), Some(&2));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_sequence_and_another_seed_another() {
    let mut runs = Vec::new();
    for seed in [Some(11), Some(11), Some(12), None, None] {
        let shares = ["500=20%", "12002=20%", "reset=10%", "202-no-id=0.1"].map(|text| text.parse().unwrap());
        let faults = Faults::new(shares.to_vec()).unwrap();
        let server = Server::start(Settings { faults, seed, ..Settings::default() }).await;
        let mut run = Vec::new();
        for _ in 0..40 {
            let answer = server.post(GUIDE).await;
            run.push((!answer.was_reset).then(|| (answer.status(), answer.id())));
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert_ne!(runs[3], runs[4]);
}

#[test]
fn shares_over_one_are_refused() {
    let shares = ["timeout=60%", "reset=41%"].map(|text| text.parse().unwrap());
    let error = Faults::new(shares.to_vec()).unwrap_err().to_string();
    assert!(error.contains("1.01"), "{error}");
}

#[tokio::test]
async fn a_receipt_tells_what_came_and_what_was_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = receipts_in(&directory);
    let server = Server::start(settings).await;
    let id = server.post(GUIDE).await.id();
    server.post("{\"endUser\":{\"phoneNumber\":\"12\"},\"x\":1}").await;
    server.exchange(&request("POST", "/elsewhere", JSON, b"no \xff JSON")).await;

    let receipts = read_receipts(&path);
    let field = |name: &str| receipts.iter().map(|receipt| receipt[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("n"), [1, 2, 3]);
    assert_eq!(field("serviceId"), [Value::from("0AE1"), Value::from("0AE1"), Value::Null]);
    assert_eq!(field("phoneNumber"), [Value::from("12515550130"), Value::from("12"), Value::Null]);
    assert_eq!(field("body")[0], GUIDE);
    assert_eq!(field("body")[2], "no \u{fffd} JSON");
    assert_eq!(field("status"), [202, 400, 404]);
    assert_eq!(field("requestId"), [Value::from(id), Value::Null, Value::Null]);
    assert_eq!(field("fault"), [Value::Null, Value::Null, Value::Null]);
    assert_eq!(field("taken"), [true, false, false]);
    assert!(field("at").iter().all(|at| at.as_str().unwrap().ends_with('Z')));
    assert_eq!(receipts[0].as_object().unwrap().len(), 9);
}

#[tokio::test]
async fn a_receipt_is_written_before_the_answer_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = receipts_in(&directory);
    let server = Server::start(Settings { latency: "1h".parse().unwrap(), ..settings }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = request("POST", "/service/v1/invokeService/A", JSON, GUIDE.as_bytes());
    stream.write_all(&request).await.unwrap();
    let written = async {
        while std::fs::read_to_string(&path).is_ok_and(|text| !text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(written).await;
    assert_eq!(read_receipts(&path)[0]["taken"], true);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(timeout(A_MOMENT, stream.read(&mut [0])).await.is_err(), "an answer");
}

#[tokio::test]
async fn half_of_what_nobody_can_know_was_taken_and_nothing_that_is_invalid() {
    for fault in [Fault::Reset, Fault::Close, Fault::CutHead, Fault::ServerError, Fault::TemporaryError, Fault::Ok] {
        let directory = tempfile::tempdir().unwrap();
        let (path, settings) = receipts_in(&directory);
        let server = Server::start(Settings { faults: Faults::always(fault), ..settings }).await;
        for _ in 0..40 {
            server.post(GUIDE).await;
        }
        server.post("{}").await;
        let receipts = read_receipts(&path);
        let taken = receipts.iter().filter(|receipt| receipt["taken"] == true).count();
        assert!((8..=32).contains(&taken), "{fault}: {taken} of 40");
        assert_eq!(receipts[40]["taken"], false, "{fault}");
        assert!(receipts.iter().all(|receipt| receipt["fault"] == fault.as_str()), "{fault}");
        assert_eq!(u64::try_from(taken).unwrap(), server.stop().await.taken, "{fault}");
    }
}

#[tokio::test]
async fn every_request_of_a_storm_has_one_receipt_and_every_accepted_one_was_taken() {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 40;
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = receipts_in(&directory);
    let faults = Fault::ALL.into_iter().filter(|fault| ![Fault::Timeout, Fault::Refuse].contains(fault));
    let faults = Faults::new(faults.map(|fault| FaultShare::new(fault, 0.015).unwrap()).collect()).unwrap();
    let server = Server::start(Settings { latency: "0ms..3ms".parse().unwrap(), faults, ..settings }).await;
    let server = std::sync::Arc::new(server);
    let clients = (0..CLIENTS).map(|_| {
        let server = std::sync::Arc::clone(&server);
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..REQUESTS {
                let answer = server.post(GUIDE).await;
                ids.extend(answer.id().filter(|id| answer.text().contains("\r\n\r\n") && id.len() == 23));
            }
            ids
        })
    });
    let mut ids = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        ids.extend(client.await.unwrap());
    }
    let summary = std::sync::Arc::into_inner(server).unwrap().stop().await;
    let receipts = read_receipts(&path);
    let mut numbers: Vec<_> = receipts.iter().filter_map(|receipt| receipt["n"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=summary.received).collect::<Vec<_>>());
    assert_eq!(receipts.len(), CLIENTS * REQUESTS);
    assert_eq!(ids.len() as u64, summary.accepted);
    let taken = |id: &String| receipts.iter().any(|receipt| receipt["requestId"] == **id && receipt["taken"] == true);
    assert!(ids.iter().all(taken));
}

#[tokio::test]
async fn a_held_request_is_let_go_once_its_client_goes() {
    let server = Server::with_fault(Fault::Timeout).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = request("POST", "/service/v1/invokeService/A", JSON, GUIDE.as_bytes());
    stream.write_all(&request).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(matches!(within(stream.read(&mut [0])).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_receipt_that_cannot_be_written_stops_the_server_without_an_answer() {
    let receipts = Some("/dev/full".into());
    let server = Server::start(Settings { receipts, ..Settings::default() }).await;
    assert!(server.post(GUIDE).await.bytes.is_empty());
    let error = within(server.served).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("receipt of request 1"), "{error}");
}

#[tokio::test]
async fn a_receipts_file_that_cannot_be_opened_stops_the_server_at_its_start() {
    let receipts = Some("/nowhere/receipts".into());
    let server = Server::start(Settings { receipts, ..Settings::default() }).await;
    let error = within(server.served).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("/nowhere/receipts"), "{error}");
}

#[tokio::test]
async fn a_shutdown_answers_what_is_in_flight_and_closes_idle_connections() {
    let server = Server::start(Settings { latency: "300ms".parse().unwrap(), ..Settings::default() }).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = request("POST", "/service/v1/invokeService/A", JSON, GUIDE.as_bytes());
    stream.write_all(&request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let summary = server.stop().await;
    assert_eq!(summary.accepted, 1);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 202 "));
    assert!(matches!(within(idle.read(&mut [0])).await, Ok(0) | Err(_)));
}
