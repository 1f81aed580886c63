//! What each answer does: the contract's table, one fault of the stand-in at a time.

mod audit;
mod cluster;
mod scenario;

use std::time::Instant;

use scenario::Scenario;
use scenario::sending::send;
use serde_json::Value;

const CONCURRENCY: usize = 3;

fn rows(s: &Scenario) -> Vec<Value> {
    s.mep("export campaign --format ndjson").exits(0).json_lines()
}

#[test]
fn a_refusal_is_final_and_says_by_whom() {
    for (fault, status, code) in [
        ("12002", 400, Some(12002)),
        ("12002-404", 404, Some(12002)),
        ("400", 400, None),
        ("409", 409, None),
        ("413", 413, None),
        ("422", 422, None),
        ("431", 431, None),
    ] {
        let s = Scenario::new();
        let (sim, done) = send(&s, &format!("--fault {fault}=1"), 5, "");
        done.exits(3);
        assert_eq!((s.states().as_str(), sim.received()), ("5 rejected", 5), "{fault}");
        for row in rows(&s) {
            let told = (row["httpStatus"].as_i64(), row["code"].as_i64(), row["refusedBy"].as_str());
            assert_eq!(told, (Some(status), code, Some("service")), "{fault}: {row}");
        }
        s.mep("run campaign").exits(3);
        assert_eq!(sim.received(), 5, "{fault}");
        s.audit(5);
    }
}

#[test]
fn a_permanent_error_is_final() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 1000=1", 4, "");
    done.exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("4 failed", 4));
    for row in rows(&s) {
        assert_eq!((row["code"].as_i64(), row["refusedBy"].as_str()), (Some(1000), None), "{row}");
    }
    s.audit(4);
}

#[test]
fn an_answer_that_leaves_it_open_is_unknown_and_never_repeated() {
    for (fault, status) in [
        ("408", Some(408)),
        ("500", Some(500)),
        ("502", Some(502)),
        ("503", Some(503)),
        ("503-retry-after", Some(503)),
        ("504", Some(504)),
        ("12004", Some(500)),
        ("cut-body", Some(500)),
        ("timeout", None),
        ("reset", None),
        ("close", None),
        ("cut-head", None),
        ("garbage", None),
    ] {
        let s = Scenario::new();
        let (sim, done) = send(&s, &format!("--fault {fault}=1"), 3, "");
        assert!(done.exits(4).stdout.contains("mep-batch resolve campaign"), "{fault}");
        assert_eq!((s.states().as_str(), sim.received()), ("3 unknown", 3), "{fault}");
        for row in rows(&s) {
            assert_eq!((row["httpStatus"].as_i64(), row["refusedBy"].as_str()), (status, None), "{fault}: {row}");
        }
        s.mep("run campaign").exits(4);
        assert_eq!(sim.received(), 3, "{fault}");
        s.audit_unknown(3, 3);
    }
}

#[test]
fn an_odd_answer_that_is_still_an_acceptance_is_accepted() {
    for fault in ["cut-body-202", "early-hints"] {
        let s = Scenario::new();
        let (sim, done) = send(&s, &format!("--fault {fault}=1"), 5, "");
        done.exits(0);
        assert_eq!((s.states().as_str(), sim.received()), ("5 accepted", 5), "{fault}");
        s.audit(5);
    }
}

#[test]
fn one_request_id_on_several_rows_is_accepted() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 202-same-id=1", 3, "");
    done.exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted", 3));
    s.audit(3);
}

#[test]
fn one_request_id_on_several_rows_is_warned_of() {
    let s = Scenario::new();
    let (_sim, done) = send(&s, "--fault 202-same-id=1", 3, "");
    let told = done.output() + &s.mep("status campaign").output() + &s.mep("list campaign").output();
    assert!(told.contains("warning") && told.contains("request ID"), "{told}");
}

#[test]
fn a_fault_of_the_configuration_stops_the_run_and_harms_no_row() {
    let faults = ["401", "403", "12001", "404", "405", "12003", "406", "407", "415", "301", "302", "307"];
    for fault in faults {
        let s = Scenario::new();
        let (sim, done) = send(&s, &format!("--fault {fault}=1"), 12, "");
        done.exits(6).says("hint:");
        assert!((1..=CONCURRENCY).contains(&sim.received()), "{fault}: {} requests", sim.received());
        assert_eq!(s.states(), "12 pending", "{fault}");
        s.audit(12);
    }
}

#[test]
fn an_answer_that_is_not_the_vendors_stops_the_run_and_its_row_is_unknown() {
    for fault in ["202-no-id", "202-blank-id", "200", "204", "303"] {
        let s = Scenario::new();
        let (sim, done) = send(&s, &format!("--fault {fault}=1"), 12, "");
        done.exits(6).says("hint:");
        let received = sim.received();
        assert!((1..=CONCURRENCY).contains(&received), "{fault}: {received} requests");
        assert_eq!(s.states(), format!("{} pending, {received} unknown", 12 - received), "{fault}");
        s.audit_unknown(12, CONCURRENCY);
    }
}

#[test]
fn a_row_is_repeated_when_it_is_due() {
    let s = Scenario::new();
    let (_sim, done) = send(&s, "--fault 1010=1", 1, "--vendor-retry 200ms --retry-for 500ms");
    done.exits(3);
    let late = s.query(
        "SELECT max(second.taken_at - first.finished_at) < 500 FROM attempt AS first JOIN attempt AS second
         ON second.invocation_id = first.invocation_id AND second.number = first.number + 1",
    );
    assert_eq!(late, ["1"]);
}

#[test]
fn the_vendors_1010_waits_for_its_interval_and_says_until_when() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 1010=1", 3, "--wait 0 --json");
    let told = done.exits(5).json();
    assert_eq!((s.states().as_str(), sim.received()), ("3 pending", 3));
    assert_eq!((&told["waitingFor"][0]["reason"], &told["waitingFor"][0]["rows"]), (&"retry".into(), &3.into()));
    assert!(told["nextDueAt"].is_string(), "{told}");
    let minutes = s.query("SELECT DISTINCT (due_at - (SELECT finished_at FROM attempt WHERE invocation_id = id)) BETWEEN 810000 AND 990000 FROM invocation");
    assert_eq!(minutes, ["1"]);
    s.mep("run --wait 0").exits(5);
    assert_eq!(sim.received(), 3);
    s.audit(3);
}

#[test]
fn the_vendors_1010_fails_once_its_time_is_over() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 1010=1", 3, "--vendor-retry 100ms --retry-for 300ms");
    done.exits(3);
    assert_eq!(s.states(), "3 failed");
    assert!((6..=15).contains(&sim.received()), "{}", sim.received());
    s.audit(3);
}

#[test]
fn the_vendors_1010_is_held_where_the_operator_says_never() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 1010=1", 3, "--vendor-retry never");
    done.exits(4);
    assert_eq!((s.states().as_str(), sim.received()), ("3 unknown", 3));
    s.audit_unknown(3, 3);
}

#[test]
fn a_503_is_repeated_where_the_operator_knows_better() {
    for fault in ["503", "503-retry-after"] {
        let s = Scenario::new();
        let (sim, done) = send(&s, &format!("--fault {fault}=40%"), 5, "--retry-503");
        done.exits(0);
        assert_eq!(s.states(), "5 accepted", "{fault}");
        assert!(sim.received() > 5, "{fault}");
        s.audit(5);
    }
}

#[test]
fn a_port_that_refuses_connections_for_a_while_costs_no_try() {
    let s = Scenario::new();
    let (_sim, done) = send(&s, "--fault refuse=8%", 12, "--probe-after 700ms");
    // A connection that the closing port had taken in already is reset: such a row may be unknown.
    assert!([0, 4].contains(&done.code), "{}", done.output());
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE state NOT IN ('accepted', 'unknown')"), ["0"]);
    assert_eq!(s.query("SELECT max(tries) FROM invocation"), ["0"]);
    s.audit_unknown(12, CONCURRENCY);
}

/// An address at which nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[test]
fn an_endpoint_that_cannot_be_reached_costs_no_row_and_no_try() {
    let s = Scenario::new();
    let run = format!("run campaign.csv --endpoint {} --concurrency 3 --wait 0 --json", closed_port());
    let told = s.campaign(9).mep(&run).exits(5).json();
    assert_eq!(s.states(), "9 pending");
    assert_eq!(told["waitingFor"][0]["reason"], "unreachable");
    assert_eq!(s.query("SELECT DISTINCT outcome || coalesce(sent_at, '') FROM attempt"), ["unreached"]);
    assert_eq!(s.query("SELECT max(tries) || ' ' || max(attempt) FROM invocation"), ["0 1"]);
    s.audit(9);
}

#[test]
fn the_fifth_failed_probe_ends_the_run() {
    let s = Scenario::new();
    let run = format!("run campaign.csv --endpoint {} --concurrency 3 --probe-after 20ms", closed_port());
    s.campaign(9).mep(&run).exits(6).says("five probes in a row failed");
    assert_eq!(s.states(), "9 pending");
    assert_eq!(s.query("SELECT max(tries) FROM invocation"), ["0"]);
    s.audit(9);
}

#[test]
fn a_throttled_gate_stays_closed_for_the_next_run() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 429-bare=1", 6, "--retry-initial 1h --retry-max 1h --wait 0");
    done.exits(5);
    let received = sim.received();
    s.mep("run --wait 0").exits(5);
    assert_eq!(sim.received(), received, "the next run sent through a closed gate");
    assert_eq!(s.mep("status campaign --json").json()["waitingFor"][0]["reason"], "throttled");
    s.audit(6);
}

#[test]
fn an_answer_to_the_probe_opens_the_gate() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault reset=40%", 40, "--max-unknown 40");
    done.exits(4).says("answers again; sending goes on");
    assert_eq!(sim.received(), 40);
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE state NOT IN ('accepted', 'unknown')"), ["0"]);
    s.audit(40);
}

#[test]
fn max_unknown_stops_after_the_first() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 500=1", 9, "--max-unknown 0 --concurrency 1");
    done.exits(6).says("--max-unknown");
    assert_eq!((s.states().as_str(), sim.received()), ("8 pending, 1 unknown", 1));
    let again = s.mep("run").exits(6);
    assert_eq!(sim.received(), 1);
    // A run would end at once: what there is to do is to decide.
    for told in [again.stdout, s.mep("status campaign").exits(0).stdout] {
        assert!(told.contains(": mep-batch resolve campaign") && !told.contains("mep-batch run campaign"), "{told}");
    }
    s.audit_unknown(9, 1);
}

#[test]
fn twenty_equal_refusals_stop_the_run() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--fault 12002=1", 60, "");
    done.exits(6).says("twenty rows in a row");
    assert!((20..20 + CONCURRENCY).contains(&sim.received()), "{}", sim.received());
    let rejected = sim.received();
    assert_eq!(s.states(), format!("{} pending, {rejected} rejected", 60 - rejected));
    s.audit(60);
}

#[test]
fn waiting_ends_when_the_operator_says() {
    let s = Scenario::new();
    let began = Instant::now();
    let (sim, done) = send(&s, "--fault 1010=1", 2, "--wait 300ms");
    done.exits(5).says("the next row is due at");
    assert!(began.elapsed().as_millis() >= 300);
    assert_eq!(sim.received(), 2);
    s.audit(2);
}

#[test]
fn a_slow_answer_is_unknown_even_where_the_service_accepted_it() {
    let s = Scenario::new();
    let (sim, done) = send(&s, "--latency 2s", 3, "--timeout 150ms");
    done.exits(4);
    assert_eq!((s.states().as_str(), sim.received()), ("3 unknown", 3));
    s.audit_unknown(3, 3);
}

#[test]
fn status_says_why_the_last_run_stopped() {
    let s = Scenario::new();
    send(&s, "--fault 401=1", 3, "");
    assert!(
        s.mep("status campaign").exits(0).stdout.contains("The last run stopped: the service refused the credentials")
    );
}
