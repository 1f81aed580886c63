//! Going on: after a kill, a signal or an operator's word nobody is texted twice and nobody is forgotten.

mod audit;
mod cluster;
mod scenario;

use rustix::process::Signal;
use scenario::{Done, Scenario, Simulator, campaign, phone};

#[test]
fn a_killed_run_is_told_of_and_its_rows_are_unknown_with_their_cause() {
    let s = Scenario::new();
    let sim = s.simulate("--fault timeout=1");
    let running = s.campaign(4).start(&format!("run campaign.csv --endpoint {sim} --concurrency 2"));
    sim.until_received(2);
    running.kill();
    s.audit_unsettled(4);
    assert_eq!(s.states(), "2 pending, 2 sending");
    let listed = s.mep("resolve campaign").exits(0).stdout;
    assert!(listed.contains("the run died while the request may have been on the wire"), "{listed}");
    assert_eq!(s.states(), "2 pending, 2 unknown");
    s.audit_unknown(4, 2);
}

#[test]
fn term_drains_what_is_in_flight() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 300ms");
    let running = s.campaign(40).start(&format!("run campaign.csv --endpoint {sim} --concurrency 4"));
    sim.until_received(4);
    running.send(Signal::TERM);
    running.finish().exits(143).says("everything in flight was finished");
    assert_eq!(s.states(), "4 accepted, 36 pending");
    s.audit(40);
}

#[test]
fn a_second_run_exits_at_once_and_names_the_first() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 400ms");
    let first = s.campaign(6).start(&format!("run campaign.csv --endpoint {sim} --concurrency 2"));
    sim.until_received(1);
    for command in ["run", "run campaign"] {
        s.mep(command).exits(8).says(&format!("pid {}", first.pid()));
    }
    let runs = s.mep("status campaign --json").exits(0).json()["runs"].clone();
    assert_eq!(runs[0]["pid"], first.pid());
    first.finish().exits(0);
    assert_eq!(sim.received(), 6);
    s.audit(6);
}

#[test]
fn a_file_that_a_second_run_names_is_imported_all_the_same() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 400ms");
    s.campaign(6).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let running = s.start("run --concurrency 2");
    sim.until_received(1);
    s.write("more.csv", campaign(50..53)).mep(&format!("run more.csv --endpoint {sim}")).exits(8);
    running.finish().exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("9 accepted", 9));
    s.audit(9);
}

/// A batch of three rows that are unknown, and a stand-in that accepts from now on.
fn unknown_rows(s: &Scenario) -> Simulator {
    let broken = s.simulate("--fault close=1");
    let run = format!("run campaign.csv --endpoint {broken} --concurrency 3 --wait 0 --probe-after 1ms");
    s.campaign(3).mep(&run).exits(4);
    assert_eq!(s.states(), "3 unknown");
    broken
}

fn resolve(s: &Scenario, flags: &str) -> Done {
    s.mep(&format!("resolve campaign {flags}"))
}

#[test]
fn resolve_lists_what_is_unknown_and_how_to_decide_it() {
    let s = Scenario::new();
    let _sim = unknown_rows(&s);
    let listed = resolve(&s, "").exits(0).stdout;
    assert!(listed.contains("line 2: 1200•••0100") && listed.contains("--as not-sent"), "{listed}");
    let lines = resolve(&s, "--json").exits(0).json_lines();
    assert_eq!(lines.iter().map(|line| line["line"].as_i64()).collect::<Vec<_>>(), [Some(2), Some(3), Some(4)]);
    assert!(resolve(&s, "--reveal").exits(0).stdout.contains(&phone(0)));
    s.audit_unknown(3, 3);
}

#[test]
fn a_row_that_was_accepted_after_all_is_final_with_its_request_id() {
    let s = Scenario::new();
    let sim = unknown_rows(&s);
    resolve(&s, "--line 2 --as accepted --reason case-4711 --request-id AAAAA-BBBBB").exits(0);
    let row = s.mep("show campaign 2 --json").exits(0).json();
    assert_eq!((&row["state"], &row["requestId"]), (&"accepted".into(), &"AAAAA-BBBBB".into()));
    let act = &row["actions"][0];
    assert_eq!((&act["action"], &act["reason"]), (&"resolve".into(), &"case-4711".into()));
    assert_eq!((&act["was"], &act["became"], &act["who"]), (&"unknown".into(), &"accepted".into(), &"operator".into()));
    assert!(s.mep("show campaign 2").exits(0).stdout.contains("case-4711"));
    resolve(&s, "--line 2 --as abandoned --reason no").exits(2).says("not unknown");
    assert_eq!(sim.received(), 3);
    s.audit(3);
}

#[test]
fn a_row_may_not_go_again_before_a_quarter_of_an_hour() {
    let s = Scenario::new();
    let _sim = unknown_rows(&s);
    for verdict in ["not-sent", "resend"] {
        resolve(&s, &format!("--all --as {verdict} --reason sure")).exits(2).says("--yes");
        assert_eq!(s.states(), "3 unknown");
    }
    s.execute("UPDATE attempt SET sent_at = sent_at - 901000, finished_at = finished_at - 901000");
    s.execute("UPDATE invocation SET finished_at = finished_at - 901000, taken_at = taken_at - 901000");
    resolve(&s, "--line 3 --as not-sent --reason sure").exits(0);
    assert_eq!(s.states(), "1 pending, 2 unknown");
    s.audit(3);
}

#[test]
fn a_verdict_needs_a_reason_and_rows() {
    let s = Scenario::new();
    let _sim = unknown_rows(&s);
    resolve(&s, "--all --as abandoned").exits(2).says("--reason");
    resolve(&s, "--as abandoned --reason no").exits(2).says("--all");
    resolve(&s, "--line 9 --as abandoned --reason no").exits(2).says("line 9");
    assert_eq!(s.states(), "3 unknown");
    s.audit(3);
}

#[test]
fn a_skipped_row_goes_back_on_demand() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.write("campaign.csv", format!("{}{}", campaign(0..2), campaign(0..1).lines().last().unwrap_or_default()));
    s.mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    assert_eq!(s.states(), "2 accepted, 1 skipped");
    assert_eq!(sim.received(), 2);
    s.audit(3);
    s.mep("retry campaign --state skipped --reason-is duplicate").exits(0);
    s.mep("run campaign").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted", 3));
    s.audit(3);
}

#[test]
fn a_database_that_is_replaced_under_a_run_stops_it() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 20ms");
    s.campaign(2_000).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    std::fs::copy(s.database(), s.path("backup.db")).expect("a copy");
    let running = s.start("run campaign --concurrency 2");
    sim.until_received(10);
    std::fs::rename(s.path("backup.db"), s.database()).expect("replaced");
    running.until_it_says("replaced while it ran");
    let received = sim.received();
    running.kill();
    assert!(received < 2_000);
}
