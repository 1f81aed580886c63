//! The store's promises, held against real databases: turns, guards, counts, intake, operators' acts, late outcomes.

mod cluster;
mod either;
mod intake;

use std::process::ExitCode;
use std::time::Duration;

use cluster::{Cluster, Database};
use either::{On, facts};
use intake::{NOW, actor, import, new_batch, ready, says};
use mep_batch::invocation::{
    BatchId, Cell, Counts, Fingerprint, HELD_UNTIL, Hold, ImportedRow, InvocationId, Outcome, RefusedBy, RowContent,
    Schedule, Settings, Settlement, SkipReason, State, Suppressed, Taken, UnixMillis, Verdict, Word,
};
use mep_batch::store::{
    Address, Batch, Canary, Claim, ClosedBecause, Decided, Decision, DuePlace, Error, Filter, Gate, InvocationView,
    NewBatch, NextDue, Plain, PutOff, RetrySelection, Run, RunLock, Said, Skip, Store, Turn, Waiting,
};

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![async
                a_turn_that_is_not_committed_leaves_nothing_behind,
                a_turns_number_is_claimed_once_and_an_ended_run_takes_nothing,
                an_outcome_is_stored_with_its_attempt_and_answer,
                an_outcome_of_another_attempt_changes_nothing,
                a_request_id_that_stands_on_two_rows_is_counted_once_and_one_row_may_have_it_twice,
                a_chunk_of_any_length_is_stored_whole_with_its_repeats_marked,
                what_a_dead_run_left_is_unknown_with_its_cause,
                retries_are_taken_before_rows_never_tried_and_not_before_they_are_due,
                retries_that_were_noted_by_a_clock_that_was_ahead_wait_as_long_from_now_on,
                an_unfinished_import_is_seen_by_nobody_and_swept_by_the_next,
                rows_that_cannot_be_stored_hold_nobody_up,
                a_taken_name_is_refused_and_a_free_one_is_found,
                a_verdict_moves_only_the_attempt_that_was_looked_at,
                of_two_equal_requests_the_accepted_one_is_told_and_of_others_the_newest,
                suppressing_skips_what_is_pending_and_nothing_else,
                a_row_that_is_skipped_when_it_is_taken_keeps_its_reason,
                a_retried_row_counts_its_attempts_on_and_its_tries_anew,
                a_late_outcome_settles_its_own_unknown_row,
                a_late_outcome_spares_the_request_that_an_operator_asked_for,
                a_late_outcome_overrules_no_operator,
                a_late_outcome_of_an_earlier_attempt_is_stored_and_marks_the_row,
                a_late_outcome_is_stored_once,
                a_row_whose_earlier_attempt_was_accepted_is_not_sent_once_more,
                a_run_that_shows_something_new_is_not_ended,
                a_gate_is_one_for_all_who_send_there,
                due_rows_come_in_their_order_from_behind_a_place_on,
                a_row_that_a_turn_gives_back_is_due_in_the_same_turn,
                a_row_is_put_off_where_it_was_found_and_nowhere_else,
                a_row_that_is_due_again_is_taken_with_those_behind_it,
                a_row_that_was_put_off_is_taken_when_it_is_due_and_then_waits_no_more,
                rows_whose_time_has_passed_are_skipped_whenever_they_are_due,
                other_hours_let_go_what_was_put_off_and_leave_retries_alone,
                settings_that_another_operator_has_changed_meanwhile_are_not_overwritten,
                a_turn_tells_how_fast_its_run_is,
                a_canary_is_open_until_it_is_known_what_came_of_it,
                what_is_put_off_is_told_by_its_reason,
                two_that_make_the_tables_at_once_make_them_once
            ],
        ),
        (
            On::Sqlite,
            facts![async
                who_has_the_lock_is_named_and_a_replaced_lock_file_is_noticed,
                a_plain_turn_does_what_a_turn_step_by_step_does,
                an_acceptance_is_stored_alike_whether_more_is_to_be_said_of_it_or_not,
                a_turn_that_is_not_plain_after_all_does_nothing,
                a_plain_turn_waits_for_nobody_beyond_its_patience_and_does_nothing_then,
                a_plain_turn_takes_nothing_of_a_paused_batch,
            ],
        ),
        (
            On::Postgres,
            facts![async
                two_runs_that_take_at_once_take_different_rows,
                two_runs_that_put_off_at_once_put_off_each_row_once,
            ],
        ),
    ])
}

struct Fixture {
    store: Store,
    _place: Place,
}

/// A folder, or a database, of a test's own.
struct Place {
    folder: tempfile::TempDir,
    database: Option<String>,
}

impl Place {
    fn new(database: Database) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let create = || tokio::task::block_in_place(|| Cluster::shared().database());
        Place { folder, database: (database == Database::Postgres).then(create) }
    }

    fn address(&self) -> Address {
        match &self.database {
            Some(url) => url.parse().expect("an address"),
            None => Address::File(self.folder.path().join("queue.db")),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(url) = &self.database {
            tokio::task::block_in_place(|| Cluster::shared().forget(url));
        }
    }
}

/// An empty store.
async fn empty(database: Database) -> Fixture {
    let place = Place::new(database);
    let store = Store::open(&place.address(), true).await.expect("a store");
    Fixture { store, _place: place }
}

/// A store with a batch of so many pending rows, at lines 2 and on.
async fn with_rows(database: Database, rows: u32) -> (Fixture, Batch) {
    let fixture = empty(database).await;
    let batch = import(&fixture.store, "a", rows).await;
    (fixture, batch)
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

async fn commit(turn: Turn<'_>) {
    turn.close().await.expect("closed").commit().await.expect("committed");
}

/// A committed turn that takes rows.
async fn take(store: &Store, run: &Run, number: i64, batch: &Batch, limit: u32) -> Vec<Taken> {
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(run, number, NOW).await);
    let taken = turn.take(batch.id, limit).await.expect("rows");
    commit(turn).await;
    taken
}

async fn settle(store: &Store, run: &Run, number: i64, settlements: &[&Settlement]) {
    let settled = async || {
        let mut writer = store.turn_writer().await?;
        let mut turn = granted(writer.begin(run, number, NOW).await);
        turn.settle(settlements).await?;
        turn.close().await?.commit().await
    };
    match settled().await {
        // As a run does: it repeats the turn.
        Err(error) if error.is_busy() => settled().await.expect("settled"),
        done => done.expect("settled"),
    }
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

async fn a_turn_that_is_not_committed_leaves_nothing_behind(database: Database) {
    let (fixture, batch) = with_rows(database, 4).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
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

async fn a_turns_number_is_claimed_once_and_an_ended_run_takes_nothing(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
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

async fn an_outcome_is_stored_with_its_attempt_and_answer(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
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

async fn an_outcome_of_another_attempt_changes_nothing(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    let right = settlement(&taken[0], Outcome::Accepted, State::Accepted);
    let wrong = Settlement { attempt: 7, ..settlement(&taken[1], Outcome::Accepted, State::Accepted) };
    let again = Settlement { state: State::Unknown, ..right.clone() };
    for (turn, settlements) in [(2, vec![&right, &wrong]), (3, vec![&again])] {
        settle(&fixture.store, &run, turn, &settlements).await;
        let counts = counts(&fixture.store, &batch).await;
        assert_eq!((counts[State::Accepted], counts[State::Sending], counts[State::Unknown]), (1, 1, 0));
    }
}

async fn a_request_id_that_stands_on_two_rows_is_counted_once_and_one_row_may_have_it_twice(database: Database) {
    let (fixture, batch) = with_rows(database, 3).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 3).await;
    let again = settlement(&taken[0], Outcome::Retry, State::Pending);
    settle(&fixture.store, &run, 2, &[&again]).await;
    let taken_again = take(&fixture.store, &run, 3, &batch, 1).await;
    settle(&fixture.store, &run, 4, &[&settlement(&taken_again[0], Outcome::Accepted, State::Accepted)]).await;
    let repeated = async || fixture.store.repeated_request_ids(batch.id).await.expect("a count");
    assert_eq!(repeated().await, 0);
    let accepted: Vec<_> =
        taken[1..].iter().map(|taken| settlement(taken, Outcome::Accepted, State::Accepted)).collect();
    settle(&fixture.store, &run, 5, &accepted.iter().collect::<Vec<_>>()).await;
    assert_eq!(repeated().await, 1);
}

async fn a_chunk_of_any_length_is_stored_whole_with_its_repeats_marked(database: Database) {
    const ROWS: u32 = 2_500;
    let fixture = empty(database).await;
    let lock = fixture.store.import_lock().await.expect("the lock");
    let mut intake = fixture.store.begin_intake(lock, NOW).await.expect("an intake");
    let refused = |line| {
        let cells = vec![Cell { column: "phoneNumber".to_owned(), text: "555".to_owned() }];
        ImportedRow { line, content: RowContent::Refused { message: "not sent: why".to_owned(), cells } }
    };
    let row = |line| if line % 5 == 0 { refused(line) } else { ready(line) };
    intake.add(intake.preparation().prepare((1..=ROWS).map(row).collect())).await.expect("a chunk");
    let reason = SkipReason::Duplicate;
    let skip = |line| Skip { line, state: State::Skipped, reason, message: format!("as line {}", line - 1) };
    intake.skip(&(1..=ROWS).filter(|line| line % 5 == 2).map(skip).collect::<Vec<_>>()).await.expect("marked");
    let (id, _) = intake.finish(&new_batch("a", ROWS as usize), &actor()).await.expect("finished");
    let counted = fixture.store.counts_of(id).await.expect("counts");
    assert_eq!((counted[State::Pending], counted[State::Rejected], counted[State::Skipped]), (1_500, 500, 500));
    let rows = fixture.store.page(id, &Filter::default(), 0, ROWS).await.expect("rows");
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
    assert!(
        rows.iter().all(|row| row.body.is_some() == (row.line % 5 != 0) && row.cells.is_empty() == row.body.is_some())
    );
    assert_eq!((rows[1].state, rows[1].message.as_deref()), (State::Skipped, Some("as line 1")));
}

async fn what_a_dead_run_left_is_unknown_with_its_cause(database: Database) {
    let (fixture, batch) = with_rows(database, 5).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 3).await;
    settle(&fixture.store, &run, 2, &[&settlement(&taken[0], Outcome::Accepted, State::Accepted)]).await;
    let settled = fixture.store.settle_dead_runs(NOW).await.expect("settled");
    assert_eq!((settled.runs, settled.unknown), (1, 2));
    let unknown = fixture.store.unknown_rows(batch.id).await.expect("rows");
    assert!(unknown.iter().all(|row| row.message.contains("died")), "{unknown:?}");
    assert_eq!(counts(&fixture.store, &batch).await[State::Unknown], 2);
    assert_eq!(fixture.store.settle_dead_runs(NOW).await.expect("settled").unknown, 0);
}

async fn retries_are_taken_before_rows_never_tried_and_not_before_they_are_due(database: Database) {
    let (fixture, batch) = with_rows(database, 4).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    let mut due = settlement(&taken[0], Outcome::Retry, State::Pending);
    let mut later = settlement(&taken[1], Outcome::Retry, State::Pending);
    // A server's turns go by its own clock.
    (due.due_at, later.due_at) = (UnixMillis(1), NOW.after(Duration::from_hours(87_600)));
    settle(&fixture.store, &run, 2, &[&due, &later]).await;
    let first = take(&fixture.store, &run, 3, &batch, 1).await;
    assert_eq!((first[0].attempt.id, first[0].attempt.number), (due.id, 2));
    assert_eq!(lines(&take(&fixture.store, &run, 4, &batch, 9).await), [4, 5]);
    let waiting = fixture.store.waiting(batch.id, NOW).await.expect("read");
    let (next_due_at, last_due_at) = (later.due_at, later.due_at);
    assert_eq!(waiting, [Waiting { hold: None, rows: 1, next_due_at, last_due_at }]);
}

async fn retries_that_were_noted_by_a_clock_that_was_ahead_wait_as_long_from_now_on(database: Database) {
    const MINUTE_MS: i64 = 60_000;
    let (fixture, batch) = with_rows(database, 3).await;
    let (store, now) = (&fixture.store, UnixMillis::now());
    let run = store.start_run("t", &actor(), None, now).await.expect("a run");
    let taken = take(store, &run, 1, &batch, 2).await;
    let day_ahead = now.after(Duration::from_hours(24));
    let retry = |taken: &Taken, finished_at: UnixMillis| {
        let due_at = UnixMillis(finished_at.0 + 15 * MINUTE_MS);
        Settlement { due_at, finished_at, ..settlement(taken, Outcome::Retry, State::Pending) }
    };
    settle(store, &run, 2, &[&retry(&taken[0], day_ahead), &retry(&taken[1], now)]).await;
    let due_in = async |now: UnixMillis| -> Vec<i64> {
        let waiting = store.waiting(batch.id, now).await.expect("read");
        waiting.into_iter().flat_map(|waits| [waits.next_due_at, waits.last_due_at]).map(|at| at.0 - now.0).collect()
    };
    for (clock, changed) in [(now, 1), (now, 0), (now.before(Duration::from_hours(48)), 2)] {
        assert_eq!(store.bring_nearer(batch.id, clock).await.expect("done"), changed);
        assert_eq!(due_in(clock).await, [15 * MINUTE_MS; 2]);
    }
}

async fn an_unfinished_import_is_seen_by_nobody_and_swept_by_the_next(database: Database) {
    let (fixture, _) = with_rows(database, 1).await;
    let lock = fixture.store.import_lock().await.expect("the lock");
    let mut intake = fixture.store.begin_intake(lock, NOW).await.expect("an intake");
    intake.add(intake.preparation().prepare(vec![ready(2), ready(3)])).await.expect("a chunk");
    drop(intake); // as a kill does
    assert_eq!(fixture.store.batches().await.expect("batches").len(), 1);
    import(&fixture.store, "b", 3).await;
    let rows: i64 = {
        let batches = fixture.store.batches().await.expect("batches");
        batches.iter().map(|batch| batch.rows).sum()
    };
    assert_eq!(rows, 4);
}

async fn rows_that_cannot_be_stored_hold_nobody_up(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let lock = fixture.store.import_lock().await.expect("the lock");
    let mut intake = fixture.store.begin_intake(lock, NOW).await.expect("an intake");
    let prepared = |line| intake.preparation().prepare(vec![ready(line)]);
    let (once, twice, next) = (prepared(2), prepared(2), prepared(3));
    intake.add(once).await.expect("a chunk");
    intake.add(twice).await.expect_err("a line that is there");
    fixture.store.pause(batch.id, Said { actor: &actor(), reason: None, now: NOW }).await.expect("paused meanwhile");
    intake.add(next).await.expect("another chunk");
    intake.abandon().await.expect("abandoned");
}

async fn a_taken_name_is_refused_and_a_free_one_is_found(database: Database) {
    let (fixture, _) = with_rows(database, 1).await;
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

async fn a_verdict_moves_only_the_attempt_that_was_looked_at(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    take(&fixture.store, &run, 1, &batch, 2).await;
    fixture.store.settle_dead_runs(NOW).await.expect("settled");
    let rows: Vec<InvocationId> =
        fixture.store.unknown_rows(batch.id).await.expect("rows").iter().map(|row| row.id).collect();
    let stale = [Decision { attempt: 9, ..decision(rows[0], Verdict::Resend) }, decision(rows[1], Verdict::Accepted)];
    let refused = fixture.store.resolve(batch.id, &stale, &actor(), NOW).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert_eq!(counts(&fixture.store, &batch).await[State::Unknown], 2, "all or none");
    let decided = fixture.store.resolve(batch.id, &[decision(rows[0], Verdict::Accepted)], &actor(), NOW).await;
    assert_eq!(decided.expect("decided"), Decided { rows: 1, cancelled_at: None });
    let actions = fixture.store.row_actions(rows[0]).await.expect("actions");
    assert_eq!((actions[0].was.as_str(), actions[0].became.as_str()), ("unknown", "accepted"));
    assert_eq!(counts(&fixture.store, &batch).await[State::Accepted], 1);
}

async fn of_two_equal_requests_the_accepted_one_is_told_and_of_others_the_newest(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let store = &fixture.store;
    let run = store.start_run("t", &actor(), None, NOW).await.expect("a run");
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

async fn suppressing_skips_what_is_pending_and_nothing_else(database: Database) {
    let (fixture, batch) = with_rows(database, 4).await;
    import(&fixture.store, "b", 4).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
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

async fn a_row_that_is_skipped_when_it_is_taken_keeps_its_reason(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
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

async fn a_retried_row_counts_its_attempts_on_and_its_tries_anew(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 1).await;
    let failed = Settlement { tries: 5, ..settlement(&taken[0], Outcome::Failed, State::Failed) };
    settle(&fixture.store, &run, 2, &[&failed]).await;
    let selection = RetrySelection { rows: vec![(failed.id, State::Failed)], rebuilt: Vec::new() };
    let detail = serde_json::json!({});
    fixture.store.retry(batch.id, &selection, &actor(), NOW, &detail).await.expect("retried");
    let again = take(&fixture.store, &run, 3, &batch, 1).await;
    assert_eq!((again[0].attempt.number, again[0].attempt.tries), (2, 0));
}

async fn who_has_the_lock_is_named_and_a_replaced_lock_file_is_noticed(database: Database) {
    let (fixture, _) = with_rows(database, 1).await;
    let path = fixture.store.address().file().expect("a file");
    let lock = RunLock::acquire(path, "pid 7 on here").expect("the lock");
    let Err(Error::Held { holder, .. }) = RunLock::acquire(path, "me") else {
        unreachable!("the lock is held");
    };
    assert_eq!(holder.to_string(), "pid 7 on here");
    assert!(lock.still_holds());
    let file = path.with_extension("db.lock");
    std::fs::remove_file(&file).expect("removed");
    assert!(!lock.still_holds());
    std::fs::write(&file, "").expect("replaced");
    assert!(!lock.still_holds());
}

/// A run that was ended while it had the row in flight; what it took.
async fn judged(store: &Store, batch: &Batch) -> (Run, Taken) {
    let run = store.start_run("judged", &actor(), None, NOW).await.expect("a run");
    let taken = take(store, &run, 1, batch, 1).await.remove(0);
    let judge = store.start_run("judge", &actor(), None, NOW).await.expect("a run");
    let [sign] = store.signs_of_life(Some(&judge)).await.expect("read")[..] else {
        unreachable!("there is one other run")
    };
    let settled = store.end_silent_run(sign, NOW).await.expect("ended").expect("it showed nothing new");
    assert_eq!((settled.unknown, &settled.batches[..]), (1, &[batch.id][..]));
    (run, taken)
}

/// The only row of the batch.
async fn row(store: &Store, batch: &Batch) -> InvocationView {
    store.page(batch.id, &Filter::default(), 0, 1).await.expect("rows").remove(0)
}

/// A word on a row whose first attempt left it unknown.
fn decision(id: InvocationId, verdict: Verdict) -> Decision {
    Decision { id, attempt: 1, word: Word { verdict, request_id: None, reason: "r".to_owned() } }
}

async fn resolve(store: &Store, batch: &Batch, row: InvocationId, verdict: Verdict) {
    let decided = store.resolve(batch.id, &[decision(row, verdict)], &actor(), NOW).await;
    assert_eq!(decided.expect("decided").rows, 1);
}

async fn a_late_outcome_settles_its_own_unknown_row(database: Database) {
    for (outcome, state) in [(Outcome::Accepted, State::Accepted), (Outcome::GivenBack, State::Pending)] {
        let (fixture, batch) = with_rows(database, 1).await;
        let (run, taken) = judged(&fixture.store, &batch).await;
        assert_eq!(counts(&fixture.store, &batch).await[State::Unknown], 1);
        settle(&fixture.store, &run, 2, &[&settlement(&taken, outcome, state)]).await;
        assert_eq!(counts(&fixture.store, &batch).await[state], 1);
        let attempts = fixture.store.attempts(&[taken.attempt.id]).await.expect("attempts");
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].outcome.as_str(), attempts[0].is_late), (outcome.as_str(), true));
    }
}

async fn a_late_outcome_spares_the_request_that_an_operator_asked_for(database: Database) {
    for verdict in [Verdict::NotSent, Verdict::Resend] {
        let (fixture, batch) = with_rows(database, 1).await;
        let store = &fixture.store;
        let (run, taken) = judged(store, &batch).await;
        resolve(store, &batch, taken.attempt.id, verdict).await;
        settle(store, &run, 2, &[&settlement(&taken, Outcome::Accepted, State::Accepted)]).await;
        let row = row(store, &batch).await;
        assert_eq!(
            (row.state, row.possible_duplicate, row.request_id.as_deref()),
            (State::Accepted, false, Some("ID"))
        );
        let next = store.start_run("next", &actor(), None, NOW).await.expect("a run");
        assert_eq!(take(store, &next, 1, &batch, 1).await, []);
    }
}

async fn a_late_outcome_overrules_no_operator(database: Database) {
    let late = [
        (Outcome::Rejected, State::Rejected, Verdict::Abandoned),
        (Outcome::Unknown, State::Unknown, Verdict::NotSent),
    ];
    for (outcome, state, verdict) in late {
        let (fixture, batch) = with_rows(database, 1).await;
        let (run, taken) = judged(&fixture.store, &batch).await;
        resolve(&fixture.store, &batch, taken.attempt.id, verdict).await;
        settle(&fixture.store, &run, 2, &[&settlement(&taken, outcome, state)]).await;
        assert_eq!(row(&fixture.store, &batch).await.state, verdict.state());
        assert_eq!(counts(&fixture.store, &batch).await[verdict.state()], 1);
    }
}

/// A row that was judged, put back and taken once more: each run with what it has taken.
async fn judged_and_taken_again(store: &Store, batch: &Batch) -> (Run, Taken, Run, Taken) {
    let (run, first) = judged(store, batch).await;
    resolve(store, batch, first.attempt.id, Verdict::NotSent).await;
    let next = store.start_run("next", &actor(), None, NOW).await.expect("a run");
    let second = take(store, &next, 1, batch, 1).await.remove(0);
    (run, first, next, second)
}

async fn a_late_outcome_of_an_earlier_attempt_is_stored_and_marks_the_row(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let store = &fixture.store;
    let (run, first, next, second) = judged_and_taken_again(store, &batch).await;
    settle(store, &run, 2, &[&settlement(&first, Outcome::Accepted, State::Accepted)]).await;
    assert_eq!(row(store, &batch).await.state, State::Sending, "the second attempt has the row");
    settle(store, &next, 2, &[&settlement(&second, Outcome::Accepted, State::Accepted)]).await;
    let row = row(store, &batch).await;
    assert_eq!((row.state, row.attempt, row.possible_duplicate), (State::Accepted, 2, true));
    let attempts = store.attempts(&[row.id]).await.expect("attempts");
    let told: Vec<_> = attempts.iter().map(|attempt| (attempt.outcome.as_str(), attempt.is_late)).collect();
    assert_eq!(told, [("accepted", true), ("accepted", false)]);
    assert_eq!(counts(store, &batch).await[State::Accepted], 1);
}

async fn a_row_whose_earlier_attempt_was_accepted_is_not_sent_once_more(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let store = &fixture.store;
    let (run, first, next, second) = judged_and_taken_again(store, &batch).await;
    let given_back =
        Settlement { request_id: None, sent_at: None, ..settlement(&second, Outcome::GivenBack, State::Pending) };
    settle(store, &next, 2, &[&given_back]).await;
    settle(store, &run, 2, &[&settlement(&first, Outcome::Accepted, State::Accepted)]).await;
    let row = row(store, &batch).await;
    assert_eq!((row.state, row.attempt, row.request_id.as_deref()), (State::Accepted, 2, Some("ID")));
    assert_eq!(take(store, &next, 3, &batch, 1).await, []);
    assert_eq!(counts(store, &batch).await[State::Accepted], 1);
}

async fn a_late_outcome_is_stored_once(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let (run, taken) = judged(&fixture.store, &batch).await;
    settle(&fixture.store, &run, 2, &[&settlement(&taken, Outcome::Accepted, State::Accepted)]).await;
    settle(&fixture.store, &run, 3, &[&settlement(&taken, Outcome::Failed, State::Failed)]).await;
    assert_eq!(row(&fixture.store, &batch).await.state, State::Accepted);
    let attempts = fixture.store.attempts(&[taken.attempt.id]).await.expect("attempts");
    assert_eq!((attempts.len(), attempts[0].outcome.as_str()), (1, "accepted"));
}

async fn a_run_that_shows_something_new_is_not_ended(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let store = &fixture.store;
    let (run, judge) =
        (store.start_run("a", &actor(), None, NOW).await, store.start_run("b", &actor(), None, NOW).await);
    let (run, judge) = (run.expect("a run"), judge.expect("a run"));
    let seen = store.signs_of_life(Some(&judge)).await.expect("read")[0];
    let taken = take(store, &run, 1, &batch, 1).await;
    assert_eq!(store.end_silent_run(seen, NOW).await.expect("asked"), None, "it has made a turn");
    let seen = store.signs_of_life(Some(&judge)).await.expect("read")[0];
    let mut heart = store.heart().await.expect("a connection");
    store.beat(&mut heart, &run).await.expect("beaten");
    assert_eq!(store.end_silent_run(seen, NOW).await.expect("asked"), None, "its heart has beaten");
    assert_eq!(counts(store, &batch).await[State::Sending], 1);
    store.end_run(&run, "done", NOW).await.expect("asked");
    assert_eq!(store.signs_of_life(Some(&judge)).await.expect("read").len(), 1, "its row would be in flight for ever");
    settle(store, &run, 2, &[&settlement(&taken[0], Outcome::Accepted, State::Accepted)]).await;
    store.end_run(&run, "done", NOW).await.expect("ended");
    assert_eq!(store.signs_of_life(Some(&judge)).await.expect("read"), []);
}

async fn a_row_that_is_due_again_is_taken_with_those_behind_it(database: Database) {
    let (fixture, batch) = with_rows(database, 4).await;
    let run = fixture.store.start_run("a", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    let back = Settlement { due_at: UnixMillis(0), ..settlement(&taken[0], Outcome::GivenBack, State::Pending) };
    let back = Settlement { request_id: None, http_status: None, sent_at: None, ..back };
    settle(&fixture.store, &run, 2, &[&back]).await;
    let mut again = lines(&take(&fixture.store, &run, 3, &batch, 4).await);
    again.sort_unstable();
    assert_eq!(again, [2, 4, 5]);
}

async fn two_runs_that_take_at_once_take_different_rows(database: Database) {
    let (fixture, batch) = with_rows(database, 5).await;
    let other = Store::open(fixture.store.address(), false).await.expect("a store");
    let (one, two) =
        (fixture.store.start_run("a", &actor(), None, NOW).await, other.start_run("b", &actor(), None, NOW).await);
    let (one, two) = (one.expect("a run"), two.expect("a run"));
    let (mut first, mut second) =
        (fixture.store.turn_writer().await.expect("w"), other.turn_writer().await.expect("w"));
    let mut first = granted(first.begin(&one, 1, NOW).await);
    let mut second = granted(second.begin(&two, 1, NOW).await);
    let mut taken = lines(&first.take(batch.id, 3).await.expect("rows"));
    taken.extend(lines(&second.take(batch.id, 3).await.expect("rows")));
    commit(first).await;
    commit(second).await;
    assert_eq!(taken, [2, 3, 4, 5, 6]);
    assert_eq!(counts(&fixture.store, &batch).await[State::Sending], 5);
}

async fn a_gate_is_one_for_all_who_send_there(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let store = &fixture.store;
    let gate = store.gate(&batch.endpoint, "account").await.expect("a gate");
    let run = store.start_run("a", &actor(), None, NOW).await.expect("a run");
    let probe = take(store, &run, 1, &batch, 1).await.remove(0);
    let changed = Gate {
        closed: Some((NOW, ClosedBecause::Ambiguous)),
        probe: Some(probe.attempt.id),
        failed_probes: 2,
        recent: 5,
        next_send_us: 7,
        period_us: 8,
        paced_at_us: 9,
        stops: 1,
        stopped_by: Some("why".to_owned()),
        ..gate.clone()
    };
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 2, NOW).await);
    assert_eq!(turn.gates(&[gate.id], true).await.expect("read"), [gate]);
    turn.store_gate(&changed).await.expect("stored");
    commit(turn).await;
    drop(writer);
    let found = store.gate(&batch.endpoint, "account").await.expect("a gate");
    assert_eq!(found, Gate { is_probing: true, ..changed.clone() }, "its probe is in flight");
    settle(store, &run, 3, &[&settlement(&probe, Outcome::Accepted, State::Accepted)]).await;
    assert_eq!(store.find_gate(&batch.endpoint, "account").await.expect("read"), Some(changed));
}

async fn a_turn_tells_how_fast_its_run_is(database: Database) {
    let (fixture, _) = with_rows(database, 1).await;
    let store = &fixture.store;
    let run = store.start_run("a", &actor(), None, NOW).await.expect("a run");
    let rates = async || store.open_runs().await.expect("runs").iter().map(|run| run.rate).collect::<Vec<_>>();
    assert_eq!(rates().await, [0.0]);
    for (number, rate) in [(1, 12.5), (2, 0.0)] {
        let mut writer = store.turn_writer().await.expect("the writer").at_rate(rate);
        commit(granted(writer.begin(&run, number, NOW).await)).await;
        drop(writer);
        assert_eq!(rates().await, [rate]);
    }
}

async fn a_canary_is_open_until_it_is_known_what_came_of_it(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let store = &fixture.store;
    let mut canary = Canary::new(12_515_550_199, 2);
    let id = store.begin_canary(batch.id, &canary, &actor(), NOW).await.expect("recorded");
    let found = async || store.canaries(batch.id).await.expect("read").remove(0);
    assert_eq!((found().await.canary, found().await.who), (canary.clone(), "op".to_owned()));
    assert_eq!(canary.state, "sending");
    canary.state = Outcome::Accepted.as_str().to_owned();
    canary.request_id = Some("ID".to_owned());
    canary.finished_at = Some(NOW);
    store.change_canary(id, &canary).await.expect("recorded");
    assert_eq!(found().await.canary, canary);
    assert_eq!(counts(store, &batch).await[State::Pending], 1);
}

async fn what_is_put_off_is_told_by_its_reason(database: Database) {
    let (fixture, batch) = with_rows(database, 3).await;
    let store = &fixture.store;
    let run = store.start_run("a", &actor(), None, NOW).await.expect("a run");
    let taken = take(store, &run, 1, &batch, 2).await;
    let later = |hours: u64| NOW.after(Duration::from_secs(hours * 3600));
    let retry = |taken, due_at| Settlement {
        due_at,
        request_id: None,
        ..settlement(taken, Outcome::Throttled, State::Pending)
    };
    settle(store, &run, 2, &[&retry(&taken[0], later(1)), &retry(&taken[1], later(30))]).await;
    let told = store.waiting(batch.id, NOW).await.expect("read");
    assert_eq!(told, [Waiting { hold: None, rows: 2, next_due_at: later(1), last_due_at: later(30) }]);
    let beyond = store.waiting(batch.id, later(24)).await.expect("read");
    assert_eq!(beyond, [Waiting { hold: None, rows: 1, next_due_at: later(30), last_due_at: later(30) }]);
    assert_eq!(store.due_by_zone(batch.id, NOW).await.expect("read"), [(None, 1)]);
    assert_eq!(store.next_zone(batch.id).await.expect("read"), None);
}

async fn two_that_make_the_tables_at_once_make_them_once(database: Database) {
    let place = Place::new(database);
    let address = place.address();
    let open = || Store::open(&address, true);
    let (one, two, three, four) = tokio::join!(open(), open(), open(), open());
    for store in [one, two, three, four] {
        assert!(store.expect("a store").batches().await.expect("batches").is_empty());
    }
}

const HOUR_MS: i64 = 3_600_000;

fn later(hours: i64) -> UnixMillis {
    UnixMillis(NOW.0 + hours * HOUR_MS)
}

fn place(batch: &Batch, line: u32) -> DuePlace {
    DuePlace { due_at: UnixMillis(0), id: InvocationId::new(batch.id, line) }
}

/// A committed turn that puts these lines off, which were due at once; how many it did.
async fn put_off(store: &Store, run: &Run, number: i64, batch: &Batch, lines: &[(u32, Option<UnixMillis>)]) -> u64 {
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(run, number, NOW).await);
    let rows: Vec<_> = lines.iter().map(|(line, until)| PutOff { place: place(batch, *line), until: *until }).collect();
    let done = turn.put_off(&rows).await.expect("put off");
    commit(turn).await;
    done
}

async fn due_lines(turn: &mut Turn<'_>, batch: &Batch, after: DuePlace, limit: u32) -> Vec<u32> {
    let rows = turn.due_rows(batch.id, after, limit, NOW).await.expect("rows");
    rows.iter().map(|row| row.place.id.line()).collect()
}

async fn due_rows_come_in_their_order_from_behind_a_place_on(database: Database) {
    let (fixture, batch) = with_rows(database, 5).await;
    let run = fixture.store.start_run("r", &actor(), None, NOW).await.expect("a run");
    put_off(&fixture.store, &run, 1, &batch, &[(2, Some(UnixMillis(7))), (3, Some(later(1)))]).await;
    let mut writer = fixture.store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 2, NOW).await);
    assert_eq!(due_lines(&mut turn, &batch, DuePlace::START, 9).await, [4, 5, 6, 2]);
    assert_eq!(due_lines(&mut turn, &batch, DuePlace::START, 2).await, [4, 5]);
    assert_eq!(due_lines(&mut turn, &batch, place(&batch, 5), 9).await, [6, 2]);
    assert_eq!(turn.schedule(batch.id).await.expect("read"), Schedule::default());
    commit(turn).await;
}

async fn a_row_that_a_turn_gives_back_is_due_in_the_same_turn(database: Database) {
    let (fixture, batch) = with_rows(database, 3).await;
    let run = fixture.store.start_run("r", &actor(), None, NOW).await.expect("a run");
    let taken = take(&fixture.store, &run, 1, &batch, 2).await;
    let back = |taken: &Taken| {
        let back = Settlement { due_at: UnixMillis(0), ..settlement(taken, Outcome::GivenBack, State::Pending) };
        Settlement { request_id: None, http_status: None, sent_at: None, ..back }
    };
    let mut writer = fixture.store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 2, NOW).await);
    turn.settle(&[&back(&taken[0])]).await.expect("settled");
    assert_eq!(due_lines(&mut turn, &batch, DuePlace::START, 9).await, [2, 4]);
    turn.settle(&[&back(&taken[1])]).await.expect("settled");
    assert_eq!(turn.expire(batch.id, 9).await.expect("skipped"), 3);
    commit(turn).await;
    drop(writer);
    assert_eq!(counts(&fixture.store, &batch).await[State::Skipped], 3);
}

async fn a_row_is_put_off_where_it_was_found_and_nowhere_else(database: Database) {
    let (fixture, batch) = with_rows(database, 4).await;
    let store = &fixture.store;
    let run = store.start_run("r", &actor(), None, NOW).await.expect("a run");
    let taken = take(store, &run, 1, &batch, 1).await;
    assert_eq!(taken[0].attempt.id.line(), 2);
    assert_eq!(put_off(store, &run, 2, &batch, &[(2, None), (3, Some(later(2))), (4, None)]).await, 2);
    assert_eq!(put_off(store, &run, 3, &batch, &[(3, None)]).await, 0, "it is not due when it was any more");
    let waiting = store.waiting(batch.id, NOW).await.expect("read");
    let of = |hold, at| Waiting { hold: Some(hold), rows: 1, next_due_at: at, last_due_at: at };
    assert_eq!(waiting, [of(Hold::Window, later(2)), of(Hold::TimeZone, HELD_UNTIL)]);
    let next = store.next_due(batch.id).await.expect("read");
    assert_eq!(next, Some(NextDue { at: UnixMillis(0), hold: None }));
    put_off(store, &run, 4, &batch, &[(5, None)]).await;
    let next = store.next_due(batch.id).await.expect("read");
    assert_eq!(next, Some(NextDue { at: later(2), hold: Some(Hold::Window) }), "what is held is never due");
    counts(store, &batch).await;
}

async fn a_row_that_was_put_off_is_taken_when_it_is_due_and_then_waits_no_more(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let run = fixture.store.start_run("r", &actor(), None, NOW).await.expect("a run");
    put_off(&fixture.store, &run, 1, &batch, &[(2, Some(NOW))]).await;
    let mut writer = fixture.store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 2, NOW).await);
    let taken = turn.take_with_zones(batch.id, 9).await.expect("rows");
    assert_eq!(taken.iter().map(|row| row.time_zone.as_deref()).collect::<Vec<_>>(), [None]);
    commit(turn).await;
    let rows = fixture.store.page(batch.id, &Filter::default(), 0, 9).await.expect("rows");
    assert_eq!((rows[0].state, rows[0].hold), (State::Sending, None));
}

async fn rows_whose_time_has_passed_are_skipped_whenever_they_are_due(database: Database) {
    let (fixture, batch) = with_rows(database, 5).await;
    let store = &fixture.store;
    let run = store.start_run("r", &actor(), None, NOW).await.expect("a run");
    take(store, &run, 1, &batch, 1).await;
    put_off(store, &run, 2, &batch, &[(3, None), (4, Some(later(9)))]).await;
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 3, NOW).await);
    assert_eq!(turn.expire(batch.id, 3).await.expect("skipped"), 3);
    assert_eq!(turn.expire(batch.id, 3).await.expect("skipped"), 1);
    commit(turn).await;
    drop(writer);
    let counts = counts(store, &batch).await;
    assert_eq!((counts[State::Skipped], counts[State::Sending]), (4, 1));
    assert_eq!(store.expired(batch.id).await.expect("counted"), 4);
    let skipped = Filter { states: vec![State::Skipped], ..Filter::default() };
    for row in store.page(batch.id, &skipped, 0, 9).await.expect("rows") {
        assert_eq!((row.reason, row.hold, row.finished_at.is_some()), (Some(SkipReason::Expired), None, true));
        assert_eq!(row.message, Some(SkipReason::Expired.to_string()));
    }
}

async fn other_hours_let_go_what_was_put_off_and_leave_retries_alone(database: Database) {
    let (fixture, batch) = with_rows(database, 3).await;
    let store = &fixture.store;
    let run = store.start_run("r", &actor(), None, NOW).await.expect("a run");
    let taken = take(store, &run, 1, &batch, 1).await;
    let retry = Settlement {
        due_at: later(1),
        request_id: None,
        refused_by: None,
        ..settlement(&taken[0], Outcome::Retry, State::Pending)
    };
    settle(store, &run, 2, &[&retry]).await;
    put_off(store, &run, 3, &batch, &[(3, None), (4, Some(later(9)))]).await;
    let waiting = async || -> Vec<_> {
        let waiting = store.waiting(batch.id, NOW).await.expect("read");
        waiting.into_iter().map(|waiting| (waiting.hold, waiting.rows)).collect()
    };
    let faster = Settings { rate: Some(9.0), ..batch.settings.clone() };
    assert!(store.change_settings(&batch, &faster, "", &actor(), NOW).await.expect("changed"));
    let batch = store.batches().await.expect("read").pop().expect("the batch");
    assert_eq!(waiting().await, [(None, 1), (Some(Hold::Window), 1), (Some(Hold::TimeZone), 1)]);
    let schedule = Schedule { time_zone: Some("UTC".to_owned()), ..Schedule::default() };
    let settings = Settings { schedule: schedule.clone(), ..batch.settings.clone() };
    assert!(store.change_settings(&batch, &settings, "", &actor(), NOW).await.expect("changed"));
    assert_eq!(waiting().await, [(None, 1)]);
    let mut writer = store.turn_writer().await.expect("the writer");
    let mut turn = granted(writer.begin(&run, 4, NOW).await);
    assert_eq!(turn.schedule(batch.id).await.expect("read"), schedule);
    commit(turn).await;
}

async fn settings_that_another_operator_has_changed_meanwhile_are_not_overwritten(database: Database) {
    let (fixture, batch) = with_rows(database, 1).await;
    let store = &fixture.store;
    let schedule = Schedule { window: Some("09:00-20:00".parse().expect("a window")), ..Schedule::default() };
    let by_day = Settings { schedule, ..batch.settings.clone() };
    assert!(store.change_settings(&batch, &by_day, "", &actor(), NOW).await.expect("changed"));
    let faster = Settings { rate: Some(9.0), ..batch.settings.clone() };
    assert!(!store.change_settings(&batch, &faster, "", &actor(), NOW).await.expect("read"));
    let read = async || store.batch_named(&batch.name).await.expect("read").expect("the batch");
    let stored = read().await;
    assert_eq!(stored.settings, by_day);
    let both = Settings { rate: Some(9.0), ..stored.settings.clone() };
    assert!(store.change_settings(&stored, &both, "", &actor(), NOW).await.expect("changed"));
    assert_eq!(read().await.settings, both);
}

async fn two_runs_that_put_off_at_once_put_off_each_row_once(database: Database) {
    let (fixture, batch) = with_rows(database, 3).await;
    let other = Store::open(fixture.store.address(), false).await.expect("the same store");
    let (one, two) = (&fixture.store, &other);
    let first = one.start_run("1", &actor(), None, NOW).await.expect("a run");
    let second = two.start_run("2", &actor(), None, NOW).await.expect("a run");
    let rows = |lines: &[u32]| -> Vec<PutOff> {
        lines.iter().map(|line| PutOff { place: place(&batch, *line), until: Some(later(1)) }).collect()
    };
    let (mut writer, mut beside) = (one.turn_writer().await.expect("one"), two.turn_writer().await.expect("two"));
    let mut turn = granted(writer.begin(&first, 1, NOW).await);
    let mut turn_beside = granted(beside.begin(&second, 1, NOW).await);
    assert_eq!(turn.put_off(&rows(&[2, 3])).await.expect("put off"), 2);
    assert_eq!(turn_beside.put_off(&rows(&[4, 3, 2])).await.expect("put off"), 1, "nobody waits for the other");
    assert_eq!(turn.expire(batch.id, 9).await.expect("skipped"), 2);
    assert_eq!(turn_beside.expire(batch.id, 9).await.expect("skipped"), 1);
    let (turn, turn_beside) = (turn.close().await.expect("closed"), turn_beside);
    turn.commit().await.expect("committed");
    commit(turn_beside).await;
    drop((writer, beside));
    assert_eq!(counts(one, &batch).await[State::Skipped], 3);
}

/// A plain turn, made and committed.
async fn plain(
    store: &Store,
    run: &Run,
    number: i64,
    settlements: &[&Settlement],
    take: Option<(BatchId, u32)>,
) -> Result<Option<Vec<Taken>>, Error> {
    let mut writer = store.turn_writer().await.expect("the writer");
    writer.make_plain(run, &Plain { number, now: NOW, settlements, take }).await
}

/// What came of attempts: accepted as nearly all are, accepted with something to tell, rejected, unknown.
fn all_kinds(taken: &[Taken]) -> Vec<Settlement> {
    let accepted = settlement(&taken[0], Outcome::Accepted, State::Accepted);
    let rejected = settlement(&taken[2], Outcome::Rejected, State::Rejected);
    vec![
        Settlement { message: None, answer: Vec::new(), ..accepted },
        settlement(&taken[1], Outcome::Accepted, State::Accepted),
        Settlement { refused_by: Some(RefusedBy::Service), http_status: Some(400), code: Some(12_002), ..rejected },
        Settlement { http_status: None, ..settlement(&taken[3], Outcome::Unknown, State::Unknown) },
    ]
}

async fn a_plain_turn_does_what_a_turn_step_by_step_does(database: Database) {
    let mut seen = Vec::new();
    for is_plain in [true, false] {
        let (fixture, batch) = with_rows(database, 9).await;
        let store = &fixture.store;
        let run = store.start_run("t", &actor(), None, NOW).await.expect("a run");
        let first = if is_plain {
            plain(store, &run, 1, &[], Some((batch.id, 5))).await.expect("made").expect("a plain turn")
        } else {
            take(store, &run, 1, &batch, 5).await
        };
        let settlements = all_kinds(&first);
        let settlements: Vec<&Settlement> = settlements.iter().collect();
        let second = if is_plain {
            plain(store, &run, 2, &settlements, Some((batch.id, 3))).await.expect("made").expect("a plain turn")
        } else {
            settle(store, &run, 2, &settlements).await;
            take(store, &run, 3, &batch, 3).await
        };
        let counts = counts(store, &batch).await;
        assert_eq!((counts[State::Sending], counts[State::Pending], counts[State::Accepted]), (4, 1, 2));
        let rows = store.page(batch.id, &Filter::default(), 0, 100).await.expect("rows");
        let ids: Vec<InvocationId> = rows.iter().map(|row| row.id).collect();
        let attempts = store.attempts(&ids).await.expect("attempts");
        assert_eq!(attempts.len(), 4);
        seen.push(format!("{first:?} {second:?} {rows:?} {attempts:?}"));
    }
    assert_eq!(seen[0], seen[1]);
}

async fn an_acceptance_is_stored_alike_whether_more_is_to_be_said_of_it_or_not(database: Database) {
    let mut seen = Vec::new();
    for answer in [Vec::new(), vec![b'!']] {
        let (fixture, batch) = with_rows(database, 2).await;
        let store = &fixture.store;
        let run = store.start_run("t", &actor(), None, NOW).await.expect("a run");
        // One row is accepted at once, the other after a retry that may have been a text too.
        let first = take(store, &run, 1, &batch, 2).await;
        let accepted = |taken: &Taken| Settlement {
            message: None,
            tries: taken.attempt.tries,
            retry_until: taken.attempt.retry_until,
            possible_duplicate: taken.attempt.possible_duplicate,
            answer: answer.clone(),
            ..settlement(taken, Outcome::Accepted, State::Accepted)
        };
        let again = Settlement {
            tries: 1,
            retry_until: Some(later(1)),
            possible_duplicate: true,
            http_status: Some(500),
            code: Some(1010),
            ..settlement(&first[1], Outcome::Retry, State::Pending)
        };
        settle(store, &run, 2, &[&accepted(&first[0]), &again]).await;
        let second = take(store, &run, 3, &batch, 2).await;
        assert_eq!((second.len(), second[0].attempt.possible_duplicate), (1, true));
        let made = plain(store, &run, 4, &[&accepted(&second[0])], None).await;
        assert_eq!(made.expect("made"), Some(Vec::new()));
        assert_eq!(counts(store, &batch).await[State::Accepted], 2);
        let rows = store.page(batch.id, &Filter::default(), 0, 10).await.expect("rows");
        let ids: Vec<InvocationId> = rows.iter().map(|row| row.id).collect();
        let mut attempts = store.attempts(&ids).await.expect("attempts");
        assert_eq!(attempts.iter().filter(|attempt| attempt.answer == answer).count(), 2);
        attempts.iter_mut().for_each(|attempt| attempt.answer.clear());
        seen.push(format!("{rows:?} {attempts:?}"));
    }
    assert_eq!(seen[0], seen[1]);
}

async fn a_turn_that_is_not_plain_after_all_does_nothing(database: Database) {
    let (fixture, batch) = with_rows(database, 6).await;
    let store = &fixture.store;
    let run = store.start_run("t", &actor(), None, NOW).await.expect("a run");
    let taken = take(store, &run, 1, &batch, 2).await;
    let right = settlement(&taken[0], Outcome::Accepted, State::Accepted);
    let overtaken = Settlement { attempt: 7, ..settlement(&taken[1], Outcome::Unknown, State::Unknown) };
    let stranger = Run { token: "another".to_owned(), ..run.clone() };
    let take_two = Some((batch.id, 2));
    for (claimant, number, settlements, why) in [
        (&run, 1, vec![], "that number has committed"),
        (&run, 3, vec![], "a turn is missing before it"),
        (&stranger, 2, vec![], "it is another run's"),
        (&run, 2, vec![&right, &overtaken], "a row is not in flight any more"),
    ] {
        let made = plain(store, claimant, number, &settlements, take_two).await.expect("asked");
        assert_eq!(made, None, "{why}");
        let counts = counts(store, &batch).await;
        assert_eq!((counts[State::Sending], counts[State::Pending]), (2, 4), "{why}");
        assert_eq!(store.attempts(&[taken[0].attempt.id]).await.expect("attempts").len(), 0, "{why}");
    }
    // The connection is as good as before.
    assert_eq!(lines(&plain(store, &run, 2, &[&right], take_two).await.expect("made").expect("plain")), [4, 5]);
    store.settle_dead_runs(NOW).await.expect("settled");
    assert_eq!(plain(store, &run, 3, &[], take_two).await.expect("asked"), None, "the run was ended");
}

async fn a_plain_turn_waits_for_nobody_beyond_its_patience_and_does_nothing_then(database: Database) {
    let (mut fixture, batch) = with_rows(database, 2).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    fixture.store.wait_for_others(Duration::from_millis(1));
    let other = Store::open(&fixture._place.address(), false).await.expect("the same store");
    let mut writer = other.turn_writer().await.expect("its writer");
    let in_the_way = granted(writer.begin(&run, 1, NOW).await);
    let made = plain(&fixture.store, &run, 1, &[], Some((batch.id, 1))).await;
    assert!(made.as_ref().is_err_and(Error::is_busy), "{made:?}");
    drop(in_the_way);
    drop(writer);
    other.close().await;
    assert_eq!(
        lines(&plain(&fixture.store, &run, 1, &[], Some((batch.id, 1))).await.expect("made").expect("plain")),
        [2]
    );
}

async fn a_plain_turn_takes_nothing_of_a_paused_batch(database: Database) {
    let (fixture, batch) = with_rows(database, 2).await;
    let run = fixture.store.start_run("t", &actor(), None, NOW).await.expect("a run");
    fixture.store.pause(batch.id, Said { actor: &actor(), reason: None, now: NOW }).await.expect("paused");
    let taken = plain(&fixture.store, &run, 1, &[], Some((batch.id, 2))).await.expect("made").expect("a plain turn");
    assert_eq!(taken, []);
    assert_eq!(counts(&fixture.store, &batch).await[State::Pending], 2);
}
