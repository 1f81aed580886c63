//! Plans on which the cost of a big queue rests: what SQLite looks at for a statement, held fast.

use sqlx::AssertSqlSafe;

use super::chunk::{SKIP, SKIPPED};
use super::given::{Columns, Given};
use super::monitor::DUPLICATES;
use super::past::DUPLICATE_LINES;
use super::query::{PERHAPS_TEXTED, REPEATED};
use super::settle::{ACCEPTED, MOVE, MOVE_ACCEPTED, NEXT, OUTCOMES, RECORD, RECORD_ACCEPTED};
use super::statement::{On, Value};
use super::take::{DUE, TAKE, TAKE_DUE};
use super::{Address, Store};

/// The steps of a statement's plan in an empty queue.
async fn steps(statement: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&Address::File(folder.path().join("queue.db")), true).await.expect("a store");
    let mut writer = store.writer().await.expect("a writer");
    let On::Sqlite(connection) = On::from(&mut *writer) else { unreachable!("it is a file") };
    let plan = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).fetch_all(connection).await;
    plan.expect("a plan").into_iter().map(|(_, _, _, step): (i64, i64, i64, String)| step).collect()
}

#[tokio::test]
async fn rows_that_are_not_sent_are_found_by_their_numbers() {
    assert_eq!(steps_of_given(SKIPPED, SKIP).await, ["SEARCH invocation USING INTEGER PRIMARY KEY (rowid=?)"]);
}

#[tokio::test]
async fn request_ids_are_compared_among_the_last_requests_and_no_row_is_read() {
    let steps = steps(REPEATED).await;
    let on_tables: Vec<&String> =
        steps.iter().filter(|step| step.contains("attempt") || step.contains("SCAN invocation")).collect();
    assert_eq!(on_tables, ["SEARCH attempt USING PRIMARY KEY (invocation_id>? AND invocation_id<?)"], "{steps:?}");
}

#[tokio::test]
async fn possible_duplicates_of_all_batches_are_counted_without_a_look_at_other_rows() {
    assert_eq!(steps(DUPLICATES).await, ["SCAN invocation USING INDEX invocation_possible_duplicate"]);
}

#[tokio::test]
async fn who_may_have_been_texted_is_counted_without_a_look_at_other_rows() {
    let by_index = "SEARCH invocation USING INDEX invocation_possible_duplicate (batch_id=?)";
    assert_eq!(steps(PERHAPS_TEXTED).await, [by_index]);
}

#[tokio::test]
async fn the_first_possible_duplicates_are_found_without_a_look_at_all() {
    let by_index = "SEARCH invocation USING INDEX invocation_possible_duplicate (batch_id=?)";
    assert_eq!(steps(DUPLICATE_LINES).await, [by_index], "and they are not sorted");
}

/// The steps of a statement that is given rows, but for those that read what it is given.
async fn steps_of_given(columns: Columns, statement: &str) -> Vec<String> {
    let row: Vec<Value<'_>> = columns.iter().map(|_| Value::Integer(None)).collect();
    let (mut text, mut values) = (String::new(), Vec::new());
    Given::new(columns, [row]).for_sqlite(statement, &[const { Value::Integer(None) }; 3], &mut text, &mut values);
    let mut steps = steps(&text).await;
    steps.retain(|step| step.contains("invocation") || step.contains(" i ") || step.contains("USING"));
    steps
}

#[tokio::test]
async fn a_turn_finds_the_rows_of_its_outcomes_by_their_numbers() {
    assert_eq!(steps_of_given(OUTCOMES, RECORD).await, ["SEARCH i USING INTEGER PRIMARY KEY (rowid=?)"]);
    assert_eq!(steps_of_given(ACCEPTED, RECORD_ACCEPTED).await, ["SEARCH i USING INTEGER PRIMARY KEY (rowid=?)"]);
    let by_number = ["SEARCH invocation USING INTEGER PRIMARY KEY (rowid=?)"];
    assert_eq!(steps_of_given(NEXT, MOVE).await, by_number);
    assert_eq!(steps_of_given(ACCEPTED, MOVE_ACCEPTED).await, by_number);
}

#[tokio::test]
async fn a_turn_takes_rows_by_the_index_of_what_is_due_and_by_their_numbers() {
    let due: Vec<String> = steps(DUE).await.into_iter().filter(|step| step.contains("USING")).collect();
    let expected = [
        "SEARCH invocation USING COVERING INDEX invocation_pending (batch_id=? AND due_at>? AND due_at<?)",
        "SEARCH batch USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH invocation USING COVERING INDEX invocation_pending (batch_id=? AND due_at=?)",
        "SEARCH batch USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH c USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
    ];
    assert_eq!(due, expected);
    let moved: Vec<String> = steps(TAKE_DUE).await.into_iter().filter(|step| step.contains("USING")).collect();
    assert!(moved.iter().any(|step| step == "SEARCH invocation USING INTEGER PRIMARY KEY (rowid=?)"), "{moved:?}");
    assert_eq!(moved.iter().filter(|step| expected[..4].contains(&step.as_str())).count(), 4, "{moved:?}");
    let taken: Vec<String> = steps(TAKE).await.into_iter().filter(|step| step.contains("invocation")).collect();
    assert_eq!(taken, ["SEARCH invocation USING INTEGER PRIMARY KEY (rowid=?)"]);
}

/// SQLite plans a statement anew whenever a value is bound on which its plan may hang: a turn would pay for that each time.
#[test]
fn no_plan_of_a_turn_hangs_on_a_bound_value() {
    for statement in [RECORD, MOVE, RECORD_ACCEPTED, MOVE_ACCEPTED, DUE, TAKE, TAKE_DUE] {
        assert!(!statement.contains("LIMIT $"), "a bare limit: {statement}");
        assert!(!statement.contains("state = $"), "a state that a partial index is held against: {statement}");
    }
}
