//! TLS that breaks off after any byte of what the server says: before the handshake is over nothing was sent, after it nobody
//! can know, and a whole answer is an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::rounds::rounds;
use crate::tls::{ANSWER, certificate, client_says, server_settings};

/// Rounds in `cargo test`; each is a process of its own.
const QUICK: u64 = 30;

/// A server behind a proxy that lets so many of its bytes through.
struct Cut {
    url: String,
    state: Arc<State>,
    /// Bytes that the server says before the client's request, and in all.
    handshake: usize,
    all: usize,
}

#[derive(Default)]
struct State {
    limit: AtomicUsize,
    /// Whether what comes behind the limit is held back, instead of closing both sides.
    stalls: AtomicBool,
    passed: AtomicUsize,
    passed_at_request: AtomicUsize,
    received: AtomicUsize,
}

impl State {
    fn set(&self, limit: usize, stalls: bool) {
        for counter in [&self.passed, &self.passed_at_request, &self.received] {
            counter.store(0, Ordering::SeqCst);
        }
        self.limit.store(limit, Ordering::SeqCst);
        self.stalls.store(stalls, Ordering::SeqCst);
    }
}

impl Cut {
    /// Starts both, and measures by a connection that is not cut.
    fn start(settings: ServerConfig, roots: &str) -> Cut {
        let state = Arc::new(State::default());
        let addr = serve(settings, Arc::clone(&state));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("an address"));
        let passing = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(addr).expect("the server");
                pass(&client, &server, &passing);
            }
        });
        state.set(usize::MAX, false);
        let said = client_says(&url, roots, false);
        assert!(said.starts_with("Accepted"), "{said}");
        let (handshake, all) = (state.passed_at_request.load(Ordering::SeqCst), state.passed.load(Ordering::SeqCst));
        assert!(handshake > 100 && all > handshake + ANSWER.len(), "{handshake} of {all} bytes");
        Cut { url, state, handshake, all }
    }
}

/// A TLS server that answers one request a connection.
fn serve(settings: ServerConfig, state: Arc<State>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let settings = Arc::new(settings);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&settings)).expect("a session");
            let mut stream = StreamOwned::new(session, connection);
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                state.passed_at_request.store(state.passed.load(Ordering::SeqCst), Ordering::SeqCst);
                state.received.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(ANSWER);
                let _ = stream.read(&mut [0; 4096]);
            }
        }
    });
    addr
}

/// Passes everything to the server, and to the client up to the limit.
fn pass(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    let (mut from, mut to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut server, mut client, state) =
        (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"), Arc::clone(state));
    thread::spawn(move || {
        let (limit, mut buffer) = (state.limit.load(Ordering::SeqCst), [0; 16 * 1024]);
        let mut left = limit;
        while left > 0 {
            let Ok(length @ 1..) = server.read(&mut buffer) else { break };
            let passing = length.min(left);
            // Counted first: what it answers is sent once it has these.
            state.passed.fetch_add(passing, Ordering::SeqCst);
            let _ = client.write_all(&buffer[..passing]);
            left -= passing;
        }
        if left == 0 && state.stalls.load(Ordering::SeqCst) {
            let _ = std::io::copy(&mut server, &mut std::io::sink()); // until the client gives up
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}

#[test]
fn tls_that_breaks_off_in_the_handshake_is_unreached_and_behind_it_unknown() {
    let own = certificate(|_| {});
    let servers = [&TLS12, &TLS13].map(|version| {
        let mut settings = server_settings(&[version], &own);
        settings.send_tls13_tickets = 0; // they come between the handshake and the answer, and say nothing
        Cut::start(settings, &own.0.pem())
    });
    rounds("tls", QUICK, |rng, figures| {
        let server = &servers[rng.usize(..2)];
        // Half of them near an edge: what is proved changes there.
        let limit = match rng.u8(..6) {
            0 => server.handshake - 1,
            1 => server.handshake + rng.usize(..2),
            2 => server.all - rng.usize(..2),
            _ => rng.usize(..=server.all),
        };
        let stalls = limit < server.all && rng.u8(..20) == 0;
        server.state.set(limit, stalls);
        let said = client_says(&server.url, &own.0.pem(), stalls);
        let received = server.state.received.load(Ordering::SeqCst);
        let (expected, at_most) = if limit < server.handshake {
            ("Unreached", 0)
        } else if limit < server.all {
            ("Unknown", 1)
        } else {
            ("Accepted", 1)
        };
        let what = format!("cut at {limit} of {} and {}, stalls: {stalls}", server.handshake, server.all);
        assert!(said.starts_with(expected), "{what}: not {expected}: {said}");
        assert!(received <= at_most, "{what}: {received} requests");
        figures.count("connections", 1);
        figures.count(&expected.to_lowercase(), 1);
    });
}
