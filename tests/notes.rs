//! Notes of what was sent: where they cannot be written or read, are torn, or have no room.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use mep_batch::store::{Actor, Address, Store};
use scenario::sending::send_since;
use scenario::{Running, Scenario, campaign};

/// What a run of such a database says.
const OLDER: &str = "older than what was sent from it";

fn main() -> ExitCode {
    either::run(&[
        (On::Either, facts![what_cannot_be_noted_is_told_and_the_run_goes_on]),
        (
            On::Sqlite,
            facts![
                a_torn_note_of_a_run_that_is_known_says_nothing,
                a_torn_note_of_a_run_that_is_not_known_says_that_the_database_is_older,
                notes_that_cannot_be_read_are_not_taken_for_none,
                runs_that_have_nothing_to_send_leave_no_note,
                what_cannot_be_noted_is_not_resolved,
                lost_batches_for_which_a_note_has_no_room_are_named,
            ],
        ),
    ])
}

fn what_cannot_be_noted_is_told_and_the_run_goes_on(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.write("no-folder", "").campaign(9).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let limited = "run campaign --limit 3 --wait 0";
    let mut command = s.command(limited);
    Running::start(command.env("XDG_STATE_HOME", s.path("no-folder")), b"").finish().exits(5).says("cannot be noted");
    let mut command = s.command(limited);
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    Running::start(&mut command, b"").finish().exits(5).says("cannot be noted");
    s.mep("run campaign").exits(0);
    assert_eq!(sim.received(), 9);
    s.audit_unknown(9, 0);
}

/// The only note.
fn note_of(s: &Scenario) -> PathBuf {
    s.files().into_keys().find(|file| file.starts_with(s.path(".local"))).expect("a note")
}

fn a_torn_note_of_a_run_that_is_known_says_nothing(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(6).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign --limit 2 --wait 0").exits(5);
    let note = note_of(&s);
    std::fs::write(&note, vec![0; 100]).expect("a note");
    s.mep("run campaign").exits(0);
    assert!(!note.exists(), "it stays");
    s.audit_unknown(6, 0);
}

fn a_torn_note_of_a_run_that_is_not_known_says_that_the_database_is_older(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_since(&s, &sim, 20, 0, 5);
    let note = note_of(&s);
    std::fs::write(&note, vec![0; 100]).expect("a note");
    s.mep("run campaign").exits(9).says("at least 1 turn is missing");
    let told = s.mep("resolve --rolled-back --apply").exits(0);
    assert!(told.stdout.contains("Not all that was sent is noted here"), "{}", told.stdout);
    assert_eq!((s.states().as_str(), note.exists(), sim.received()), ("20 unknown", false, 5));
    s.mep("run campaign --max-unknown 20").exits(4);
}

fn notes_that_cannot_be_read_are_not_taken_for_none(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_since(&s, &sim, 20, 2, 5);
    s.write("other.csv", campaign(100..105));
    let (note, kept) = (note_of(&s), s.path("kept"));
    std::fs::rename(&note, &kept).expect("a note");
    // Not even root can follow it.
    symlink(&note, &note).expect("a link");
    for line in ["run", "run campaign", "import other.csv --endpoint simulator", "resolve --rolled-back --apply"] {
        s.mep(line).exits(9).says("cannot be read").says("hint:");
    }
    s.mep("status").exits(0).says("cannot be read");
    assert!(s.mep("doctor").exits(9).stdout.contains("cannot be read"));
    std::fs::rename(&kept, &note).expect("a note");
    s.mep("run campaign").exits(9).says(OLDER);
    assert_eq!((s.states().as_str(), sim.received()), ("2 accepted, 18 pending", 7));
}

fn runs_that_have_nothing_to_send_leave_no_note(database: Database) {
    let s = Scenario::on(database);
    let notes = || s.files().into_keys().filter(|file| file.starts_with(s.path(".local"))).count();
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    assert_eq!(notes(), 1);
    let backup = s.back_up();
    for _ in 0..3 {
        s.mep("run --wait 0").exits(0);
    }
    assert_eq!(notes(), 1);
    s.put_back(backup);
    s.write("more.csv", campaign(10..13));
    s.mep(&format!("run more.csv --endpoint {sim}")).exits(0);
    assert_eq!((notes(), sim.received()), (1, 6));
}

/// Under the name that the database is given where every pending row may have been sent nothing can be noted here.
fn what_cannot_be_noted_is_not_resolved(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_since(&s, &sim, 12, 0, 5);
    std::fs::write(note_of(&s), "").expect("a torn note");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&Address::File(s.database()), false).await.expect("a store");
        let notes = store.notes(&s.path(".local/state/mep-batch")).await.expect("the notes");
        let rollback = store.rollback(&notes).await.expect("an answer").expect("something is missing");
        let actor = Actor { who: "operator".to_owned(), host: "here".to_owned(), version: "1".to_owned() };
        let no_folder = s.path("campaign.csv");
        let resolved = store.resolve_rollback(&notes, &no_folder, &rollback, &actor, "lost").await;
        let error = resolved.expect_err("it cannot be noted").to_string();
        assert!(error.contains("nothing was changed"), "{error}");
        assert!(store.rollback(&notes).await.expect("an answer").is_some(), "it is forgotten");
        store.close().await;
    });
    assert_eq!(s.states(), "12 pending");
    s.mep("resolve --rolled-back --apply").exits(0);
    assert_eq!(s.states(), "12 unknown");
}

fn lost_batches_for_which_a_note_has_no_room_are_named(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(2).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    let backup = s.back_up();
    for batch in 1..=33 {
        s.write("more.csv", campaign(batch * 10..batch * 10 + 1));
        s.mep(&format!("import more.csv --endpoint {sim} --batch more-{batch}")).exits(0);
    }
    s.mep("run").exits(0);
    s.put_back(backup);
    let told = s.mep("resolve --rolled-back").exits(0);
    assert!(told.stdout.contains("nothing stops the import of: more-1\n"), "{}", told.stdout);
    assert!(
        told.stdout.contains("batch more-1 is lost") && told.stdout.contains("batch more-33 is lost"),
        "{}",
        told.stdout
    );
}
