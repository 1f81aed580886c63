//! A storm: runs that are killed, stopped and cut off, also inside a commit, and a server that falls over, at moments that chance
//! chooses.

mod audit;
mod cluster;
mod either;
mod rounds;
mod scenario;

use std::process::ExitCode;

use cluster::{Cluster, Database, Proxy};
use either::{On, facts};
use fastrand::Rng;
use rounds::{Figures, rounds};
use rustix::process::Signal;
use scenario::{Running, Scenario, Simulator, campaign};

const ROWS: u32 = 480;
const RUNS: usize = 3;
const CONCURRENCY: usize = 4;

/// Of these blows as many happen in every storm, in an order of its own.
const STRUCK: usize = 6;
const BLOWS: [Blow; 10] = [
    Blow::Kill,
    Blow::Kill,
    Blow::Stop,
    Blow::Restart,
    Blow::Cut,
    Blow::Terminate,
    Blow::InCommit(Inside::Kill),
    Blow::InCommit(Inside::Restart),
    Blow::InCommit(Inside::Cut),
    Blow::InCommit(Inside::Terminate),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// A run is killed, and another one starts.
    Kill,
    /// A run is stopped until the next blow.
    Stop,
    /// The server ends as in a power cut, and comes back.
    Restart,
    /// Every connection is gone, and the server does not know it.
    Cut,
    /// The server ends a connection.
    Terminate,
    /// While the server is in the commit of a turn.
    InCommit(Inside),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Every run is killed, the one that commits with them, and as many start.
    Kill,
    /// The server ends as in a power cut, and comes back.
    Restart,
    /// Every connection is gone, and the server goes on with the commit.
    Cut,
    /// The server breaks off the commit, and ends its connection.
    Terminate,
}

impl Blow {
    /// Runs that die of it, or may be thought dead.
    fn struck(self) -> usize {
        match self {
            Blow::Kill | Blow::Stop => 1,
            Blow::InCommit(Inside::Kill) => RUNS,
            Blow::Restart | Blow::Cut | Blow::Terminate | Blow::InCommit(_) => 0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Blow::Kill => "runs killed",
            Blow::Stop => "runs stopped",
            Blow::Restart => "servers ended by `pg_ctl -m immediate`",
            Blow::Cut => "times all connections cut",
            Blow::Terminate => "connections ended by the server",
            Blow::InCommit(Inside::Kill) => "runs killed inside COMMIT",
            Blow::InCommit(Inside::Restart) => "servers ended inside COMMIT",
            Blow::InCommit(Inside::Cut) => "connections cut inside COMMIT",
            Blow::InCommit(Inside::Terminate) => "commits broken off by the server",
        }
    }
}

/// Makes room inside the commits that take the rows at these lines: the server stays in them for a while.
const SLOW_COMMITS: &str = "
    CREATE TABLE slow (line BIGINT);
    CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT 1 FROM slow WHERE line = NEW.line) THEN PERFORM pg_sleep(1); END IF; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER nap AFTER UPDATE ON invocation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.state = 'sending') EXECUTE FUNCTION nap()";

/// Some row that is not taken yet, and will be soon.
const SLOW_LINE: &str =
    "INSERT INTO slow SELECT line FROM invocation WHERE state = 'pending' ORDER BY line OFFSET 24 LIMIT 1";

/// What the server is in the middle of.
const NAPPING: &str = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";

fn main() -> ExitCode {
    either::run(&[(On::OwnPostgres, facts![a_storm_texts_nobody_twice_and_loses_nobody])])
}

fn a_storm_texts_nobody_twice_and_loses_nobody(_: Database) {
    rounds("storm", 1, storm);
}

fn storm(rng: &mut Rng, figures: &mut Figures) {
    BLOWS.iter().for_each(|blow| figures.count(blow.name(), 0));
    let cluster = Cluster::own(&[], &[]);
    let (proxy, url) = cluster.by_proxy(&cluster.database());
    let s = Scenario::at(url);
    let sim = s.simulate("--latency 5ms..100ms");
    s.write("campaign.csv", campaign(0..ROWS));
    s.mep(&format!("import campaign.csv --endpoint {sim} --max-unknown {ROWS}")).exits(0);
    s.execute(SLOW_COMMITS);
    let mut runs: Vec<Running> = (0..RUNS).map(|_| start(&s)).collect();
    let mut blows = BLOWS;
    rng.shuffle(&mut blows);
    let blows = &blows[..STRUCK];
    for (number, &blow) in (0..).zip(blows) {
        // Each at some moment of its own part of the batch.
        let part = ROWS as usize / (STRUCK + 1);
        sim.until_received(part * number + rng.usize(1..part));
        runs.iter().for_each(|run| run.send(Signal::CONT));
        strike(blow, &s, &cluster, &proxy, &mut runs, rng);
        figures.count(blow.name(), 1);
    }
    runs.iter().for_each(|run| run.send(Signal::CONT));
    for run in runs {
        let told = run.finish();
        // 9: it was thought dead, or could not store everything in time.
        assert!([0, 4, 9].contains(&told.code) && !told.stderr.contains("panicked"), "{told:?}");
    }
    let struck = blows.iter().map(|blow| blow.struck()).sum();
    audit(&s, &sim, struck, figures);
}

fn start(s: &Scenario) -> Running {
    s.start(&format!("run campaign --concurrency {CONCURRENCY}"))
}

fn strike(blow: Blow, s: &Scenario, cluster: &Cluster, proxy: &Proxy, runs: &mut Vec<Running>, rng: &mut Rng) {
    const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";
    let struck = rng.usize(..runs.len());
    if let Blow::InCommit(_) = blow {
        s.execute(SLOW_LINE);
        s.until_stored(&format!("SELECT count(*) > 0 {NAPPING}"), "1");
    }
    match blow {
        Blow::Kill => {
            runs.swap_remove(struck).kill();
            runs.push(start(s));
        }
        Blow::Stop => runs[struck].send(Signal::STOP),
        Blow::Restart | Blow::InCommit(Inside::Restart) => {
            cluster.stop_immediate();
            cluster.start();
        }
        Blow::Cut | Blow::InCommit(Inside::Cut) => proxy.cut(),
        Blow::Terminate => s.execute(TERMINATE),
        Blow::InCommit(Inside::Terminate) => s.execute(&format!("SELECT pg_terminate_backend(pid) {NAPPING}")),
        Blow::InCommit(Inside::Kill) => {
            runs.drain(..).for_each(|run| drop(run.kill()));
            runs.extend((0..RUNS).map(|_| start(s)));
        }
    }
}

/// Once the storm is over every row has its end, and what nobody can know is what was struck.
fn audit(s: &Scenario, sim: &Simulator, struck: usize, figures: &mut Figures) {
    let told = s.mep("run campaign");
    assert!([0, 4].contains(&told.code), "{told:?}");
    s.audit_unknown(ROWS.into(), struck * CONCURRENCY);
    let received = sim.received();
    assert!(received <= ROWS as usize, "{received} requests for {ROWS} people");
    s.mep("run campaign").exits(told.code);
    assert_eq!(sim.received(), received);
    let unknown = s.query("SELECT count(*) FROM invocation WHERE state = 'unknown'");
    figures.count("rows unknown in the end", unknown[0].parse().expect("a number"));
}
