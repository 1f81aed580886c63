//! A disk that takes no more: nothing more is sent, and what is known is kept until it can be stored or is told.

mod audit;
mod cluster;
mod scenario;

use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use scenario::{Running, Scenario, Simulator};

const ROWS: u32 = 3_000;
const CONCURRENCY: usize = 8;

/// A run of a batch that is large enough to be met in the middle. It lives on where it may write no more, as on a full
/// disk, because the signal that says so is ignored.
fn running(s: &Scenario, sim: &Simulator) -> Running {
    s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let program = s.command(&format!("run campaign --concurrency {CONCURRENCY}"));
    let mut command = Command::new("sh");
    command.arg("-c").arg("trap '' XFSZ; exec \"$0\" \"$@\"").arg(program.get_program()).args(program.get_args());
    command.current_dir(s.folder()).env("HOME", s.folder());
    let running = Running::start(&mut command, b"");
    sim.until_received(30);
    running
}

/// Sets the largest size of any file that the process writes; `None`: any.
fn limit_files(running: &Running, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(running.pid()).expect("a pid")).expect("a pid");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("its limits can be set");
}

#[test]
fn after_the_first_failed_commit_nothing_leaves_and_what_was_answered_is_stored_once_there_is_room() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 2ms..6ms");
    let running = running(&s, &sim);
    limit_files(&running, Some(1));
    running.until_it_says("Nothing more is sent");
    let received = sim.received();
    limit_files(&running, None);
    running.finish().exits(9).says("hint:");
    assert!(sim.received() <= received + CONCURRENCY, "{} after {received}", sim.received());
    s.audit_unknown(ROWS.into(), 0);
    s.mep("run campaign").exits(0);
    s.audit_unknown(ROWS.into(), 0);
}

#[test]
fn outcomes_that_come_after_the_store_is_well_again_are_stored_too() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 100ms..2500ms");
    let running = running(&s, &sim);
    limit_files(&running, Some(1));
    running.until_it_says("Nothing more is sent");
    limit_files(&running, None);
    running.finish().exits(9);
    s.audit_unknown(ROWS.into(), 0);
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE state = 'sending'"), ["0"]);
}

#[test]
fn what_cannot_be_stored_is_in_the_log_whole() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 2ms..6ms");
    let running = running(&s, &sim);
    limit_files(&running, Some(1));
    let done = running.finish().exits(9).says("could not be stored; each is in the log above");
    let logged: Vec<&str> =
        done.stderr.lines().filter(|line| line.contains("this outcome could not be stored")).collect();
    assert!((1..=CONCURRENCY).contains(&logged.len()), "{}", done.stderr);
    let stored = s.query("SELECT request_id FROM invocation WHERE request_id IS NOT NULL");
    for receipt in sim.receipts() {
        let id = receipt.request_id.expect("every request was accepted");
        let is_told = stored.contains(&id) || logged.iter().any(|line| line.contains(&id));
        assert!(is_told, "{id} is neither stored nor in the log");
    }
    assert_eq!(stored.len() + logged.len(), sim.received());
    let next = s.mep("run campaign --max-unknown 100").exits(4).says("a run died with");
    assert_eq!(
        s.query("SELECT count(*) FROM invocation WHERE state = 'unknown'"),
        [logged.len().to_string()],
        "{next:?}"
    );
    s.audit_unknown(ROWS.into(), CONCURRENCY);
}
