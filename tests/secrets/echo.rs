//! A server that gives back what it was told: a gateway whose error pages repeat each request with its headers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Says what is answered to the request of that number, from 0; `None`: nothing, and the connection is closed.
pub(crate) type Script = fn(usize, &str) -> Option<String>;

/// A running server; its threads end with the connections.
#[derive(Clone)]
pub(crate) struct Echo {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub(crate) fn start(script: Script) -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let echo = Echo { port, requests: Arc::default() };
        let accepting = echo.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let echo = accepting.clone();
                thread::spawn(move || echo.serve(connection, script));
            }
        });
        echo
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that was received, a request a text.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn serve(&self, mut connection: TcpStream, script: Script) {
        while let Some(request) = read_request(&mut connection) {
            let number = {
                let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
                requests.push(request.clone());
                requests.len() - 1
            };
            let Some(answer) = script(number, &request) else { return };
            if connection.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// An answer of that status, with these lines in its head.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The value of a header of the request.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
    line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
}

fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let length = header(&head, "content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}
