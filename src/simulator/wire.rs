//! A connection on which an answer can be spoiled byte by byte.
//!
//! hyper stays the HTTP implementation: it writes a proper answer, and what leaves the machine is something else.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How an answer is spoiled. All but the last end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoil {
    /// Nothing is written and the connection is reset.
    Reset,
    /// Nothing is written and the connection is closed.
    Close,
    /// The first half is written: of an answer without a body, half its head.
    CutHead,
    /// All is written but the last [`Spoil::CUT_BYTES`].
    CutBody,
    /// Something is written that is no HTTP.
    Garbage,
    /// An informational answer is written first.
    EarlyHints,
}

/// The switch of one connection: the service sets it right before it gives hyper the answer to spoil.
#[derive(Debug, Clone, Default)]
pub(super) struct Switch(Arc<Mutex<Option<Spoil>>>);

/// A connection with its switch.
pub(super) struct Wire {
    stream: TcpStream,
    switch: Switch,
    state: State,
}

enum State {
    /// Bytes go through as they come.
    Open,
    /// An answer is being gathered until it is flushed.
    Holding(Spoil, Vec<u8>),
    /// What is left of it is being written.
    Sending(Spoil, Vec<u8>),
}

impl Spoil {
    /// What a cut body lacks.
    pub(super) const CUT_BYTES: usize = 16;

    fn apply(self, mut answer: Vec<u8>) -> Vec<u8> {
        match self {
            Spoil::Reset | Spoil::Close => Vec::new(),
            Spoil::CutHead => {
                answer.truncate(answer.len() / 2);
                answer
            }
            Spoil::CutBody => {
                answer.truncate(answer.len().saturating_sub(Spoil::CUT_BYTES));
                answer
            }
            // The start of a TLS alert: what a client sees that speaks plain HTTP to a TLS port.
            Spoil::Garbage => b"\x15\x03\x03\x00\x02\x02\x46".to_vec(),
            Spoil::EarlyHints => [b"HTTP/1.1 103 Early Hints\r\n\r\n".as_slice(), &answer].concat(),
        }
    }
}

impl Switch {
    /// Has the next answer on the connection spoiled.
    pub(super) fn set(&self, spoil: Spoil) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(spoil);
    }

    fn take(&self) -> Option<Spoil> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Wire {
    /// The connection, and the switch that spoils what is written to it.
    pub(super) fn new(stream: TcpStream) -> (Self, Switch) {
        let switch = Switch::default();
        (Wire { stream, switch: switch.clone(), state: State::Open }, switch)
    }

    fn end(&mut self, spoil: Spoil) -> io::Result<()> {
        self.state = State::Open;
        match spoil {
            Spoil::EarlyHints => return Ok(()),
            Spoil::Reset => self.stream.set_zero_linger()?,
            Spoil::Close | Spoil::CutHead | Spoil::CutBody | Spoil::Garbage => {}
        }
        // hyper drops the connection on an error, which closes it.
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the answer was spoiled on purpose"))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        match &mut this.state {
            State::Open => match this.switch.take() {
                None => Pin::new(&mut this.stream).poll_write(cx, bytes),
                Some(spoil) => {
                    this.state = State::Holding(spoil, bytes.to_vec());
                    Poll::Ready(Ok(bytes.len()))
                }
            },
            State::Holding(_, answer) => {
                answer.extend_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            State::Sending(..) => Poll::Ready(Err(io::Error::other("written to while an answer was being flushed"))),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let State::Holding(spoil, answer) = &mut this.state {
            this.state = State::Sending(*spoil, spoil.apply(std::mem::take(answer)));
        }
        if let State::Sending(spoil, rest) = &mut this.state {
            while !rest.is_empty() {
                let written = ready!(Pin::new(&mut this.stream).poll_write(cx, rest))?;
                rest.drain(..written);
            }
            let spoil = *spoil;
            this.end(spoil)?;
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
