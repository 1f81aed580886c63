//! Plans on which the cost of a big queue rests: what SQLite looks at for a statement, held fast.

use sqlx::AssertSqlSafe;

use super::chunk::{SKIP, SKIPPED};
use super::given::Given;
use super::query::REPEATED;
use super::statement::On;
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
    let row = [2_u32.into(), "skipped".into(), "as line 1".into(), "duplicate".into()];
    let (statement, _) = Given::new(SKIPPED, [row]).for_sqlite(SKIP, Vec::new()).expect("a statement");
    let steps = steps(statement.as_str()).await;
    let of_rows: Vec<&String> = steps.iter().filter(|step| step.contains("invocation")).collect();
    assert_eq!(of_rows, ["SEARCH invocation USING INTEGER PRIMARY KEY (rowid=?)"], "{steps:?}");
}

#[tokio::test]
async fn request_ids_are_compared_among_the_last_requests_and_no_row_is_read() {
    let steps = steps(REPEATED).await;
    let on_tables: Vec<&String> =
        steps.iter().filter(|step| step.contains("attempt") || step.contains("SCAN invocation")).collect();
    assert_eq!(on_tables, ["SEARCH attempt USING PRIMARY KEY (invocation_id>? AND invocation_id<?)"], "{steps:?}");
}
