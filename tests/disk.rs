//! A database that cannot be written any more: nothing more is sent, and what is known is kept until it can be stored or is told.

mod audit;
mod cluster;
mod rounds;
mod scenario;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use rounds::rounds;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use scenario::{Done, Running, Scenario, Simulator, environment};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::runtime::Runtime;

const ROWS: u32 = 1_500;
const CONCURRENCY: usize = 8;
const UNSTORED: &str = "this outcome could not be stored";

/// A run of a batch that is large enough to be met in the middle. It lives on where it may write no more, as on a full
/// disk, because the signal that says so is ignored.
fn running(s: &Scenario, sim: &Simulator) -> Running {
    s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    start(s, sim, 30)
}

/// Starts a run of the batch, and waits until so many requests have come.
fn start(s: &Scenario, sim: &Simulator, received: usize) -> Running {
    let program = s.command(&format!("run campaign --concurrency {CONCURRENCY}"));
    let mut command = Command::new("sh");
    command.arg("-c").arg("trap '' XFSZ; exec \"$0\" \"$@\"").arg(program.get_program()).args(program.get_args());
    command.current_dir(s.folder()).envs(environment(&program));
    let running = Running::start(&mut command, b"");
    sim.until_received(received);
    running
}

/// Sets the largest size of any file that the process writes; `None`: any.
fn limit_files(running: &Running, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(running.pid()).expect("a pid")).expect("a pid");
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("its limits can be set");
}

fn logged(done: &Done) -> Vec<&str> {
    done.stderr.lines().filter(|line| line.contains(UNSTORED)).collect()
}

/// Asserts that each request's answer is stored in that queue, or is in the log with its line and ID; and none in both.
#[track_caller]
fn all_is_stored_or_told(s: &Scenario, sim: &Simulator, done: &Done) {
    let stored = s.query("SELECT request_id FROM invocation WHERE request_id IS NOT NULL");
    let told = |id: &str| logged(done).iter().any(|line| line.contains(id) && line.contains(" line="));
    for receipt in sim.receipts() {
        let id = receipt.request_id.expect("every request was accepted");
        let is_stored = stored.contains(&id);
        assert!(
            is_stored != told(&id),
            "{id} is in the queue: {is_stored}, in the log: {}\n{}",
            !is_stored,
            done.stderr
        );
    }
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
    let logged = logged(&done).len();
    assert!((1..=CONCURRENCY).contains(&logged), "{}", done.stderr);
    all_is_stored_or_told(&s, &sim, &done);
    let next = s.mep("run campaign --max-unknown 100").exits(4).says("a run died with");
    let unknown = s.query("SELECT count(*) FROM invocation WHERE state = 'unknown'");
    assert_eq!(unknown, [logged.to_string()], "{next:?}");
    s.audit_unknown(ROWS.into(), CONCURRENCY);
}

/// What somebody does to the files of a database while a run has it open, and what is there afterwards.
const ACTS: [(&str, fn(&Scenario)); 8] = [
    ("databases deleted", |s| fs::remove_file(s.database()).expect("deleted")),
    ("databases moved away", |s| fs::rename(s.database(), s.path("away.db")).expect("moved")),
    ("databases replaced by a copy", |s| fs::rename(s.path("copy.db"), s.database()).expect("replaced")),
    ("databases replaced by another", |s| fs::rename(s.path("other.db"), s.database()).expect("replaced")),
    ("locks deleted", |s| fs::remove_file(s.path("queue.db.lock")).expect("deleted")),
    ("locks replaced", |s| fs::rename(s.path("other.lock"), s.path("queue.db.lock")).expect("replaced")),
    ("logs deleted", |s| fs::remove_file(s.path("queue.db-wal")).expect("deleted")),
    ("indexes of the log moved away", |s| fs::rename(s.path("queue.db-shm"), s.path("away.shm")).expect("moved")),
];

/// The acts after which the database's path leads elsewhere.
const OF_THE_DATABASE: usize = 4;

#[test]
fn whatever_somebody_does_to_its_files_a_run_sends_nothing_more_and_tells_all_that_it_knows() {
    rounds("files", 1, |rng, figures| {
        for (place, (what, act)) in ACTS.iter().enumerate() {
            let alike = done_to_its_files(rng, *act, place < OF_THE_DATABASE);
            figures.count(what, 1);
            figures.count("outcomes in the log alone", alike);
        }
    });
}

/// Does it at some moment of a run; how many outcomes were in the log alone.
fn done_to_its_files(rng: &mut Rng, act: fn(&Scenario), is_database: bool) -> usize {
    const FEW: u32 = 1_500;
    let s = Scenario::new();
    let sim = s.simulate("--latency 2ms..6ms");
    s.campaign(FEW).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    fs::copy(s.database(), s.path("copy.db")).expect("a copy");
    fs::copy(s.path("queue.db.lock"), s.path("other.lock")).expect("a copy");
    another_programs(&s.path("other.db"));
    let running = start(&s, &sim, rng.usize(5..150));
    // A second name, under which the files are found once they have lost the first.
    fs::create_dir(s.path("kept")).expect("a folder");
    for name in ["queue.db", "queue.db-wal"] {
        fs::hard_link(s.path(name), s.path("kept").join(name)).expect("a link");
    }
    act(&s);
    let instead = fs::read(s.database()).ok().filter(|_| is_database);
    running.until_it_says("hint:");
    let received = sim.received();
    let done = running.finish().exits(9);
    assert!(sim.received() <= received + CONCURRENCY, "{} after {received}\n{}", sim.received(), done.stderr);
    if is_database {
        assert_eq!(fs::read(s.database()).ok(), instead, "what is there instead was touched");
        for name in ["queue.db", "queue.db-wal", "queue.db-shm"] {
            let _ = fs::remove_file(s.path(name)); // it may not be there
        }
        for name in ["queue.db", "queue.db-wal"] {
            fs::rename(s.path("kept").join(name), s.path(name)).expect("put back");
        }
    }
    all_is_stored_or_told(&s, &sim, &done);
    let logged = logged(&done).len();
    let code = s.mep(&format!("run campaign --max-unknown {FEW}")).code;
    assert_eq!(code, if logged == 0 { 0 } else { 4 });
    s.audit_unknown(FEW.into(), CONCURRENCY);
    logged
}

fn another_programs(path: &Path) {
    let mut other = Others::open(path);
    other.does("CREATE TABLE theirs (id INTEGER PRIMARY KEY); INSERT INTO theirs VALUES (1)");
}

/// A connection of another program.
struct Others(Runtime, SqliteConnection);

impl Others {
    fn open(path: &Path) -> Others {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let connection = runtime.block_on(SqliteConnection::connect_with(&options)).expect("a connection");
        Others(runtime, connection)
    }

    fn does(&mut self, sql: &'static str) {
        let Others(runtime, connection) = self;
        runtime.block_on(sqlx::raw_sql(sql).execute(connection)).expect("done");
    }
}

/// A run from which another program has taken the database, and how many requests had come by then.
fn locked_out(s: &Scenario, sim: &Simulator) -> (Running, Others, usize) {
    let running = running(s, sim);
    let mut other = Others::open(&s.database());
    other.does("BEGIN EXCLUSIVE");
    (running, other, sim.received())
}

#[test]
fn another_programs_lock_is_told_of_and_waited_for() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 2ms..6ms");
    let (running, mut other, received) = locked_out(&s, &sim);
    running.until_it_says("nothing is sent: another process's transaction is waited for");
    running.until_it_says("hint: another process has held it for a long time");
    assert!(sim.received() <= received + CONCURRENCY, "{} after {received}", sim.received());
    other.does("ROLLBACK");
    running.finish().exits(0);
    s.audit_unknown(ROWS.into(), 0);
}

#[test]
fn who_has_no_patience_with_another_programs_lock_finds_what_was_answered_in_the_log() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 2ms..6ms");
    let (running, mut other, received) = locked_out(&s, &sim);
    running.send(Signal::INT);
    running.until_it_says("no more is taken");
    running.send(Signal::INT);
    let done = running.finish().exits(9).says("hint: another process has held it for a long time");
    assert!(sim.received() <= received + CONCURRENCY, "{} after {received}", sim.received());
    other.does("ROLLBACK");
    let logged = logged(&done).len();
    assert!((1..=CONCURRENCY).contains(&logged), "{}", done.stderr);
    s.mep("run campaign --max-unknown 100").exits(4);
    s.audit_unknown(ROWS.into(), CONCURRENCY);
}

/// The files and folders that may not be written to, and how the program says so.
const READ_ONLY: [(&str, u32, u32); 3] =
    [("its folder", 0o600, 0o500), ("its files", 0o400, 0o700), ("both", 0o400, 0o500)];

#[test]
fn a_database_that_may_only_be_read_sends_nothing_and_goes_on_once_it_may_be_written() {
    for (what, files, folder) in READ_ONLY {
        let s = Scenario::new();
        let sim = s.simulate("");
        s.campaign(20).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
        let account = Account::of(&s);
        account.may(&s, files, folder);
        let done = account.mep(&s, "run campaign").exits(9).says("hint:");
        assert_eq!(sim.received(), 0, "{what}: {}", done.stderr);
        account.may(&s, 0o600, 0o700);
        account.mep(&s, "run campaign").exits(0);
        s.audit_unknown(20, 0);
    }
}

/// Somebody whom the system lets write only where he may: not root.
struct Account {
    program: std::path::PathBuf,
    other: Option<u32>,
}

impl Account {
    /// Gives the scenario's files away, where this process is root's.
    fn of(s: &Scenario) -> Account {
        const NOBODY: u32 = 65_534;
        let other = rustix::process::geteuid().is_root().then_some(NOBODY);
        // Root's own folders may be closed to others.
        let program = s.path("mep-batch");
        if fs::hard_link(env!("CARGO_BIN_EXE_mep-batch"), &program).is_err() {
            fs::copy(env!("CARGO_BIN_EXE_mep-batch"), &program).expect("a copy");
        }
        Account { program, other }
    }

    fn mep(&self, s: &Scenario, line: &str) -> Done {
        let mut command = Command::new(&self.program);
        let usual = s.command(line);
        command.args(usual.get_args()).current_dir(s.folder()).env_clear();
        command.envs(environment(&usual));
        if let Some(other) = self.other {
            command.uid(other).gid(other);
        }
        Running::start(&mut command, b"").finish()
    }

    /// Sets what may be done with the database's files, and with their folder.
    fn may(&self, s: &Scenario, files: u32, folder: u32) {
        for entry in fs::read_dir(s.folder()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_of_database = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("queue.db"));
            if is_of_database {
                fs::set_permissions(&path, PermissionsExt::from_mode(files)).expect("one's own file");
                chown(&path, self.other, self.other).expect("root gives a file away");
            }
        }
        fs::set_permissions(s.folder(), PermissionsExt::from_mode(folder)).expect("one's own folder");
        chown(s.folder(), self.other, self.other).expect("root gives a folder away");
    }
}
