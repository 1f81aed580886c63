//! One who looks at the status page: the real program's server, and plain HTTP on a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scenario::{Running, Scenario};

/// No answer takes longer, on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(120);

/// The status page of a scenario, and the cookie that its URL left.
pub(crate) struct Visitor {
    pub(crate) server: Running,
    /// `127.0.0.1:40001`.
    pub(crate) host: String,
    pub(crate) token: String,
    pub(crate) cookie: String,
}

/// An answer that came whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What comes on a connection that stays open.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
    pub(crate) head: Answer,
}

impl Visitor {
    /// Starts the server on a port of its own and opens what it has printed.
    pub(crate) fn of(s: &Scenario) -> Visitor {
        Visitor::with(s, "")
    }

    /// Likewise, with more flags.
    pub(crate) fn with(s: &Scenario, flags: &str) -> Visitor {
        let server = s.start(&format!("serve --listen 127.0.0.1:0 --json {flags}"));
        let first: Value = serde_json::from_str(&server.first_line()).expect("a line of JSON");
        let url = first["url"].as_str().expect("a URL");
        let (host, token) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once("/?token=")).expect("a URL with a token");
        let mut visitor = Visitor { host: host.to_owned(), token: token.to_owned(), server, cookie: String::new() };
        let entered = visitor.ask("GET", &format!("/?token={token}"), "", "");
        assert_eq!((entered.status, entered.header("location")), (303, Some("/")), "{entered:?}");
        let cookie = entered.header("set-cookie").expect("a cookie");
        visitor.cookie = cookie.split(';').next().expect("a pair").to_owned();
        visitor
    }

    /// Opens a page as a browser that has the cookie.
    #[track_caller]
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &format!("Cookie: {}\r\n", self.cookie), "")
    }

    /// Sends one request by the right name.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.ask_by(&self.host, method, path, headers, body)
    }

    /// Sends one request, by any name.
    pub(crate) fn ask_by(&self, name: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = if name.is_empty() { String::new() } else { format!("Host: {name}\r\n") };
        let request = format!("{method} {path} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}");
        let mut reader = self.send(&request);
        let mut answer = head(&mut reader);
        reader.read_to_string(&mut answer.body).expect("a whole answer");
        answer
    }

    /// Listens to events.
    pub(crate) fn listen(&self, path: &str) -> Events {
        let (host, cookie) = (&self.host, &self.cookie);
        let mut reader = self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"));
        let head = head(&mut reader);
        Events { reader, head }
    }

    fn send(&self, request: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.write_all(request.as_bytes()).expect("it reads");
        BufReader::new(stream)
    }
}

impl Events {
    /// The next line; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.reader.read_line(&mut line).expect("it goes on, or ends");
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// Waits for a part of the page in which this stands.
    #[track_caller]
    pub(crate) fn until_part_says(&mut self, id: &str, words: &str) {
        let began = Instant::now();
        while let Some(line) = self.line() {
            assert!(began.elapsed() < PATIENCE, "`{id}` never said `{words}`");
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let part: Value = serde_json::from_str(data).unwrap_or_default();
            if part["id"] == id && part["html"].as_str().is_some_and(|html| html.contains(words)) {
                return;
            }
        }
        unreachable!("the events ended before `{id}` said `{words}`")
    }
}

fn head(reader: &mut impl BufRead) -> Answer {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        line.trim_end().to_owned()
    };
    let first = line();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut headers = Vec::new();
    loop {
        let line = line();
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Answer { status: status.unwrap_or_else(|| unreachable!("no answer: {first:?}")), headers, body: String::new() }
}
