//! A server of raw TCP that does with each request what its behaviour says, and counts what it received.
//!
//! The behaviour is named by the service ID in the request line, so that it is known before the body is read; or by the phone
//! number in a body that was looked at and not read.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The service ID whose requests are answered with a plain 202, to have a connection that is used again.
pub(crate) const PRIME: &str = "PRIME";

/// The answer to [`PRIME`].
pub(crate) const PRIME_ANSWER: &str = "HTTP/1.1 202 Accepted\r\nX-Request-Id: PRIME-ID\r\nContent-Length: 0\r\n\r\n";

/// How much of a request is read before the first act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// None of it, though it has come: the bytes stay in the socket's buffer.
    Nothing,
    /// Its head.
    Head,
    /// So many thousandths of its bytes, so that closing resets the connection.
    Share(u16),
    /// All but the last byte, so that closing resets the connection.
    AllButOne,
    /// All of it.
    Whole,
}

/// What the server does, one after the other.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Writes.
    Say(Vec<u8>),
    /// Writes byte by byte, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Does nothing for a while.
    Pause(Duration),
    /// Reads what is left of the request.
    ReadRest,
    /// Closes: with an end of stream where all was read, else with a reset.
    Close,
    /// Does nothing until the client closes.
    Stall,
}

/// What is done with the requests of one service ID.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) reads: Reads,
    pub(crate) acts: Vec<Act>,
}

#[derive(Default)]
struct Seen {
    requests: HashMap<String, Vec<String>>,
    on_used_connections: HashMap<String, usize>,
}

/// What names a behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// The service ID, as often as it comes.
    Service,
    /// The phone number, once: the row that comes again is answered with a plain 202.
    Phone,
}

/// A running server; its threads end with the connections.
#[derive(Clone)]
pub(crate) struct Server {
    addr: SocketAddr,
    names: Names,
    scripts: Arc<Mutex<HashMap<String, Script>>>,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// Does with the requests of each service what is said for it.
    pub(crate) fn start(scripts: HashMap<String, Script>) -> Server {
        Server::start_by(Names::Service, scripts)
    }

    /// Does with the first request to each phone number what is said for it.
    pub(crate) fn by_phone(scripts: HashMap<String, Script>) -> Server {
        Server::start_by(Names::Phone, scripts)
    }

    fn start_by(names: Names, scripts: HashMap<String, Script>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let server = Server { addr, names, scripts: Arc::new(Mutex::new(scripts)), seen: Arc::default() };
        let accepting = server.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = accepting.clone();
                thread::spawn(move || server.serve(connection));
            }
        });
        server
    }

    /// Says what is done with the requests of one more service ID.
    pub(crate) fn learns(&self, service: &str, script: Script) {
        self.scripts().insert(service.to_owned(), script);
    }

    fn scripts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Script>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What was received for a service ID, a request a text; only the request line where no more was read. For a phone number
    /// it is what had come, read or not.
    pub(crate) fn received(&self, service: &str) -> Vec<String> {
        self.seen().requests.get(service).cloned().unwrap_or_default()
    }

    /// How many requests for a service ID came on a connection that had carried another one.
    pub(crate) fn received_on_used_connections(&self, service: &str) -> usize {
        self.seen().on_used_connections.get(service).copied().unwrap_or(0)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, service: &str, request: &[u8], is_used: bool) {
        let text = String::from_utf8_lossy(request).into_owned();
        let mut seen = self.seen();
        seen.requests.entry(service.to_owned()).or_default().push(text);
        *seen.on_used_connections.entry(service.to_owned()).or_default() += usize::from(is_used);
    }

    fn serve(&self, mut connection: TcpStream) {
        // A pause is between two bytes on the wire, not between two writes.
        let _ = connection.set_nodelay(true);
        let mut is_used = false;
        while let Some((name, line, script)) = self.next(&connection) {
            let looked_at = (self.names == Names::Phone).then(|| peek_request(&connection)).flatten();
            let request = match script.reads {
                Reads::Nothing => line.into_bytes(),
                Reads::Head => read_head(&mut connection),
                Reads::Share(thousandths) => read_share(&mut connection, thousandths),
                Reads::AllButOne => read_request(&mut connection, 1),
                Reads::Whole => read_request(&mut connection, 0),
            };
            // Before the answer: the client may look as soon as it has it.
            self.note(&name, looked_at.as_ref().unwrap_or(&request), is_used);
            is_used = true;
            if !script.acts.iter().all(|act| act.is_done_on(&mut connection, &request)) {
                return;
            }
        }
    }
}

impl Server {
    /// The next request of a connection: what names its behaviour, its first line, and what is to be done with it.
    fn next(&self, connection: &TcpStream) -> Option<(String, String, Script)> {
        let line = peek_request_line(connection)?;
        match self.names {
            Names::Service => {
                let path = line.split(' ').nth(1).unwrap_or_default();
                let service = path.rsplit('/').next().unwrap_or_default().to_owned();
                let script = self.scripts().get(&service).cloned().unwrap_or_else(prime);
                Some((service, line, script))
            }
            Names::Phone => {
                let request = String::from_utf8_lossy(&peek_request(connection)?).into_owned();
                let (_, rest) = request.split_once("\"phoneNumber\":")?;
                let phone: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let script = self.scripts().remove(&phone).unwrap_or_else(prime);
                Some((phone, line, script))
            }
        }
    }
}

impl Act {
    /// Does it; whether the connection goes on.
    fn is_done_on(&self, connection: &mut TcpStream, request: &[u8]) -> bool {
        match self {
            Act::Say(text) => {
                // The client may be gone already.
                let _ = connection.write_all(text);
            }
            Act::Drip(text, pause) => {
                for byte in text.chunks(1) {
                    if connection.write_all(byte).is_err() {
                        return false;
                    }
                    thread::sleep(*pause);
                }
            }
            Act::Pause(pause) => thread::sleep(*pause),
            Act::ReadRest => {
                read_body(connection, &String::from_utf8_lossy(request), 0);
            }
            Act::Close => return false,
            Act::Stall => {
                let _ = connection.read_to_end(&mut Vec::new());
                let _ = connection.shutdown(Shutdown::Both);
                return false;
            }
        }
        true
    }
}

/// What is done with a request of which nothing is said: a plain 202.
fn prime() -> Script {
    Script { reads: Reads::Whole, acts: vec![Act::Say(PRIME_ANSWER.into())] }
}

/// Reads so many thousandths of a request, once all of it has come, and at least a byte less than that.
fn read_share(connection: &mut TcpStream, thousandths: u16) -> Vec<u8> {
    let length = peek_request(connection).map_or(0, |request| request.len());
    let mut share = vec![0; (length * usize::from(thousandths) / 1000).min(length.saturating_sub(1))];
    let _ = connection.read_exact(&mut share);
    share
}

/// The next request, once all of it has come; it stays in the socket's buffer.
fn peek_request(connection: &TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = connection.peek(&mut buffer).ok().filter(|length| *length > 0)?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let whole = head.len() + 4 + content_length(head);
            if length >= whole {
                buffer.truncate(whole);
                return Some(buffer);
            }
        }
        if length == buffer.len() {
            return None;
        }
        thread::yield_now();
    }
}

fn peek_request_line(connection: &TcpStream) -> Option<String> {
    let mut buffer = [0; 1024];
    loop {
        let length = connection.peek(&mut buffer).ok().filter(|length| *length > 0)?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        match text.split_once("\r\n") {
            Some((line, _)) => return Some(line.to_owned()),
            None if length == buffer.len() || !text.starts_with(['P', 'C']) => return None,
            None => thread::yield_now(),
        }
    }
}

fn read_request(connection: &mut TcpStream, but: usize) -> Vec<u8> {
    let mut request = read_head(connection);
    let head = String::from_utf8_lossy(&request).into_owned();
    request.extend(read_body(connection, &head, but));
    request
}

fn read_head(connection: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).is_ok_and(|length| length == 1) {
        head.push(byte[0]);
    }
    head
}

fn read_body(connection: &mut TcpStream, head: &str, but: usize) -> Vec<u8> {
    let length = content_length(head);
    let mut body = vec![0; length.saturating_sub(but)];
    let _ = connection.read_exact(&mut body);
    if but > 0 {
        // The byte that is left has to be there, or closing is no reset.
        let _ = connection.peek(&mut [0]);
    }
    body
}

fn content_length(head: &str) -> usize {
    let header = |line: &str| Some(line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().to_owned());
    head.lines().find_map(header).and_then(|length| length.parse().ok()).unwrap_or(0)
}
