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

use audit::{Audit, Input, receipts_of};
use cluster::Database;
use either::{On, facts};
use scenario::{SERVICE, Scenario, campaign, phone};

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
                a_repetition_that_the_receiver_gave_no_leave_for_is_told,
                a_row_that_was_decided_and_sent_again_is_judged_again,
                what_nothing_is_held_against_is_told,
                what_came_too_fast_or_at_a_wrong_hour_is_told,
                what_is_stored_and_was_not_in_the_file_is_told,
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
    let receipts = paths("MEP_BATCH_AUDIT_RECEIPTS");
    let files = paths("MEP_BATCH_AUDIT_FILES").unwrap_or_default();
    let files = files.iter().map(|file| Input::new(file, std::fs::read(file).expect("the file can be read"))).collect();
    let rows = std::env::var("MEP_BATCH_AUDIT_ROWS").ok().map(|rows| rows.parse().expect("a number of rows"));
    let audit = Audit { receipts, files, are_all_imported: true, rows, ..Audit::of(database) };
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

/// The files that a variable names, which have to be there; `None` where it names none.
fn paths(variable: &str) -> Option<Vec<PathBuf>> {
    let paths = std::env::var_os(variable).filter(|paths| !paths.is_empty())?;
    let paths: Vec<PathBuf> = std::env::split_paths::<OsString>(&paths).collect();
    for path in &paths {
        assert!(path.is_file(), "`{}` in {variable} is no file", path.display());
    }
    Some(paths)
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
    let receipts = Some(vec![s.path("receipts-0.ndjson"), s.path("receipts-1.ndjson")]);
    let (files, rows) = (s.inputs(), Some(6));
    let audit = Audit { receipts, files, rows, is_settled, unknown_max, ..Audit::of(s.address()) };
    audit.violations().join("\n")
}

/// What is wrong with a campaign of so many rows that one stand-in has received.
fn violations_of(s: &Scenario, rows: u64) -> String {
    let receipts = Some(vec![s.path("receipts-0.ndjson")]);
    let audit = Audit { receipts, files: s.inputs(), rows: Some(rows), ..Audit::of(s.address()) };
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
        ("UPDATE attempt SET outcome = 'retry' WHERE outcome = 'unknown'", "3:"),
        ("UPDATE attempt SET outcome = 'throttled' WHERE outcome = 'unknown'", "3:"),
        ("UPDATE attempt SET outcome = 'misconfigured' WHERE outcome = 'unknown'", "3:"),
        ("UPDATE attempt SET outcome = 'unreached' WHERE outcome = 'unknown'", "3:"),
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

/// Line 3 says what line 4 says, as after an import that has lost one row and stored the next twice.
const TWICE: &str = "DELETE FROM fingerprint WHERE invocation_id = 4294967299;
    UPDATE content SET phone = (SELECT phone FROM content WHERE invocation_id = 4294967300),
        body = (SELECT body FROM content WHERE invocation_id = 4294967300) WHERE invocation_id = 4294967299;
    INSERT INTO fingerprint (phone, request_hash, invocation_id) SELECT phone, request_hash, 4294967299
        FROM fingerprint WHERE invocation_id = 4294967300";

/// Line 3 stands at another line.
const ELSEWHERE: &str = "UPDATE invocation SET id = 4294967396, line = 100 WHERE id = 4294967299;
    UPDATE content SET invocation_id = 4294967396 WHERE invocation_id = 4294967299;
    UPDATE fingerprint SET invocation_id = 4294967396 WHERE invocation_id = 4294967299";

/// Five rows that can be sent and one that cannot, which nothing is wrong with, by a file of each kind.
fn what_is_stored_and_was_not_in_the_file_is_told(database: Database) {
    let rows = |format: fn(u32, &str) -> String| {
        (2..8)
            .map(|line| format(line, &if line == 5 { "1.25155E+10".to_owned() } else { phone(line) }))
            .collect::<String>()
    };
    let object = |line, number: &str| format!("{{\"phoneNumber\":\"{number}\",\"session.a\":\"{line}\"}}\n");
    for (name, content) in [
        ("campaign.csv", format!("phoneNumber,session.a\n{}", rows(|line, number| format!("+{number},{line}\n")))),
        ("campaign.csv", format!("session.a;phoneNumber\r\n{}", rows(|line, number| format!("{line};{number}.0\r\n")))),
        ("campaign.ndjson", format!("\n{}", rows(object))),
    ] {
        let s = Scenario::on(database);
        s.write(name, content.replace("1.25155E+10.0", "1.25155E+10"));
        s.mep(&format!("import {name} --service {SERVICE} --endpoint http://127.0.0.1:9")).exits(3);
        s.audit(6);
        for (sql, said) in [
            (TWICE, vec!["1: line 3 of `campaign` (pending) has another number than that line of"]),
            (ELSEWHERE, vec!["1: line 100 of `campaign` (pending) is not in", "1: line 3 of"]),
            ("UPDATE content SET cells = replace(cells, 'E+10', 'E+11') WHERE body IS NULL", vec!["1: line 5 of"]),
        ] {
            let damaged = s.copy();
            damaged.execute(sql);
            let found = violations_of(&damaged, 6);
            let is_told = |said: &&str| found.lines().any(|line| line.starts_with(said));
            assert!(found.lines().count() == said.len() && said.iter().all(is_told), "{name}: {sql}:\n{found}");
        }
        let audit = |files| Audit { files, ..Audit::of(s.address()) };
        assert_eq!(audit(vec![]).summary()[1], "6 rows were held against no file");
        let other = Input::new(&s.path(name), b"phoneNumber\n".to_vec());
        let found = Audit { are_all_imported: true, ..audit(vec![other]) }.violations();
        assert!(found[0].starts_with("1: `campaign` was made of another content than"), "{found:?}");
        assert!(found[1].starts_with("1: nothing was made of"), "{found:?}");
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

fn a_repetition_that_the_receiver_gave_no_leave_for_is_told(database: Database) {
    let quick = "--vendor-retry 1ms --retry-initial 1ms --probe-after 1ms";
    for (fault, status, flag, sql) in [
        (
            "1010",
            500,
            "",
            "UPDATE batch SET settings = replace(settings, '\"vendorRetryMs\":1,', '\"vendorRetryMs\":null,')",
        ),
        (
            "503",
            503,
            "--retry-503",
            "UPDATE batch SET settings = replace(settings, '\"retry503\":true', '\"retry503\":false')",
        ),
        ("429-bare", 429, "", ""),
    ] {
        let s = Scenario::on(database);
        let sim = s.simulate(&format!("--fault {fault}=40%"));
        s.campaign(6).mep(&format!("run campaign.csv --endpoint {sim} --concurrency 2 {quick} {flag}")).exits(0);
        assert!(sim.received() > 6, "nothing was repeated");
        s.audit(6);
        if !sql.is_empty() {
            let forbidden = s.copy();
            forbidden.execute(sql);
            assert!(violations_of(&forbidden, 6).starts_with("3:"), "{fault}: {}", violations_of(&forbidden, 6));
        }
        let receipts = s.read("receipts-0.ndjson");
        let (status, fault) = (format!("\"status\":{status}"), format!("\"fault\":\"{fault}\""));
        for other in ["\"status\":500", "\"status\":null", "\"status\":202"] {
            let unsaid = receipts.replace(&status, other).replace(&fault, "\"fault\":null");
            s.write("receipts-0.ndjson", unsaid);
            let found = violations_of(&s, 6);
            assert!(found.contains("3: request") && found.contains("3: attempt"), "{fault}: {other}: {found}");
        }
    }
}

fn a_row_that_was_decided_and_sent_again_is_judged_again(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault close=1");
    s.campaign(1).mep(&format!("run campaign.csv --endpoint {sim}")).exits(4);
    s.mep("resolve campaign --all --as not-sent --reason asked --yes").exits(0);
    let port = sim.to_string();
    drop(sim);
    let _sim = s.simulate_at(&port, "");
    s.mep("run campaign").exits(0);
    s.audit(1);
    s.execute(
        "UPDATE attempt SET request_id = NULL, outcome = 'failed' WHERE number = 2;
         UPDATE invocation SET request_id = NULL, state = 'failed', message = 'x'",
    );
    let files = || s.inputs();
    let receipts = ["receipts-0.ndjson", "receipts-1.ndjson"].map(|name| s.path(name));
    let found = |receipts: &[PathBuf]| {
        Audit { receipts: Some(receipts.to_vec()), files: files(), ..Audit::of(s.address()) }.violations().join("\n")
    };
    let all = found(&receipts);
    assert!(all.contains("5: request 1 was answered 202") && all.contains("5: attempt 2 of"), "{all}");
    // The first one never came: nobody knows that, and it explains nothing that came of the second.
    assert!(found(&receipts[1..]).contains("5: attempt 2 of"), "{}", found(&receipts[1..]));
}

fn what_nothing_is_held_against_is_told(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(6).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.write("inside.csv", campaign(6..10)).mep("run inside.csv --endpoint simulator").exits(0);
    let (receipts, files) = (Some(vec![s.path("receipts-0.ndjson")]), s.inputs());
    let all = Audit { receipts, files, ..Audit::of(s.address()) };
    assert_eq!(
        (all.violations(), all.summary()[1].as_str()),
        (vec![], "4 rows that were sent were held against no receipt")
    );
    let (is_well, told) = as_an_operator(&s, &[]);
    assert!(is_well && told.ends_with("\n0 violations\n"), "{told}");
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told[1], "10 rows were held against no file");
    assert!(told[2].starts_with("nobody said how many rows went in"), "{told:?}");
    assert_eq!(told[3], "10 rows that were sent were held against no receipt");
    s.write("other.csv", "phoneNumber\n");
    let files =
        [("MEP_BATCH_AUDIT_FILES", s.path("other.csv")), ("MEP_BATCH_AUDIT_RECEIPTS", s.path("receipts-0.ndjson"))];
    let (is_well, told) = as_an_operator(&s, &files);
    assert!(!is_well && told.contains("violation 1: nothing was made of `other.csv`\n1 violations"), "{told}");
}

/// What this very program tells who runs it on a queue, and whether it finds nothing.
fn as_an_operator(s: &Scenario, files: &[(&str, PathBuf)]) -> (bool, String) {
    let mut command = std::process::Command::new(std::env::current_exe().expect("a program"));
    command.env("MEP_BATCH_AUDIT_DB", s.address()).envs(files.iter().cloned());
    let done = command.output().expect("the program can be started");
    (done.status.success(), String::from_utf8(done.stdout).expect("text"))
}

fn what_came_too_fast_or_at_a_wrong_hour_is_told(database: Database) {
    let now = jiff::Timestamp::now();
    let hour = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).strftime("%H:00").to_string();
    let at = |hours: i64| (now + jiff::SignedDuration::from_hours(hours)).as_millisecond();
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let import =
        format!("import campaign.csv --endpoint {sim} --rate 1000 --window {}-{} --time-zone UTC", hour(-2), hour(3));
    s.campaign(20).mep(&import).exits(0);
    s.mep("run campaign").exits(0);
    s.audit(20);
    let changed = |from: &str, to: &str| {
        let s = s.copy();
        s.execute(&format!("UPDATE batch SET settings = replace(settings, '{from}', '{to}')"));
        violations_of(&s, 20)
    };
    let found = changed("\"rate\":1000.0", "\"rate\":1.0");
    assert_eq!(found, "14: 20 requests of `campaign` came within 10 s at 1 a second");
    let closed = format!("{}-{}", hour(2), hour(4));
    for (from, to) in [
        (format!("{}-{}", hour(-2), hour(3)), closed),
        ("\"timeZone\":\"UTC\"".to_owned(), "\"timeZone\":null".to_owned()),
        ("\"notBeforeMs\":null".to_owned(), format!("\"notBeforeMs\":{}", at(1))),
        ("\"notAfterMs\":null".to_owned(), format!("\"notAfterMs\":{}", at(-1))),
    ] {
        let found = changed(&from, &to);
        assert_eq!(found.lines().filter(|line| line.starts_with("14: ")).count(), 20, "{to}:\n{found}");
    }
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
