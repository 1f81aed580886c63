//! A storm: runs that are killed, stopped and cut off, and a server that falls over, at moments that chance chooses.
//!
//! `MEP_BATCH_STORM_SEED` replays the one whose seed a failure tells.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::{Cluster, Database, Proxy};
use either::{On, facts};
use fastrand::Rng;
use rustix::process::Signal;
use scenario::{Running, Scenario, Simulator, campaign};

const ROWS: u32 = 600;
const RUNS: usize = 3;
const CONCURRENCY: usize = 4;

/// What happens in every storm, in an order of its own.
const BLOWS: [Blow; 6] = [Blow::Kill, Blow::Kill, Blow::Stop, Blow::Restart, Blow::Cut, Blow::Terminate];

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
}

fn main() -> ExitCode {
    either::run(&[(On::OwnPostgres, facts![a_storm_texts_nobody_twice_and_loses_nobody])])
}

fn a_storm_texts_nobody_twice_and_loses_nobody(_: Database) {
    let seed = match std::env::var("MEP_BATCH_STORM_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => fastrand::u64(..),
    };
    let told = std::panic::catch_unwind(|| storm(Rng::with_seed(seed)));
    assert!(told.is_ok(), "MEP_BATCH_STORM_SEED={seed} replays it");
}

fn storm(mut rng: Rng) {
    let cluster = Cluster::own(&[], &[]);
    let (proxy, url) = cluster.by_proxy(&cluster.database());
    let s = Scenario::at(url);
    let sim = s.simulate("--latency 5ms..100ms");
    s.write("campaign.csv", campaign(0..ROWS));
    s.mep(&format!("import campaign.csv --endpoint {sim} --max-unknown {ROWS}")).exits(0);
    let mut runs: Vec<Running> = (0..RUNS).map(|_| start(&s)).collect();
    let mut blows = BLOWS;
    rng.shuffle(&mut blows);
    for (number, blow) in (0..).zip(blows) {
        // Each at some moment of its own part of the batch.
        let part = ROWS as usize / (BLOWS.len() + 1);
        sim.until_received(part * number + rng.usize(1..part));
        runs.iter().for_each(|run| run.send(Signal::CONT));
        strike(blow, &s, &cluster, &proxy, &mut runs, &mut rng);
    }
    runs.iter().for_each(|run| run.send(Signal::CONT));
    for run in runs {
        let told = run.finish();
        // 9: it was thought dead, or could not store everything in time.
        assert!([0, 4, 9].contains(&told.code) && !told.stderr.contains("panicked"), "{told:?}");
    }
    audit(&s, &sim);
}

fn start(s: &Scenario) -> Running {
    s.start(&format!("run campaign --concurrency {CONCURRENCY}"))
}

fn strike(blow: Blow, s: &Scenario, cluster: &Cluster, proxy: &Proxy, runs: &mut Vec<Running>, rng: &mut Rng) {
    const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";
    let struck = rng.usize(..runs.len());
    match blow {
        Blow::Kill => {
            runs.swap_remove(struck).kill();
            runs.push(start(s));
        }
        Blow::Stop => runs[struck].send(Signal::STOP),
        Blow::Restart => {
            cluster.stop_immediate();
            cluster.start();
        }
        Blow::Cut => proxy.cut(),
        Blow::Terminate => s.execute(TERMINATE),
    }
}

/// Once the storm is over every row has its end, and what nobody can know is what was struck.
fn audit(s: &Scenario, sim: &Simulator) {
    let told = s.mep("run campaign");
    assert!([0, 4].contains(&told.code), "{told:?}");
    let struck = BLOWS.iter().filter(|blow| [Blow::Kill, Blow::Stop].contains(blow)).count();
    s.audit_unknown(ROWS.into(), struck * CONCURRENCY);
    let received = sim.received();
    assert!(received <= ROWS as usize, "{received} requests for {ROWS} people");
    s.mep("run campaign").exits(told.code);
    assert_eq!(sim.received(), received);
}
