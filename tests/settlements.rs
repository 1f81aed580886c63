//! Whatever comes of an attempt leaves its row in one state, with a delay that has an end: in what is decided, and in the queue.

mod intake;

use std::time::Duration;

use intake::{NOW, actor, import};
use mep_batch::invocation::{
    Answer, Attempt, BatchId, Counts, Effect, Finding, GivenBack, InvocationId, NoAnswer, Outcome, Settlement,
    SkipReason, State, Taken, UnixMillis,
};
use mep_batch::mep::TEMPORARY_ERROR;
use mep_batch::retry::{Policy, RETRY_AFTER_MAX, settle};
use mep_batch::store::{Address, Batch, Claim, Filter, Run, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

/// How far the vendor's interval is spread, at most.
const SPREAD: f64 = 1.1;

prop_compose! {
    fn policies()(
        initial_ms in 0_u64..=3_600_000, max_ms in 1_u64..=86_400_000,
        vendor_ms in proptest::option::of(0_u64..=86_400_000), retry_503 in any::<bool>(), for_ms in 0_u64..=604_800_000
    ) -> Policy {
        Policy {
            initial: Duration::from_millis(initial_ms),
            max: Duration::from_millis(max_ms),
            vendor_retry: vendor_ms.map(Duration::from_millis),
            retry_503,
            retry_for: Duration::from_millis(for_ms),
        }
    }
}

prop_compose! {
    fn attempts()(
        tries in prop_oneof![0_u32..50, any::<u32>()],
        until_ms in proptest::option::of(-3_600_000_i64..100_000_000), possible_duplicate in any::<bool>()
    ) -> Attempt {
        Attempt {
            id: InvocationId::new(BatchId(1), 2),
            number: 1,
            tries,
            retry_until: until_ms.map(|until_ms| UnixMillis(NOW.0 + until_ms)),
            possible_duplicate,
            taken_at: NOW,
        }
    }
}

prop_compose! {
    fn answers()(
        status in prop_oneof![0_u16..1000, Just(202), Just(429), Just(500), Just(503)],
        code in prop_oneof![Just(None), any::<u32>().prop_map(Some), prop_oneof![
            Just(1000), Just(1010), Just(12001), Just(12002), Just(12003)].prop_map(Some)],
        message in proptest::option::of(".{0,600}"), request_id in proptest::option::of("[ -~]{0,30}"),
        retry_after in proptest::option::of(prop_oneof!["-?[0-9]{1,21}", "\\PC{0,30}"]), body in vec(any::<u8>(), 0..60)
    ) -> Answer {
        Answer { status, code, message, request_id, retry_after, body }
    }
}

fn findings() -> impl Strategy<Value = Finding> {
    prop_oneof![
        8 => answers().prop_map(Finding::Answered),
        1 => ".{0,400}".prop_map(Finding::Unreached),
        2 => prop_oneof![
            Just(NoAnswer::TimedOut), Just(NoAnswer::RunDied), Just(NoAnswer::Abandoned), Just(NoAnswer::Panicked),
            ".{0,400}".prop_map(NoAnswer::Broken),
        ].prop_map(Finding::Unanswered),
        1 => prop_oneof![
            Just(GivenBack::PastSellBy), Just(GivenBack::Stopping), Just(GivenBack::HeldBack),
            Just(GivenBack::NotHandedOut), Just(GivenBack::OutsideHours),
        ].prop_map(Finding::GivenBack),
        1 => ".{0,400}".prop_map(|why| Finding::Refused(format!("not sent: {why}"))),
        1 => prop_oneof![Just(SkipReason::Suppressed), Just(SkipReason::Expired)].prop_map(Finding::Skipped),
    ]
}

/// The states to which an outcome may lead.
fn states_of(outcome: Outcome) -> &'static [State] {
    match outcome {
        Outcome::Accepted => &[State::Accepted],
        Outcome::Rejected => &[State::Rejected],
        Outcome::Failed => &[State::Failed],
        // Again, or never again where the time for retries is over.
        Outcome::Retry | Outcome::Throttled => &[State::Pending, State::Failed],
        Outcome::Unreached | Outcome::Misconfigured | Outcome::GivenBack => &[State::Pending],
        Outcome::Unknown | Outcome::Foreign => &[State::Unknown],
        Outcome::Skipped => &[State::Skipped],
    }
}

/// The vendor's interval, for the vendor's 1010.
fn vendors_cap(finding: &Finding, policy: &Policy) -> Option<Duration> {
    let is_vendors = matches!(finding, Finding::Answered(Answer { code: Some(TEMPORARY_ERROR), .. }));
    policy.vendor_retry.filter(|_| is_vendors).map(|interval| interval.mul_f64(SPREAD))
}

/// An hour where the answer says when to come again, and the backoff's largest step.
fn cap_of(finding: &Finding, policy: &Policy) -> Duration {
    let says_when = matches!(finding, Finding::Answered(Answer { retry_after: Some(_), .. }));
    if says_when { policy.max.max(RETRY_AFTER_MAX) } else { policy.max }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_outcome_leads_to_one_state_and_a_delay_within_its_cap(
        attempt in attempts(), finding in findings(), policy in policies(), chance in 0.0..1.0_f64
    ) {
        let (settlement, effect) = settle(attempt, finding.clone(), &policy, Some(NOW), NOW, chance);
        let Settlement { outcome, state, due_at, tries, retry_until, .. } = settlement;
        prop_assert!(states_of(outcome).contains(&state), "{outcome:?} leads to {state}");
        let delay_ms = due_at.0 - NOW.0;
        let cap = match outcome {
            Outcome::Retry => vendors_cap(&finding, &policy).unwrap_or_else(|| cap_of(&finding, &policy)),
            Outcome::Throttled => cap_of(&finding, &policy),
            Outcome::Accepted | Outcome::Rejected | Outcome::Failed | Outcome::Unreached | Outcome::Misconfigured
            | Outcome::Unknown | Outcome::Foreign | Outcome::GivenBack | Outcome::Skipped => Duration::ZERO,
        };
        prop_assert!((0..=millis(cap)).contains(&delay_ms), "{outcome:?}: {delay_ms} ms of {cap:?}");
        if let Effect::Throttle(closed) = effect {
            prop_assert!(closed <= cap && !closed.is_zero(), "the gate closes for {closed:?}");
        }

        let is_repeated = matches!(outcome, Outcome::Retry | Outcome::Throttled);
        prop_assert_eq!(tries, if is_repeated { attempt.tries.saturating_add(1) } else { attempt.tries });
        let begun = is_repeated.then(|| NOW.after(policy.retry_for));
        prop_assert_eq!(retry_until, attempt.retry_until.or(begun), "the time for retries begins once");
        if is_repeated && state == State::Pending {
            prop_assert!(Some(due_at) <= retry_until, "due when the time for retries is over");
        }

        let is_written = matches!(finding, Finding::Answered(_) | Finding::Unanswered(_));
        prop_assert_eq!(settlement.sent_at.is_some(), is_written);
        prop_assert!(settlement.possible_duplicate || !attempt.possible_duplicate, "forgotten to be a duplicate");
        prop_assert!(settlement.possible_duplicate || outcome != Outcome::Retry, "a repeated one may be a duplicate");
    }
}

/// So many rows are settled in one turn.
const ROWS: u32 = 40;

#[test]
fn every_outcome_is_stored_and_leaves_its_row_in_the_state_that_it_leads_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let store = runtime.block_on(Store::open(&Address::File(folder.path().join("queue.db")), true)).expect("a store");
    let each = (attempts(), findings(), policies(), 0.0..1.0_f64);
    let tried = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(25) })
        .run(&vec(each, ROWS as usize), |all| runtime.block_on(is_stored(&store, all)));
    if let Err(TestError::Fail(why, all)) = tried {
        unreachable!("{why}: {all:#?}");
    }
}

/// Settles a batch of its own in one turn, and looks at what is stored of it.
async fn is_stored(store: &Store, all: Vec<(Attempt, Finding, Policy, f64)>) -> Result<(), TestCaseError> {
    let batch = import(store, &format!("{:016x}", fastrand::u64(..)), ROWS).await;
    let run = store.start_run(&format!("{:x}", fastrand::u128(..)), &actor(), None, NOW).await.expect("a run");
    let taken = turn(store, &run, 1, &batch, &[], ROWS).await;
    let decide = |(taken, (attempt, finding, policy, chance)): (Taken, (Attempt, Finding, Policy, f64))| {
        let attempt = Attempt { id: taken.attempt.id, number: taken.attempt.number, ..attempt };
        settle(attempt, finding, &policy, Some(NOW), NOW, chance).0
    };
    let settlements: Vec<Settlement> = taken.into_iter().zip(all).map(decide).collect();
    prop_assert_eq!(settlements.len(), ROWS as usize);
    turn(store, &run, 2, &batch, &settlements.iter().collect::<Vec<_>>(), 0).await;

    let rows = store.page(batch.id, &Filter::default(), 0, ROWS).await.expect("rows");
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let attempts = store.attempts(&ids).await.expect("attempts");
    let mut counts = Counts::default();
    for settlement in &settlements {
        let row = rows.iter().find(|row| row.id == settlement.id).expect("the row is there");
        prop_assert_eq!(row.state, settlement.state);
        let is_waiting = row.state == State::Pending;
        prop_assert!(!is_waiting || row.due_at == settlement.due_at, "{} and not {}", row.due_at, settlement.due_at);
        prop_assert_eq!(row.finished_at.is_none(), is_waiting);
        let of_row: Vec<_> = attempts.iter().filter(|attempt| attempt.row == row.id).collect();
        prop_assert_eq!(of_row.len(), 1);
        prop_assert_eq!(of_row[0].outcome.as_str(), settlement.outcome.as_str());
        prop_assert_eq!(&of_row[0].answer, &settlement.answer);
        counts[row.state] += 1;
    }
    prop_assert_eq!(store.counts_of(batch.id).await.expect("counts"), counts);
    Ok(())
}

/// A turn that is committed; what it has taken.
async fn turn(
    store: &Store,
    run: &Run,
    number: i64,
    batch: &Batch,
    settlements: &[&Settlement],
    limit: u32,
) -> Vec<Taken> {
    let mut writer = store.turn_writer().await.expect("the writer");
    let Claim::Granted(mut turn) = writer.begin(run, number, NOW).await.expect("a claim") else {
        unreachable!("nobody else makes this turn")
    };
    turn.settle(settlements).await.expect("settled");
    let taken = turn.take(batch.id, limit).await.expect("rows");
    turn.close().await.expect("closed").commit().await.expect("committed");
    taken
}
