//! A way to a server that can be cut, so that the client is gone and the server does not know it yet.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A port of this machine from which every connection leads to the server's socket.
pub(crate) struct Proxy {
    port: u16,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Accepts connections for as long as the process lives.
    pub(super) fn to(socket: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let clients = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&clients);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(client.try_clone().expect("a handle"));
                connect(&client, &socket);
            }
        });
        Proxy { port, clients }
    }

    /// The URL of a database of the server, through here.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// Cuts every connection that is open. The server is told nothing: it goes on with what it does.
    pub(crate) fn cut(&self) {
        for client in self.clients.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = client.shutdown(Shutdown::Both); // it may have gone by itself
        }
    }
}

/// Carries bytes both ways until one end is gone. What the server still says to a client that is gone is dropped.
fn connect(client: &TcpStream, socket: &Path) {
    let Ok(server) = UnixStream::connect(socket) else {
        let _ = client.shutdown(Shutdown::Both); // the server is down, and the client finds it so
        return;
    };
    let to_server = (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
    let to_client = (server, client.try_clone().expect("a handle"));
    std::thread::spawn(move || carry(to_server.0, to_server.1));
    std::thread::spawn(move || carry(to_client.0, to_client.1));
}

fn carry(mut from: impl Read, mut to: impl Write) {
    let mut chunk = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
}
