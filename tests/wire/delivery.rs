//! How an answer comes, whatever it says: in drops, after a while, or torn by a reset somewhere in the request.

use std::time::Duration;

use mep_batch::invocation::Outcome::{Accepted, Rejected, Retry, Unknown};

use crate::behaviours::{ACCEPTED, Behaviour, INVALID, TEMPORARY, answer, behaviour, chunked};
use crate::server::Act::{Close, Drip, Pause, Say};
use crate::server::{Act, Reads, Script};

/// The pause after each byte of an answer that arrives all the same.
const DRIP: Duration = Duration::from_millis(1);

/// The pause after each byte with which no answer here is whole before the client's timeout.
pub(crate) const TOO_SLOW: Duration = Duration::from_millis(50);

/// Long for a server, and far within the client's patience.
const A_WHILE: Duration = Duration::from_millis(250);

fn read_whole(acts: Vec<Act>) -> Script {
    Script { reads: Reads::Whole, acts }
}

/// Answers that take their time, and those that take too long for the client though bytes come all the while.
pub(crate) fn slow() -> Vec<Behaviour> {
    let drips = |text: &str| read_whole(vec![Drip(text.into(), DRIP)]);
    let head_and_slow_body = |status: u16, body: &str, pause: Duration| {
        let whole = answer(status, body);
        let (head, body) = whole.split_at(whole.len() - body.len());
        read_whole(vec![Say(head.into()), Drip(body.into(), pause)])
    };
    let temporary = answer(500, TEMPORARY);
    let accepted_slow_body =
        read_whole(vec![Say(ACCEPTED.replace("h: 0", "h: 200").into()), Drip(vec![b' '; 200], TOO_SLOW)]);
    vec![
        behaviour("202 byte by byte", drips(ACCEPTED), Accepted),
        behaviour("100 and 202 byte by byte", drips(&format!("HTTP/1.1 100 Go\r\n\r\n{ACCEPTED}")), Accepted),
        behaviour("1010 byte by byte", drips(&temporary), Retry),
        behaviour("1010 in chunks byte by byte", drips(&chunked(500, TEMPORARY)), Retry),
        behaviour("12002 with a body byte by byte", head_and_slow_body(400, INVALID, DRIP), Rejected),
        behaviour("202 after a while", read_whole(vec![Pause(A_WHILE), Say(ACCEPTED.into())]), Accepted),
        behaviour(
            "202 in two halves",
            read_whole(vec![Say(ACCEPTED[..50].into()), Pause(A_WHILE), Say(ACCEPTED[50..].into())]),
            Accepted,
        ),
        behaviour(
            "1010 with its last byte after a while",
            read_whole(vec![
                Say(temporary[..temporary.len() - 1].into()),
                Pause(A_WHILE),
                Say(temporary[temporary.len() - 1..].into()),
            ]),
            Retry,
        ),
        behaviour("202 too slow", read_whole(vec![Drip(ACCEPTED.into(), TOO_SLOW)]), Unknown),
        behaviour("202 with a body too slow", accepted_slow_body, Accepted),
        behaviour("1010 with a body too slow", head_and_slow_body(500, TEMPORARY, TOO_SLOW), Unknown),
        behaviour("12002 with a body too slow", head_and_slow_body(400, INVALID, TOO_SLOW), Rejected),
    ]
}

/// Connections that are reset after a part of the request was read, some with an answer on the way.
pub(crate) fn resets() -> Vec<Behaviour> {
    let mut resets: Vec<Behaviour> = (0..10)
        .map(|tenth| {
            let script = Script { reads: Reads::Share(tenth * 100 + 50), acts: vec![Close] };
            behaviour(format!("reset in the {tenth}th tenth of it"), script, Unknown)
        })
        .collect();
    let says_and_resets = |text: &str| Script { reads: Reads::AllButOne, acts: vec![Say(text.into()), Close] };
    for end in [1, 20, 60, ACCEPTED.len() - 1] {
        resets.push(behaviour(format!("202 reset at {end}"), says_and_resets(&ACCEPTED[..end]), Unknown));
    }
    for (text, outcome) in [(ACCEPTED.to_owned(), Accepted), (answer(400, INVALID), Rejected)] {
        let or_unknown = true;
        resets.push(Behaviour {
            or_unknown,
            ..behaviour(format!("{outcome:?} and a reset"), says_and_resets(&text), outcome)
        });
    }
    resets
}
