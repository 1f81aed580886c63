//! The checker sees what it is there for: each invariant broken on purpose is told by its number.
//!
//! With `MEP_BATCH_AUDIT_DB` in the environment it judges that database instead.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use audit::{Audit, receipts_of};
use cluster::Database;
use either::{On, facts};
use scenario::Scenario;

fn main() -> ExitCode {
    if let Ok(database) = std::env::var("MEP_BATCH_AUDIT_DB") {
        return judge(database);
    }
    either::run(&[
        (
            On::Either,
            facts![
                each_broken_invariant_is_told,
                a_row_with_a_receipt_too_many_is_told,
                a_lost_receipt_is_told,
                more_unknown_rows_than_explained_are_told,
                a_late_outcome_settles_its_row_and_nothing_else_does,
            ],
        ),
        (On::Sqlite, facts![a_run_that_has_not_ended_is_told]),
    ])
}

/// Judges a database that nothing is alive on any more, against all receipts there are.
#[expect(clippy::print_stdout, reason = "whoever asks for a verdict reads it")]
fn judge(database: String) -> ExitCode {
    let files = std::env::var_os("MEP_BATCH_AUDIT_RECEIPTS").unwrap_or_default();
    let receipts: Vec<PathBuf> = std::env::split_paths::<OsString>(&files).collect();
    for file in &receipts {
        assert!(file.is_file(), "`{}` in MEP_BATCH_AUDIT_RECEIPTS is no file", file.display());
    }
    let rows = std::env::var("MEP_BATCH_AUDIT_ROWS").ok().map(|rows| rows.parse().expect("a number of rows"));
    let audit = Audit { database, receipts, rows, is_settled: true, unknown_max: None };
    for line in audit.summary() {
        println!("{line}");
    }
    let violations = audit.violations();
    for violation in &violations {
        println!("violation {violation}");
    }
    println!("{} violations", violations.len());
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A campaign of six, of which a few were refused, and one row was decided by an operator.
fn sent(database: Database) -> Scenario {
    let s = Scenario::on(database);
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
    let audit = Audit { database: s.address(), receipts, rows: Some(6), is_settled, unknown_max };
    audit.violations().join("\n")
}

/// What is wrong with a campaign of so many rows that one stand-in has received.
fn violations_of(s: &Scenario, rows: u64) -> String {
    let receipts = vec![s.path("receipts-0.ndjson")];
    let audit = Audit { database: s.address(), receipts, rows: Some(rows), is_settled: true, unknown_max: None };
    audit.violations().join("\n")
}

fn each_broken_invariant_is_told(database: Database) {
    let whole = sent(database);
    for (sql, number) in [
        ("DELETE FROM content WHERE invocation_id = (SELECT min(id) FROM invocation)", "1:"),
        ("UPDATE batch SET row_count = 7", "1:"),
        ("DELETE FROM fingerprint", "1:"),
        ("UPDATE attempt SET outcome = 'skipped'", "6:"),
        ("UPDATE invocation SET state = 'skipped', reason = 'suppressed', message = ''", "6:"),
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
        let s = whole.copy();
        s.execute(sql);
        let found = violations(&s, true, None);
        assert!(found.lines().any(|line| line.starts_with(number)), "after `{sql}`:\n{found}");
    }
}

fn a_run_that_has_not_ended_is_told(_: Database) {
    let s = sent(Database::Sqlite);
    s.execute("UPDATE run SET ended_at = NULL, ended_how = NULL");
    assert!(violations(&s, true, None).starts_with("2:"), "{}", violations(&s, true, None));
}

fn a_row_with_a_receipt_too_many_is_told(database: Database) {
    let s = sent(database);
    let receipts = s.read("receipts-1.ndjson");
    let last = receipts.lines().last().expect("a receipt");
    s.write("receipts-1.ndjson", format!("{receipts}{last}\n"));
    assert!(violations(&s, true, None).starts_with("3:"), "{}", violations(&s, true, None));
}

fn a_lost_receipt_is_told(database: Database) {
    let s = sent(database);
    s.write("receipts-1.ndjson", "");
    assert!(violations(&s, true, None).contains("4: "));
}

fn more_unknown_rows_than_explained_are_told(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault close=1");
    s.campaign(6).mep(&format!("run campaign.csv --endpoint {sim} --concurrency 2 --wait 0")).exits(4);
    assert_eq!(violations(&s, true, Some(6)), "");
    assert!(violations(&s, true, Some(1)).contains("7: "));
}

/// Three rows of which the answers came, and nobody waited for them.
fn answered_too_late(database: Database) -> Scenario {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 2s");
    let run = format!("run campaign.csv --endpoint {sim} --concurrency 3 --timeout 150ms --wait 0");
    s.campaign(3).mep(&run).exits(4);
    assert_eq!(s.states(), "3 unknown");
    s
}

/// Settles every row by what was answered, as the late outcome of an attempt that another run had judged.
fn settle_late(s: &Scenario) {
    for receipt in receipts_of(&s.path("receipts-0.ndjson")) {
        let id = receipt.accepted_as().expect("every request was accepted");
        let row = format!(
            "(SELECT invocation_id FROM content WHERE phone = {})",
            receipt.phone_number.as_deref().expect("a number")
        );
        s.execute(&format!(
            "UPDATE attempt SET judged = 1, late = 1, outcome = 'accepted', request_id = '{id}'
             WHERE invocation_id = {row};
             UPDATE invocation SET state = 'accepted', request_id = '{id}', finished_at = taken_at WHERE id = {row}"
        ));
    }
    s.execute(
        "DELETE FROM state_count; INSERT INTO state_count (batch_id, state, invocations)
         SELECT batch_id, state, count(*) FROM invocation GROUP BY batch_id, state",
    );
}

fn a_late_outcome_settles_its_row_and_nothing_else_does(database: Database) {
    let unknown = answered_too_late(database);
    let put_back = unknown.copy();
    put_back.mep("resolve campaign --all --as not-sent --reason asked --yes").exits(0);
    for s in [unknown, put_back] {
        settle_late(&s);
        assert_eq!(violations_of(&s, 3), "");
        let judged = s.copy();
        judged.execute("UPDATE attempt SET late = 0");
        assert!(violations_of(&judged, 3).starts_with("9:"), "{}", violations_of(&judged, 3));
    }
}
