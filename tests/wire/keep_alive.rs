//! How often a kept connection dies just as it is used again: a measurement by which `client` chooses how long it keeps one.
//!
//! A server closes what has been idle for a while, and what the client writes within a round trip before it hears of that meets
//! a closed door: the outcome is unknown. Whatever the figures, nothing may be received twice, and nothing is told as unsent.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use mep_batch::invocation::Outcome;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::rounds::rounds;
use crate::server::PRIME_ANSWER;
use crate::{PATIENT, class, client, send};

/// Connections that are measured at once.
const AT_ONCE: usize = 32;
/// Round trips to the server, in milliseconds: this machine, the same continent, another one.
const ROUND_TRIPS_MS: [i64; 3] = [0, 20, 100];
/// How near to an edge a moment cannot be told from the other side of it: the runtime's clock counts in milliseconds.
const BLUR_MS: i64 = 5;

/// One kept connection.
#[derive(Debug, Clone, Copy)]
struct Trial {
    round_trip_ms: i64,
    /// How long the server keeps it.
    kept_ms: u64,
    /// How long the client leaves it idle before it sends again.
    idle_ms: u64,
}

/// What came of the second request.
struct Met {
    outcome: Outcome,
    received: usize,
    connections: usize,
    /// How long before the client heard of the close the request was sent.
    until_close_ms: i64,
}

impl Trial {
    /// Chance chooses half of them near the edge.
    fn any(rng: &mut Rng) -> Trial {
        let round_trip_ms = ROUND_TRIPS_MS[rng.usize(..ROUND_TRIPS_MS.len())];
        let kept_ms = rng.u64(150..300);
        let blur_ms = 4 * BLUR_MS.unsigned_abs();
        let around = round_trip_ms.unsigned_abs() + blur_ms;
        let idle_ms =
            if rng.bool() { rng.u64(..2 * kept_ms) } else { kept_ms + blur_ms - rng.u64(..around * 2).min(kept_ms) };
        Trial { round_trip_ms, kept_ms, idle_ms }
    }

    /// A server of the impatient kind (Apache and Node keep a connection for 5 s, few anything less), and a client that comes
    /// back after up to half a second more than it keeps one itself.
    fn of_an_impatient_server(rng: &mut Rng) -> Trial {
        let round_trip_ms = ROUND_TRIPS_MS[rng.usize(..ROUND_TRIPS_MS.len())];
        Trial { round_trip_ms, kept_ms: 5_000, idle_ms: rng.u64(1_500..2_500) }
    }

    /// When the second request was sent, by how long it was before the client heard of the close; negative after that.
    fn place(self, until_close_ms: i64) -> &'static str {
        if self.kept_ms == 5_000 {
            "before 5 s"
        } else if until_close_ms > self.round_trip_ms + BLUR_MS {
            "more than a round trip before the close"
        } else if until_close_ms > -BLUR_MS {
            "in the last round trip"
        } else {
            "after the close"
        }
    }

    async fn measure(self) -> Met {
        let (received, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let kept = Duration::from_millis(self.kept_ms);
        let closed = Arc::new(Mutex::new(None));
        let server = serve(kept, Arc::clone(&received), Arc::clone(&connections), Arc::clone(&closed)).await;
        let one_way = Duration::from_millis(self.round_trip_ms.unsigned_abs() / 2);
        let addr = if one_way.is_zero() { server } else { far_away(server, one_way).await };
        let client = client(&format!("http://{addr}"), PATIENT);
        assert_eq!(class(&send(&client, "A").await), Outcome::Accepted);
        let answered = Instant::now();
        sleep(Duration::from_millis(self.idle_ms)).await;
        let sent = Instant::now();
        let outcome = class(&send(&client, "A").await);
        // Where it was used in time it would have been closed as late as this.
        let closed = closed.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(answered + kept - one_way);
        let heard = closed + one_way;
        let (received, connections) = (received.load(Ordering::SeqCst), connections.load(Ordering::SeqCst));
        Met { outcome, received: received - 1, connections, until_close_ms: milliseconds(sent, heard) }
    }
}

/// From one moment to another, which may be the earlier one.
fn milliseconds(from: Instant, until: Instant) -> i64 {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    ms(until.saturating_duration_since(from)) - ms(from.saturating_duration_since(until))
}

/// A server that answers each request with a 202 and closes a connection that is idle for that long.
async fn serve(
    kept: Duration,
    received: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    closed: Arc<Mutex<Option<Instant>>>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let (received, closed) = (Arc::clone(&received), Arc::clone(&closed));
            tokio::spawn(async move {
                // The first request is waited for however busy the machine is. A request of these is one segment.
                let mut patience = PATIENT.total;
                let mut is_idle = false;
                while let Ok(Some(_)) = timeout(patience, read(&connection)).await.inspect_err(|_| is_idle = true) {
                    patience = kept;
                    received.fetch_add(1, Ordering::SeqCst);
                    write(&connection, PRIME_ANSWER.as_bytes()).await;
                }
                if is_idle {
                    closed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
                }
            });
        }
    });
    addr
}

/// The same server behind a line on which everything takes so long, each way.
async fn far_away(server: SocketAddr, one_way: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let server = TcpStream::connect(server).await.expect("the server");
                tokio::select! {
                    () = carry(&client, &server, one_way) => {}
                    () = carry(&server, &client, one_way) => {}
                }
            });
        }
    });
    addr
}

/// Carries what comes until it ends, which takes as long to arrive.
async fn carry(from: &TcpStream, to: &TcpStream, one_way: Duration) {
    while let Some(bytes) = read(from).await {
        sleep(one_way).await;
        write(to, &bytes).await;
    }
    sleep(one_way).await;
}

/// What has come; `None` at the end.
async fn read(connection: &TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 4096];
    loop {
        connection.readable().await.ok()?;
        match connection.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => {
                buffer.truncate(length);
                return Some(buffer);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

/// Writes what fits a socket's buffer at once; the other side may be gone.
async fn write(connection: &TcpStream, bytes: &[u8]) {
    let _ = connection.writable().await;
    let _ = connection.try_write(bytes);
}

#[test]
fn a_kept_connection_that_dies_as_it_is_used_again_is_unknown_and_never_sent_twice() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let counted = rounds("keep-alive", 2, |rng, figures| {
        let is_long = rng.u8(..5) == 0;
        let trials: Vec<Trial> =
            (0..AT_ONCE).map(|_| if is_long { Trial::of_an_impatient_server(rng) } else { Trial::any(rng) }).collect();
        let met = runtime.block_on(async {
            let mut running = JoinSet::new();
            trials.into_iter().for_each(|trial| {
                running.spawn(async move { (trial, trial.measure().await) });
            });
            running.join_all().await
        });
        for (trial, Met { outcome, received, connections, until_close_ms }) in met {
            let is_promised = matches!((outcome, received), (Outcome::Accepted, 1) | (Outcome::Unknown, 0 | 1));
            assert!(is_promised, "{trial:?}: {outcome:?} with {received} requests");
            let what = format!("{} at {} ms", trial.place(until_close_ms), trial.round_trip_ms);
            figures.count(&what, 1);
            figures.count(&format!("{what}, unknown"), usize::from(outcome == Outcome::Unknown));
            if is_long {
                figures.count("before 5 s, on the kept connection", usize::from(connections == 1));
            }
        }
    });
    assert!(counted.values().sum::<u64>() >= AT_ONCE as u64);
}
