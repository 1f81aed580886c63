//! What `doctor` finds, and that it changes nothing; on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use rustix::process::Signal;
use scenario::sending::send;
use scenario::{Done, Running, Scenario, campaign};
use serde_json::Value;

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                where_all_is_well_each_check_says_so,
                no_database_is_a_line_of_its_own_and_none_is_made,
                counts_that_have_drifted_are_found,
                what_is_not_noted_is_to_be_looked_at,
                what_contradicts_itself_is_found,
                what_belongs_to_no_row_is_found,
                a_password_that_others_can_read_is_found,
                a_clock_before_what_is_stored_is_found,
                a_run_that_lives_is_no_fault,
            ],
        ),
        (
            On::Sqlite,
            facts![
                nothing_is_changed,
                a_damaged_file_is_found,
                a_file_that_others_can_read_is_found,
                rows_that_a_dead_run_left_are_named,
            ],
        ),
    ])
}

/// The screen, with numbers that are any, and without what differs between machines.
fn shown(done: &Done) -> String {
    let differs =
        |line: &str| ["TLS", "time zones", "disk", "space"].iter().any(|name| line.contains(&format!("  {name} ")));
    let mut shown = String::new();
    for line in done.stdout.lines().filter(|line| !differs(line)) {
        let named = match (line.find('`'), line.rfind("`, ")) {
            (Some(start), Some(end)) => format!("{}`ADDRESS{}", &line[..start], &line[end..]),
            (_, _) => line.to_owned(),
        };
        for c in named.chars() {
            let is_of_number = c.is_ascii_digit() || ".,".contains(c);
            match c {
                _ if is_of_number && shown.ends_with('N') => {}
                '0'..='9' => shown.push('N'),
                c => shown.push(c),
            }
        }
        shown.push('\n');
    }
    shown
}

/// The verdict and the text of a check.
#[track_caller]
fn found(told: &Value, name: &str) -> (String, String) {
    let checks = told["checks"].as_array().expect("the checks");
    let check = checks.iter().find(|check| check["check"] == name).expect(name);
    let text = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("text"))
}

fn sent(database: Database) -> Scenario {
    let s = Scenario::on(database);
    let (_sim, done) = send(&s, "--fault 400=20%", 30, "");
    done.exits(3);
    s
}

fn where_all_is_well_each_check_says_so(database: Database) {
    let s = sent(database);
    let name = match database {
        Database::Sqlite => "all_is_well_in_a_file",
        Database::Postgres => "all_is_well_on_a_server",
    };
    let done = s.mep("doctor").exits(0);
    insta::assert_snapshot!(name, shown(&done));
    let told = s.mep("doctor --json").exits(0).json();
    assert!(told["checks"].as_array().is_some_and(|checks| checks.len() > 8), "{told}");
    assert_eq!(s.mep("-q doctor").exits(0).output(), "");
    s.mep("purge --older-than 0 --apply").exits(0);
    s.mep("doctor").exits(0);
}

fn no_database_is_a_line_of_its_own_and_none_is_made(database: Database) {
    let s = Scenario::on(database);
    let told = s.mep("doctor --json").exits(9).json();
    let (verdict, text) = found(&told, "database");
    assert_eq!((verdict.as_str(), told["exitCode"].as_i64()), ("error", Some(9)));
    assert!(text.contains("there is no queue at"), "{text}");
    assert!(database == Database::Postgres || text.contains(&s.address()), "{text}");
    assert_eq!(found(&told, "credentials").0, "ok");
    assert_eq!(s.files().len(), 0);
}

fn what_is_not_noted_is_to_be_looked_at(database: Database) {
    let s = Scenario::on(database);
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    let told = |state: &str| {
        let done = Running::start(s.command("doctor --json").env("XDG_STATE_HOME", s.path(state)), b"").finish();
        found(&done.exits(0).json(), "notes")
    };
    assert_eq!(told("state"), ("ok".to_owned(), "nothing was sent from it yet".to_owned()));
    s.mep("run").exits(0);
    let (verdict, text) = told("another-state");
    assert!(verdict == "warning" && text.contains("has no note"), "{text}");
    s.write("no-folder", "");
    let (verdict, text) = told("no-folder");
    assert!(verdict == "warning" && text.contains("cannot be noted"), "{text}");
    assert!(!s.path("another-state").exists(), "a folder was made");
}

fn counts_that_have_drifted_are_found(database: Database) {
    let s = sent(database);
    s.execute("UPDATE state_count SET invocations = invocations + 1 WHERE state = 'accepted'");
    let told = s.mep("doctor --json").exits(9).json();
    let (verdict, text) = found(&told, "counts");
    assert!(verdict == "error" && text.ends_with("disagree in: campaign"), "{text}");
    s.execute("UPDATE state_count SET invocations = invocations - 1 WHERE state = 'accepted'");
    s.execute("UPDATE batch SET row_count = row_count + 1");
    s.mep("doctor").exits(9);
}

fn what_contradicts_itself_is_found(database: Database) {
    let s = sent(database);
    s.execute("DELETE FROM attempt WHERE invocation_id = (SELECT MIN(id) FROM invocation)");
    s.execute("DELETE FROM fingerprint WHERE invocation_id = (SELECT MAX(id) FROM invocation)");
    let (verdict, text) = found(&s.mep("doctor --json").exits(9).json(), "rows");
    assert_eq!(verdict, "error");
    let faults = "1 row whose last attempt is not recorded\n1 row that later imports would not find by their number";
    assert_eq!(text, faults);
    assert!(s.mep("doctor").exits(9).stdout.contains("fix: send nothing from it"));
}

fn what_belongs_to_no_row_is_found(database: Database) {
    let s = sent(database);
    s.execute("INSERT INTO content (invocation_id, cells) VALUES (1, '[]')");
    let of_rows = |s: &Scenario| found(&s.mep("doctor --json").exits(9).json(), "rows").1;
    assert_eq!(of_rows(&s), "1 row of which only a content is left");
    // A file refuses these itself.
    if database == Database::Postgres {
        s.execute(
            "INSERT INTO attempt (invocation_id, number, run_id, taken_at, finished_at, outcome)
             VALUES (1, 1, 77, 1, 1, 'accepted'), (1, 2, 77, 1, 1, 'accepted')",
        );
        let (attempts, run) = ("1 row of which only attempts are left", "1 row taken by a run that is not there");
        assert_eq!(of_rows(&s), format!("1 row of which only a content is left\n{attempts}\n{run}"));
    }
}

fn a_password_that_others_can_read_is_found(database: Database) {
    let s = sent(database);
    s.write("password", "secret\n");
    std::fs::set_permissions(s.path("password"), PermissionsExt::from_mode(0o644)).expect("one's own file");
    let doctor = "doctor --account me --password-file password";
    let done = s.mep(doctor).exits(2);
    assert!(done.stdout.contains("fix: chmod 600 password") && !done.output().contains("secret"), "{}", done.output());
    // What is broken tells more than what is set wrong.
    s.execute("UPDATE batch SET row_count = row_count + 1");
    s.mep(doctor).exits(9);
    s.execute("UPDATE batch SET row_count = row_count - 1");
    std::fs::set_permissions(s.path("password"), PermissionsExt::from_mode(0o600)).expect("one's own file");
    let told = s.mep(&format!("{doctor} --json")).exits(0).json();
    assert_eq!(found(&told, "credentials").0, "ok");
    assert_eq!(found(&s.mep("doctor --json --account me").exits(0).json(), "credentials").0, "warning");
}

fn a_clock_before_what_is_stored_is_found(database: Database) {
    let s = sent(database);
    s.execute("UPDATE action SET at = at + 3600000");
    let (verdict, text) = found(&s.mep("doctor --json").exits(2).json(), "times");
    assert!(verdict == "error" && text.contains("before what was stored at"), "{text}");
}

fn a_run_that_lives_is_no_fault(database: Database) {
    let s = sent(database);
    let sim = s.simulate("--latency 50ms");
    s.write("more.csv", campaign(100..2_000));
    let running = s.start(&format!("run more.csv --endpoint {sim} --concurrency 4"));
    sim.until_received(4);
    let told = s.mep("doctor --json").exits(0).json();
    let (name, said) = match database {
        Database::Sqlite => ("lock", "held by pid"),
        Database::Postgres => ("runs", "1 run alive, 0 silent"),
    };
    let (verdict, text) = found(&told, name);
    assert!(verdict == "ok" && text.starts_with(said), "{text}");
    running.send(Signal::INT);
    running.finish().exits(130);
}

fn nothing_is_changed(database: Database) {
    let s = sent(database);
    let before = s.files();
    s.mep("doctor").exits(0);
    assert!(s.files() == before, "a file was changed, made or deleted");
}

fn a_damaged_file_is_found(database: Database) {
    const PAGE: usize = 4096;
    let s = Scenario::on(database);
    let (_sim, done) = send(&s, "", 400, "--concurrency 32");
    done.exits(0);
    let mut bytes = std::fs::read(s.database()).expect("the database");
    let middle = bytes.len() / PAGE / 2 * PAGE;
    bytes[middle..middle + 3 * PAGE].fill(0x5a);
    std::fs::write(s.database(), bytes).expect("one's own file");
    let told = s.mep("doctor --json").exits(9).json();
    assert_eq!(found(&told, "integrity").0, "error");
}

fn a_file_that_others_can_read_is_found(database: Database) {
    let s = sent(database);
    std::fs::set_permissions(s.database(), PermissionsExt::from_mode(0o644)).expect("one's own file");
    let told = s.mep("doctor --json").exits(0).json();
    assert_eq!(found(&told, "file").0, "warning");
}

fn rows_that_a_dead_run_left_are_named(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault timeout=1");
    let running = s.campaign(10).start(&format!("run campaign.csv --endpoint {sim} --concurrency 3"));
    sim.until_received(3);
    running.kill();
    let (verdict, text) = found(&s.mep("doctor --json").exits(0).json(), "lock");
    assert_eq!((verdict.as_str(), text.as_str()), ("warning", "free; a run died with 3 rows in flight"));
}
