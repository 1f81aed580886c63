//! When rows are not sent: windows in the recipient's zone, moments before and after which nothing is, on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use jiff::{Span, Timestamp};
use rustix::process::Signal;
use scenario::{SERVICE, Scenario, Simulator, campaign, phone, until};
use serde_json::Value;

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                a_closed_window_sends_nothing_and_a_bare_run_keeps_to_it,
                each_row_leaves_in_the_hours_of_its_own_zone,
                a_row_whose_zone_is_not_known_is_held_and_keeps_no_run_alive,
                a_retry_that_comes_due_outside_the_window_is_put_off,
                a_retry_whose_time_ended_at_night_is_sent_once_more,
                what_is_not_sent_in_time_is_skipped_as_expired,
                nothing_is_sent_before_its_time,
                rows_that_an_operator_puts_back_at_night_are_put_off_before_any_is_taken,
                a_live_run_obeys_a_changed_window,
                a_live_run_lets_nothing_out_after_the_end,
                hours_that_can_never_be_are_refused,
                changed_hours_are_recorded,
                hours_that_a_paused_batch_is_given_hold_once_it_is_resumed,
            ],
        ),
        (On::Sqlite, facts![hours_that_are_set_beside_a_living_run_are_stored_and_that_is_told]),
        (
            On::Postgres,
            facts![several_runs_put_off_and_skip_each_row_once, a_clock_that_jumps_stops_a_run_that_keeps_hours],
        ),
    ])
}

/// The window from the hour that begins so many hours from now to the one that begins that much later, in UTC.
fn window(from: i64, until: i64) -> String {
    let hour = |hours: i64| {
        let at = Timestamp::now().checked_add(Span::new().hours(hours)).expect("a moment of today");
        at.strftime("%H:00").to_string()
    };
    format!("{}-{}", hour(from), hour(until))
}

fn open() -> String {
    window(-2, 3)
}

fn closed() -> String {
    window(2, 4)
}

/// A moment so many hours from now.
fn moment(hours: i64) -> String {
    Timestamp::now().checked_add(Span::new().hours(hours)).expect("a moment of these days").to_string()
}

/// Rows to as many people as there are zones.
fn in_zones(zones: &[&str]) -> String {
    let rows = zones.iter().zip(0..).map(|(zone, person)| format!("{SERVICE},{},{zone},x\n", phone(person)));
    format!("serviceId,phoneNumber,timeZone,session.a\n{}", rows.collect::<String>())
}

fn waiting(status: &Value) -> Vec<(&str, bool, i64)> {
    let reasons = status["waitingFor"].as_array().expect("a list").iter();
    reasons
        .map(|reason| {
            let rows = reason["rows"].as_i64().expect("a number");
            (reason["reason"].as_str().expect("a word"), reason["until"].is_string(), rows)
        })
        .collect()
}

fn status(s: &Scenario) -> Value {
    s.mep("status campaign --json").exits(0).json()
}

fn attempts(s: &Scenario) -> String {
    s.query("SELECT count(*) FROM attempt").remove(0)
}

fn holds(s: &Scenario) -> String {
    s.query("SELECT count(*) || ' ' || hold FROM invocation WHERE hold IS NOT NULL GROUP BY hold ORDER BY hold")
        .join(", ")
}

fn a_closed_window_sends_nothing_and_a_bare_run_keeps_to_it(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let import = format!("import campaign.csv --endpoint {sim} --window {} --time-zone UTC", closed());
    s.campaign(20).mep(&import).exits(0);
    let before = status(&s);
    assert_eq!(waiting(&before), [("window", true, 20)], "no run has put them off yet");
    for command in ["run --wait 0", "run campaign --wait 0", "run campaign.csv --wait 0"] {
        s.mep(command).exits(5).says("the next row is due at");
    }
    assert_eq!((sim.received(), attempts(&s).as_str(), holds(&s).as_str()), (0, "0", "20 window"));
    let after = status(&s);
    assert_eq!((waiting(&after), &after["nextDueAt"]), (vec![("window", true, 20)], &before["nextDueAt"]));
    assert_eq!(after["nextDueAt"], after["waitingFor"][0]["until"]);
    assert!(s.mep("show campaign 2").exits(0).stdout.contains("the window is"));
    let run = s.start("run");
    run.until_it_says("outside the window");
    run.send(Signal::INT);
    run.finish().exits(130);
    assert_eq!((sim.received(), attempts(&s).as_str()), (0, "0"));
    s.audit(20);
    s.mep("run campaign --window none").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("20 accepted", 20));
    s.audit(20);
}

fn each_row_leaves_in_the_hours_of_its_own_zone(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.write("campaign.csv", in_zones(&["UTC", "Etc/GMT-12", "", "Etc/GMT+12", "etc/utc"]));
    let run = format!("run campaign.csv --endpoint {sim} --window {} --time-zone Etc/GMT-11 --wait 0", open());
    s.mep(&run).exits(5);
    let mut texted: Vec<_> = sim.receipts().into_iter().filter_map(|receipt| receipt.phone_number).collect();
    texted.sort();
    assert_eq!(texted, [phone(0), phone(4)]);
    assert_eq!((s.states().as_str(), holds(&s).as_str()), ("2 accepted, 3 pending", "3 window"));
    s.mep("run campaign --time-zone UTC --wait 0").exits(5);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 2 pending", 3));
    s.audit(5);
}

fn a_row_whose_zone_is_not_known_is_held_and_keeps_no_run_alive(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.write("campaign.csv", in_zones(&["UTC", "Middle/Earth", "", "Europe/Berln"]));
    let imported = s.mep(&format!("import campaign.csv --endpoint {sim} --window {}", open())).exits(0);
    for words in ["2 rows with a `timeZone` that is none", "line 5: `Europe/Berln` (`Europe/Berlin`?)"] {
        assert!(imported.stdout.contains(words), "{words} in {}", imported.stdout);
    }
    for command in ["run", "run campaign"] {
        let done = s.mep(command).exits(5);
        assert!(done.stdout.contains("3 rows are held"), "{}", done.output());
        assert!(done.stdout.contains("run campaign --time-zone ZONE"), "{}", done.output());
        assert!(!done.stdout.contains("Next, what is left to send"), "{}", done.output());
    }
    let told = status(&s);
    assert_eq!((waiting(&told), &told["nextDueAt"]), (vec![("time-zone", false, 3)], &Value::Null));
    let shown = s.mep("show campaign 3 --json").exits(0).json();
    assert_eq!(
        (&shown["hold"], &shown["dueAt"], &shown["timeZone"]),
        (&"time-zone".into(), &Value::Null, &"Middle/Earth".into())
    );
    assert_eq!((s.states().as_str(), sim.received()), ("1 accepted, 3 pending", 1));
    s.mep("run campaign --time-zone UTC").exits(5);
    assert_eq!((s.states().as_str(), holds(&s).as_str()), ("2 accepted, 2 pending", "2 time-zone"));
    s.audit(4);
    s.mep("run campaign --window none").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("4 accepted", 4));
    s.audit(4);
}

/// A campaign of rows that wait for a retry, in an open window; the stand-in is gone.
fn with_retries(s: &Scenario, rows: u32) -> (String, usize) {
    let sim = s.simulate("--fault 1010=1");
    let hours = format!("--window {} --time-zone UTC --vendor-retry 1h", open());
    s.campaign(rows).mep(&format!("run campaign.csv --endpoint {sim} {hours} --wait 0")).exits(5);
    assert_eq!(waiting(&status(s)), [("retry", true, i64::from(rows))]);
    (sim.to_string(), sim.received())
}

fn a_retry_that_comes_due_outside_the_window_is_put_off(database: Database) {
    let s = Scenario::on(database);
    let (address, sent) = with_retries(&s, 4);
    s.mep(&format!("run campaign --window {} --wait 0", closed())).exits(5);
    assert_eq!(waiting(&status(&s)), [("retry", true, 4)], "what a retry waits for stays as it is");
    s.execute("UPDATE invocation SET due_at = 1");
    s.mep("run campaign --wait 0").exits(5);
    assert_eq!((attempts(&s), holds(&s).as_str()), (sent.to_string(), "4 window"));
    assert_eq!(waiting(&status(&s)), [("window", true, 4)]);
    s.audit(4);
    let sim = s.simulate_at(&address, "");
    s.mep(&format!("run campaign --window {}", open())).exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("4 accepted", 4));
    assert_eq!(s.query("SELECT max(attempt) || ' ' || max(tries) FROM invocation"), ["2 1"]);
    s.audit(4);
}

fn a_retry_whose_time_ended_at_night_is_sent_once_more(database: Database) {
    let s = Scenario::on(database);
    let (address, _) = with_retries(&s, 2);
    s.execute("UPDATE invocation SET due_at = 1, retry_until = 2");
    s.mep(&format!("run campaign --window {} --wait 0", closed())).exits(5);
    assert_eq!((s.states().as_str(), holds(&s).as_str()), ("2 pending", "2 window"));
    let sim = s.simulate_at(&address, "--fault 1010=1");
    s.mep(&format!("run campaign --window {}", open())).exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("2 failed", 2));
    s.audit(2);
}

fn what_is_not_sent_in_time_is_skipped_as_expired(database: Database) {
    let s = Scenario::on(database);
    let (address, sent) = with_retries(&s, 3);
    let run = format!("run campaign --not-after {} --wait 0", moment(-1));
    let told = s.mep(&format!("{run} --json")).exits(3).json();
    assert_eq!((&told["expired"], &told["states"]["skipped"], &told["exitCode"]), (&3.into(), &3.into(), &3.into()));
    assert_eq!(
        s.query("SELECT DISTINCT reason || ': ' || message FROM invocation"),
        ["expired: not sent: its time has passed"]
    );
    s.mep("status campaign --exit-code").exits(3);
    assert_eq!(attempts(&s), sent.to_string());
    s.audit(3);
    s.mep("retry campaign --state skipped --reason-is expired").exits(0);
    s.mep("run campaign --wait 0").exits(3);
    assert_eq!(s.states(), "3 skipped");
    s.mep("retry campaign --state skipped --reason-is expired").exits(0);
    let sim = s.simulate_at(&address, "");
    s.mep("run campaign --not-after none").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted", 3));
    s.audit(3);
}

fn nothing_is_sent_before_its_time(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let import = format!("import campaign.csv --endpoint {sim} --not-before {}", moment(1));
    s.campaign(5).mep(&import).exits(0);
    assert_eq!(waiting(&status(&s)), [("not-before", true, 5)]);
    s.mep("run --wait 0").exits(5).says("the next row is due at");
    assert_eq!((holds(&s).as_str(), sim.received()), ("5 window", 0));
    assert_eq!(waiting(&status(&s)), [("not-before", true, 5)]);
    s.mep(&format!("run campaign --not-before {}", moment(-1))).exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("5 accepted", 5));
    s.audit(5);
}

fn rows_that_an_operator_puts_back_at_night_are_put_off_before_any_is_taken(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 1000=50%");
    s.campaign(44).mep(&format!("run campaign.csv --endpoint {sim} --limit 40")).exits(5);
    let (failed, sent) = (s.query("SELECT count(*) FROM invocation WHERE state = 'failed'").remove(0), sim.received());
    let run = format!("run campaign --window {} --time-zone UTC", closed());
    let run = s.start(&run);
    run.until_it_says("outside the window");
    assert_eq!(holds(&s), "4 window");
    s.mep("retry campaign --state failed").exits(0);
    let held = "SELECT count(*) FROM invocation WHERE hold = 'window' AND attempt > 0";
    s.until_stored(held, &failed);
    run.send(Signal::INT);
    run.finish().exits(130);
    assert_eq!((attempts(&s), sim.received()), (sent.to_string(), sent));
    s.audit(44);
}

/// A run that sends slowly, to a stand-in.
fn sending_slowly(s: &Scenario, rows: u32) -> (Simulator, scenario::Running) {
    let sim = s.simulate("");
    s.campaign(rows)
        .mep(&format!("import campaign.csv --endpoint {sim} --rate 20 --window {} --time-zone UTC", open()))
        .exits(0);
    let run = s.start("run campaign");
    until("something is sent", || sim.received() > 0);
    (sim, run)
}

/// Changes how the batch is sent beside a run: on a file, whose run goes on, another exits with 8.
fn change(s: &Scenario, flags: &str) {
    let done = s.mep(&format!("run campaign --wait 0 --limit 0 {flags}"));
    assert!([5, 8].contains(&done.code), "{}", done.output());
}

fn a_live_run_obeys_a_changed_window(database: Database) {
    const ROWS: u32 = 100;
    let s = Scenario::on(database);
    let (sim, run) = sending_slowly(&s, ROWS);
    change(&s, &format!("--window {}", closed()));
    run.until_it_says("outside the window");
    let received = sim.received();
    assert!(received < ROWS as usize, "all {received} rows were sent");
    assert_eq!(holds(&s), format!("{} window", ROWS as usize - received));
    change(&s, "--window none --rate unlimited");
    run.finish().exits(0);
    assert_eq!((s.states(), sim.received()), (format!("{ROWS} accepted"), ROWS as usize));
    s.audit(ROWS.into());
}

fn a_live_run_lets_nothing_out_after_the_end(database: Database) {
    const ROWS: u32 = 200;
    let s = Scenario::on(database);
    let (sim, run) = sending_slowly(&s, ROWS);
    let end = Timestamp::now().checked_add(Span::new().seconds(2)).expect("a moment").to_string();
    change(&s, &format!("--not-after {end}"));
    run.finish().exits(3);
    let received = sim.received();
    assert!(received < ROWS as usize, "all {received} rows were sent");
    assert_eq!(s.states(), format!("{received} accepted, {} skipped", ROWS as usize - received));
    let end_ms = end.parse::<Timestamp>().expect("a moment").as_millisecond();
    assert_eq!(s.query(&format!("SELECT count(*) FROM attempt WHERE sent_at >= {end_ms}")), ["0"]);
    s.audit(ROWS.into());
}

fn hours_that_can_never_be_are_refused(database: Database) {
    let s = Scenario::on(database);
    s.campaign(1).write("zones.csv", in_zones(&["UTC"]));
    for (flags, words) in [
        ("--window 09:00-20:00", "in no time zone"),
        ("--window 9-20", "is no window"),
        ("--window 09:00-20:00 --time-zone Europe/Berln", "did you mean `Europe/Berlin`?"),
        ("--not-before 2026-11-27T09:00Z --not-after 2026-11-27T09:00Z", "nothing could ever be sent"),
        ("--not-after 2026-11-27", "expected a date and time"),
    ] {
        let import = format!("import campaign.csv --endpoint simulator {flags}");
        s.mep(&import).exits(2).says(words);
    }
    assert!(s.mep("status").exits(0).stdout.is_empty(), "nothing was imported");
    s.mep("import campaign.csv --endpoint simulator").exits(0);
    s.mep("run campaign --window 09:00-20:00").exits(2).says("in no time zone").says("--time-zone ZONE");
    s.mep(&format!("import zones.csv --endpoint simulator --window {}", open())).exits(0);
    s.mep("run zones").exits(0);
    assert_eq!(s.states(), "1 accepted, 1 pending");
}

fn changed_hours_are_recorded(database: Database) {
    let s = Scenario::on(database);
    s.campaign(1).mep("import campaign.csv --endpoint simulator").exits(0);
    let flags = format!("--window {} --time-zone utc --not-after 2099-11-27T18:00", closed());
    s.mep(&format!("run campaign --wait 0 {flags}")).exits(5);
    let detail: Value =
        serde_json::from_str(&s.query("SELECT detail FROM action WHERE kind = 'settings'")[0]).expect("JSON");
    let (was, is) = (&detail["was"]["settings"]["schedule"], &detail["is"]["settings"]["schedule"]);
    assert_eq!((&was["window"], &is["window"], &is["timeZone"]), (&Value::Null, &closed().into(), &"UTC".into()));
    assert_eq!(is["notAfterMs"], 4_099_485_600_000_i64);
}

fn hours_that_a_paused_batch_is_given_hold_once_it_is_resumed(database: Database) {
    let s = Scenario::on(database);
    s.campaign(2).mep("import campaign.csv --endpoint simulator").exits(0);
    s.mep("pause campaign").exits(0);
    let hours = format!("--window {} --time-zone UTC", closed());
    s.mep(&format!("run campaign {hours}")).exits(5).says("has been paused since").says("batch `campaign` is stored");
    s.mep("resume campaign").exits(0);
    s.mep("run campaign --wait 0").exits(5);
    assert_eq!((s.states(), holds(&s)), ("2 pending".to_owned(), "2 window".to_owned()));
}

fn hours_that_are_set_beside_a_living_run_are_stored_and_that_is_told(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim} --rate 2")).exits(0);
    let run = s.start("run");
    sim.until_received(1);
    let hours = format!("--window {} --time-zone UTC", closed());
    s.mep(&format!("run campaign {hours}")).exits(8).says("batch `campaign` is stored");
    s.until_stored("SELECT count(*) > 40 FROM invocation WHERE hold = 'window'", "1");
    s.mep("run campaign --limit 1").exits(8);
    run.send(Signal::TERM);
    run.finish().exits(143);
}

fn several_runs_put_off_and_skip_each_row_once(database: Database) {
    const ROWS: u32 = 12_000;
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.write("campaign.csv", campaign(0..ROWS));
    s.mep(&format!("import campaign.csv --endpoint {sim} --window {} --time-zone UTC", closed())).exits(0);
    let together = |code| {
        let runs: [_; 3] = std::array::from_fn(|_| s.start("run --wait 0"));
        for run in runs {
            run.finish().exits(code);
        }
        s.audit(ROWS.into());
    };
    together(5);
    assert_eq!((holds(&s), attempts(&s)), (format!("{ROWS} window"), "0".to_owned()));
    s.execute("UPDATE batch SET settings = jsonb_set(settings::jsonb, '{schedule,notAfterMs}', '1')::text");
    together(3);
    assert_eq!((s.states(), sim.received()), (format!("{ROWS} skipped"), 0));
}

/// Makes the server's clock one that can be set.
const SETTABLE_CLOCK: &str = "
    CREATE TABLE ahead (hours INT NOT NULL);
    INSERT INTO ahead VALUES (0);
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE SQL VOLATILE
        AS $$ SELECT pg_catalog.clock_timestamp() + (SELECT hours FROM public.ahead) * interval '1 hour' $$;
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
    END $$";

fn a_clock_that_jumps_stops_a_run_that_keeps_hours(database: Database) {
    const ROWS: u32 = 200;
    let s = Scenario::on(database);
    s.campaign(ROWS).mep("import campaign.csv --endpoint simulator --batch first").exits(0);
    s.execute(SETTABLE_CLOCK);
    for (name, flags, code) in
        [("with", format!("--window {} --time-zone UTC", open()), 6), ("without", String::new(), 0)]
    {
        s.execute("UPDATE ahead SET hours = 0");
        let sim = s.simulate("");
        s.mep(&format!("import campaign.csv --endpoint {sim} --batch {name} --again --rate 40 {flags}")).exits(0);
        let run = s.start(&format!("run {name}"));
        until("something is sent", || sim.received() > 0);
        s.execute("UPDATE ahead SET hours = 1");
        let done = run.finish().exits(code);
        if code == 6 {
            let is_an_hour =
                ["3599 s", "36"].iter().any(|by| done.stderr.contains(&format!("clock jumped forward by {by}")));
            assert!(is_an_hour, "{}", done.stderr);
            done.says("nobody is to be sent to at a wrong hour");
            assert!(sim.received() < ROWS as usize);
        }
    }
}
