//! Answers that break off, and bytes that are no answer.

use mep_batch::invocation::Outcome::{Accepted, Misconfigured, Rejected, Throttled, Unknown};

use crate::behaviours::{
    ACCEPTED, Behaviour, INVALID, ROLE, TEMPORARY, answer, behaviour, chunked, says, says_and_closes,
};
use crate::server::Act::Close;
use crate::server::{Reads, Script};

/// Answers cut off at each byte. Only a complete head decides, and a cut body never upgrades.
pub(crate) fn cuts() -> Vec<Behaviour> {
    let mut cuts = Vec::new();
    for end in 0..ACCEPTED.len() {
        cuts.push(behaviour(format!("202 cut at {end}"), says_and_closes(&ACCEPTED[..end]), Unknown));
    }
    for (form, whole) in [
        ("with a length", answer(500, TEMPORARY)),
        ("in chunks", chunked(500, TEMPORARY)),
        ("up to the close", format!("HTTP/1.1 500 Some\r\n\r\n{TEMPORARY}")),
    ] {
        for end in 1..whole.len() {
            cuts.push(behaviour(format!("1010 {form} cut at {end}"), says_and_closes(&whole[..end]), Unknown));
        }
    }
    for (status, body, outcome) in [(400, INVALID, Rejected), (403, ROLE, Misconfigured), (429, INVALID, Throttled)] {
        let whole = answer(status, body);
        for end in whole.len() - body.len()..whole.len() {
            cuts.push(behaviour(format!("{status} cut at {end}"), says_and_closes(&whole[..end]), outcome));
        }
    }
    cuts
}

/// What is no HTTP, or no answer at all.
pub(crate) fn broken() -> Vec<Behaviour> {
    let garbage: Vec<u8> = (0..=255).cycle().take(4000).collect();
    let many = "X-Some: header\r\n".repeat(150);
    let huge = "x".repeat(1 << 20);
    let with = |more: &str| ACCEPTED.replace("\r\n\r\n", &format!("\r\n{more}\r\n"));
    vec![
        behaviour("reset before it is read", Script { reads: Reads::Nothing, acts: vec![Close] }, Unknown),
        behaviour("reset after its head is read", Script { reads: Reads::Head, acts: vec![Close] }, Unknown),
        behaviour("reset after it is read", Script { reads: Reads::AllButOne, acts: vec![Close] }, Unknown),
        behaviour("closed after it is read", Script { reads: Reads::Whole, acts: vec![Close] }, Unknown),
        behaviour("garbage", says_and_closes(garbage), Unknown),
        behaviour("NULs", says_and_closes(vec![0; 100]), Unknown),
        behaviour("line feeds", says_and_closes("\n\n\n\n"), Unknown),
        behaviour("HTTP/0.9", says_and_closes("<html>hello</html>"), Unknown),
        behaviour("HTTP/2 settings", says_and_closes(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64".to_vec()), Unknown),
        behaviour("a TLS alert", says_and_closes(b"\x15\x03\x01\0\x02\x02\x28".to_vec()), Unknown),
        behaviour("another protocol", says_and_closes("220 mail.test ESMTP\r\n"), Unknown),
        behaviour("its own request", says_and_closes("POST / HTTP/1.1\r\nHost: h\r\n\r\n"), Unknown),
        behaviour("HTTP/2 in the status line", says_and_closes(ACCEPTED.replace("1.1", "2.0")), Unknown),
        behaviour("status of two digits", says_and_closes(ACCEPTED.replace("202", "20")), Unknown),
        behaviour("status of four digits", says_and_closes(ACCEPTED.replace("202", "2020")), Unknown),
        behaviour("status 000", says_and_closes(ACCEPTED.replace("202", "000")), Unknown),
        behaviour("header without a colon", says_and_closes(with("broken\r\n")), Unknown),
        behaviour("header with a control character", says_and_closes(with("a: \x01\r\n")), Unknown),
        behaviour("150 headers", says_and_closes(with(&many)), Unknown),
        behaviour("a header of a megabyte", says_and_closes(with(&format!("a: {huge}\r\n"))), Unknown),
        behaviour("a header of 8 KiB", says(with(&format!("a: {}\r\n", &huge[..8192]))), Accepted),
        behaviour("a reason of 8 KiB", says(ACCEPTED.replace("Accepted", &huge[..8192])), Accepted),
        behaviour("no reason", says(ACCEPTED.replace(" Accepted", "")), Accepted),
    ]
}
