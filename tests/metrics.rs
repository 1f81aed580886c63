//! Figures for Prometheus: what a run keeps in a file, and what is served, are what the database holds.

mod audit;
mod cluster;
mod either;
mod page_of_figures;
mod scenario;

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use cluster::{Cluster, Database};
use either::{On, facts};
use mep_batch::invocation::{BatchId, UnixMillis};
use mep_batch::report::{self, Tallies, Tally};
use mep_batch::store::{Address, Store};
use mep_batch::web::Monitoring;
use page_of_figures::Figures;
use rustix::process::Signal;
use scenario::{STATES, Scenario, campaign, phone, sending, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                the_figures_of_a_run_equal_the_export,
                a_run_with_nothing_to_send_tells_the_last_success_and_what_is_unknown,
                a_run_counts_anew_and_the_rows_stay,
                what_is_due_is_told_by_its_time_and_nothing_where_nothing_is,
                a_closed_gate_and_a_pause_are_told,
            ],
        ),
        (On::Either, facts![what_is_served_equals_what_is_stored, what_a_dead_run_left_is_unknown_when_served]),
        (On::Either, facts![what_is_told_late_lowers_no_counter, a_batch_that_is_being_deleted_is_left_out_whole]),
        (On::Sqlite, facts![a_reader_never_sees_half_a_page, a_file_that_cannot_be_written_stops_no_run]),
        (On::Sqlite, facts![a_folder_that_is_not_there_is_refused_before_anything_is_sent]),
        (On::OwnPostgres, facts![two_runs_at_once_count_each_their_own]),
        (On::OwnPostgres, facts![a_database_that_is_gone_is_not_healthy]),
    ])
}

const FILE: &str = "figures.prom";

fn figures(s: &Scenario) -> Figures {
    Figures::read(&s.read(FILE))
}

/// How many of the objects there are of each `outcome` and `code`, as the figures' labels have them.
fn attempts(s: &Scenario, batch: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for attempt in s.mep(&format!("export {batch} --attempts --format ndjson")).exits(0).json_lines() {
        let code = attempt["code"].as_u64().map_or("none".to_owned(), |code| match code {
            1000 | 1010 | 12001..=12003 => code.to_string(),
            _ => "other".to_owned(),
        });
        *counts.entry(format!("{} {code}", attempt["outcome"].as_str().expect("a word"))).or_insert(0.0) += 1.0;
    }
    counts
}

/// How many rows of a batch are in each state, by its export.
fn states(s: &Scenario, batch: &str) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for row in s.mep(&format!("export {batch} --format ndjson")).exits(0).json_lines() {
        *counts.entry(format!("{batch} {}", row["state"].as_str().expect("a word"))).or_insert(0.0) += 1.0;
    }
    counts
}

fn the_figures_of_a_run_equal_the_export(database: Database) {
    let s = Scenario::on(database);
    let faults = "--fault 12002=20% --fault 1010=10% --fault 1000=10% --fault 500=5% --fault reset=5% --latency 3ms";
    let flags = format!("--metrics-file {FILE} --vendor-retry 20ms --max-unknown 100 --retry-for 2s");
    let (sim, done) = sending::send(&s, faults, 60, &flags);
    assert_eq!(done.code, 4, "{}", done.output());
    let told = figures(&s);
    assert_eq!(told.family("mep_batch_rows"), states(&s, "campaign"));
    let attempted = attempts(&s, "campaign");
    assert_eq!(told.family("mep_batch_run_attempts_total"), attempted);
    assert!(attempted.len() >= 5, "the faults show: {attempted:?}");
    let answered = s.query("SELECT COUNT(*) || '' FROM attempt WHERE http_status IS NOT NULL AND sent_at IS NOT NULL");
    assert_eq!(told.of("mep_batch_run_request_duration_seconds_count").to_string(), answered[0]);
    assert_eq!(told.of("mep_batch_run_request_duration_seconds_bucket{le=\"+Inf\"}").to_string(), answered[0]);
    let unknown = s.query("SELECT COUNT(*) || '' FROM invocation WHERE state = 'unknown'");
    assert_eq!(told.of("mep_batch_unknown_rows{batch=\"campaign\"}").to_string(), unknown[0]);
    let last = s.query("SELECT MAX(finished_at) || '' FROM attempt WHERE outcome = 'accepted'").remove(0);
    let told_last = told.of("mep_batch_last_accepted_timestamp_seconds{batch=\"campaign\"}");
    assert_eq!(format!("{:.0}", told_last * 1000.0), last);
    let turns: f64 = s.query("SELECT turn || '' FROM run").remove(0).parse().expect("a number");
    assert_eq!(told.of("mep_batch_run_commit_duration_seconds_count"), turns);
    for ended in ["mep_batch_run_active", "mep_batch_runs_alive", "mep_batch_run_in_flight"] {
        assert_eq!(told.of(ended), 0.0, "{ended}");
    }
    assert_eq!(told.of("mep_batch_run_commit_failures_total"), 0.0);
    names_nobody(&s, &told.text, 60);
    drop(sim);
}

/// Asserts that no number, request or text of the service is in a page.
#[track_caller]
fn names_nobody(s: &Scenario, page: &str, people: u32) {
    let ids = s.query("SELECT request_id FROM attempt WHERE request_id IS NOT NULL");
    let texts = s.query("SELECT DISTINCT message FROM attempt WHERE message IS NOT NULL");
    assert!(!ids.is_empty() && !texts.is_empty());
    for secret in (0..people).map(phone).chain(ids).chain(texts) {
        assert!(!page.contains(&secret), "`{secret}` is in:\n{page}");
    }
}

fn a_run_with_nothing_to_send_tells_the_last_success_and_what_is_unknown(database: Database) {
    let s = Scenario::on(database);
    let (sim, _) = sending::send(&s, "--fault 500=20%", 20, "--max-unknown 100 --probe-after 20ms");
    let unknown = s.query("SELECT COUNT(*) || '' FROM invocation WHERE state = 'unknown'").remove(0);
    assert_ne!(unknown, "0");
    s.mep(&format!("run --wait 0 -q --metrics-file {FILE}"));
    let told = figures(&s);
    assert_eq!(told.of("mep_batch_unknown_rows{batch=\"campaign\"}").to_string(), unknown);
    let last = s.query("SELECT MAX(finished_at) || '' FROM attempt WHERE outcome = 'accepted'").remove(0);
    let told_last = told.of("mep_batch_last_accepted_timestamp_seconds{batch=\"campaign\"}");
    assert_eq!(format!("{:.0}", told_last * 1000.0), last);
    assert!(told.family("mep_batch_run_attempts_total").is_empty(), "this run made none");
    drop(sim);
}

fn a_run_counts_anew_and_the_rows_stay(database: Database) {
    let s = Scenario::on(database);
    s.campaign(5).mep("import campaign.csv --endpoint simulator").exits(0);
    s.mep(&format!("run campaign --limit 2 --metrics-file {FILE}")).exits(5);
    let first = figures(&s);
    s.mep(&format!("run campaign --metrics-file {FILE}")).exits(0);
    let second = figures(&s);
    let sent = |told: &Figures| told.of("mep_batch_run_attempts_total{outcome=\"accepted\",code=\"none\"}");
    let accepted = |told: &Figures| told.of("mep_batch_rows{batch=\"campaign\",state=\"accepted\"}");
    assert_eq!([sent(&first), accepted(&first), sent(&second), accepted(&second)], [2.0, 2.0, 3.0, 5.0]);
    let started = |told: &Figures| told.of("mep_batch_run_start_timestamp_seconds");
    assert!(started(&first) < started(&second));
}

fn what_is_due_is_told_by_its_time_and_nothing_where_nothing_is(database: Database) {
    const DUE: &str = "mep_batch_oldest_due_timestamp_seconds{batch=\"campaign\"}";
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 1010=100%");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim} --rate 7")).exits(0);
    s.mep(&format!("run campaign --limit 1 --wait 0 --metrics-file {FILE}")).exits(5);
    let imported = s.query("SELECT imported_at || '' FROM batch").remove(0);
    assert_eq!(format!("{:.0}", figures(&s).of(DUE) * 1000.0), imported);
    assert_eq!(figures(&s).of("mep_batch_rate_limit_per_second{batch=\"campaign\"}"), 7.0);
    s.mep(&format!("run campaign --wait 0 --metrics-file {FILE}")).exits(5);
    let waiting = figures(&s);
    assert_eq!(waiting.get(DUE), None, "all wait for their retry");
    assert_eq!(waiting.family("mep_batch_waiting"), BTreeMap::from([("campaign retry".to_owned(), 1.0)]));
    s.mep("cancel campaign").exits(0);
    s.mep(&format!("run --metrics-file {FILE}")).exits(0);
    let cancelled = figures(&s);
    assert_eq!((cancelled.get(DUE), cancelled.of("mep_batch_cancelled{batch=\"campaign\"}")), (None, 1.0));
    assert!(!cancelled.families().contains("mep_batch_waiting"), "nothing is pending");
}

fn a_closed_gate_and_a_pause_are_told(database: Database) {
    let s = Scenario::on(database);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = nobody.local_addr().expect("an address").to_string();
    drop(nobody);
    s.campaign(3).mep(&format!("import campaign.csv --endpoint http://{host}/a/path")).exits(0);
    s.mep(&format!("run campaign --wait 0 --connect-timeout 2s --metrics-file {FILE}")).exits(5);
    let closed = BTreeMap::from([(format!("{host} unreachable"), 1.0)]);
    assert_eq!(figures(&s).family("mep_batch_gate_closed"), closed);
    s.mep("pause campaign").exits(0);
    s.mep(&format!("run --wait 0 --metrics-file {FILE}")).exits(0);
    let paused = figures(&s);
    assert_eq!(paused.of("mep_batch_paused{batch=\"campaign\"}"), 1.0);
    assert_eq!(paused.of("mep_batch_waiting{batch=\"campaign\",reason=\"paused\"}"), 1.0);
}

fn two_runs_at_once_count_each_their_own(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 20ms");
    s.campaign(80).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let run = |file: &str| s.start(&format!("run campaign --concurrency 2 --metrics-file {file}"));
    let runs = [run("one.prom"), run("two.prom")];
    until("both runs", || s.query("SELECT COUNT(*) || '' FROM run") == ["2"]);
    runs.into_iter().for_each(|run| drop(run.finish().exits(0)));
    let told = ["one.prom", "two.prom"].map(|file| Figures::read(&s.read(file)));
    let sent = told.each_ref().map(|told| told.of("mep_batch_run_attempts_total{outcome=\"accepted\",code=\"none\"}"));
    assert_eq!(sent[0] + sent[1], 80.0, "{sent:?}");
    assert!(told.iter().any(|told| told.of("mep_batch_rows{batch=\"campaign\",state=\"accepted\"}") == 80.0));
}

fn a_reader_never_sees_half_a_page(_: Database) {
    let s = Scenario::new();
    let sim = s.simulate("");
    let mut run = s.campaign(60).start(&format!("run campaign.csv --endpoint {sim} --rate 10 --metrics-file {FILE}"));
    until("a first page", || s.path(FILE).exists() || run.has_ended());
    let (mut pages, mut last) = (0, String::new());
    while !run.has_ended() {
        let page = s.read(FILE);
        if page != last {
            let told = Figures::read(&page);
            assert!(told.families().len() > 20 && page.contains("mep_batch_run_commit_failures_total "), "{page}");
            (pages, last) = (pages + 1, page);
        }
    }
    run.finish().exits(0);
    assert!(pages >= 2, "only {pages} pages were seen");
    assert_eq!(figures(&s).of("mep_batch_rows{batch=\"campaign\",state=\"accepted\"}"), 60.0);
    let mode = s.path(FILE).metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode & 0o700, 0o600, "{mode:o}");
    let left = s.files().into_keys().filter(|path| path.to_string_lossy().contains("mep-batch-metrics"));
    assert_eq!(left.count(), 0, "nothing is left beside it");
}

fn a_file_that_cannot_be_written_stops_no_run(_: Database) {
    let s = Scenario::new();
    std::fs::create_dir(s.path("collected")).expect("a folder");
    let sim = s.simulate("");
    s.campaign(30).mep(&format!("import campaign.csv --endpoint {sim} --rate 1")).exits(0);
    let mut run = s.start(&format!("run campaign --metrics-file collected/{FILE}"));
    until("a first page", || s.path("collected").join(FILE).exists());
    std::fs::rename(s.path("collected"), s.path("away")).expect("a folder");
    run.until_it_says("cannot be written; the run goes on without it");
    std::fs::rename(s.path("away"), s.path("collected")).expect("a folder");
    if !run.until_it_says_or_ends("is written again") {
        unreachable!("it has ended: {}", run.finish().output());
    }
    s.mep("throttle campaign --rate 1000").exits(0);
    let done = run.finish().exits(0);
    assert_eq!(done.stderr.matches("cannot be written").count(), 1, "{}", done.stderr);
    let told = Figures::read(&s.read(&format!("collected/{FILE}")));
    assert_eq!(told.of("mep_batch_rows{batch=\"campaign\",state=\"accepted\"}"), 30.0);
}

fn a_folder_that_is_not_there_is_refused_before_anything_is_sent(_: Database) {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(1)
        .mep(&format!("run campaign.csv --endpoint {sim} --metrics-file nowhere/{FILE}"))
        .exits(2)
        .says("hint:");
    s.mep(&format!("run campaign.csv --endpoint {sim} --metrics-file /dev/null")).exits(2).says("is no file");
    assert!(!s.database().exists() && sim.received() == 0);
}

/// Whoever answers programs that watch, and what it runs on.
struct Served {
    runtime: Runtime,
    router: Router,
}

impl Served {
    fn of(s: &Scenario, tallies: Tallies) -> Served {
        let address: Address = s.address().parse().expect("an address");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let store = Arc::new(runtime.block_on(Store::open(&address, false)).expect("a store"));
        let monitoring = Monitoring::new(store, move || tallies.clone());
        Served { runtime, router: monitoring.metrics().merge(monitoring.health()) }
    }

    /// What it answers: the status, the head and the body.
    fn get(&self, path: &str) -> (u16, String, String) {
        let answer = self.runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let asking = async {
                let mut stream = TcpStream::connect(address).await.expect("a connection");
                let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await.expect("a request");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.expect("an answer");
                answer
            };
            tokio::select! {
                served = axum::serve(listener, self.router.clone()).into_future() => unreachable!("it has ended: {served:?}"),
                answer = asking => answer,
            }
        });
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_lowercase(), body.to_owned())
    }

    #[track_caller]
    fn metrics(&self) -> Figures {
        let (status, _, body) = self.get("/metrics");
        assert_eq!(status, 200, "{body}");
        Figures::read(&body)
    }
}

/// The figures of a batch, counted as the server counts them.
fn counted(s: &Scenario, batch: &str) -> ((BatchId, UnixMillis), Arc<Tally>) {
    let address: Address = s.address().parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&address, false).await.expect("a store");
        let batch = store.batch_named(batch).await.expect("an answer").expect("a batch");
        let tally = report::tally(&store, &batch).await.expect("figures");
        store.close().await;
        ((batch.id, batch.imported_at), Arc::new(tally))
    })
}

fn what_is_served_equals_what_is_stored(database: Database) {
    let s = Scenario::on(database);
    let faults = "--fault 12002=20% --fault 1010=10% --fault 422=5% --latency 3ms";
    let (sim, _) = sending::send(&s, faults, 40, "--vendor-retry 20ms --retry-for 2s");
    s.write("other.csv", campaign(40..43)).mep("import other.csv --endpoint simulator").exits(0);
    let uncounted = Served::of(&s, HashMap::new());
    let (status, head, body) = uncounted.get("/metrics");
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let told = Figures::read(&body);
    assert_eq!(told.of("mep_batch_database_up"), 1.0);
    assert_eq!(told.of("mep_batch_rows{batch=\"other\",state=\"pending\"}"), 3.0);
    for family in ["attempts_total", "request_duration_seconds", "last_accepted_timestamp_seconds"] {
        assert!(!told.families().contains(&format!("mep_batch_{family}")), "{family} is told though nobody counted");
    }
    let (id, tally) = counted(&s, "campaign");
    let answers: i64 = tally.answer_times.values().sum();
    let counted = Served::of(&s, HashMap::from([(id, tally)]));
    let told = counted.metrics();
    let of_batch = attempts(&s, "campaign").into_iter().map(|(labels, count)| (format!("campaign {labels}"), count));
    assert_eq!(told.family("mep_batch_attempts_total"), of_batch.collect::<BTreeMap<_, _>>());
    let of_batches = states(&s, "campaign").into_iter().chain(states(&s, "other"));
    assert_eq!(told.family("mep_batch_rows"), of_batches.collect::<BTreeMap<_, _>>());
    let count = told.of("mep_batch_request_duration_seconds_count{batch=\"campaign\"}");
    assert_eq!(count.to_string(), answers.to_string());
    assert!(told.get("mep_batch_last_accepted_timestamp_seconds{batch=\"campaign\"}").is_some());
    let states_told = told.text.lines().filter(|line| line.starts_with("mep_batch_rows{batch=\"other\"")).count();
    assert_eq!(states_told, STATES.len());
    names_nobody(&s, &told.text, 43);
    assert_eq!(counted.get("/healthz").2, "ok\n");
    drop(sim);
}

fn what_is_told_late_lowers_no_counter(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(6).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    let figures = || Served::of(&s, HashMap::from([counted(&s, "campaign")])).metrics();
    let of_lines = |sets: &str, lines: &str| {
        let rows = format!("SELECT id FROM invocation WHERE line IN ({lines})");
        s.execute(&format!("UPDATE attempt SET {sets} WHERE invocation_id IN ({rows})"));
    };
    of_lines("judged = 1, outcome = 'unknown', http_status = NULL, request_id = NULL", "3, 4, 5, 6");
    let judged = figures();
    of_lines("late = 1, outcome = 'accepted', http_status = 202", "3, 4");
    of_lines("late = 1, outcome = 'rejected', http_status = 400, code = 12002", "5");
    let late = figures();
    let attempts =
        BTreeMap::from([("campaign accepted none".to_owned(), 2.0), ("campaign unknown none".to_owned(), 4.0)]);
    assert_eq!(judged.family("mep_batch_attempts_total"), attempts);
    assert_eq!(late.family("mep_batch_attempts_total"), attempts);
    let answers = |told: &Figures| told.of("mep_batch_request_duration_seconds_count{batch=\"campaign\"}");
    assert_eq!([answers(&judged), answers(&late)], [2.0, 5.0]);
}

fn a_batch_that_is_being_deleted_is_left_out_whole(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.write("other.csv", campaign(3..5)).mep(&format!("run other.csv --endpoint {sim}")).exits(0);
    let (id, tally) = counted(&s, "campaign");
    let served = Served::of(&s, HashMap::from([(id, Arc::clone(&tally)), counted(&s, "other")]));
    let attempts = |told: &Figures| told.family("mep_batch_attempts_total");
    let (of_campaign, of_other) = (("campaign accepted none".to_owned(), 3.0), ("other accepted none".to_owned(), 2.0));
    assert_eq!(attempts(&served.metrics()), BTreeMap::from([of_campaign, of_other.clone()]));
    // As a purge begins, before it has deleted anything.
    s.execute("UPDATE batch SET purge_began_at = imported_at, purge_how = 'delete' WHERE name = 'campaign'");
    let deleting = served.metrics();
    assert_eq!(attempts(&deleting), BTreeMap::from([of_other.clone()]));
    assert!(!deleting.text.contains("\"campaign\""), "{}", deleting.text);
    s.execute("UPDATE batch SET purge_how = 'redact' WHERE name = 'campaign'");
    assert_eq!(attempts(&served.metrics()).len(), 2, "what came of a batch stays where its texts are purged");
    // Another batch of its number and its name has nothing of it.
    s.execute("UPDATE batch SET imported_at = imported_at + 1 WHERE name = 'campaign'");
    assert_eq!(attempts(&served.metrics()), BTreeMap::from([of_other]));
}

fn what_a_dead_run_left_is_unknown_when_served(database: Database) {
    let s = Scenario::on(database);
    let slow = s.simulate("--latency 1h");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {slow}")).exits(0);
    let run = s.start(&format!("run campaign --concurrency 2 --metrics-file {FILE}"));
    slow.until_received(2);
    let served = Served::of(&s, HashMap::new());
    let alive = served.metrics();
    assert_eq!(alive.of("mep_batch_runs_alive"), 1.0);
    assert_eq!(alive.of("mep_batch_unknown_rows{batch=\"campaign\"}"), 0.0);
    let in_flight = alive.family("mep_batch_open_run_in_flight");
    assert_eq!(in_flight.values().copied().collect::<Vec<_>>(), [2.0], "{in_flight:?}");
    run.send(Signal::KILL);
    run.finish();
    s.execute("UPDATE run SET turned_at = turned_at - 60000, beat_at = beat_at - 60000");
    let dead = served.metrics();
    assert_eq!(dead.of("mep_batch_runs_alive"), 0.0);
    assert_eq!(dead.of("mep_batch_unknown_rows{batch=\"campaign\"}"), 2.0);
    let silent = dead.family("mep_batch_open_run_silent_seconds");
    assert!(silent.values().all(|seconds| *seconds >= 60.0) && silent.len() == 1, "{silent:?}");
    assert_eq!(figures(&s).of("mep_batch_run_active"), 1.0, "the file of a run that was killed is as old as it");
}

fn a_database_that_is_gone_is_not_healthy(_: Database) {
    let cluster = Cluster::own(&[], &[]);
    let s = Scenario::at(cluster.database());
    s.campaign(1).mep("import campaign.csv --endpoint simulator").exits(0);
    let served = Served::of(&s, HashMap::new());
    assert_eq!(served.get("/healthz").0, 200);
    cluster.stop_immediate();
    let (status, _, why) = served.get("/healthz");
    assert_eq!((status, why.lines().count()), (503, 1), "{why}");
    assert!(!why.contains("postgres") && !why.contains('/'), "{why}");
    let (status, _, body) = served.get("/metrics");
    assert_eq!(status, 200);
    let told = Figures::read(&body);
    assert_eq!(told.of("mep_batch_database_up"), 0.0);
    assert!(!told.families().contains("mep_batch_rows"), "{body}");
    cluster.start();
    assert_eq!(served.get("/healthz").2, "ok\n");
}
