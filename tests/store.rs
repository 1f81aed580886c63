//! The store's promises, held against a real database: turns, guards, counts, intake, operators' acts.

use std::path::PathBuf;
use std::time::Duration;

use mep_batch::invocation::{
    BatchId, Counts, Findings, Fingerprint, ImportedRow, InvocationId, Outcome, RowContent, Settings, Settlement,
    SkipReason, State, Suppressed, Taken, UnixMillis,
};
use mep_batch::store::{
    Actor, Address, Batch, Claim, Error, Filter, NewBatch, RetrySelection, Run, RunLock, Store, Turn, Verdict,
};

const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

struct Fixture {
    store: Store,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn actor() -> Actor {
    Actor { who: "op".to_owned(), host: "here".to_owned(), version: "0".to_owned() }
}

/// A store with a batch of so many pending rows, at lines 2 and on.
async fn with_rows(rows: u32) -> (Fixture, Batch) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("queue.db");
    let store = Store::open(&Address::File(path.clone()), true).await.expect("a store");
    import(&store, "a", rows).await;
    let batch = store.batch_named("a").await.expect("read").expect("the batch");
    (Fixture { store, path, _folder: folder }, batch)
}

async fn import(store: &Store, name: &str, rows: u32) {
    let lock = store.import_lock().await.expect("the lock");
    let mut intake = store.begin_intake(lock, NOW).await.expect("an intake");
    let rows: Vec<_> = (0..rows).map(|row| ready(row + 2)).collect();
    for chunk in rows.chunks(3) {
        intake.add(chunk).await.expect("a chunk");
    }
    let lines: Vec<u32> = rows.iter().map(|row| row.line).collect();
    intake.note(&lines.iter().map(|line| says(*line, 1)).collect::<Vec<_>>()).await.expect("noted");
    intake.finish(&new_batch(name, rows.len()), &actor()).await.expect("finished");
}

fn ready(line: u32) -> ImportedRow {
    let phone = 12_515_550_000 + u64::from(line);
    let body = format!(r#"{{"endUser":{{"phoneNumber":{phone}}}}}"#);
    ImportedRow { line, content: RowContent::Ready { body, phone, time_zone: None } }
}

/// What the row at that line says, and to whom.
fn says(line: u32, request_hash: i64) -> Fingerprint {
    Fingerprint { phone: 12_515_550_000 + u64::from(line), request_hash, line }
}

fn new_batch(name: &str, rows: usize) -> NewBatch {
    NewBatch {
        name: Some(name.to_owned()),
        stem: name.to_owned(),
        service: "ABC123".parse().expect("an ID"),
        endpoint: "simulator".parse().expect("an endpoint"),
        account: String::new(),
        source_name: "a.csv".to_owned(),
        source_sha256: "00".to_owned(),
        file_sha256: "00".to_owned(),
        columns: vec!["phoneNumber".to_owned()],
        findings: Findings::default(),
        settings: Settings::default(),
        rows: i64::try_from(rows).expect("few rows"),
    }
}

fn settlement(taken: &Taken, outcome: Outcome, state: State) -> Settlement {
    Settlement {
        id: taken.attempt.id,
        attempt: taken.attempt.number,
        outcome,
        state,
        due_at: NOW,
        tries: 0,
        retry_until: None,
        possible_duplicate: false,
        http_status: Some(202),
        code: None,
        message: Some("why".to_owned()),
        refused_by: None,
        reason: None,
        request_id: Some("ID".to_owned()),
        answer: vec![0, 255],
        sent_at: Some(NOW),
        finished_at: NOW,
    }
}

/// The turn that was claimed.
fn granted(claim: Result<Claim<'_>, Error>) -> Turn<'_> {
    let Claim::Granted(turn) = claim.expect("a claim") else { unreachable!("that turn had committed") };
    turn
}

/// A committed turn that takes rows.
async fn take(store: &Store, run: &Run, number: i64, batch: &Batch, limit: u32) -> Vec<Taken> {
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(run, number, NOW).await);
    let taken = turn.take(batch.id, limit).await.expect("rows");
    turn.commit().await.expect("committed");
    taken
}

async fn settle(store: &Store, run: &Run, number: i64, settlements: &[&Settlement]) {
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(run, number, NOW).await);
    turn.settle(settlements).await.expect("settled");
    turn.commit().await.expect("committed");
}

async fn counts(store: &Store, batch: &Batch) -> Counts {
    let counts = store.counts_of(batch.id).await.expect("counts");
    let mut counted = Counts::default();
    for row in store.page(batch.id, &Filter::default(), 0, 1_000).await.expect("rows") {
        counted[row.state] += 1;
    }
    assert_eq!(counts, counted, "the table of counts equals the rows");
    counts
}

fn lines(taken: &[Taken]) -> Vec<u32> {
    let mut lines: Vec<u32> = taken.iter().map(|taken| taken.attempt.id.line()).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn a_turn_that_is_not_committed_leaves_nothing_behind() {
    let (fixture, batch) = with_rows(4).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    {
        let mut writer = fixture.store.turn_writer().await.expect("the writer");
        let mut turn = granted(writer.begin(&run, 1, NOW).await);
        assert_eq!(turn.take(batch.id, 4).await.expect("rows").len(), 4);
    }
    assert_eq!(counts(&fixture.store, &batch).await[State::Pending], 4);
    assert_eq!(lines(&take(&fixture.store, &run, 1, &batch, 2).await), [2, 3]);
    let mut writer = fixture.store.turn_writer().await.expect("the writer");
    assert!(matches!(writer.begin(&run, 1, NOW).await, Ok(Claim::Committed)));
}

#[tokio::test]
async fn a_turns_number_is_claimed_once_and_an_ended_run_takes_nothing() {
    let (fixture, batch) = with_rows(2).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    take(&fixture.store, &run, 1, &batch, 1).await;
    let stranger = Run { token: "another".to_owned(), ..run.clone() };
    for (claimant, number) in [(&run, 3), (&stranger, 2)] {
        let mut writer = fixture.store.turn_writer().await.expect("the writer");
        assert!(matches!(writer.begin(claimant, number, NOW).await, Err(Error::Fenced(_))), "{number}");
    }
    let mut writer = fixture.store.turn_writer().await.expect("the writer");
    assert!(matches!(writer.begin(&run, 1, NOW).await, Ok(Claim::Committed)));
    drop(writer);
    fixture.store.settle_dead_runs(NOW).await.expect("settled");
    let mut writer = fixture.store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 2, NOW).await);
    assert!(turn.is_ended());
    assert_eq!(turn.take(batch.id, 1).await.expect("asked"), []);
}

#[tokio::test]
async fn an_outcome_is_stored_with_its_attempt_and_answer() {
    let (fixture, batch) = with_rows(2).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    settle(&fixture.store, &run, 2, &[&settlement(&taken[0], Outcome::Accepted, State::Accepted)]).await;
    let counts = counts(&fixture.store, &batch).await;
    assert_eq!((counts[State::Accepted], counts[State::Sending]), (1, 1));
    let attempts = fixture.store.attempts(&[taken[0].attempt.id]).await.expect("attempts");
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].outcome.as_str(), &attempts[0].answer), ("accepted", &vec![0, 255]));
    let row = fixture.store.page(batch.id, &Filter::default(), 1, 1).await.expect("rows").remove(0);
    assert_eq!((row.request_id.as_deref(), row.sent_at), (Some("ID"), Some(NOW)));
}

#[tokio::test]
async fn an_outcome_of_another_attempt_changes_nothing() {
    let (fixture, batch) = with_rows(2).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    let right = settlement(&taken[0], Outcome::Accepted, State::Accepted);
    let wrong = Settlement { attempt: 7, ..settlement(&taken[1], Outcome::Accepted, State::Accepted) };
    settle(&fixture.store, &run, 2, &[&right, &wrong]).await;
    settle(&fixture.store, &run, 3, &[&Settlement { state: State::Unknown, ..right.clone() }]).await;
    let counts = counts(&fixture.store, &batch).await;
    assert_eq!((counts[State::Accepted], counts[State::Sending], counts[State::Unknown]), (1, 1, 0));
}

#[tokio::test]
async fn what_a_dead_run_left_is_unknown_with_its_cause() {
    let (fixture, batch) = with_rows(5).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 3).await;
    settle(&fixture.store, &run, 2, &[&settlement(&taken[0], Outcome::Accepted, State::Accepted)]).await;
    let settled = fixture.store.settle_dead_runs(NOW).await.expect("settled");
    assert_eq!((settled.runs, settled.unknown), (1, 2));
    let unknown = fixture.store.unknown_rows(batch.id).await.expect("rows");
    assert!(unknown.iter().all(|row| row.message.contains("died")), "{unknown:?}");
    assert_eq!(counts(&fixture.store, &batch).await[State::Unknown], 2);
    assert_eq!(fixture.store.settle_dead_runs(NOW).await.expect("settled").unknown, 0);
}

#[tokio::test]
async fn retries_are_taken_before_rows_never_tried_and_not_before_they_are_due() {
    let (fixture, batch) = with_rows(4).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    let mut due = settlement(&taken[0], Outcome::Retry, State::Pending);
    let mut later = settlement(&taken[1], Outcome::Retry, State::Pending);
    (due.due_at, later.due_at) = (NOW, NOW.after(Duration::from_secs(1)));
    settle(&fixture.store, &run, 2, &[&due, &later]).await;
    let first = take(&fixture.store, &run, 3, &batch, 1).await;
    assert_eq!((first[0].attempt.id, first[0].attempt.number), (due.id, 2));
    assert_eq!(lines(&take(&fixture.store, &run, 4, &batch, 9).await), [4, 5]);
    let waiting = fixture.store.waiting(batch.id, NOW).await.expect("read").expect("one waits");
    assert_eq!((waiting.rows, waiting.next_due_at), (1, later.due_at));
}

#[tokio::test]
async fn an_unfinished_import_is_seen_by_nobody_and_swept_by_the_next() {
    let (fixture, _) = with_rows(1).await;
    let lock = fixture.store.import_lock().await.expect("the lock");
    let mut intake = fixture.store.begin_intake(lock, NOW).await.expect("an intake");
    intake.add(&[ready(2), ready(3)]).await.expect("a chunk");
    drop(intake); // as a kill does
    assert_eq!(fixture.store.batches().await.expect("batches").len(), 1);
    import(&fixture.store, "b", 3).await;
    let rows: i64 = {
        let batches = fixture.store.batches().await.expect("batches");
        batches.iter().map(|batch| batch.rows).sum()
    };
    assert_eq!(rows, 4);
}

#[tokio::test]
async fn a_taken_name_is_refused_and_a_free_one_is_found() {
    let (fixture, _) = with_rows(1).await;
    let begin = async || {
        let lock = fixture.store.import_lock().await.expect("the lock");
        fixture.store.begin_intake(lock, NOW).await.expect("an intake")
    };
    let refused = begin().await.finish(&new_batch("a", 0), &actor()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    let unnamed = NewBatch { name: None, ..new_batch("a", 0) };
    let (_, name) = begin().await.finish(&unnamed, &actor()).await.expect("finished");
    assert_eq!(name, "a-2");
}

#[tokio::test]
async fn a_verdict_moves_only_the_attempt_that_was_looked_at() {
    let (fixture, batch) = with_rows(2).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    take(&fixture.store, &run, 1, &batch, 2).await;
    fixture.store.settle_dead_runs(NOW).await.expect("settled");
    let rows: Vec<(InvocationId, u32)> =
        fixture.store.unknown_rows(batch.id).await.expect("rows").iter().map(|row| (row.id, row.attempt)).collect();
    let stale = [(rows[0].0, 9), rows[1]];
    let refused = fixture.store.resolve(batch.id, &stale, Verdict::Resend, None, "r", &actor(), NOW).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert_eq!(counts(&fixture.store, &batch).await[State::Unknown], 2, "all or none");
    let decided = fixture.store.resolve(batch.id, &rows[..1], Verdict::Accepted, Some("X"), "r", &actor(), NOW).await;
    assert_eq!(decided.expect("decided"), 1);
    let actions = fixture.store.row_actions(rows[0].0).await.expect("actions");
    assert_eq!((actions[0].was.as_str(), actions[0].became.as_str()), ("unknown", "accepted"));
    assert_eq!(counts(&fixture.store, &batch).await[State::Accepted], 1);
}

#[tokio::test]
async fn of_two_equal_requests_the_accepted_one_is_told_and_of_others_the_newest() {
    let (fixture, batch) = with_rows(2).await;
    let store = &fixture.store;
    let run = store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(store, &run, 1, &batch, 1).await;
    settle(store, &run, 2, &[&settlement(&taken[0], Outcome::Accepted, State::Accepted)]).await;
    import(store, "b", 2).await;
    let newer = store.batch_named("b").await.expect("read").expect("the batch").id;
    let told = async |rows: &[Fingerprint], batches: &[BatchId], since: UnixMillis| {
        let mut told = store.told(rows, batches, since).await.expect("read");
        told.sort_by_key(|told| told.line);
        told.into_iter().map(|told| (told.line, told.earlier, told.same_request)).collect::<Vec<_>>()
    };
    let both = [batch.id, newer];
    let at = InvocationId::new;
    assert_eq!(
        told(&[says(2, 1), says(3, 1), says(9, 1)], &both, NOW).await,
        [(2, at(batch.id, 2), Some(State::Accepted)), (3, at(newer, 3), Some(State::Pending)),]
    );
    assert_eq!(told(&[says(2, 7)], &both, NOW).await, [(2, at(newer, 2), None)]);
    let later = NOW.after(Duration::from_secs(1));
    assert_eq!(told(&[says(2, 1)], &both[..1], later).await, [], "it was done too long ago");
    assert_eq!(told(&[says(3, 1)], &both[..1], later).await, [(3, at(batch.id, 3), Some(State::Pending))]);
    assert_eq!(told(&[says(2, 1)], &[], NOW).await, []);
}

#[tokio::test]
async fn suppressing_skips_what_is_pending_and_nothing_else() {
    let (fixture, batch) = with_rows(4).await;
    import(&fixture.store, "b", 4).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    take(&fixture.store, &run, 1, &batch, 1).await;
    let list = Suppressed::new([2, 4, 5, 99].map(|line| says(line, 0).phone).to_vec());
    assert_eq!(fixture.store.suppress(batch.id, &list, NOW).await.expect("skipped"), 2);
    assert_eq!(fixture.store.suppress(batch.id, &list, NOW).await.expect("skipped"), 0);
    let counts = counts(&fixture.store, &batch).await;
    assert_eq!((counts[State::Sending], counts[State::Pending], counts[State::Skipped]), (1, 1, 2));
    let skipped = Filter { reason: Some(SkipReason::Suppressed), ..Filter::default() };
    let rows = fixture.store.page(batch.id, &skipped, 0, 9).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [4, 5]);
}

#[tokio::test]
async fn a_row_that_is_skipped_when_it_is_taken_keeps_its_reason() {
    let (fixture, batch) = with_rows(1).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 1).await;
    let skipped = Settlement {
        reason: Some(SkipReason::Suppressed),
        request_id: None,
        sent_at: None,
        ..settlement(&taken[0], Outcome::Skipped, State::Skipped)
    };
    settle(&fixture.store, &run, 2, &[&skipped]).await;
    let row = fixture.store.page(batch.id, &Filter::default(), 0, 1).await.expect("rows").remove(0);
    assert_eq!((row.state, row.reason, row.sent_at), (State::Skipped, Some(SkipReason::Suppressed), None));
    assert_eq!(counts(&fixture.store, &batch).await[State::Skipped], 1);
}

#[tokio::test]
async fn a_retried_row_counts_its_attempts_on_and_its_tries_anew() {
    let (fixture, batch) = with_rows(1).await;
    let run = fixture.store.start_run("t", &actor(), NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 1).await;
    let failed = Settlement { tries: 5, ..settlement(&taken[0], Outcome::Failed, State::Failed) };
    settle(&fixture.store, &run, 2, &[&failed]).await;
    let selection = RetrySelection { rows: vec![(failed.id, State::Failed)], rebuilt: Vec::new() };
    let detail = serde_json::json!({});
    fixture.store.retry(batch.id, &selection, &actor(), NOW, &detail).await.expect("retried");
    let again = take(&fixture.store, &run, 3, &batch, 1).await;
    assert_eq!((again[0].attempt.number, again[0].attempt.tries), (2, 0));
}

#[tokio::test]
async fn who_has_the_lock_is_named_and_a_replaced_lock_file_is_noticed() {
    let (fixture, _) = with_rows(1).await;
    let lock = RunLock::acquire(&fixture.path, "pid 7 on here").expect("the lock");
    let Err(Error::Held { holder, .. }) = RunLock::acquire(&fixture.path, "me") else {
        panic!("the lock is held");
    };
    assert_eq!(holder.to_string(), "pid 7 on here");
    assert!(lock.still_holds());
    let file = fixture.path.with_extension("db.lock");
    std::fs::remove_file(&file).expect("removed");
    assert!(!lock.still_holds());
    std::fs::write(&file, "").expect("replaced");
    assert!(!lock.still_holds());
}
