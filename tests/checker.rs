//! The checker sees what it is there for: each invariant broken on purpose is told by its number.

mod audit;
mod scenario;

use audit::Audit;
use scenario::Scenario;

/// A campaign of six, of which a few were refused, and one row was decided by an operator.
fn sent() -> Scenario {
    let s = Scenario::new();
    let sim = s.simulate("--fault close=1");
    s.campaign(6).mep(&format!("run campaign.csv --endpoint {sim} --limit 1 --concurrency 1")).exits(4);
    s.mep("resolve campaign --all --as not-sent --reason asked --yes").exits(0);
    let port = sim.to_string();
    drop(sim);
    let _sim = s.simulate_at(&port, "--fault 400=40%");
    s.mep("run campaign --concurrency 2").exits(3);
    s.audit(6);
    s
}

fn violations(s: &Scenario, is_settled: bool, unknown_max: Option<usize>) -> String {
    let receipts = vec![s.path("receipts-0.ndjson"), s.path("receipts-1.ndjson")];
    let audit = Audit { database: s.database(), receipts, rows: 6, is_settled, unknown_max };
    audit.violations().join("\n")
}

#[test]
fn each_broken_invariant_is_told() {
    for (sql, number) in [
        ("DELETE FROM content WHERE invocation_id = (SELECT min(id) FROM invocation)", "1:"),
        ("UPDATE batch SET row_count = 7", "1:"),
        ("DELETE FROM fingerprint", "1:"),
        ("UPDATE attempt SET outcome = 'skipped'", "6:"),
        ("UPDATE invocation SET state = 'skipped', reason = 'suppressed', message = ''", "6:"),
        ("UPDATE run SET ended_at = NULL, ended_how = NULL", "2:"),
        (
            "UPDATE invocation SET state = 'sending', request_id = NULL, refused_by = NULL WHERE state = 'accepted'",
            "2:",
        ),
        ("UPDATE attempt SET sent_at = NULL", "3:"),
        ("UPDATE invocation SET request_id = 'OTHER' WHERE state = 'accepted'", "4:"),
        ("UPDATE content SET phone = phone + 1", "4:"),
        (
            "UPDATE attempt SET request_id = NULL, outcome = 'failed'; UPDATE invocation SET state = 'failed', message = 'x'",
            "5:",
        ),
        ("UPDATE invocation SET state = 'unknown', message = '' WHERE state = 'accepted'", "7:"),
        ("UPDATE invocation SET state = 'unknown', message = 'x' WHERE state = 'accepted'", "9:"),
        ("DELETE FROM action_row", "9:"),
        ("DELETE FROM attempt WHERE number = 1", "9:"),
        ("UPDATE action_row SET was = 'accepted'", "9:"),
        ("UPDATE content SET body = body || ' '", "10:"),
        ("UPDATE state_count SET invocations = invocations + 1 WHERE state = 'accepted'", "15:"),
    ] {
        let s = sent();
        s.execute("queue.db", sql);
        let found = violations(&s, true, None);
        assert!(found.lines().any(|line| line.starts_with(number)), "after `{sql}`:\n{found}");
    }
}

#[test]
fn a_row_with_a_receipt_too_many_is_told() {
    let s = sent();
    let receipts = s.read("receipts-1.ndjson");
    let last = receipts.lines().last().expect("a receipt");
    s.write("receipts-1.ndjson", format!("{receipts}{last}\n"));
    assert!(violations(&s, true, None).starts_with("3:"), "{}", violations(&s, true, None));
}

#[test]
fn a_lost_receipt_is_told() {
    let s = sent();
    s.write("receipts-1.ndjson", "");
    assert!(violations(&s, true, None).contains("4: "));
}

#[test]
fn more_unknown_rows_than_explained_are_told() {
    let s = Scenario::new();
    let sim = s.simulate("--fault close=1");
    s.campaign(6).mep(&format!("run campaign.csv --endpoint {sim} --concurrency 2 --wait 0")).exits(4);
    assert_eq!(violations(&s, true, Some(6)), "");
    assert!(violations(&s, true, Some(1)).contains("7: "));
}
