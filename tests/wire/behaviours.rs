//! What a server, a proxy or a network may do with a request, and what the contract makes of it.

use mep_batch::invocation::Outcome;
use mep_batch::invocation::Outcome::{Accepted, Failed, Foreign, Misconfigured, Rejected, Retry, Throttled, Unknown};

use crate::server::Act::{Close, ReadRest, Say, Stall};
use crate::server::{Act, Reads, Script};
use crate::{damage, delivery};

/// One thing that may happen to a request that has left.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    pub(crate) name: String,
    pub(crate) script: Script,
    pub(crate) outcome: Outcome,
    /// Whether it may be unknown as well: an answer was written, and nobody can say whether it came.
    pub(crate) or_unknown: bool,
}

pub(crate) const ACCEPTED: &str =
    "HTTP/1.1 202 Accepted\r\nX-Request-Id: 7EYYG-EF3XM-5LSQ5-ILR73\r\nContent-Length: 0\r\n\r\n";
pub(crate) const TEMPORARY: &str = r#"{"error":{"code":1010,"description":"try later"}}"#;
const PERMANENT: &str = r#"{"error":{"code":1000,"description":"call us"}}"#;
pub(crate) const INVALID: &str = r#"{"error":{"code":12002,"description":"no such variable"}}"#;
pub(crate) const ROLE: &str = r#"{"error":{"code":12001,"description":"role"}}"#;
const METHOD: &str = r#"{"error":{"code":"12003","description":"method"}}"#;
const PAGE: &str = "<html><h1>Bad Gateway</h1></html>";

/// Every behaviour, each once.
pub(crate) fn all() -> Vec<Behaviour> {
    [
        statuses(),
        redirects(),
        request_ids(),
        bodies(),
        damage::cuts(),
        damage::broken(),
        early(),
        stalls(),
        delivery::slow(),
        delivery::resets(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Behaviour {
    /// Whether the contract has this outcome for it.
    pub(crate) fn allows(&self, outcome: Outcome) -> bool {
        outcome == self.outcome || (self.or_unknown && outcome == Outcome::Unknown)
    }

    /// Whether the client's own timeout ends it.
    pub(crate) fn stalls_the_client(&self) -> bool {
        self.script.acts.iter().any(|act| match act {
            Stall => true,
            Act::Drip(_, pause) => *pause >= delivery::TOO_SLOW,
            Say(_) | Act::Pause(_) | ReadRest | Close => false,
        })
    }

    /// Whether the next request finds a connection that is whole or gone: not one that is just closing, or on which more came
    /// than the answer.
    pub(crate) fn leaves_no_trap(&self) -> bool {
        let has_surplus = self.name.starts_with("Content-Length too short");
        !has_surplus && !self.stalls_the_client() && !self.script.acts.iter().any(|act| matches!(act, Close))
    }
}

pub(crate) fn behaviour(name: impl Into<String>, script: Script, outcome: Outcome) -> Behaviour {
    Behaviour { name: name.into(), script, outcome, or_unknown: false }
}

/// Reads the request, says that, and keeps the connection.
pub(crate) fn says(text: impl Into<Vec<u8>>) -> Script {
    Script { reads: Reads::Whole, acts: vec![Say(text.into())] }
}

/// Reads the request, says that, and closes.
pub(crate) fn says_and_closes(text: impl Into<Vec<u8>>) -> Script {
    Script { reads: Reads::Whole, acts: vec![Say(text.into()), Close] }
}

pub(crate) fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Some Reason\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn chunked(status: u16, body: &str) -> String {
    let (start, end) = body.split_at(body.len() / 2);
    let chunks = [start, end].map(|part| format!("{:x}\r\n{part}\r\n", part.len())).concat();
    format!("HTTP/1.1 {status} Some Reason\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

/// Whole answers: the status, the body and the class.
pub(crate) const STATUSES: &[(u16, &str, Outcome)] = &[
    (202, "", Foreign),
    (200, "", Foreign),
    (200, "<html>Please log in to this network</html>", Foreign),
    (201, "", Foreign),
    (206, "", Foreign),
    (299, "", Foreign),
    (400, "", Rejected),
    (400, INVALID, Rejected),
    (400, ROLE, Misconfigured),
    (401, "", Misconfigured),
    (401, INVALID, Misconfigured),
    (402, "", Rejected),
    (403, "", Misconfigured),
    (403, INVALID, Rejected),
    (404, PAGE, Misconfigured),
    (405, METHOD, Misconfigured),
    (406, "", Misconfigured),
    (407, "", Misconfigured),
    (408, "", Unknown),
    (409, "", Rejected),
    (413, PAGE, Rejected),
    (415, "", Misconfigured),
    (422, INVALID, Rejected),
    (429, "", Throttled),
    (431, "", Rejected),
    (499, "", Rejected),
    (500, "", Unknown),
    (500, PERMANENT, Failed),
    (500, TEMPORARY, Retry),
    (500, ROLE, Misconfigured),
    (500, INVALID, Unknown),
    (500, r#"{"error":{"code":12004}}"#, Unknown),
    (500, PAGE, Unknown),
    (501, "", Unknown),
    (502, PAGE, Unknown),
    (502, TEMPORARY, Unknown),
    (503, "", Unknown),
    (503, TEMPORARY, Retry),
    (504, PAGE, Unknown),
    (599, "", Unknown),
    (999, "", Unknown),
];

fn statuses() -> Vec<Behaviour> {
    STATUSES
        .iter()
        .flat_map(|(status, body, outcome)| {
            [
                behaviour(format!("{status} {body}"), says(answer(*status, body)), *outcome),
                behaviour(format!("{status} {body}, closed"), says_and_closes(answer(*status, body)), *outcome),
            ]
        })
        .chain([
            behaviour("204", says("HTTP/1.1 204 No Content\r\n\r\n"), Foreign),
            behaviour("304", says("HTTP/1.1 304 Not Modified\r\n\r\n"), Misconfigured),
            behaviour(
                "503 with Retry-After",
                says("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
                Unknown,
            ),
            behaviour(
                "429 with Retry-After",
                says("HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
                Throttled,
            ),
        ])
        .collect()
}

fn redirects() -> Vec<Behaviour> {
    let mut redirects = Vec::new();
    for (status, outcome) in [
        (300, Misconfigured),
        (301, Misconfigured),
        (302, Misconfigured),
        (303, Foreign),
        (307, Misconfigured),
        (308, Misconfigured),
    ] {
        for location in ["/service/v1/invokeService/PRIME", "//", "http://127.0.0.1:1/", "::not a URL::", ""] {
            let text = format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            redirects.push(behaviour(format!("{status} to `{location}`"), says(text), outcome));
        }
    }
    redirects
}

fn request_ids() -> Vec<Behaviour> {
    let with_id =
        |id: &[u8]| [b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nx-REQUEST-id:", id, b"\r\n\r\n"].concat();
    vec![
        behaviour("202", says(ACCEPTED), Accepted),
        behaviour("202, closed", says_and_closes(ACCEPTED), Accepted),
        behaviour("202 of HTTP/1.0", says_and_closes(ACCEPTED.replace("1.1", "1.0")), Accepted),
        behaviour("request ID without a space", says(with_id(b"A-1")), Accepted),
        behaviour("request ID in white space", says(with_id(b" \t A-1 \t ")), Accepted),
        behaviour("request ID empty", says(with_id(b"")), Foreign),
        behaviour("request ID of white space", says(with_id(b" \t ")), Foreign),
        behaviour("request ID of bytes", says(with_id(b" \xff\xfe")), Foreign),
        behaviour("request ID of 200", says(with_id(&[b'A'; 200])), Accepted),
        behaviour("request ID of 201", says(with_id(&[b'A'; 201])), Foreign),
        behaviour("request ID with NUL", says(with_id(b" A\0B")), Unknown),
        behaviour("200 with a request ID", says(ACCEPTED.replace("202", "200")), Foreign),
        behaviour("502 with a request ID", says(ACCEPTED.replace("202", "502")), Unknown),
    ]
}

fn bodies() -> Vec<Behaviour> {
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} Some\r\n{more}\r\n");
    let id = "X-Request-Id: A-1\r\n";
    let long = format!(r#"{{"code":1010,"message":"{}"}}"#, "x".repeat(5000));
    let fitting = format!(r#"{{"code":1010,"message":"{}"}}"#, "x".repeat(4096 - 28));
    vec![
        behaviour("body in chunks", says(chunked(500, TEMPORARY)), Retry),
        behaviour("body up to the close", says_and_closes(head(500, "") + TEMPORARY), Retry),
        behaviour("body longer than what is kept", says(answer(500, &long)), Unknown),
        behaviour(
            "body of which what is kept is whole JSON",
            says(answer(500, &format!("{TEMPORARY:<5000}"))),
            Unknown,
        ),
        behaviour("body just as long as what is kept", says(answer(500, &fitting)), Retry),
        behaviour("body of a megabyte", says_and_closes(answer(400, &"x".repeat(1 << 20))), Rejected),
        behaviour("Content-Length too long", says_and_closes(answer(500, TEMPORARY).replace("h: 4", "h: 94")), Unknown),
        behaviour(
            "Content-Length too long at 202",
            says_and_closes(head(202, &format!("{id}Content-Length: 9\r\n"))),
            Accepted,
        ),
        behaviour("Content-Length too short", says(head(500, "Content-Length: 9\r\n") + TEMPORARY), Unknown),
        behaviour("Content-Length too short at 202", says(ACCEPTED.to_owned() + PAGE), Accepted),
        behaviour("Content-Length of letters", says(head(202, &format!("{id}Content-Length: x\r\n"))), Unknown),
        behaviour("Content-Length negative", says(head(202, &format!("{id}Content-Length: -1\r\n"))), Unknown),
        behaviour(
            "Content-Length twice",
            says(head(202, &format!("{id}Content-Length: 0\r\nContent-Length: 5\r\n"))),
            Unknown,
        ),
        behaviour(
            "chunk size of garbage",
            says_and_closes(head(500, "Transfer-Encoding: chunked\r\n") + "zz\r\n"),
            Unknown,
        ),
        behaviour(
            "chunk size of garbage at 403",
            says_and_closes(head(403, "Transfer-Encoding: chunked\r\n") + "zz\r\n"),
            Misconfigured,
        ),
        behaviour(
            "body said to be gzip",
            says(answer(500, TEMPORARY).replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n")),
            Retry,
        ),
        behaviour(
            "body not UTF-8",
            says([head(500, "Content-Length: 21\r\n").as_bytes(), b"{\"code\":1010,\"a\":\"\xff\"}"].concat()),
            Unknown,
        ),
    ]
}

/// What comes before the final answer, and answers that come before the request is read.
fn early() -> Vec<Behaviour> {
    let interim = |status: u16| format!("HTTP/1.1 {status} Some\r\n\r\n");
    let before_the_body = |text: String| Script { reads: Reads::Head, acts: vec![Say(text.into()), ReadRest] };
    vec![
        behaviour("100 before 202", says(interim(100) + ACCEPTED), Accepted),
        behaviour("102 before 202", says(interim(102) + ACCEPTED), Accepted),
        behaviour("103 before 202", says(interim(103) + ACCEPTED), Accepted),
        behaviour("100 ten times before 202", says(interim(100).repeat(10) + ACCEPTED), Accepted),
        behaviour("100 before 1010", says(interim(100) + &answer(500, TEMPORARY)), Retry),
        behaviour("100 and no more", says_and_closes(interim(100)), Unknown),
        behaviour("103 with a request ID and no more", says_and_closes(ACCEPTED.replace("202", "103")), Unknown),
        behaviour("101", says("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"), Unknown),
        behaviour("202 before the body is read", before_the_body(ACCEPTED.to_owned()), Accepted),
        behaviour("413 before the body is read", before_the_body(answer(413, "")), Rejected),
        behaviour("401 before the body is read", before_the_body(answer(401, "")), Misconfigured),
        behaviour("1010 before the body is read", before_the_body(answer(500, TEMPORARY)), Retry),
    ]
}

fn stalls() -> Vec<Behaviour> {
    let stalls = |text: &str| Script { reads: Reads::Whole, acts: vec![Say(text.into()), Stall] };
    let whole = answer(500, TEMPORARY);
    let refusal = answer(400, INVALID);
    vec![
        behaviour("stall before it is read", Script { reads: Reads::Nothing, acts: vec![Stall] }, Unknown),
        behaviour("stall before the answer", stalls(""), Unknown),
        behaviour("stall in the status line", stalls(&ACCEPTED[..10]), Unknown),
        behaviour("stall in the head", stalls(&ACCEPTED[..60]), Unknown),
        behaviour("stall before the head's last byte", stalls(&ACCEPTED[..ACCEPTED.len() - 1]), Unknown),
        behaviour("stall after a 100", stalls("HTTP/1.1 100 Continue\r\n\r\n"), Unknown),
        behaviour("stall in the body of 1010", stalls(&whole[..whole.len() - 1]), Unknown),
        behaviour("stall in the body of 400", stalls(&refusal[..refusal.len() - 1]), Rejected),
        behaviour("stall in the body of 429", stalls("HTTP/1.1 429 Slow\r\nContent-Length: 5\r\n\r\n"), Throttled),
        behaviour("stall in the body of 202", stalls(&ACCEPTED.replace("h: 0", "h: 5")), Accepted),
        behaviour("stall after a whole 202", stalls(ACCEPTED), Accepted),
    ]
}
