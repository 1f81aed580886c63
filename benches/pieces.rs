//! The pieces that a row passes through, each by itself: `cargo bench`, or `cargo bench -- NAME`.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};
use mep_batch::import::{Input, Options, Reading};
use mep_batch::invocation::{
    Answer, Attempt, BatchId, Finding, InvocationId, Outcome, Settlement, State, Taken, UnixMillis,
};
use mep_batch::mep::{Bounds, read_error_body};
use mep_batch::retry::{Policy, settle};
use mep_batch::store::{Actor, Address, Claim, Run, RunLock, Store, Turn};
use mep_batch::validate::{Draft, Given, Rules, Target, check_body};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

/// The columns of the file, and of the row that is built.
const COLUMNS: [&str; 8] = [
    "phoneNumber",
    "mobileOperatorId",
    "session.seat",
    "session.class",
    "session.flight",
    "session.airline",
    "user.account",
    "user.name",
];

/// Rows of the file that is read.
const FILE_ROWS: usize = 10_000;

/// Rows that a turn settles, and as many that it takes.
const TURN_ROWS: usize = 128;

/// Turns that are timed; the queue has rows for all of them and for the first, which is not.
const TURNS: u32 = 100;

/// How often what takes less than a microsecond is done for one sample.
const SHORT: u32 = 1_000;

fn main() {
    Divan::from_args().main();
}

/// The check right before sending.
#[divan::bench(sample_size = SHORT)]
fn check_of_a_body(bencher: Bencher<'_, '_>) {
    let (body, rules) = (body(), Rules::default());
    bencher
        .counter(ItemsCount::new(1_u32))
        .counter(BytesCount::of_str(&body))
        .bench_local(|| check_body(black_box(&body), &rules));
}

/// From cells to a body.
#[divan::bench(sample_size = SHORT)]
fn a_row_from_its_cells(bencher: Bencher<'_, '_>) {
    let (rules, columns) = (Rules::default(), columns());
    let cells = cells(0);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let mut draft = Draft::new(&rules);
        for ((name, target), cell) in columns.iter().zip(black_box(&cells)) {
            draft.put(target, name, Given::Cell(cell));
        }
        draft.finish()
    });
}

/// The verdict on an answer, and the row's next state.
#[divan::bench(args = [202, 400, 429], sample_size = SHORT)]
fn the_verdict_on_an_answer(bencher: Bencher<'_, '_>, status: u16) {
    let (answer, policy) = (answer(status), Policy::default());
    bencher
        .counter(ItemsCount::new(1_u32))
        .with_inputs(|| Finding::Answered(answer.clone()))
        .bench_local_values(|finding| settle(attempt(), finding, &policy, Some(NOW), NOW, 0.5));
}

/// Reading of an error's body.
#[divan::bench(sample_size = SHORT)]
fn an_answers_body(bencher: Bencher<'_, '_>) {
    let body = error_body();
    bencher
        .counter(ItemsCount::new(1_u32))
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| read_error_body(black_box(&body)));
}

/// Both readings of a file, with the judgement of its rows and without the queue.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn a_csv_file(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.csv");
    write_rows(&file, FILE_ROWS);
    let length = std::fs::metadata(&file).expect("the file was just written").len();
    bencher.counter(ItemsCount::new(FILE_ROWS)).counter(BytesCount::new(length)).bench_local(|| read_rows(&file));
}

/// A durable turn on SQLite that settles as many rows as it takes; the figure is for one row.
#[divan::bench(sample_count = TURNS, sample_size = 1)]
fn a_turn_on_sqlite(bencher: Bencher<'_, '_>) {
    let runtime = Runtime::new().expect("a runtime");
    let mut queue = runtime.block_on(Queue::with_rows(TURN_ROWS * (TURNS as usize + 2)));
    bencher.counter(ItemsCount::new(TURN_ROWS)).bench_local(|| runtime.block_on(queue.turn()));
}

/// A queue with a run that has rows in flight.
struct Queue {
    store: Store,
    run: Run,
    batch: BatchId,
    number: i64,
    in_flight: Vec<Taken>,
    _lock: Option<RunLock>,
    _folder: TempDir,
}

impl Queue {
    async fn with_rows(rows: usize) -> Queue {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, database) = (folder.path().join("rows.csv"), folder.path().join("queue.db"));
        write_rows(&file, rows);
        let imported = Command::new(env!("CARGO_BIN_EXE_mep-batch"))
            .args(["import", "--quiet", "--service", "ABC123", "--endpoint", "simulator", "--batch", "b", "--db"])
            .arg(&database)
            .arg(&file)
            .status();
        assert!(imported.expect("the program starts").success());
        let store = Store::open(&Address::File(database), false).await.expect("the queue");
        let lock = store.admit_run("bench", false).await.expect("nobody is in the way");
        let actor = Actor { who: "bench".to_owned(), host: "here".to_owned(), version: "0".to_owned() };
        let run = store.start_run("bench", &actor, None, NOW).await.expect("a run");
        let batch = store.batch_named("b").await.expect("read").expect("the batch").id;
        let mut queue = Queue { store, run, batch, number: 0, in_flight: Vec::new(), _lock: lock, _folder: folder };
        queue.turn().await;
        queue
    }

    async fn turn(&mut self) {
        self.number += 1;
        let settlements: Vec<_> = self.in_flight.drain(..).map(|taken| accepted(&taken)).collect();
        let mut writer = self.store.turn_writer().await.expect("the writer");
        let mut turn = granted(writer.begin(&self.run, self.number, NOW).await.expect("a turn"));
        turn.settle(&settlements.iter().collect::<Vec<_>>()).await.expect("settled");
        let most = u32::try_from(TURN_ROWS).expect("a few");
        self.in_flight = turn.take(self.batch, most).await.expect("rows");
        turn.close().await.expect("closed").commit().await.expect("committed");
        assert_eq!(self.in_flight.len(), TURN_ROWS, "the queue has rows for every turn");
    }
}

fn granted(claim: Claim<'_>) -> Turn<'_> {
    match claim {
        Claim::Granted(turn) => turn,
        Claim::Committed => unreachable!("no turn has this number yet"),
    }
}

fn accepted(taken: &Taken) -> Settlement {
    let (settlement, _) =
        settle(taken.attempt, Finding::Answered(answer(202)), &Policy::default(), Some(NOW), NOW, 0.5);
    assert_eq!((settlement.outcome, settlement.state), (Outcome::Accepted, State::Accepted));
    settlement
}

fn attempt() -> Attempt {
    let id = InvocationId((1 << 32) + 2);
    Attempt { id, number: 1, tries: 0, retry_until: None, possible_duplicate: false, taken_at: NOW }
}

/// An answer as the service gives it, an error's with its code.
fn answer(status: u16) -> Answer {
    let request_id = Some("8a1f2c4e-6b7d-4e5f-9a0b-1c2d3e4f5a6b".to_owned());
    match status {
        202 => Answer { status, request_id, ..Answer::default() },
        400 => {
            let body = error_body();
            let error = read_error_body(&body);
            Answer { status, request_id, code: error.code, message: error.message, body, ..Answer::default() }
        }
        _ => Answer { status, retry_after: Some("30".to_owned()), ..Answer::default() },
    }
}

fn error_body() -> Vec<u8> {
    br#"{"error":{"code":12002,"message":"the service has no `premium economy` seat for this passenger"}}"#.to_vec()
}

/// Reads a file as `check` does; how many rows it has.
fn read_rows(file: &Path) -> usize {
    let options = Options { allow_no_service: true, ..Options::default() };
    let input = Input::open(file, &Reading::default()).expect("a file");
    let mut rows = input.rows(options).expect("a good header");
    let mut count = 0;
    while let Some(row) = rows.next_row().expect("a file that nobody changes") {
        black_box(row);
        count += 1;
    }
    assert_eq!(count, FILE_ROWS);
    count
}

fn write_rows(path: &Path, rows: usize) {
    let mut text = COLUMNS.join(",");
    text.push('\n');
    for row in 0..rows {
        text.push_str(&cells(row).join(","));
        text.push('\n');
    }
    std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
}

fn columns() -> [(&'static str, Target); 8] {
    COLUMNS.map(|name| (name, Target::parse(name, &Bounds::default()).expect("a good name")))
}

fn cells(row: usize) -> [String; 8] {
    [
        format!("{}", 447_700_000_000 + row),
        "383".to_owned(),
        "14C by the window".to_owned(),
        "premium economy".to_owned(),
        format!("{row:07}"),
        "Awesome Airways".to_owned(),
        format!("MJHF-{row:07}-2026"),
        format!("Passenger of Frequent Flights {row:07}"),
    ]
}

/// The body that the first row becomes.
fn body() -> String {
    let (rules, columns, cells) = (Rules::default(), columns(), cells(0));
    let mut draft = Draft::new(&rules);
    for ((name, target), cell) in columns.iter().zip(&cells) {
        draft.put(target, name, Given::Cell(cell));
    }
    draft.finish().expect("a good row").body
}
