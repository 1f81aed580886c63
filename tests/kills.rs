//! Kills: `import`, `run`, `resolve` and `retry` are ended with `kill -9` in each of their phases and begun again until all is done.

mod audit;
mod cluster;
mod kill;
mod rounds;
mod scenario;
mod tap;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use fastrand::Rng;
use kill::{Killed, Moment};
use rounds::{Figures, rounds};
use scenario::{Scenario, Simulator, campaign};
use tap::Tap;

const ROWS: u32 = 600;
const CONCURRENCY: usize = 8;

/// With so many kills each phase is among them, or something is wrong with how the moments are drawn.
const MANY_KILLS: u64 = 1_000;

const KILLS: &str = "kills";
const IMPORT_NOTHING: &str = "of an import before it stored anything";
const IMPORT_PART: &str = "of an import with a part stored";
const IMPORT_WHOLE: &str = "of an import with the batch stored";
const RUN_NOTHING: &str = "of a run with nothing committed to be sent";
const RUN_COMMITTED: &str = "between commit and request";
const RUN_REQUESTED: &str = "between request and answer";
const RUN_ANSWERED: &str = "between answer and commit";
const RESOLVE_NOTHING: &str = "of `resolve` with nothing decided";
const RESOLVE_ALL: &str = "of `resolve` with all decided";
const RETRY_NOTHING: &str = "of `retry` with nothing decided";
const RETRY_ALL: &str = "of `retry` with all decided";
const PHASES: [&str; 11] = [
    IMPORT_NOTHING,
    IMPORT_PART,
    IMPORT_WHOLE,
    RUN_NOTHING,
    RUN_COMMITTED,
    RUN_REQUESTED,
    RUN_ANSWERED,
    RESOLVE_NOTHING,
    RESOLVE_ALL,
    RETRY_NOTHING,
    RETRY_ALL,
];

#[test]
fn a_campaign_that_is_killed_in_each_of_its_phases_texts_nobody_twice_and_loses_nobody() {
    let figures = rounds("kills", 1, |rng, figures| {
        [KILLS].iter().chain(&PHASES).for_each(|figure| figures.count(figure, 0));
        let mut storm = Storm::new(rng, figures);
        storm.import();
        storm.send(6);
        for _ in 0..2 {
            storm.decide("resolve campaign --all --as not-sent --reason storm --yes", UNKNOWN);
            storm.decide("retry campaign --state rejected", REJECTED);
            storm.send(3);
        }
        storm.end();
    });
    let missed: Vec<_> = PHASES.iter().filter(|phase| figures[**phase] == 0).collect();
    assert!(figures[KILLS] < MANY_KILLS || missed.is_empty(), "no kill hit {missed:?}: {figures:?}");
}

/// What an operator decides, and how it is counted.
struct Decided {
    /// The states that are left.
    states: &'static str,
    kind: &'static str,
    nothing: &'static str,
    all: &'static str,
}

const UNKNOWN: Decided =
    Decided { states: "'unknown', 'sending'", kind: "resolve", nothing: RESOLVE_NOTHING, all: RESOLVE_ALL };
const REJECTED: Decided = Decided { states: "'rejected'", kind: "retry", nothing: RETRY_NOTHING, all: RETRY_ALL };

/// One campaign in which everything is killed.
struct Storm<'a> {
    s: Scenario,
    sim: Simulator,
    tap: Tap,
    rng: &'a mut Rng,
    figures: &'a mut Figures,
    killed_runs: usize,
}

impl<'a> Storm<'a> {
    fn new(rng: &'a mut Rng, figures: &'a mut Figures) -> Storm<'a> {
        let s = Scenario::new();
        let sim = s.simulate("--latency 1ms..20ms --fault 400=10%");
        let tap = Tap::to(&sim.to_string());
        s.campaign(ROWS);
        Storm { s, sim, tap, rng, figures, killed_runs: 0 }
    }

    fn log(&self) -> PathBuf {
        self.s.database().with_extension("db-wal")
    }

    /// Starts a command and kills it.
    fn kill(&mut self, line: &str, moment: Moment) -> Killed {
        self.tap.forget();
        let killed = moment.kill(self.s.start(line), &self.log(), &self.tap);
        self.figures.count(KILLS, usize::from(killed.was_alive()));
        killed
    }

    /// Imports that are killed, until one is whole.
    fn import(&mut self) {
        let import = format!("import campaign.csv --endpoint {}", self.tap.url());
        for _ in 0..4 {
            let moment = Moment::of_command(self.rng, import_length());
            let killed = self.kill(&import, moment);
            let (batches, parts) = self.batches();
            let phase = match (batches, parts) {
                (0, 0) => IMPORT_NOTHING,
                (0, _) => IMPORT_PART,
                _ => IMPORT_WHOLE,
            };
            self.figures.count(phase, usize::from(killed.was_alive()));
            if batches > 0 {
                break;
            }
            assert!(killed.was_alive(), "{}", killed.done.output());
        }
        let (batches, _) = self.batches();
        self.s.mep(&import).exits(if batches > 0 { 7 } else { 0 });
        assert_eq!(self.batches(), (1, 0), "what was left behind is gone");
        self.s.audit_unsettled(ROWS.into());
    }

    /// How many batches there are, and how many are there in part.
    fn batches(&self) -> (usize, usize) {
        let seen = self.s.copy();
        let is_there = seen.database().exists()
            && count(&seen, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'batch'") > 0;
        let of = |what: &str| count(&seen, &format!("SELECT count(*) FROM batch WHERE name IS {what}"));
        if is_there { (of("NOT NULL"), of("NULL")) } else { (0, 0) }
    }

    /// Runs that are killed.
    fn send(&mut self, runs: usize) {
        let run = format!("run campaign --concurrency {CONCURRENCY} --max-unknown {ROWS} --wait 0 --probe-after 10ms");
        for _ in 0..runs {
            let moment = Moment::of_run(self.rng);
            let killed = self.kill(&run, moment);
            if killed.was_alive() {
                self.killed_runs += 1;
                self.count_phases(killed.told_length);
            }
            self.s.audit_unsettled(ROWS.into());
        }
    }

    /// Where each of the rows was that the killed run had committed. A kill counts in each phase in which it met a row.
    fn count_phases(&mut self, told_length: usize) {
        let (said, told) = (self.tap.said(), self.tap.told(told_length));
        let receipts = self.sim.receipts();
        let phones = self.s.copy().query(
            "SELECT CAST(phone AS TEXT) FROM content JOIN invocation ON id = invocation_id WHERE state = 'sending'",
        );
        let (mut committed, mut requested, mut answered) = (false, false, false);
        for phone in &phones {
            if !said.contains(phone) {
                committed = true;
                continue;
            }
            let last = receipts.iter().rfind(|receipt| receipt.phone_number.as_ref() == Some(phone));
            match last.and_then(|receipt| receipt.request_id.as_ref()) {
                Some(id) if told.contains(id) => answered = true,
                Some(_) => requested = true,
                None => {} // a refusal, of which nothing tells whether it was passed on
            }
        }
        let met = [
            (RUN_NOTHING, phones.is_empty()),
            (RUN_COMMITTED, committed),
            (RUN_REQUESTED, requested),
            (RUN_ANSWERED, answered),
        ];
        met.iter().for_each(|(phase, is_met)| self.figures.count(phase, usize::from(*is_met)));
    }

    /// An operator's command that is killed until it has decided: all rows or none, and all of it is recorded.
    fn decide(&mut self, line: &str, decided: Decided) {
        for _ in 0..3 {
            let (open, acts) = self.open(&decided);
            if open == 0 {
                return;
            }
            let moment = Moment::of_command(self.rng, Duration::from_millis(60));
            let killed = self.kill(line, moment);
            let now = self.open(&decided);
            let (is_nothing, is_all) = (now == (open, acts), now == (0, acts + open));
            assert!(is_nothing || is_all, "{now:?} of ({open}, {acts})\n{}", killed.done.output());
            let phase = if is_all { decided.all } else { decided.nothing };
            self.figures.count(phase, usize::from(killed.was_alive()));
            self.s.audit_unsettled(ROWS.into());
            if is_all {
                return;
            }
        }
        self.s.mep(line).exits(0);
    }

    /// How many rows wait for a decision, and how many such decisions are recorded.
    fn open(&self, Decided { states, kind, .. }: &Decided) -> (usize, usize) {
        let seen = self.s.copy();
        let acts = "SELECT count(*) FROM action_row JOIN action ON action.id = action_id WHERE kind";
        (
            count(&seen, &format!("SELECT count(*) FROM invocation WHERE state IN ({states})")),
            count(&seen, &format!("{acts} = '{kind}'")),
        )
    }

    /// A run that nobody kills; after it nothing is left to be sent.
    fn end(self) {
        let run = format!("run campaign --concurrency {CONCURRENCY} --max-unknown {ROWS} --probe-after 10ms");
        let ended = self.s.mep(&run);
        assert!([0, 3, 4].contains(&ended.code), "{}", ended.output());
        let left = "SELECT count(*) FROM invocation WHERE state NOT IN ('accepted', 'rejected', 'unknown')";
        assert_eq!(count(&self.s, left), 0, "{}", self.s.states());
        self.s.audit_unknown(ROWS.into(), self.killed_runs * CONCURRENCY);
        let received = self.sim.received();
        self.s.mep(&run).exits(ended.code);
        assert_eq!(self.sim.received(), received);
    }
}

fn count(s: &Scenario, sql: &str) -> usize {
    s.query(sql)[0].parse().expect("a number")
}

/// How long an import takes here that nobody kills.
fn import_length() -> Duration {
    static LENGTH: OnceLock<Duration> = OnceLock::new();
    *LENGTH.get_or_init(|| {
        let s = Scenario::new();
        s.write("campaign.csv", campaign(0..ROWS));
        let began = Instant::now();
        s.mep("import campaign.csv --endpoint http://127.0.0.1:9").exits(0);
        began.elapsed()
    })
}
