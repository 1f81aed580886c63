//! A body that may still be withheld once its connection is made: nothing of its request is written by then.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::invocation::Finding;

/// A body of known length, in one piece. It is first asked for while the head is still in memory: both are written together.
pub(super) struct GuardedBody<F> {
    body: Option<Bytes>,
    last_look: F,
}

impl<F> GuardedBody<F> {
    pub(super) fn new(body: String, last_look: F) -> GuardedBody<F> {
        GuardedBody { body: Some(Bytes::from(body)), last_look }
    }
}

impl<F: Fn() -> Option<Finding> + Unpin> Body for GuardedBody<F> {
    type Data = Bytes;
    type Error = Withheld;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Withheld>>> {
        let Some(body) = self.body.take() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match (self.last_look)() {
            None => Ok(Frame::data(body)),
            Some(finding) => Err(Withheld(finding)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// What the last look found; the connection is closed with nothing written.
#[derive(Debug)]
pub(super) struct Withheld(pub(super) Finding);

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was withheld")
    }
}

impl Error for Withheld {}

/// What a server is sent by whoever connects to it, for tests of what is withheld.
#[cfg(test)]
pub(crate) mod listening {
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread::{JoinHandle, spawn};

    /// A server's URL, and all bytes of the one connection that is made to it, once that has ended.
    pub(crate) fn listen() -> (String, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = spawn(move || {
            let mut bytes = Vec::new();
            let (mut connection, _) = listener.accept().expect("a connection");
            connection.read_to_end(&mut bytes).expect("its end");
            bytes
        });
        (url, received)
    }
}
