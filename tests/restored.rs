//! A backup that is put back, and a copy that is run beside the original: nothing is sent from what does not know what was sent.

mod audit;
mod cluster;
mod either;
mod rounds;
mod scenario;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use rounds::rounds;
use scenario::sending::{send_behind_a_backup, send_since};
use scenario::{Running, Scenario, Simulator, campaign, until};

/// What a run of such a database says.
const OLDER: &str = "older than what was sent from it";

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                a_backup_that_is_put_back_sends_nothing_before_it_is_resolved,
                a_copy_that_is_run_is_found_and_so_is_the_original_after_it,
                a_batch_that_is_lost_is_named_and_its_file_is_not_imported_again,
                a_backup_from_before_the_first_run_is_found,
            ],
        ),
        (
            On::Sqlite,
            facts![
                a_killed_run_and_a_backup_put_back_text_nobody_twice_and_no_honest_file_is_doubted,
                rows_behind_the_last_that_was_taken_stay_pending,
                where_another_user_has_sent_every_pending_row_may_have_been_sent,
                without_a_note_a_backup_is_as_good_as_any_database,
                a_copy_that_has_looked_before_the_original_sent_sends_nothing,
                of_two_that_begin_at_once_one_sends_at_most,
            ],
        ),
        (On::Postgres, facts![runs_that_go_on_side_by_side_are_not_behind_each_others_notes]),
    ])
}

/// How many requests each person got.
fn receipts_by_person(sim: &Simulator) -> BTreeMap<String, usize> {
    let mut receipts = BTreeMap::new();
    for receipt in sim.receipts() {
        *receipts.entry(receipt.phone_number.unwrap_or_default()).or_default() += 1;
    }
    receipts
}

fn nobody_was_texted_twice(sim: &Simulator) {
    let twice: Vec<_> = receipts_by_person(sim).into_iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn is_shared(database: Database) -> bool {
    matches!(database, Database::Postgres)
}

fn a_backup_that_is_put_back_sends_nothing_before_it_is_resolved(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_since(&s, &sim, 60, 10, 20);
    s.write("other.csv", campaign(100..105));
    for line in ["run campaign", "run", "run other.csv --endpoint simulator", "import other.csv --endpoint simulator"] {
        s.mep(line).exits(9).says(OLDER).says("missing").says("--rolled-back");
    }
    let told = s.mep("status").exits(0).says(OLDER).says("mep-batch resolve --rolled-back");
    assert!(!told.stdout.contains("mep-batch run campaign"), "{}", told.stdout);
    s.mep("status --exit-code").exits(9);
    let lacks = s.mep("status campaign --json").exits(0).json();
    assert!(lacks["lacks"].as_str().is_some_and(|lacks| lacks.contains(OLDER)), "{lacks}");
    s.mep("run campaign --dry-run").exits(0).says(OLDER);
    let doctor = s.mep("doctor").exits(9);
    assert!(doctor.stdout.contains("notes") && doctor.stdout.contains("missing"), "{}", doctor.stdout);
    assert_eq!((s.states().as_str(), sim.received()), ("10 accepted, 50 pending", 30));

    let doubtful = if is_shared(database) { 50 } else { 20 };
    let told = s.mep("resolve --rolled-back --json").exits(0).json();
    assert_eq!((&told["applied"], &told["batches"][0]["rows"]), (&false.into(), &doubtful.into()), "{told}");
    assert!(told["missingTurns"].as_i64() > Some(0), "{told}");
    assert_eq!(s.states(), "10 accepted, 50 pending");
    s.mep_args(&["resolve", "--rolled-back", "--apply", "--reason", "the disk broke"]).exits(0);
    let left = 50 - doubtful;
    let states = if left > 0 {
        format!("10 accepted, {left} pending, {doubtful} unknown")
    } else {
        "10 accepted, 50 unknown".into()
    };
    assert_eq!(s.states(), states);
    s.audit_unsettled(60);
    let acts = "SELECT kind || ' ' || reason || ' ' || CAST((SELECT count(*) FROM action_row WHERE action_id = action.id) AS TEXT)
        FROM action WHERE kind = 'rolled-back'";
    assert_eq!(s.query(acts), [format!("rolled-back the disk broke {doubtful}")]);
    s.mep("doctor").exits(0);
    let nothing = s.mep("resolve --rolled-back").exits(0);
    assert!(nothing.stdout.contains("nothing is missing"), "{}", nothing.stdout);

    s.mep("run campaign --max-unknown 100").exits(4);
    assert_eq!(s.states(), format!("{} accepted, {doubtful} unknown", 60 - doubtful));
    nobody_was_texted_twice(&sim);
    s.audit_unknown(60, doubtful);
    let list = s.mep("resolve campaign").exits(0).stdout;
    assert!(list.contains("+ or at any time until") && !list.contains("the process that sent it died"), "{list}");
    let line = s.query("SELECT line FROM invocation WHERE state = 'unknown' ORDER BY line").remove(0);
    let shown = s.mep(&format!("show campaign {line}")).exits(0).stdout;
    assert!(shown.contains(", or never"), "{shown}");
    s.mep_args(&["resolve", "campaign", "--all", "--as", "accepted", "--reason", "the vendor's report"]).exits(0);
    s.mep("run campaign").exits(0);
    nobody_was_texted_twice(&sim);
}

fn a_copy_that_is_run_is_found_and_so_is_the_original_after_it(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign --limit 10 --wait 0").exits(5);
    let copy = s.back_up();
    s.mep("run campaign --limit 10 --wait 0").exits(5);
    copy.mep(&s, "run campaign").exits(9).says(OLDER);
    assert_eq!(sim.received(), 20);
    copy.mep(&s, "resolve --rolled-back --apply").exits(0);
    copy.mep(&s, "run campaign --limit 10 --wait 0 --max-unknown 100").exits(4);
    // On a server nothing is pending by now.
    assert_eq!(sim.received(), if is_shared(database) { 20 } else { 30 });
    s.mep("run campaign").exits(9).says(OLDER);
    s.mep("resolve --rolled-back --apply").exits(0);
    // On a server both have nothing pending by now, and go by other names.
    let found = if is_shared(database) { 4 } else { 9 };
    copy.mep(&s, "run campaign --max-unknown 100").exits(found);
    s.mep("run campaign --max-unknown 100").exits(4);
    copy.mep(&s, "run campaign --max-unknown 100").exits(found);
    nobody_was_texted_twice(&sim);
}

fn a_batch_that_is_lost_is_named_and_its_file_is_not_imported_again(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(5).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    let backup = s.back_up();
    s.write("night.csv", campaign(50..60));
    s.mep(&format!("run night.csv --endpoint {sim}")).exits(0);
    s.put_back(backup);
    s.mep(&format!("run night.csv --endpoint {sim}")).exits(9).says(OLDER);
    let told = s.mep("resolve --rolled-back").exits(0);
    assert!(told.stdout.contains("batch night is lost"), "{}", told.stdout);
    // On a server others may have come further.
    let sent = if is_shared(database) {
        "any row of its file may have been sent"
    } else {
        "no row behind line 11 of its file was sent"
    };
    assert!(told.stdout.contains(sent), "{}", told.stdout);
    assert!(told.stdout.contains("but no `retry` and no `resolve`"), "{}", told.stdout);
    assert_eq!(told.stdout.contains("if anybody else may have sent since"), !is_shared(database), "{}", told.stdout);
    s.mep("resolve --rolled-back --apply").exits(0);
    for line in ["run", "import"] {
        let refused = s.mep(&format!("{line} night.csv --endpoint {sim}")).exits(7);
        assert!(refused.output().contains("batch `night`, which this database has lost"), "{}", refused.output());
        assert!(refused.output().contains(sent) && refused.output().contains("ask the vendor"), "{}", refused.output());
    }
    // What is known outlives the next run's note.
    s.write("more.csv", campaign(70..75));
    s.mep(&format!("run more.csv --endpoint {sim}")).exits(0);
    s.mep(&format!("import night.csv --endpoint {sim}")).exits(7);
    assert_eq!(sim.received(), 20);
    nobody_was_texted_twice(&sim);
    s.mep(&format!("import night.csv --endpoint {sim} --again")).exits(0);
}

fn a_backup_from_before_the_first_run_is_found(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_behind_a_backup(&s, &sim, 8);
    s.mep("run campaign").exits(9).says(OLDER);
    s.mep("resolve --rolled-back --apply").exits(0);
    assert_eq!(s.states(), "8 unknown");
    s.mep("run campaign").exits(4);
    assert_eq!(sim.received(), 8);
    s.audit_unknown(8, 8);
}

/// What a kill leaves of a file is as far as its notes; what a backup lacks, wherever the run was killed and whether one lived as
/// it was made, is sent to nobody: but for what was sent in the last quarter of a second before a kill.
fn a_killed_run_and_a_backup_put_back_text_nobody_twice_and_no_honest_file_is_doubted(database: Database) {
    const ROWS: u32 = 400;
    const RUN: &str = "run campaign --concurrency 8 --max-unknown 400";
    const TURNS: &str = "SELECT CAST(SUM(turn) AS TEXT) FROM run";
    rounds("restored", 6, |rng, figures| {
        let s = Scenario::on(database);
        // Where rows are taken fast a note is written less often.
        let sim = s.simulate(if rng.bool() { "--latency 1ms..5ms" } else { "--latency 5ms..30ms" });
        s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
        let mut backup = s.back_up();
        for _ in 0..rng.usize(1..4) {
            let run = s.start(RUN);
            sim.until_received((sim.received() + rng.usize(0..120)).min(ROWS as usize - 40));
            run.kill();
            let status = s.mep("status campaign").exits(0);
            assert!(!status.stderr.contains(OLDER), "{}", status.stderr);
            figures.count("kills", 1);
            if rng.bool() {
                backup = s.back_up();
            }
        }
        let run = s.start(RUN);
        let more = |most: usize| (sim.received() + most).min(ROWS as usize - 20);
        let is_live = rng.bool();
        if is_live {
            sim.until_received(more(rng.usize(1..60)));
            backup = s.back_up();
        }
        sim.until_received(more(rng.usize(1..200)));
        run.kill();
        let (noted, taken, turns) = (last_noted(&s), taken(&s), s.query(TURNS));
        s.put_back(backup);
        let sent = sim.received();
        figures.count("rows", ROWS as usize);
        let is_found = s.mep("status campaign").exits(0).stderr.contains(OLDER);
        if !is_found {
            let known = self::taken(&s);
            let late: Vec<_> = taken.iter().filter(|(row, _)| !known.contains_key(*row)).collect();
            let is_within = |at: &i64| (noted..=noted + LAG_MS).contains(at);
            assert!(is_live && late.iter().all(|(_, at)| is_within(at)), "noted at {noted}, and taken since: {late:?}");
            figures.count(
                "backups of a live run, not found, with rows of its last quarter of a second",
                usize::from(!late.is_empty()),
            );
            return;
        }
        assert_ne!(s.query(TURNS), turns, "nothing is missing");
        figures.count("backups of a live run, found", usize::from(is_live));
        s.mep("run campaign").exits(9).says(OLDER);
        assert_eq!(sim.received(), sent);
        s.mep("resolve --rolled-back --apply").exits(0);
        s.mep("run campaign --max-unknown 400").exits(4);
        nobody_was_texted_twice(&sim);
        s.audit(ROWS.into());
        let unknown = s.query("SELECT CAST(count(*) AS TEXT) FROM invocation WHERE state = 'unknown'");
        figures.count("rows unknown in the end", unknown[0].parse().expect("a number"));
    });
}

/// A turn that comes so long after the last note is noted before what it has taken is sent; and what a file's time is short of.
const LAG_MS: i64 = 250 + 20;

/// When something was noted last.
fn last_noted(s: &Scenario) -> i64 {
    let notes = s.files().into_keys().filter(|file| file.starts_with(s.path(".local")));
    let at = notes
        .map(|file| std::fs::metadata(file).expect("a note"))
        .map(|note| note.mtime() * 1_000 + note.mtime_nsec() / 1_000_000);
    at.max().expect("a note")
}

/// When each row was taken last that was taken at all.
fn taken(s: &Scenario) -> BTreeMap<String, i64> {
    let rows = s.query("SELECT line || ' ' || taken_at FROM invocation WHERE state <> 'pending'");
    let read = |row: String| row.split_once(' ').map(|(line, at)| (line.to_owned(), at.parse().expect("a time")));
    rows.into_iter().filter_map(read).collect()
}

fn rows_behind_the_last_that_was_taken_stay_pending(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_since(&s, &sim, 60, 10, 7);
    let told = s.mep("resolve --rolled-back --apply --json").exits(0).json();
    // The header is line 1.
    let batch = serde_json::json!({ "batch": "campaign", "rows": 7, "upToLine": 18, "left": 43 });
    assert_eq!((&told["batches"][0], &told["atLeast"]), (&batch, &false.into()));
    let lines = "SELECT min(line) || '-' || max(line) FROM invocation WHERE state = 'unknown'";
    assert_eq!(s.query(lines), ["12-18"]);
}

fn where_another_user_has_sent_every_pending_row_may_have_been_sent(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let backup = s.back_up();
    s.mep("run campaign --limit 5 --wait 0").exits(5);
    let mut command = s.command("run campaign --limit 20 --wait 0");
    Running::start(command.env("XDG_STATE_HOME", s.path("another-user")), b"").finish().exits(5);
    s.mep("run campaign --limit 5 --wait 0").exits(5);
    s.put_back(backup);
    let told = s.mep("resolve --rolled-back --apply").exits(0);
    assert!(told.stdout.contains("Not all that was sent is noted here"), "{}", told.stdout);
    assert_eq!(s.states(), "60 unknown");
    // The other user's notes speak of it no more either: all that they would tell is unknown.
    let mut command = s.command("run campaign --max-unknown 60");
    Running::start(command.env("XDG_STATE_HOME", s.path("another-user")), b"").finish().exits(4);
    nobody_was_texted_twice(&sim);
}

/// Not found, and said so in the documents: on a new machine there is no note.
fn without_a_note_a_backup_is_as_good_as_any_database(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_since(&s, &sim, 12, 2, 5);
    std::fs::remove_dir_all(s.path(".local")).expect("the notes");
    let plan = s.mep("run campaign --dry-run").exits(0);
    assert!(!plan.stderr.contains(OLDER), "{}", plan.stderr);
    s.mep("pause campaign").exits(0);
    s.mep("run").exits(0).says("has been paused");
    assert_eq!(sim.received(), 7);
}

/// It has looked for notes when it waits for its database; when it goes on the other one is done.
fn a_copy_that_has_looked_before_the_original_sent_sends_nothing(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(12).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign --limit 2 --wait 0").exits(5);
    let copy = s.back_up();
    let copied = |sql: &'static str| copy.query(&s, sql);
    let run = copy.hold(|copy| {
        let run = copy.start(&s, "run campaign");
        until("the copy's run", || copy.mep(&s, "doctor").stdout.contains("held by pid"));
        s.mep("run campaign --limit 4 --wait 0").exits(5);
        run
    });
    run.finish().exits(9).says(OLDER).says("--rolled-back");
    assert_eq!(sim.received(), 6);
    // It gives back what it had taken, and there is no note of what it did not do.
    assert_eq!(copied("SELECT CAST(count(*) AS TEXT) FROM invocation WHERE state = 'pending'"), ["10"]);
    s.mep("run campaign").exits(0);
    nobody_was_texted_twice(&sim);
    s.audit_unknown(12, 0);
}

fn of_two_that_begin_at_once_one_sends_at_most(database: Database) {
    for _ in 0..4 {
        let s = Scenario::on(database);
        let sim = s.simulate("");
        s.campaign(12).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
        let copy = s.back_up();
        let runs = [copy.start(&s, "run campaign"), s.start("run campaign")].map(Running::finish);
        let mut ends = runs.map(|done| done.code);
        ends.sort_unstable();
        assert!(ends == [0, 9] || ends == [9, 9], "{ends:?}");
        assert_eq!(sim.received(), if ends[0] == 0 { 12 } else { 0 });
        nobody_was_texted_twice(&sim);
    }
}

fn runs_that_go_on_side_by_side_are_not_behind_each_others_notes(database: Database) {
    const ROWS: u32 = 1_500;
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 2ms..10ms");
    s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let mut runs: Vec<Running> = (0..3).map(|_| s.start("run campaign --concurrency 4")).collect();
    for received in [200, 400, 600] {
        sim.until_received(received);
        let status = s.mep("status campaign").exits(0);
        assert!(!status.stderr.contains(OLDER), "{}", status.stderr);
        runs.push(s.start("run campaign --concurrency 4"));
    }
    for run in runs {
        run.finish().exits(0);
    }
    assert_eq!(sim.received(), ROWS as usize);
    s.audit_unknown(ROWS.into(), 0);
    s.mep("run campaign").exits(0);
}
