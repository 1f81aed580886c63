//! Runs that are started twice at one moment, and runs that are stopped for longer than anybody waits for them and wake up.

mod audit;
mod cluster;
mod either;
mod rounds;
mod scenario;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cluster::Database;
use either::{On, facts};
use fastrand::Rng;
use rounds::{Figures, rounds};
use rustix::process::Signal;
use scenario::{Running, Scenario, Simulator, until};

const CONCURRENCY: usize = 4;

/// Queues in which a run is stopped at once, because each of them is stopped for so long.
const QUEUES: usize = 4;

/// Longer than a row that was taken may wait before it is sent, and much less than it takes to be thought dead.
const PAST_SELL_BY: Duration = Duration::from_millis(5_500);

const GIVEN_BACK: &str = "rows given back unsent";

/// A run may be stopped between its look at the clock and its request, which is then written when it wakes up.
const WOKEN_SENT: &str = "requests written on waking up";

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                runs_that_start_at_one_moment_import_once_and_send_once,
                a_run_stopped_past_its_sell_by_sends_nothing_twice_and_loses_nothing,
            ],
        ),
        (
            On::Postgres,
            facts![
                what_is_committed_while_a_run_is_stopped_is_given_back_past_its_sell_by,
                a_run_stopped_past_its_heartbeat_is_judged_and_tells_late_what_came_of_its_requests,
            ],
        ),
    ])
}

fn runs_that_start_at_one_moment_import_once_and_send_once(database: Database) {
    const ROWS: u32 = 40;
    rounds("double starts", 2, |rng, figures| {
        let s = Scenario::on(database);
        let sim = s.simulate("--latency 1ms..10ms");
        s.campaign(ROWS);
        let run = format!("run campaign.csv --endpoint {sim} --concurrency {CONCURRENCY}");
        let starts = rng.usize(2..6);
        let runs: Vec<Running> = (0..starts)
            .map(|_| {
                pause(rng, 3_000);
                s.start(&run)
            })
            .collect();
        let codes: Vec<i32> = runs.into_iter().map(|run| run.finish().code).collect();
        let refused = codes.iter().filter(|code| **code == 8).count();
        assert!(codes.iter().all(|code| [0, 8].contains(code)) && refused < starts, "{codes:?}");
        assert!(database == Database::Sqlite || refused == 0, "a server is shared: {codes:?}");
        assert_eq!(s.query("SELECT name FROM batch"), ["campaign"]);
        assert_eq!((s.states(), sim.received()), (format!("{ROWS} accepted"), ROWS as usize));
        s.audit_unknown(ROWS.into(), 0);
        figures.count(rounds_on(database), 1);
        figures.count("runs started at one moment", starts);
        figures.count("of them refused because another one held the file", refused);
    });
}

/// A queue whose first run is stopped.
struct Stopped {
    s: Scenario,
    sim: Simulator,
    run: Running,
    /// The run that goes on beside it, where the queue is shared.
    other: Option<Running>,
}

impl Stopped {
    /// At a moment that chance chooses, with rows in flight.
    fn begin(database: Database, rows: u32, latency: &str, rng: &mut Rng) -> Stopped {
        let s = Scenario::on(database);
        let sim = s.simulate(latency);
        s.campaign(rows).mep(&format!("import campaign.csv --endpoint {sim} --max-unknown {rows}")).exits(0);
        let start = || s.start(&format!("run campaign --concurrency {CONCURRENCY} --timeout 5m"));
        let run = start();
        let other = (database == Database::Postgres).then(start);
        let of_run = format!("FROM run WHERE pid = {}", run.pid());
        let in_flight =
            format!("SELECT count(*) FROM invocation WHERE state = 'sending' AND run_id = (SELECT id {of_run})");
        until("a run to have begun", || count(&s, &format!("SELECT count(*) {of_run}")) > 0);
        until("a run to be stopped with rows in flight", || {
            pause(rng, 20_000);
            run.send(Signal::STOP);
            let holds_rows = count(&s, &in_flight) > 0;
            if !holds_rows {
                run.send(Signal::CONT);
            }
            holds_rows
        });
        Stopped { s, sim, run, other }
    }
}

fn a_run_stopped_past_its_sell_by_sends_nothing_twice_and_loses_nothing(database: Database) {
    const ROWS: u32 = 200;
    rounds("stops past the sell-by", 1, |rng, figures| {
        let queues = stopped(database, ROWS, "--latency 10ms..40ms", rng, figures);
        let since = Instant::now();
        if database == Database::Sqlite {
            queues.iter().for_each(|queue| drop(queue.s.mep("run campaign").exits(8)));
        }
        until("the sell-by to have passed", || since.elapsed() > PAST_SELL_BY);
        queues.iter().for_each(|queue| queue.run.send(Signal::CONT));
        figures.count(rounds_on(database), 1);
        for Stopped { s, sim, run, other } in queues {
            for run in [Some(run), other].into_iter().flatten() {
                run.finish().exits(0);
            }
            all_are_accepted_once(&s, &sim, ROWS);
            figures.count(GIVEN_BACK, count(&s, "SELECT count(*) FROM attempt WHERE outcome = 'given-back'"));
        }
    });
}

/// Makes room inside the commit that takes the row at line 20.
const SLOW_COMMIT: &str = "
    CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER nap AFTER UPDATE ON invocation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.state = 'sending' AND NEW.line = 20) EXECUTE FUNCTION nap()";

fn what_is_committed_while_a_run_is_stopped_is_given_back_past_its_sell_by(database: Database) {
    const ROWS: u32 = 40;
    const ROW: &str = "(SELECT id FROM invocation WHERE line = 20)";
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 1ms..10ms");
    s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.execute(SLOW_COMMIT);
    let run = s.start(&format!("run campaign --concurrency {CONCURRENCY}"));
    let napping = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    s.until_stored(&format!("SELECT count(*) {napping}"), "1");
    run.send(Signal::STOP);
    let since = Instant::now();
    s.until_stored(&format!("SELECT count(*) FROM invocation WHERE id = {ROW} AND state = 'sending'"), "1");
    until("the sell-by to have passed", || since.elapsed() > PAST_SELL_BY);
    run.send(Signal::CONT);
    run.finish().exits(0);
    let outcomes = format!("SELECT outcome FROM attempt WHERE invocation_id = {ROW} ORDER BY number");
    assert_eq!(s.query(&outcomes), ["given-back", "accepted"]);
    all_are_accepted_once(&s, &sim, ROWS);
}

fn a_run_stopped_past_its_heartbeat_is_judged_and_tells_late_what_came_of_its_requests(database: Database) {
    const ROWS: u32 = 200;
    rounds("stops past the heartbeat", 1, |rng, figures| {
        for Stopped { s, sim, run, other } in stopped(database, ROWS, "--latency 20ms..200ms", rng, figures) {
            // It ends once it has found the stopped one dead and nothing is left.
            let ended = other.expect("the queue is shared").finish();
            let judged = count(&s, "SELECT count(*) FROM invocation WHERE state = 'unknown'");
            assert_eq!(ended.code, if judged > 0 { 4 } else { 0 }, "{}", ended.output());
            assert_eq!(count(&s, "SELECT count(*) FROM invocation WHERE state = 'accepted'"), ROWS as usize - judged);
            s.audit_unknown(ROWS.into(), CONCURRENCY);
            let received = sim.received();
            run.send(Signal::CONT);
            let told = run.finish();
            figures.count(WOKEN_SENT, sim.received() - received);
            let late = count(&s, "SELECT count(*) FROM attempt WHERE judged = 1 AND late = 1");
            assert!(late == judged && !told.stderr.contains("panicked"), "{late} of {judged}: {}", told.output());
            // What it had taken and not sent yet it gave back.
            s.mep("run campaign").exits(0);
            all_are_accepted_once(&s, &sim, ROWS);
            figures.count("late outcomes", late);
            figures.count(GIVEN_BACK, count(&s, "SELECT count(*) FROM attempt WHERE outcome = 'given-back'"));
        }
    });
}

/// Queues in each of which a run is stopped.
fn stopped(database: Database, rows: u32, latency: &str, rng: &mut Rng, figures: &mut Figures) -> Vec<Stopped> {
    let queues: Vec<Stopped> = (0..QUEUES).map(|_| Stopped::begin(database, rows, latency, rng)).collect();
    figures.count("stops", queues.len());
    queues
}

#[track_caller]
fn all_are_accepted_once(s: &Scenario, sim: &Simulator, rows: u32) {
    assert_eq!((s.states(), sim.received()), (format!("{rows} accepted"), rows as usize));
    s.audit_unknown(rows.into(), 0);
}

/// What the database of a round is, for the figures: without a server there are none on one.
fn rounds_on(database: Database) -> &'static str {
    match database {
        Database::Sqlite => "rounds in a file",
        Database::Postgres => "rounds on a server",
    }
}

fn count(s: &Scenario, sql: &str) -> usize {
    s.query(sql)[0].parse().expect("a number")
}

/// Lets less than so many microseconds pass, as chance has it.
fn pause(rng: &mut Rng, longest_us: u64) {
    let (began, length) = (Instant::now(), Duration::from_micros(rng.u64(..longest_us)));
    while began.elapsed() < length {
        std::thread::yield_now();
    }
}
