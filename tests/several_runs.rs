//! Several runs on one queue: nobody is texted twice, whoever of them stops, dies or loses the database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::{Cluster, Database};
use either::{On, facts};
use jiff::Timestamp;
use rustix::process::Signal;
use scenario::{Running, Scenario, Simulator, campaign, until};

const CONCURRENCY: usize = 4;

const IN_FLIGHT: &str = "SELECT count(*) FROM invocation WHERE state = 'sending'";

fn main() -> ExitCode {
    either::run(&[
        (
            On::Postgres,
            facts![
                eight_runs_drain_a_batch_and_nobody_is_texted_twice,
                a_killed_run_is_judged_while_the_others_go_on,
                three_runs_keep_one_rate,
                a_refusal_of_the_credentials_that_one_sees_stops_all,
                a_429_that_one_sees_has_all_wait,
                a_copied_database_is_not_sent_from_unasked,
                one_row_of_all_runs_probes_at_a_time,
                a_lock_on_the_counts_is_waited_for,
                a_turn_that_was_cut_off_before_its_commit_is_repeated,
            ],
        ),
        (
            On::OwnPostgres,
            facts![
                a_server_that_ends_and_comes_back_loses_and_repeats_nothing,
                a_server_with_another_history_stops_a_run,
                what_a_server_that_stays_away_was_not_told_is_in_the_log,
                a_turn_that_was_committed_unseen_hands_out_its_rows_once,
            ],
        ),
    ])
}

fn imported(s: &Scenario, sim: &Simulator, rows: u32, flags: &str) {
    s.write("campaign.csv", campaign(0..rows));
    s.mep(&format!("import campaign.csv --endpoint {sim} {flags}")).exits(0);
}

fn start<const N: usize>(s: &Scenario, flags: &str) -> [Running; N] {
    std::array::from_fn(|_| s.start(&format!("run campaign --concurrency {CONCURRENCY} {flags}")))
}

/// How many rows that run has in flight.
fn in_flight(s: &Scenario, run: &Running) -> usize {
    let of_run = format!("{IN_FLIGHT} AND run_id = (SELECT id FROM run WHERE pid = {})", run.pid());
    s.query(&of_run)[0].parse().expect("a number")
}

/// Stops a run at a moment when it has rows in flight; how many.
#[track_caller]
fn stop_in_flight(s: &Scenario, run: &Running) -> usize {
    let mut rows = 0;
    until("a run is stopped with rows in flight", || {
        run.send(Signal::STOP);
        rows = in_flight(s, run);
        if rows == 0 {
            run.send(Signal::CONT);
        }
        rows > 0
    });
    rows
}

fn count(s: &Scenario, sql: &str) -> usize {
    s.query(sql)[0].parse().expect("a number")
}

fn eight_runs_drain_a_batch_and_nobody_is_texted_twice(database: Database) {
    const ROWS: u32 = 5_000;
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 10ms..40ms");
    imported(&s, &sim, ROWS, "");
    for run in start::<8>(&s, "") {
        run.finish().exits(0);
    }
    assert_eq!((s.states(), sim.received()), ("5000 accepted".to_owned(), 5_000));
    assert!(count(&s, "SELECT count(DISTINCT run_id) FROM attempt") > 1, "one run did it all");
    s.audit_unknown(ROWS.into(), 0);
    s.mep("run campaign").exits(0);
    assert_eq!(sim.received(), 5_000);
}

fn a_killed_run_is_judged_while_the_others_go_on(database: Database) {
    const ROWS: u32 = 600;
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 50ms..150ms");
    imported(&s, &sim, ROWS, "");
    let [first, second, victim] = start(&s, "");
    until("each run has sent", || count(&s, "SELECT count(DISTINCT run_id) FROM attempt") == 3);
    let lost = stop_in_flight(&s, &victim);
    victim.kill();
    s.audit_unsettled(ROWS.into());
    let codes = [first, second].map(|run| run.finish().code);
    assert!(codes.contains(&4) && codes.iter().all(|code| [0, 4].contains(code)), "{codes:?}");
    assert_eq!(s.states(), format!("{} accepted, {lost} unknown", ROWS as usize - lost));
    assert_eq!(count(&s, "SELECT count(*) FROM attempt WHERE judged = 1 AND late = 0"), lost);
    s.audit_unknown(ROWS.into(), lost);
    let received = sim.received();
    s.mep("run campaign").exits(4);
    assert_eq!(sim.received(), received);
}

fn a_server_that_ends_and_comes_back_loses_and_repeats_nothing(_: Database) {
    const ROWS: u32 = 2_000;
    let cluster = Cluster::own(&[], &[]);
    let s = Scenario::at(cluster.database());
    let sim = s.simulate("--latency 5ms..20ms");
    imported(&s, &sim, ROWS, "");
    let runs: [Running; 3] = start(&s, "");
    sim.until_received(200);
    cluster.stop_immediate();
    let at_end = sim.received();
    cluster.start();
    for run in runs {
        run.finish().exits(0);
    }
    assert!((200..ROWS as usize).contains(&at_end), "the server ended too late: {at_end}");
    assert_eq!((s.states(), sim.received()), (format!("{ROWS} accepted"), ROWS as usize));
    s.audit_unknown(ROWS.into(), 0);
}

fn what_a_server_that_stays_away_was_not_told_is_in_the_log(_: Database) {
    const ROWS: u32 = 2_000;
    let cluster = Cluster::own(&[], &[]);
    let s = Scenario::at(cluster.database());
    let sim = s.simulate("--latency 300ms");
    imported(&s, &sim, ROWS, "");
    let [run] = start(&s, "--db-grace 2s");
    sim.until_received(40);
    cluster.stop_immediate();
    let told = run.finish().exits(9).says("could not be stored; each is in the log above");
    let received = sim.received();
    cluster.start();
    let stored = s.query("SELECT request_id FROM invocation WHERE request_id IS NOT NULL");
    for receipt in sim.receipts() {
        let id = receipt.request_id.expect("every request was accepted");
        assert!(stored.contains(&id) || told.stderr.contains(&id), "{id} is neither stored nor in the log");
    }
    assert!(received - stored.len() <= CONCURRENCY && received < ROWS as usize);
    s.mep("run campaign --limit 0 --max-unknown 100").exits(4).says("judged dead");
    s.audit_unknown(ROWS.into(), CONCURRENCY);
}

fn a_server_with_another_history_stops_a_run(_: Database) {
    const ROWS: u32 = 2_000;
    let cluster = Cluster::own(&[("restore_command", "false")], &[]);
    let s = Scenario::at(cluster.database());
    let sim = s.simulate("--latency 5ms..20ms");
    imported(&s, &sim, ROWS, "");
    let [run] = start(&s, "");
    sim.until_received(200);
    cluster.stop_immediate();
    cluster.start_another_history();
    run.finish().exits(9).says("another history");
    let received = sim.received();
    assert!(received < ROWS as usize, "the server took over too late");
    s.mep("run campaign").exits(9).says("--accept-history");
    assert_eq!(sim.received(), received, "nobody has looked yet");
    s.mep("run campaign --limit 10 --accept-history --wait 0").exits(5);
    s.mep("run campaign --limit 10 --wait 0").exits(5);
}

fn a_copied_database_is_not_sent_from_unasked(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    imported(&s, &sim, 20, "");
    s.mep("run campaign --limit 5 --wait 0").exits(5);
    let copy = s.copy();
    s.mep("run campaign").exits(0);
    copy.mep("run campaign").exits(9).says("--accept-history");
    assert_eq!(sim.received(), 20);
}

/// Makes room inside the commit that takes the row at line 20: the server stays in it for a while.
const SLOW_COMMIT: &str = "
    CREATE SEQUENCE naps;
    CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM nextval('naps'), pg_sleep(1.5); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER nap AFTER UPDATE ON invocation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.state = 'sending' AND NEW.line = 20) EXECUTE FUNCTION nap()";

/// What the server is in the middle of.
const NAPPING: &str = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

/// How often that row was taken and not given back, commits that came to nothing included: a sequence keeps what it counts.
const TAKEN: &str = "SELECT last_value - (SELECT count(*) FROM attempt WHERE outcome = 'given-back'
        AND invocation_id = (SELECT id FROM invocation WHERE line = 20)) FROM naps";

/// A run whose commit of a turn in the middle of the batch goes on.
fn start_into_slow_commit(s: &Scenario, sim: &Simulator) -> Running {
    imported(s, sim, 40, "");
    s.execute(SLOW_COMMIT);
    let running = s.start(&format!("run campaign --concurrency {CONCURRENCY}"));
    s.until_stored(&format!("SELECT count(*) {NAPPING}"), "1");
    running
}

fn a_turn_that_was_cut_off_before_its_commit_is_repeated(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 5ms..20ms");
    let running = start_into_slow_commit(&s, &sim);
    s.execute(&format!("SELECT pg_terminate_backend(pid) {NAPPING}"));
    running.finish().exits(0);
    assert_eq!(count(&s, TAKEN), 2);
    assert_eq!((s.states().as_str(), sim.received()), ("40 accepted", 40));
    s.audit_unknown(40, 0);
}

fn a_turn_that_was_committed_unseen_hands_out_its_rows_once(_: Database) {
    let cluster = Cluster::own(&[], &[]);
    let (proxy, url) = cluster.by_proxy(&cluster.database());
    let s = Scenario::at(url);
    let sim = s.simulate("--latency 5ms..20ms");
    let running = start_into_slow_commit(&s, &sim);
    proxy.cut();
    running.finish().exits(0);
    assert_eq!(count(&s, TAKEN), 1);
    assert_eq!((s.states().as_str(), sim.received()), ("40 accepted", 40));
    s.audit_unknown(40, 0);
}

fn three_runs_keep_one_rate(database: Database) {
    const RATE: usize = 40;
    let s = Scenario::on(database);
    let sim = s.simulate("");
    imported(&s, &sim, 600, &format!("--rate {RATE}"));
    for run in start::<3>(&s, "") {
        run.finish().exits(0);
    }
    let received = times(&sim);
    let most = most_within(&received, 10_000);
    assert!(most <= 10 * RATE + RATE, "{most} requests within 10 s at {RATE} a second");
    assert_eq!(received.len(), 600);
    s.audit_unknown(600, 0);
}

fn a_refusal_of_the_credentials_that_one_sees_stops_all(database: Database) {
    const ROWS: u32 = 2_000;
    let s = Scenario::on(database);
    // The stand-in's draws are the same each time: it refuses the 201st request, and then the 367th.
    let sim = s.simulate("--latency 50ms..100ms --fault 401=0.2%");
    imported(&s, &sim, ROWS, "");
    let told = start::<3>(&s, "").map(|run| run.finish().exits(6));
    assert!(told.iter().all(|told| told.stderr.contains("refused the credentials")), "{told:?}");
    let sent_by = count(&s, "SELECT count(DISTINCT run_id) FROM attempt");
    let refused = count(&s, "SELECT count(*) FROM attempt WHERE outcome = 'misconfigured'");
    assert!(sent_by > refused, "each run was refused by itself: {refused}");
    assert!(sim.received() < ROWS as usize);
    s.audit_unknown(ROWS.into(), 0);
}

fn a_429_that_one_sees_has_all_wait(database: Database) {
    const RUNS: usize = 3;
    let s = Scenario::on(database);
    // The stand-in's draws are the same each time: it throttles the 201st request.
    let sim = s.simulate("--latency 200ms --fault 429-bare=0.2%");
    imported(&s, &sim, 300, "--retry-initial 4s --retry-max 4s");
    for run in start::<RUNS>(&s, "") {
        run.finish().exits(0);
    }
    let receipts = sim.receipts();
    let throttled: Vec<i64> =
        receipts.iter().filter(|receipt| receipt.status == Some(429)).map(|receipt| millis(&receipt.at)).collect();
    assert!(!throttled.is_empty());
    let received = times(&sim);
    for at in throttled {
        // What each slot sends until the answer comes, and once it has, until the turn that closes the gate is stored.
        let meanwhile = received.iter().filter(|time| (at + 1..at + 1_500).contains(*time)).count();
        assert!(meanwhile <= 3 * RUNS * CONCURRENCY, "{meanwhile} requests; without a gate there are some ninety");
    }
    s.audit_unknown(300, 0);
}

fn one_row_of_all_runs_probes_at_a_time(database: Database) {
    let s = Scenario::on(database);
    s.write("campaign.csv", campaign(0..100));
    s.mep("import campaign.csv --endpoint http://127.0.0.1:9 --probe-after 1s").exits(0);
    for run in start::<4>(&s, "--wait 8s") {
        run.finish().exits(5);
    }
    let taken = s.query("SELECT taken_at::text FROM attempt ORDER BY taken_at");
    let taken: Vec<i64> = taken.iter().map(|at| at.parse().expect("a time")).collect();
    // Until the first of them has closed the gate, each run sends what it has slots for.
    let probes: Vec<i64> = taken.iter().copied().filter(|at| at - taken[0] > 900).collect();
    assert!(probes.len() > 1, "{taken:?}");
    assert!(probes.windows(2).all(|pair| pair[1] - pair[0] > 900), "{probes:?}");
}

fn a_lock_on_the_counts_is_waited_for(database: Database) {
    const ROWS: u32 = 500;
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 5ms..20ms");
    imported(&s, &sim, ROWS, "");
    let runs: [Running; 2] = start(&s, "");
    sim.until_received(50);
    s.execute("BEGIN; SELECT * FROM state_count FOR UPDATE; SELECT pg_sleep(3); COMMIT");
    for run in runs {
        run.finish().exits(0);
    }
    assert_eq!((s.states(), sim.received()), (format!("{ROWS} accepted"), ROWS as usize));
    s.audit_unknown(ROWS.into(), 0);
}

/// When the requests came, in milliseconds, in that order.
fn times(sim: &Simulator) -> Vec<i64> {
    let mut times: Vec<i64> = sim.receipts().iter().map(|receipt| millis(&receipt.at)).collect();
    times.sort_unstable();
    times
}

fn millis(time: &str) -> i64 {
    time.parse::<Timestamp>().expect("a time of RFC 3339").as_millisecond()
}

/// The most requests within any span of so many milliseconds.
fn most_within(times: &[i64], span_ms: i64) -> usize {
    let within = |first: usize| times.partition_point(|time| *time < times[first] + span_ms) - first;
    (0..times.len()).map(within).max().unwrap_or_default()
}
