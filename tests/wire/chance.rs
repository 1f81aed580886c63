//! Behaviours that chance makes: any known one, and answers, cuts, resets and garbage that nobody has written down.

use std::time::Duration;

use fastrand::Rng;
use mep_batch::invocation::Outcome;
use mep_batch::invocation::Outcome::{Accepted, Failed, Foreign, Misconfigured, Rejected, Retry, Throttled, Unknown};

use crate::behaviours::{ACCEPTED, Behaviour, STATUSES, behaviour};
use crate::server::Act::{Close, Pause, Say};
use crate::server::{Act, Reads, Script};

/// What may come of a request that was written.
pub(crate) const OUTCOMES: [Outcome; 8] =
    [Accepted, Rejected, Failed, Retry, Throttled, Misconfigured, Foreign, Unknown];

/// How an answer tells where its body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length,
    Chunks,
    Close,
}

/// One of the known ones, or a new one. Those that wait for the client's timeout come seldom: they take long.
pub(crate) fn any(rng: &mut Rng, known: &[Behaviour]) -> Behaviour {
    match rng.u8(0..10) {
        0..=4 => loop {
            // By its outcome first: the answers cut at each byte are most of what is known.
            let outcome = known[rng.usize(..known.len())].outcome;
            let outcome = if rng.bool() { outcome } else { OUTCOMES[rng.usize(..OUTCOMES.len())] };
            let alike: Vec<&Behaviour> = known.iter().filter(|one| one.outcome == outcome).collect();
            let one = alike[rng.usize(..alike.len())];
            if !one.stalls_the_client() || rng.u8(..6) == 0 {
                break one.clone();
            }
        },
        5..=7 => answered(rng),
        8 => reset(rng),
        _ => garbage(rng),
    }
}

/// An answer of the contract's table with other headers, framing and pieces, whole or cut anywhere.
fn answered(rng: &mut Rng) -> Behaviour {
    let (status, body, whole_outcome) = STATUSES[rng.usize(..STATUSES.len())];
    let (status, body, whole_outcome) =
        if rng.u8(..5) == 0 { (202, "", Foreign) } else { (status, body, whole_outcome) };
    let has_id = rng.u8(..4) > 0;
    let framing = [Framing::Length, Framing::Chunks, Framing::Close][rng.usize(..3)];
    let (text, head_end) = written(rng, status, body, has_id, framing);
    let end = if rng.bool() { text.len() } else { rng.usize(..text.len()) };
    let outcome = if end < head_end {
        Unknown
    } else if status == 202 && has_id {
        Accepted
    } else if end < text.len() {
        by_status(status)
    } else {
        whole_outcome
    };
    let closes = end < text.len() || framing == Framing::Close || rng.u8(..4) == 0;
    let mut acts = in_pieces(rng, &text.as_bytes()[..end]);
    acts.extend(closes.then_some(Close));
    let name = format!("chance: {status} `{body}` by {framing:?}, ID: {has_id}, {end} of {} bytes", text.len());
    behaviour(name, Script { reads: Reads::Whole, acts }, outcome)
}

/// The answer's bytes, and where its head ends.
fn written(rng: &mut Rng, status: u16, body: &str, has_id: bool, framing: Framing) -> (String, usize) {
    let mut text = String::new();
    for _ in 0..rng.u8(..6).saturating_sub(3) {
        text.push_str(["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"][rng.usize(..2)]);
    }
    text.push_str(&format!("HTTP/1.1 {status} Some Reason\r\n"));
    let mut headers: Vec<String> = (0..rng.u8(..5))
        .map(|number| format!("X-Noise-{number}: {}", rng.alphanumeric().to_string().repeat(rng.usize(1..300))))
        .collect();
    headers.extend(has_id.then(|| format!("x-request-ID: {:016X}", rng.u64(..))));
    match framing {
        Framing::Length => headers.push(format!("content-length: {}", body.len())),
        Framing::Chunks => headers.push("Transfer-Encoding: chunked".to_owned()),
        Framing::Close => headers.push("Connection: close".to_owned()),
    }
    rng.shuffle(&mut headers);
    headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
    text.push_str("\r\n");
    let head_end = text.len();
    if framing == Framing::Chunks {
        let mut rest = body;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rng.usize(1..=rest.len()));
            text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
            rest = after;
        }
        text.push_str("0\r\n\r\n");
    } else {
        text.push_str(body);
    }
    (text, head_end)
}

/// Writes one after another, some with a pause between.
fn in_pieces(rng: &mut Rng, mut text: &[u8]) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..rng.u8(..4) {
        let (piece, rest) = text.split_at(rng.usize(..=text.len()));
        acts.extend([Say(piece.into()), Pause(Duration::from_millis(rng.u64(..4)))]);
        text = rest;
    }
    acts.push(Say(text.into()));
    acts
}

/// The contract's word on an answer of which no more is known than the status, and which names no request.
fn by_status(status: u16) -> Outcome {
    match status {
        200..=299 | 303 => Foreign,
        300..=399 | 401 | 403..=407 | 415 => Misconfigured,
        429 => Throttled,
        408 => Unknown,
        400..=499 => Rejected,
        _ => Unknown,
    }
}

/// A reset after any part of the request, perhaps with the start of a head on the way.
fn reset(rng: &mut Rng) -> Behaviour {
    let (thousandths, said) = (rng.u16(..1000), rng.usize(..ACCEPTED.len()));
    let reads = if thousandths == 0 { Reads::Nothing } else { Reads::Share(thousandths) };
    let mut acts = if rng.bool() { in_pieces(rng, &ACCEPTED.as_bytes()[..said]) } else { Vec::new() };
    acts.push(Close);
    behaviour(format!("chance: reset after {thousandths} ‰ of it"), Script { reads, acts }, Unknown)
}

/// Bytes that are no HTTP.
fn garbage(rng: &mut Rng) -> Behaviour {
    let mut bytes: Vec<u8> = (0..rng.usize(1..2000)).map(|_| rng.u8(..)).collect();
    bytes[0] = rng.u8(b'I'..);
    let mut acts = in_pieces(rng, &bytes);
    acts.push(Close);
    behaviour(format!("chance: {} bytes of garbage", bytes.len()), Script { reads: Reads::Whole, acts }, Unknown)
}
