//! Damaged databases: nothing panics, nobody is sent to twice, and what SQLite can find `doctor` tells.

mod audit;
mod cluster;
mod rounds;
mod scenario;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use fastrand::Rng;
use rounds::{Figures, rounds};
use rustix::process::Signal;
use scenario::{Done, Scenario, Simulator, campaign, until};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

const ROWS: u32 = 240;
const SENT: usize = 120;
/// Every row may be left for a person to decide, and no gate is waited for.
const RUN: &str = "run campaign --wait 0 --max-unknown 240 --probe-after 10ms";
const PAGE: usize = 4096;
const LOG: &str = "queue.db-wal";

const TWICE: &str = "people sent to twice";
const FORGOTTEN: &str = "people sent to twice, as the log forgot the first time and no note knew of it yet";
const REFUSED: &str = "refused as older than its user's notes";
const BY_SQLITE: &str = "found by SQLite";
const BY_DOCTOR: &str = "found by `doctor`";

/// A campaign of which half was sent, the stand-in that received it, and who was sent to.
struct Half {
    s: Scenario,
    sim: Simulator,
    sent: Vec<String>,
    /// Those who were taken after the run had last noted how far it had come.
    unnoted: Vec<String>,
}

impl Half {
    /// Ended by itself: all is in the database's file.
    fn ended() -> Half {
        Half::sent("", |s, _| {
            s.mep(&format!("run campaign --limit {SENT}")).exits(5);
        })
    }

    /// Killed: what was sent is in the log alone, and of the last of it there is no note.
    fn killed() -> Half {
        let half = Half::sent("--latency 5ms", |s, sim| {
            let running = s.start("run campaign --concurrency 4");
            sim.until_received(SENT);
            assert_eq!(running.kill().code, 137, "it was quicker than the test");
            assert!(fs::metadata(s.path(LOG)).is_ok_and(|log| log.len() > 100 * PAGE as u64));
            s.audit_unsettled(ROWS.into());
        });
        let unnoted = taken_since(&half.s, noted_at(&half.s));
        assert!(unnoted.len() < SENT, "it has noted nothing");
        Half { unnoted, ..half }
    }

    fn sent(flags: &str, send: impl FnOnce(&Scenario, &Simulator)) -> Half {
        let s = Scenario::new();
        let sim = s.simulate(flags);
        s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
        send(&s, &sim);
        let sent = phones(&sim);
        Half { s, sim, sent, unnoted: Vec::new() }
    }

    /// Uses a damaged copy as people do; who was sent to more than once, and how often.
    fn used(&self, s: &Scenario, figures: &mut Figures) -> BTreeMap<String, usize> {
        let found = sqlite_finds(&s.copy());
        let told = decent(s.mep("doctor"));
        assert!(!found || told.code == 9, "SQLite finds it, and `doctor` does not:\n{}", told.output());
        figures.count(BY_SQLITE, usize::from(found));
        figures.count(BY_DOCTOR, usize::from(told.code == 9));
        let before = self.sim.received();
        decent(s.mep("status"));
        let first = decent(run(s));
        figures.count(
            REFUSED,
            usize::from(first.code == 9 && first.output().contains("older than what was sent from it")),
        );
        decent(s.mep("export campaign"));
        decent(run(s));
        let mut received: BTreeMap<String, usize> = BTreeMap::new();
        let since = phones(&self.sim).split_off(before);
        self.sent.iter().chain(&since).for_each(|phone| *received.entry(phone.clone()).or_default() += 1);
        received.retain(|_, count| *count > 1);
        received
    }
}

/// When the notes of a run were written last, in milliseconds.
fn noted_at(s: &Scenario) -> u128 {
    let is_note = |path: &&PathBuf| path.starts_with(s.path(".local/state/mep-batch"));
    let written = |path: &PathBuf| path.metadata().and_then(|note| note.modified()).expect("a note");
    let last = s.files().keys().filter(is_note).map(written).max().expect("a run leaves a note");
    last.duration_since(UNIX_EPOCH).expect("a moment of today").as_millis()
}

/// Who was taken at that moment or later; a note is written before the next turn takes anything. A copy is asked: opening a
/// database changes its files.
fn taken_since(s: &Scenario, at_ms: u128) -> Vec<String> {
    let sql = "SELECT phone FROM content JOIN invocation ON id = invocation_id WHERE taken_at >=";
    s.copy().query(&format!("{sql} {at_ms}"))
}

fn phones(sim: &Simulator) -> Vec<String> {
    sim.receipts().into_iter().filter_map(|receipt| receipt.phone_number).collect()
}

/// Runs it, and loses patience where the database fails it.
fn run(s: &Scenario) -> Done {
    let mut running = s.start(RUN);
    if running.until_it_says_or_ends("Nothing more is sent") {
        until("the end of a run that is interrupted", || {
            let has_ended = running.has_ended();
            if !has_ended {
                running.send(Signal::INT);
            }
            has_ended
        });
    }
    running.finish()
}

/// How the program may end on a damaged database: as on any, or with an error that says what to do.
#[track_caller]
fn decent(done: Done) -> Done {
    assert!([0, 2, 3, 4, 5, 6, 9].contains(&done.code), "{} {}", done.code, done.output());
    assert!(!done.output().contains("panicked"), "{}", done.output());
    assert!(done.code != 9 || ["hint:", "fix:"].iter().any(|way| done.output().contains(way)), "{}", done.output());
    done
}

/// Whether SQLite finds anything wrong by itself, or cannot open it at all.
fn sqlite_finds(s: &Scenario) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let found: sqlx::Result<Vec<String>> = runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(s.database());
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let rows = sqlx::raw_sql("PRAGMA integrity_check").fetch_all(&mut connection).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    });
    found.map_or(true, |found| found != ["ok"])
}

/// Changes a file as one piece of bytes.
fn change(s: &Scenario, name: &str, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(s.path(name)).expect("the file");
    damage(&mut bytes);
    fs::write(s.path(name), bytes).expect("one's own file");
}

fn flip_bits(rng: &mut Rng, bytes: &mut [u8]) {
    for _ in 0..rng.usize(1..9) {
        let place = rng.usize(..bytes.len());
        bytes[place] ^= 1 << rng.u8(..8);
    }
}

/// A damage, by what it is called.
type Damage = (&'static str, fn(&Scenario, &mut Rng));

/// What becomes of the database's file.
const OF_THE_FILE: [Damage; 5] = [
    ("truncated", |s, rng| change(s, "queue.db", |bytes| bytes.truncate(rng.usize(1..bytes.len())))),
    ("with flipped bits", |s, rng| change(s, "queue.db", |bytes| flip_bits(rng, bytes))),
    ("with flipped bits in what leads to the rows", |s, rng| {
        change(s, "queue.db", |bytes| {
            let page = rng.usize(..bytes.len() / PAGE) * PAGE;
            flip_bits(rng, &mut bytes[page..page + 200]);
        });
    }),
    ("with a page lost", |s, rng| {
        change(s, "queue.db", |bytes| {
            let page = rng.usize(..bytes.len() / PAGE) * PAGE;
            bytes[page..page + PAGE].fill(0);
        });
    }),
    ("with a page misplaced", |s, rng| {
        change(s, "queue.db", |bytes| {
            let (page, other) = (rng.usize(..bytes.len() / PAGE) * PAGE, rng.usize(..bytes.len() / PAGE) * PAGE);
            bytes.copy_within(page..page + PAGE, other);
        });
    }),
];

/// What becomes of the log of a run that was killed.
const OF_THE_LOG: [Damage; 5] = [
    ("with a log that lacks its end", |s, rng| {
        change(s, LOG, |bytes| bytes.truncate(bytes.len() - rng.usize(1..bytes.len() / 20)));
    }),
    ("with a truncated log", |s, rng| change(s, LOG, |bytes| bytes.truncate(rng.usize(..bytes.len())))),
    ("with flipped bits in the log", |s, rng| change(s, LOG, |bytes| flip_bits(rng, bytes))),
    ("with the log of another", |s, _| s.write(LOG, others_log()).path(LOG).metadata().map(|_| ()).expect("written")),
    ("with a log that is none", |s, rng| {
        change(s, LOG, |bytes| bytes.iter_mut().for_each(|byte| *byte = rng.u8(..)));
    }),
];

/// The log of another queue, which a killed run left.
fn others_log() -> Vec<u8> {
    static LOG_OF_ANOTHER: OnceLock<Vec<u8>> = OnceLock::new();
    LOG_OF_ANOTHER.get_or_init(|| fs::read(Half::killed().s.path(LOG)).expect("its log")).clone()
}

#[test]
fn a_damaged_database_sends_to_nobody_twice_and_doctor_finds_what_sqlite_finds() {
    let half = Half::ended();
    rounds("damaged", 15, |rng, figures| {
        [BY_SQLITE, BY_DOCTOR, TWICE].iter().for_each(|figure| figures.count(figure, 0));
        let (what, damage) = OF_THE_FILE[rng.usize(..OF_THE_FILE.len())];
        figures.count(what, 1);
        let s = half.s.copy();
        damage(&s, rng);
        let twice = half.used(&s, figures);
        figures.count(TWICE, twice.len());
        assert!(twice.is_empty(), "{what}: {twice:?}");
    });
}

/// SQLite takes what stands behind the first damage of a log for never written, as after a power cut. Where it forgets a turn so
/// that is noted, the database is refused. Who was sent to by turns behind that, nobody knows: these are sent to once more, and
/// nothing else may go wrong.
#[test]
fn a_damaged_log_is_an_error_or_forgets_what_no_note_knows() {
    let half = Half::killed();
    rounds("damaged-log", 8, |rng, figures| {
        [BY_SQLITE, BY_DOCTOR, FORGOTTEN, REFUSED].iter().for_each(|figure| figures.count(figure, 0));
        let (what, damage) = OF_THE_LOG[rng.usize(..OF_THE_LOG.len())];
        figures.count(what, 1);
        let s = half.s.copy();
        damage(&s, rng);
        let forgotten = half.used(&s, figures);
        figures.count(FORGOTTEN, forgotten.len());
        for (phone, count) in &forgotten {
            let place = (half.sent.contains(phone), half.unnoted.contains(phone));
            assert_eq!((place, *count), ((true, true), 2), "{what}: {phone} of {forgotten:?}");
        }
    });
}

/// What is no queue of this program, and what it is made of.
const NO_QUEUES: [(&str, fn(&Scenario)); 8] = [
    ("a text", |s| fs::write(s.database(), "phoneNumber\n12515550130\n").expect("written")),
    ("bytes", |s| fs::write(s.database(), [0xa5; 9_000]).expect("written")),
    ("SQLite's first bytes alone", |s| fs::write(s.database(), b"SQLite format 3\0").expect("written")),
    ("SQLite's first bytes, and nothing behind them", |s| {
        fs::write(s.database(), [b"SQLite format 3\0".as_slice(), &[0; 8_176]].concat()).expect("written");
    }),
    ("another program's", |s| s.execute("CREATE TABLE theirs (id INTEGER PRIMARY KEY); INSERT INTO theirs VALUES (1)")),
    ("a newer program's", |s| {
        s.campaign(3).mep("import campaign.csv --endpoint http://127.0.0.1:9").exits(0);
        s.execute("INSERT INTO _sqlx_migrations SELECT 4711, description, installed_on, success, checksum, execution_time FROM _sqlx_migrations LIMIT 1");
    }),
    ("one of which a column's type is no text", |s| {
        s.campaign(3).mep("import campaign.csv --endpoint http://127.0.0.1:9").exits(0);
        change(s, "queue.db", |bytes| {
            let types: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"BIGINT")).collect();
            types.into_iter().for_each(|place| bytes[place] = 0xff);
        });
    }),
    ("a folder", |s| fs::create_dir(s.database()).expect("a folder")),
];

#[test]
fn what_is_no_queue_of_this_program_is_refused_with_a_way_out_and_left_as_it_is() {
    for (what, make) in NO_QUEUES {
        let s = Scenario::new();
        make(&s);
        let content = fs::read(s.database()).ok();
        s.write("more.csv", campaign(0..3));
        for line in
            ["run campaign", "run more.csv --endpoint http://127.0.0.1:9", "status", "doctor", "export campaign"]
        {
            let done = s.mep(line).exits(9);
            let said = done.output();
            assert!(said.contains("hint:") || said.contains("fix:"), "{what}: {said}");
            assert_eq!(fs::read(s.database()).ok(), content, "{what}: `{line}` changed it");
        }
    }
}

#[test]
fn a_file_without_a_byte_is_a_queue_that_has_nothing_yet() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.write("queue.db", "").campaign(5);
    s.mep("run campaign").exits(2);
    s.mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.audit(5);
}
