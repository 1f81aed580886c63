//! Files: what the program makes is its owner's alone whatever the umask, and nothing is written through a link.

mod audit;
mod cluster;
mod scenario;

use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use scenario::{Running, Scenario, campaign, environment, until};

/// An account that is neither root's nor, most likely, anybody's.
const STRANGER: u32 = 65_533;

fn main() -> ExitCode {
    let fact = |name: &str, fact: fn()| {
        Trial::test(name, move || {
            fact();
            Ok(())
        })
    };
    let is_root = rustix::process::geteuid().is_root();
    let trials = vec![
        fact(
            "what_is_made_is_the_owners_alone_whatever_the_umask",
            what_is_made_is_the_owners_alone_whatever_the_umask,
        ),
        fact("a_lock_that_is_a_link_is_refused", a_lock_that_is_a_link_is_refused),
        fact("a_log_of_the_database_that_is_a_link_is_refused", a_log_of_the_database_that_is_a_link_is_refused),
        fact("a_database_behind_a_dangling_link_is_not_made", a_database_behind_a_dangling_link_is_not_made),
        fact("an_export_takes_the_place_of_a_link", an_export_takes_the_place_of_a_link),
        fact("refused_rows_are_written_to_no_link", refused_rows_are_written_to_no_link),
        fact("receipts_go_through_a_link_of_ones_own", receipts_go_through_a_link_of_ones_own),
        // Only root can give a link away.
        fact("nothing_is_written_through_a_strangers_link", nothing_is_written_through_a_strangers_link)
            .with_ignored_flag(!is_root),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs the program where nothing is taken from the modes that it asks for.
fn without_umask(s: &Scenario, line: &str) -> Running {
    let command = s.command(line);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(s.folder()).env_clear().env("TMPDIR", s.path("tmp"));
    shell.envs(environment(&command));
    Running::start(&mut shell, b"")
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Asserts of everything in the folder but what was given that nobody else can do anything with it; how many there are.
#[track_caller]
fn are_the_owners(s: &Scenario, given: &[&str]) -> usize {
    let given: Vec<_> = given.iter().map(|name| s.path(name)).collect();
    let made: Vec<_> = s.files().into_keys().filter(|path| !given.contains(path)).collect();
    for path in &made {
        assert_eq!(mode(path), 0o600, "{}", path.display());
        let folder = path.parent().expect("a folder");
        if folder != s.folder() {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }
    made.len()
}

fn what_is_made_is_the_owners_alone_whatever_the_umask() {
    let s = Scenario::new();
    std::fs::create_dir(s.path("tmp")).expect("a folder");
    let rows = format!("{}0123456789ABCDEF,555,x\n", campaign(0..8));
    s.write("campaign.csv", rows);
    let given = ["campaign.csv", "mapping.toml", "man/mep-batch.1"];
    let does = |line: &str, code: i32| without_umask(&s, line).finish().exits(code);
    does("check campaign.csv --rejected rejected.csv", 3);
    does("check campaign.csv --rejected rejected.csv", 3); // the first is kept under another name
    assert_eq!(are_the_owners(&s, &given), 2);
    let served = without_umask(&s, "simulate --listen 127.0.0.1:0 --json --receipts receipts.ndjson --latency 100ms");
    let endpoint = endpoint_of(&served);
    let import = format!("import campaign.csv --endpoint {endpoint}");
    does(&format!("{import} --save-mapping mapping.toml"), 3);
    // Into folders that have yet to be made too.
    let mut shell = Command::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_mep-batch");
    let line = format!("umask 000; exec {program} {import} --db new/deeper/queue.db");
    shell.args(["-c", &line]).current_dir(s.folder()).env("HOME", s.folder()).env("TMPDIR", s.path("tmp"));
    Running::start(&mut shell, b"").finish().exits(3);
    assert_eq!((mode(&s.path("new")), mode(&s.path("new/deeper"))), (0o700, 0o700));
    // While it sends, the log of the database and its index are there.
    let running = without_umask(&s, "run campaign --concurrency 1");
    until("the log", || s.path("queue.db-wal").exists() && s.path("queue.db-shm").exists());
    until("a request", || s.path("receipts.ndjson").metadata().is_ok_and(|receipts| receipts.len() > 0));
    assert!(are_the_owners(&s, &given) >= 9, "{:?}", s.files().keys());
    running.finish().exits(3);
    does("export campaign -o out.csv", 0);
    does("export campaign --format json -o out.json", 0);
    does("export campaign --attempts --format ndjson -o out.ndjson", 0);
    does("doctor", 0);
    does("purge --older-than 0s --apply", 0);
    assert!(are_the_owners(&s, &given) >= 10, "{:?}", s.files().keys());
    assert_eq!(mode(&s.path("mapping.toml")), 0o644, "it names columns and nobody");
}

/// A batch of three people in a file.
fn imported() -> Scenario {
    let s = Scenario::new();
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    s.write("precious", "what is precious\n");
    s
}

fn a_lock_that_is_a_link_is_refused() {
    for (lock, line) in [
        ("queue.db.lock", "run campaign"),
        ("queue.db.lock", "status"),
        ("queue.db.lock", "purge --older-than 0s --apply"),
        ("queue.db.import-lock", "import campaign.csv --endpoint simulator --again"),
    ] {
        for target in ["precious", "missing"] {
            let s = imported();
            std::fs::remove_file(s.path(lock)).expect("a lock");
            symlink(target, s.path(lock)).expect("a link");
            let done = s.mep(line);
            assert_eq!(s.read("precious"), "what is precious\n", "{line}");
            assert!(!s.path("missing").exists(), "{line}");
            // Where no run was left open, who only looks needs no lock.
            if line != "status" {
                done.exits(9).says("it is a link").says(lock);
            }
            assert_eq!(s.states(), "3 pending");
        }
    }
}

fn a_log_of_the_database_that_is_a_link_is_refused() {
    for (log, line) in [("queue.db-wal", "run campaign"), ("queue.db-shm", "status"), ("queue.db-wal", "status")] {
        let s = imported();
        s.mep("status").exits(0); // folds the log into the file
        symlink("precious", s.path(log)).expect("a link");
        let done = s.mep(line);
        assert!(done.code == 9 && !done.stderr.contains("panicked"), "{}", done.output());
        assert_eq!(s.read("precious"), "what is precious\n", "{line}");
    }
}

fn a_database_behind_a_dangling_link_is_not_made() {
    let s = Scenario::new();
    symlink("elsewhere.db", s.path("queue.db")).expect("a link");
    for line in ["import campaign.csv --endpoint simulator", "run campaign.csv --endpoint simulator", "status"] {
        s.campaign(1).mep(line).exits(9);
        assert!(!s.path("elsewhere.db").exists(), "{line}");
    }
}

fn an_export_takes_the_place_of_a_link() {
    for target in ["precious", "missing"] {
        let s = imported();
        symlink(target, s.path("out.csv")).expect("a link");
        s.mep("export campaign -o out.csv").exits(0);
        let made = std::fs::symlink_metadata(s.path("out.csv")).expect("a file");
        assert!(made.is_file() && made.permissions().mode() & 0o777 == 0o600, "{made:?}");
        assert_eq!(s.read("precious"), "what is precious\n");
        assert!(!s.path("missing").exists());
    }
}

fn refused_rows_are_written_to_no_link() {
    let s = imported();
    s.write("bad.csv", "phoneNumber\n555\n");
    for target in ["precious", "missing", "bad.csv"] {
        symlink(target, s.path("rejected.csv")).expect("a link");
        let why = if target == "bad.csv" { "would be overwritten" } else { "something else is there" };
        s.mep("check bad.csv --rejected rejected.csv").exits(2).says(why);
        assert_eq!(
            (s.read("precious").as_str(), s.read("bad.csv").as_str()),
            ("what is precious\n", "phoneNumber\n555\n")
        );
        assert!(!s.path("missing").exists());
        std::fs::remove_file(s.path("rejected.csv")).expect("the link");
    }
}

/// A stand-in that writes its receipts to that file.
fn serves(receipts: &str) -> String {
    format!("simulate --listen 127.0.0.1:0 --json --receipts {receipts}")
}

/// Where it listens.
fn endpoint_of(served: &Running) -> String {
    let first: serde_json::Value = serde_json::from_str(&served.first_line()).expect("JSON");
    first["listening"].as_str().expect("where it listens").to_owned()
}

fn receipts_go_through_a_link_of_ones_own() {
    let s = Scenario::new();
    symlink("receipts.ndjson", s.path("link")).expect("a link");
    let served = s.start(&serves("link"));
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {}", endpoint_of(&served))).exits(0);
    assert_eq!(s.read("receipts.ndjson").lines().count(), 3);
    assert_eq!(mode(&s.path("receipts.ndjson")), 0o600);
}

/// A link that belongs to another user, where it is put by whoever may write into the folder.
fn strangers_link(s: &Scenario, target: &str, name: &str) {
    symlink(target, s.path(name)).expect("a link");
    lchown(s.path(name), Some(STRANGER), Some(STRANGER)).expect("root gives a link away");
    assert_eq!(std::fs::symlink_metadata(s.path(name)).expect("the link").uid(), STRANGER);
}

fn nothing_is_written_through_a_strangers_link() {
    let s = imported();
    for target in ["precious", "missing"] {
        strangers_link(&s, target, "receipts");
        s.mep(&serves("receipts")).exits(1).says("`receipts`");
        std::fs::remove_file(s.path("receipts")).expect("the link");
    }
    // To a device, into which an export of one's own is written and not beside it.
    let export = "export campaign -o out.csv";
    symlink("/dev/null", s.path("out.csv")).expect("a link");
    s.mep(export).exits(0);
    assert!(s.path("out.csv").is_symlink());
    std::fs::remove_file(s.path("out.csv")).expect("the link");
    strangers_link(&s, "/dev/null", "out.csv");
    s.mep(export).exits(0);
    assert_eq!((s.path("out.csv").is_symlink(), s.read("out.csv").lines().count()), (false, 4));
    assert_eq!(s.read("precious"), "what is precious\n");
    assert!(!s.path("missing").exists());
}
