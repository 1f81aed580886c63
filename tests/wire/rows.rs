//! A campaign through the whole program, each row meeting another behaviour: its first attempt and its final state are the
//! contract's, and what was received is what is stored.

use std::collections::HashMap;

use mep_batch::invocation::Outcome;

use crate::audit::Audit;
use crate::behaviours::{self, Behaviour};
use crate::chance;
use crate::rounds::rounds;
use crate::scenario::{SERVICE, Scenario, phone};
use crate::server::{Act, PRIME_ANSWER, Server};

/// The rows of one campaign.
const ROWS: u32 = 60;
/// Runs until nothing is pending, at most: some faults end one, as they are to, and each takes one row at least.
const RUNS_MAX: u32 = 3 * ROWS;
/// What a row may be in the end: everything that is repeated is accepted the second time.
const FINAL: &str = "SELECT count(*) FROM invocation WHERE state IN ('pending', 'sending')";

/// One row: the state in which it has to end, and the requests that have to come for it.
fn ends_as(outcome: Outcome) -> (&'static str, usize) {
    match outcome {
        Outcome::Accepted => ("accepted", 1),
        Outcome::Rejected => ("rejected", 1),
        Outcome::Failed => ("failed", 1),
        Outcome::Unknown | Outcome::Foreign => ("unknown", 1),
        Outcome::Retry | Outcome::Throttled | Outcome::Misconfigured => ("accepted", 2),
        Outcome::Unreached | Outcome::GivenBack | Outcome::Skipped => unreachable!("a server was there"),
    }
}

#[test]
fn each_row_ends_as_the_contract_has_it_for_what_it_met() {
    let known = behaviours::all();
    let counted = rounds("rows", 1, |rng, figures| {
        let rows: Vec<(String, Behaviour)> =
            (0..ROWS).map(|person| (phone(person), chance::any(rng, &known))).collect();
        let scripts = rows.iter().map(|(phone, behaviour)| (phone.clone(), behaviour.script.clone()));
        let server = Server::by_phone(scripts.collect::<HashMap<_, _>>());
        let s = Scenario::new();
        let concurrency = rng.u8(1..4);
        figures.count("runs", runs(&s, &server, concurrency));
        let closing =
            rows.iter().filter(|(phone, behaviour)| has_met_a_closing_one(&s, &server, phone, behaviour)).count();
        assert!(closing * 5 < rows.len(), "{closing} rows met a connection that was closing");
        audit(&s, &server, &rows);
        figures.count("rows", rows.len());
        figures.count("met a closing connection", closing);
        for state in s.query("SELECT state FROM invocation") {
            figures.count(&state, 1);
        }
    });
    assert!(counted["rows"] >= u64::from(ROWS));
}

/// Sends the campaign until nothing is pending; how many runs it took.
fn runs(s: &Scenario, server: &Server, concurrency: u8) -> usize {
    let quick = "--probe-after 1ms --retry-initial 1ms --retry-max 5ms --vendor-retry 1ms --max-unknown 60";
    s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {} {quick}", server.url())).exits(0);
    for number in 1..=RUNS_MAX {
        let done = s.mep(&format!("run campaign --timeout 1500ms --concurrency {concurrency}"));
        assert!([0, 3, 4, 6].contains(&done.code), "{}", done.output());
        if s.query(FINAL) == ["0"] {
            return number as usize;
        }
        assert_eq!(done.code, 6, "something is pending, and nothing has ended the run: {}", done.output());
    }
    unreachable!("after {RUNS_MAX} runs: {}", s.states());
}

/// Whether a request met a connection that was just closing: then nothing came, and nobody could know that. Holds all else of
/// the row against the contract.
fn has_met_a_closing_one(s: &Scenario, server: &Server, phone: &str, behaviour: &Behaviour) -> bool {
    let of_row = |column: &str, table: &str, key: &str| {
        s.query(&format!(
            "SELECT {column} FROM {table} WHERE {key} = (SELECT invocation_id FROM content WHERE phone = {phone}) LIMIT 1"
        ))
        .remove(0)
    };
    let attempts = "(SELECT * FROM attempt WHERE sent_at IS NOT NULL ORDER BY number)";
    let word = of_row("outcome", attempts, "invocation_id");
    let first = chance::OUTCOMES.into_iter().find(|outcome| outcome.as_str() == word);
    let first = first.unwrap_or_else(|| unreachable!("{}: {word}", behaviour.name));
    let (state, received) = (of_row("state", "invocation", "id"), server.received(phone).len());
    if first == Outcome::Unknown && received == 0 {
        assert_eq!(state, "unknown");
        return true;
    }
    assert!(behaviour.allows(first), "{}: {first:?}, not {:?}", behaviour.name, behaviour.outcome);
    if ends_as(first).1 == 2 && (state.as_str(), received) == ("unknown", 1) {
        return true; // the second one did
    }
    assert_eq!((state.as_str(), received), ends_as(first), "{}: {first:?}", behaviour.name);
    false
}

/// Has the checker judge it by receipts of what came and what was answered.
fn audit(s: &Scenario, server: &Server, rows: &[(String, Behaviour)]) {
    let mut receipts = String::new();
    for (phone, behaviour) in rows {
        for (place, request) in server.received(phone).iter().enumerate() {
            let said = if place == 0 { said(behaviour) } else { PRIME_ANSWER.to_owned() };
            let is_told = place > 0 || behaviour.outcome != Outcome::Unknown;
            // A body that was cut names no code to who sent: then the status alone says what came of it.
            let fault = code(&said).filter(|code| match *code {
                "1010" => behaviour.outcome == Outcome::Retry,
                "12002" => behaviour.outcome == Outcome::Rejected,
                _ => behaviour.outcome == Outcome::Misconfigured,
            });
            let receipt = serde_json::json!({
                "n": place, "at": "1970-01-01T00:00:00Z", "serviceId": SERVICE, "phoneNumber": phone,
                "body": request.split_once("\r\n\r\n").map_or("", |(_, body)| body),
                "status": status(&said).filter(|_| is_told), "requestId": request_id(&said), "fault": fault,
            });
            receipts.push_str(&format!("{receipt}\n"));
        }
    }
    s.write("receipts.ndjson", receipts);
    let (receipts, rows) = (Some(vec![s.path("receipts.ndjson")]), Some(u64::from(ROWS)));
    let audit = Audit { receipts, files: s.inputs(), rows, ..Audit::of(s.address()) };
    let violations = audit.violations();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// Everything that a behaviour writes.
fn said(behaviour: &Behaviour) -> String {
    let texts = behaviour.script.acts.iter().filter_map(|act| match act {
        Act::Say(text) | Act::Drip(text, _) => Some(text.as_slice()),
        Act::Pause(_) | Act::ReadRest | Act::Close | Act::Stall => None,
    });
    String::from_utf8_lossy(&texts.collect::<Vec<_>>().concat()).into_owned()
}

/// The status of the last answer, behind those that only say that one comes.
fn status(said: &str) -> Option<u16> {
    let mut heads =
        said.lines().filter_map(|line| line.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok());
    heads.next_back()
}

/// The vendor's code that the answer has, as the stand-in names such a fault.
fn code(said: &str) -> Option<&'static str> {
    let said = without_chunks(said);
    ["1010", "12001", "12002", "12003"]
        .into_iter()
        .find(|code| said.contains(&format!("\"code\":{code}")) || said.contains(&format!("\"code\":\"{code}\"")))
}

/// The body alone of an answer in chunks, a code in which may lie in two of them; any other answer as it is. No body here has
/// a line's end of its own.
fn without_chunks(said: &str) -> String {
    let body = said.split_once("Transfer-Encoding: chunked").and_then(|(_, after)| after.split_once("\r\n\r\n"));
    body.map_or_else(|| said.to_owned(), |(_, chunks)| chunks.split("\r\n").skip(1).step_by(2).collect())
}

fn request_id(said: &str) -> Option<String> {
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-request-id").then(|| value.trim().to_owned())
    };
    said.lines().find_map(header)
}
