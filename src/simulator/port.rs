//! The port that the stand-in listens on, and how it is shut for a while.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};

/// How long [`super::Fault::Refuse`] keeps the port shut.
const SHUT_FOR: Duration = Duration::from_secs(2);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// The wait after a connection could not be accepted: most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening port that can be shut for a while.
pub(super) struct Port {
    address: SocketAddr,
    state: State,
}

enum State {
    Open(TcpListener),
    /// The socket is bound and does not listen: the system refuses connections, and nobody else can get the port.
    Shut(TcpSocket, Instant),
    /// Between two states, or left there by an error.
    Lost,
}

impl Port {
    pub(super) fn new(listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("the listener has no address")?;
        Ok(Port { address, state: State::Open(listener) })
    }

    /// The next connection. Opens the port once its time has come; fails only where that fails. Cancel-safe.
    pub(super) async fn accept(&mut self) -> anyhow::Result<TcpStream> {
        loop {
            match &self.state {
                State::Open(listener) => match listener.accept().await {
                    Ok((stream, _)) => return Ok(stream),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                State::Shut(_, until) => {
                    sleep_until(*until).await;
                    self.open()?;
                }
                State::Lost => anyhow::bail!("cannot listen on {}", self.address),
            }
        }
    }

    /// Shuts the port, for longer if it is shut already, and gives back the connections that were waiting.
    pub(super) fn shut(&mut self) -> anyhow::Result<Vec<TcpStream>> {
        let until = Instant::now() + SHUT_FOR;
        let mut waiting = Vec::new();
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Open(listener) => {
                let mut cx = Context::from_waker(Waker::noop());
                while let Poll::Ready(Ok((stream, _))) = listener.poll_accept(&mut cx) {
                    waiting.push(stream);
                }
                drop(listener);
                let socket = bind(self.address).with_context(|| format!("cannot hold {}", self.address))?;
                self.state = State::Shut(socket, until);
            }
            State::Shut(socket, _) => self.state = State::Shut(socket, until),
            State::Lost => anyhow::bail!("cannot listen on {}", self.address),
        }
        Ok(waiting)
    }

    fn open(&mut self) -> anyhow::Result<()> {
        if let State::Shut(socket, _) = std::mem::replace(&mut self.state, State::Lost) {
            let listener =
                socket.listen(BACKLOG).with_context(|| format!("cannot listen on {} again", self.address))?;
            self.state = State::Open(listener);
        }
        Ok(())
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections that the port had are still there, so that it could not be bound otherwise.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
