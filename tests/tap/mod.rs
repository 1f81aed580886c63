//! A way to the stand-in that notes every byte, so that it is known what a process had said and been told when it was killed.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::scenario::until;

/// A port of this machine from which every connection leads to the stand-in's.
pub(crate) struct Tap {
    port: u16,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes {
    said: Mutex<Vec<u8>>,
    told: Mutex<Vec<u8>>,
    requests: AtomicUsize,
    answers: AtomicUsize,
    /// Connections of which more may be read.
    open: AtomicUsize,
    last: Mutex<Option<SocketAddr>>,
}

impl Tap {
    /// Accepts connections for as long as the tests' process lives.
    pub(crate) fn to(url: &str) -> Tap {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let notes = Arc::new(Notes::default());
        let kept = Arc::clone(&notes);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                kept.open.fetch_add(1, Ordering::SeqCst);
                *lock(&kept.last) = client.peer_addr().ok();
                connect(client, &server, &kept);
            }
        });
        Tap { port, notes }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Forgets what was said and told by and to whoever has ended.
    pub(crate) fn forget(&self) {
        lock(&self.notes.said).clear();
        lock(&self.notes.told).clear();
        self.notes.requests.store(0, Ordering::SeqCst);
        self.notes.answers.store(0, Ordering::SeqCst);
    }

    /// How many pieces of requests have come: a request is one or two.
    pub(crate) fn requests(&self) -> usize {
        self.notes.requests.load(Ordering::SeqCst)
    }

    /// How many pieces of answers were passed on.
    pub(crate) fn answers(&self) -> usize {
        self.notes.answers.load(Ordering::SeqCst)
    }

    /// How many bytes of answers were passed on.
    pub(crate) fn told_length(&self) -> usize {
        lock(&self.notes.told).len()
    }

    /// What was passed on to it, up to so many bytes.
    pub(crate) fn told(&self, length: usize) -> String {
        String::from_utf8_lossy(&lock(&self.notes.told)[..length]).into_owned()
    }

    /// Everything that a process which has ended had said.
    #[track_caller]
    pub(crate) fn said(&self) -> String {
        // Connections are accepted in their order: once this one is, each of that process's was.
        let mark = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let address = mark.local_addr().expect("an address");
        until("every connection to be accepted", || *lock(&self.notes.last) == Some(address));
        drop(mark);
        until("every connection to be read", || self.notes.open.load(Ordering::SeqCst) == 0);
        String::from_utf8_lossy(&lock(&self.notes.said)).into_owned()
    }
}

/// Carries bytes both ways until one end is gone.
fn connect(client: TcpStream, server: &str, notes: &Arc<Notes>) {
    let server = TcpStream::connect(server).expect("the stand-in is there");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket can be told so");
    }
    let answers = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"), Arc::clone(notes));
    let notes = Arc::clone(notes);
    std::thread::spawn(move || {
        carry(&client, &server, |piece, pass| {
            lock(&notes.said).extend_from_slice(piece);
            notes.requests.fetch_add(1, Ordering::SeqCst);
            pass(piece)
        });
        let _ = server.shutdown(Shutdown::Write); // it may have gone by itself
        notes.open.fetch_sub(1, Ordering::SeqCst);
    });
    std::thread::spawn(move || {
        let (server, client, notes) = answers;
        carry(&server, &client, |piece, pass| {
            let is_passed = pass(piece);
            if is_passed {
                lock(&notes.told).extend_from_slice(piece);
                notes.answers.fetch_add(1, Ordering::SeqCst);
            }
            is_passed
        });
        let _ = client.shutdown(Shutdown::Both); // it may have gone by itself
    });
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, mut note: impl FnMut(&[u8], &mut dyn FnMut(&[u8]) -> bool) -> bool) {
    let mut chunk = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        if !note(&chunk[..length], &mut |piece| to.write_all(piece).is_ok()) {
            break;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
