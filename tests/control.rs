//! What an operator says of a batch while it is sent, through the real program, on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use rustix::process::Signal;
use scenario::{Running, Scenario, Simulator, campaign, phone};

fn main() -> ExitCode {
    either::run(&[(
        On::Either,
        facts![
            a_pause_holds_a_living_run_and_a_resume_lets_it_go_on,
            a_paused_batch_is_left_by_a_run_that_begins,
            flags_for_several_batches_are_stored_of_all_or_of_none,
            a_paused_batch_slows_no_other,
            a_throttle_slows_a_living_run_and_outlives_it,
            a_cleared_throttle_lets_a_living_run_go_on_at_its_own_rate,
            a_throttle_that_was_cleared_while_nobody_sent_holds_no_later_run,
            a_cancelled_batch_gives_nothing_more_and_adds_up,
            what_would_be_pending_in_a_cancelled_batch_is_cancelled,
            a_cancel_that_was_killed_is_brought_to_its_end,
            what_a_cancelled_batch_did_not_send_is_imported_under_another_name,
            each_word_of_an_operator_is_kept_with_who_when_and_why,
        ],
    )])
}

/// A run that would go on for long: a campaign at a low rate.
fn begin(s: &Scenario, sim: &Simulator, rows: u32, flags: &str) -> Running {
    s.campaign(rows).mep(&format!("import campaign.csv --endpoint {sim} {flags}")).exits(0);
    let run = s.start("run campaign --concurrency 2");
    s.until_stored("SELECT count(*) FROM invocation WHERE state = 'accepted' AND line < 6", "4");
    run
}

fn attempts(s: &Scenario) -> u64 {
    s.query("SELECT count(*) FROM attempt")[0].parse().expect("a number")
}

fn actions(s: &Scenario) -> Vec<String> {
    s.query("SELECT kind || ' ' || who || ' ' || coalesce(reason, '-') || ' ' || detail FROM action ORDER BY id")
}

fn a_pause_holds_a_living_run_and_a_resume_lets_it_go_on(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let run = begin(&s, &sim, 60, "--rate 20");
    let paused = s.mep("pause campaign --reason lunch").exits(0);
    assert!(paused.stdout.contains("batch `campaign` is paused"), "{}", paused.stdout);
    run.until_it_says("batch `campaign` is paused");
    s.until_stored("SELECT count(*) FROM invocation WHERE state = 'sending'", "0");
    let then = attempts(&s);
    assert!(s.mep("pause campaign").exits(0).stdout.contains("has been paused since"));
    let status = s.mep("status campaign --json").json();
    assert_eq!(status["waitingFor"][0]["reason"], "paused");
    // The run goes on making a turn a second, and takes nothing in it.
    let turn: i64 = s.query("SELECT turn FROM run")[0].parse().expect("a number");
    s.until_stored(&format!("SELECT count(*) FROM run WHERE turn > {}", turn + 1), "1");
    assert_eq!(attempts(&s), then);
    let resumed = s.mep("resume campaign").exits(0);
    assert!(resumed.stdout.contains("goes on"), "{}", resumed.stdout);
    let done = run.finish().exits(0).says("sending goes on");
    for wrong in ["as fast as answers come", "retries are scheduled"] {
        assert!(!done.stderr.contains(wrong), "{}", done.stderr);
    }
    assert_eq!(s.states(), "60 accepted");
    let again = s.mep("resume campaign").exits(0);
    assert!(again.stdout.contains("to go on sending, `mep-batch run campaign`"), "{}", again.stdout);
    s.audit(60);
}

fn a_paused_batch_is_left_by_a_run_that_begins(database: Database) {
    let s = Scenario::on(database);
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    s.mep("pause campaign").exits(0);
    let run = s.mep("run campaign").exits(5).says("mep-batch resume campaign");
    assert!(
        run.stdout.contains("mep-batch resume campaign") && !run.stdout.contains("mep-batch run"),
        "{}",
        run.stdout
    );
    s.mep("run").exits(0).says("mep-batch resume campaign");
    assert_eq!(s.states(), "3 pending");
    s.mep("status campaign --exit-code").exits(5);
    s.mep("resume campaign").exits(0);
    s.mep("run").exits(0);
    assert_eq!(s.states(), "3 accepted");
}

fn flags_for_several_batches_are_stored_of_all_or_of_none(database: Database) {
    let s = Scenario::on(database);
    s.campaign(2).write("opt-outs.txt", "12515550199\n").write("other.csv", campaign(50..52));
    s.mep("import campaign.csv --endpoint simulator --rate 3").exits(0);
    s.mep("import other.csv --endpoint simulator --suppress opt-outs.txt").exits(0);
    std::fs::remove_file(s.path("opt-outs.txt")).expect("the list is there");
    s.mep("run campaign other --rate 7").exits(2);
    assert_eq!(s.mep("status campaign --json").json()["rateLimit"], 3.0);
    assert_eq!(s.states(), "4 pending");
}

fn a_paused_batch_slows_no_other(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim} --rate 0.001")).exits(0);
    s.write("other.csv", campaign(50..70)).mep(&format!("import other.csv --endpoint {sim}")).exits(0);
    s.mep("pause campaign").exits(0);
    let run = s.start("run campaign other");
    sim.until_received(20);
    run.send(Signal::TERM);
    run.finish();
    assert_eq!(s.states(), "20 accepted, 3 pending");
}

fn a_throttle_slows_a_living_run_and_outlives_it(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let run = begin(&s, &sim, 2_000, "--rate 50");
    s.mep("throttle campaign").exits(2);
    s.mep("throttle campaign --rate 0").exits(2).says("expected requests a second");
    let said = s.mep("throttle campaign --rate 0.1 --reason slower").exits(0);
    assert!(said.stdout.contains("0.1 a second at most"), "{}", said.stdout);
    // A token comes every ten seconds: the gate says so once the run has taken one by the new rate.
    s.until_stored("SELECT count(*) FROM gate WHERE period_us = 10000000", "1");
    run.until_it_says("from now on 0.1 a second at most");
    run.send(Signal::INT);
    run.finish().exits(130);
    let idle = s.mep("status campaign").exits(0).stdout;
    assert!(idle.contains("Throttled by an operator: 0.1 a second at most"), "{idle}");
    let then = attempts(&s);
    let next = s.start("run campaign");
    s.until_stored("SELECT count(*) FROM run WHERE turn > 2 AND ended_at IS NULL", "1");
    next.send(Signal::INT);
    next.finish().exits(130);
    assert!(attempts(&s) <= then + 1, "{} and {then} before", attempts(&s));
    assert_eq!(s.query("SELECT throttle = 0.1 FROM batch"), ["1"]);
    s.audit(2_000);
}

fn a_cleared_throttle_lets_a_living_run_go_on_at_its_own_rate(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let run = begin(&s, &sim, 40, "--rate 20");
    s.mep("throttle campaign --rate 0.001").exits(0);
    s.until_stored("SELECT count(*) FROM gate WHERE period_us = 1000000000", "1");
    s.mep("throttle campaign --clear").exits(0);
    // Within the time of one token at the throttle's rate, which is longer than any test here waits.
    run.finish().exits(0);
    assert_eq!(s.states(), "40 accepted");
    s.audit(40);
}

fn a_throttle_that_was_cleared_while_nobody_sent_holds_no_later_run(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let run = begin(&s, &sim, 40, "--rate 20");
    s.mep("throttle campaign --rate 0.001").exits(0);
    s.until_stored("SELECT count(*) FROM gate WHERE period_us = 1000000000", "1");
    run.send(Signal::INT);
    run.finish().exits(130);
    s.mep("throttle campaign --clear").exits(0);
    s.start("run campaign").finish().exits(0);
    assert_eq!(s.states(), "40 accepted");
    s.audit(40);
}

fn a_cancelled_batch_gives_nothing_more_and_adds_up(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let run = begin(&s, &sim, 500, "--rate 20");
    let said = s.mep("cancel campaign --reason wrong-text").exits(0);
    assert!(said.stdout.contains("will never be sent"), "{}", said.stdout);
    run.finish().exits(0);
    let then = attempts(&s);
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE state IN ('pending', 'sending')"), ["0"]);
    assert!(s.mep("cancel campaign").exits(0).stdout.contains("has been cancelled since"));
    for refused in ["pause campaign", "resume campaign", "throttle campaign --rate 1"] {
        s.mep(refused).exits(2).says("was cancelled at");
    }
    s.mep("retry campaign --state rejected").exits(2).says("cancelled");
    s.mep("run campaign").exits(0).says("was cancelled at");
    s.mep("run").exits(0);
    assert_eq!(attempts(&s), then);
    s.audit(500);
}

fn what_would_be_pending_in_a_cancelled_batch_is_cancelled(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 1010=100% --latency 1500ms");
    s.campaign(6).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let run = s.start("run campaign --concurrency 2");
    s.until_stored("SELECT count(*) FROM invocation WHERE state = 'sending'", "2");
    s.mep("cancel campaign").exits(0);
    run.finish().exits(0);
    assert_eq!(s.states(), "6 cancelled");
    assert_eq!(s.query("SELECT count(*) FROM attempt WHERE outcome = 'retry'"), ["2"]);
    s.audit(6);
}

fn a_cancel_that_was_killed_is_brought_to_its_end(database: Database) {
    let s = Scenario::on(database);
    s.campaign(4).mep("import campaign.csv --endpoint simulator").exits(0);
    s.mep("cancel campaign").exits(0);
    // As a kill between the word and the rows would leave it.
    s.execute("UPDATE invocation SET state = 'pending', finished_at = NULL, message = NULL WHERE line < 4");
    s.execute("UPDATE state_count SET invocations = 2 WHERE state IN ('pending', 'cancelled')");
    s.execute("DELETE FROM action_row WHERE invocation_id IN (SELECT id FROM invocation WHERE state = 'pending')");
    s.mep("run").exits(0);
    assert_eq!(s.states(), "4 cancelled");
    s.audit(4);
}

fn what_a_cancelled_batch_did_not_send_is_imported_under_another_name(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(5).mep(&format!("run campaign.csv --endpoint {sim} --limit 2 --wait 0")).exits(5);
    s.mep("cancel campaign").exits(0);
    s.mep(&format!("run campaign.csv --endpoint {sim}")).exits(0).says("was cancelled at");
    s.mep(&format!("import campaign.csv --endpoint {sim}")).exits(7).says("was cancelled at");
    s.mep(&format!("import campaign.csv --endpoint {sim} --batch rest")).exits(0);
    s.mep("run rest").exits(0);
    assert_eq!(s.states(), "5 accepted, 3 cancelled, 2 skipped");
    assert_eq!(sim.receipts().len(), 5);
    assert_eq!(s.query(&format!("SELECT count(*) FROM content WHERE phone = {}", phone(0))), ["2"]);
}

fn each_word_of_an_operator_is_kept_with_who_when_and_why(database: Database) {
    let s = Scenario::on(database);
    s.campaign(1).mep("import campaign.csv --endpoint simulator").exits(0);
    for command in [
        "pause campaign --reason lunch",
        "pause campaign --reason twice",
        "resume campaign",
        "throttle campaign --rate 2.5 --reason slower",
        "throttle campaign --clear",
        "cancel campaign --reason over",
    ] {
        s.mep(command).exits(0);
    }
    assert_eq!(
        actions(&s)[1..],
        [
            "pause operator lunch {}",
            "resume operator - {}",
            r#"throttle operator slower {"rate":2.5}"#,
            r#"throttle operator - {"rate":null}"#,
            "cancel operator over {}",
        ]
    );
    let shown = s.mep("show campaign 2").exits(0).stdout;
    assert!(shown.contains("cancel") && shown.contains("over"), "{shown}");
}
