//! A statement with its values, for whichever database it is run on.
//!
//! Most statements are one text for both. Where the two must differ, a [`Sql`] holds both texts, one under the other.

use std::borrow::Cow;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, ColumnIndex, Decode, Encode, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Type};
use sqlx::{AssertSqlSafe, Either, Executor, PgConnection, SqlSafeStr, SqlStr, SqliteConnection};

use super::given::{Given, unnumbered};

/// The text of a statement on either database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Sql {
        Sql { sqlite: text, postgres: text }
    }
}

/// A value that stands for `$1`, `$2`… in a statement.
#[derive(Debug, Clone)]
pub(super) enum Value<'q> {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<Cow<'q, str>>),
    Bytes(Option<Cow<'q, [u8]>>),
    Bool(bool),
}

impl Value<'_> {
    /// Likewise, of nothing that is borrowed.
    pub(super) fn owned(self) -> Value<'static> {
        match self {
            Value::Integer(number) => Value::Integer(number),
            Value::Real(number) => Value::Real(number),
            Value::Text(text) => Value::Text(text.map(|text| Cow::Owned(text.into_owned()))),
            Value::Bytes(bytes) => Value::Bytes(bytes.map(|bytes| Cow::Owned(bytes.into_owned()))),
            Value::Bool(is) => Value::Bool(is),
        }
    }
}

/// What a statement is run on.
pub(super) enum On<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
    SqlitePool(&'c SqlitePool),
    PostgresPool(&'c PgPool),
}

impl On<'_> {
    /// The same once more.
    pub(super) fn again(&mut self) -> On<'_> {
        match self {
            On::Sqlite(connection) => On::Sqlite(connection),
            On::Postgres(connection) => On::Postgres(connection),
            On::SqlitePool(pool) => On::SqlitePool(pool),
            On::PostgresPool(pool) => On::PostgresPool(pool),
        }
    }
}

/// Runs the same chain on either database.
macro_rules! on_either {
    ($on:expr, $statement:expr, $executor:ident, $query:ident => $chain:expr) => {
        match $on {
            On::Sqlite($executor) => {
                let (text, arguments) = $statement.for_sqlite()?;
                let $query = sqlx::query_with(text, arguments);
                $chain
            }
            On::SqlitePool($executor) => {
                let (text, arguments) = $statement.for_sqlite()?;
                let $query = sqlx::query_with(text, arguments);
                $chain
            }
            On::Postgres($executor) => {
                let (text, arguments) = $statement.for_postgres()?;
                let $query = sqlx::query_with(text, arguments);
                $chain
            }
            On::PostgresPool($executor) => {
                let (text, arguments) = $statement.for_postgres()?;
                let $query = sqlx::query_with(text, arguments);
                $chain
            }
        }
    };
}

/// A statement and the values that are bound to it.
pub(super) struct Statement<'q> {
    sql: Sql,
    values: Vec<Value<'q>>,
    given: Option<Given<'q>>,
}

/// A statement of that text, to which nothing is bound yet.
pub(super) fn query<'q>(sql: impl Into<Sql>) -> Statement<'q> {
    Statement { sql: sql.into(), values: Vec::new(), given: None }
}

impl<'q> Statement<'q> {
    /// Binds the next value.
    pub(super) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Gives it rows that it reads as the table `given`.
    pub(super) fn given(mut self, given: Given<'q>) -> Self {
        self.given = Some(given);
        self
    }

    /// Runs it; how many rows it changed.
    pub(super) async fn execute<'c>(self, on: impl Into<On<'c>>) -> sqlx::Result<u64> {
        on_either!(on.into(), self, executor, query => Ok(query.execute(executor).await?.rows_affected()))
    }

    /// Likewise, of nothing that is borrowed: to be run later.
    pub(super) fn owned(self) -> Statement<'static> {
        Statement {
            sql: self.sql,
            values: self.values.into_iter().map(Value::owned).collect(),
            given: self.given.map(Given::owned),
        }
    }

    fn for_sqlite(self) -> sqlx::Result<(SqlStr, SqliteArguments)> {
        if self.given.is_none() {
            return Ok((self.sql.sqlite.into_sql_str(), arguments(self.values)?));
        }
        let (mut text, mut values) = (String::new(), Vec::new());
        self.append_to(&mut text, &mut values);
        Ok((AssertSqlSafe(text).into_sql_str(), arguments(values)?))
    }

    /// Appends its text for SQLite, and what is bound to it in the order of its `?`.
    fn append_to(self, text: &mut String, values: &mut Vec<Value<'q>>) {
        match self.given {
            Some(given) => given.for_sqlite(self.sql.sqlite, &self.values, text, values),
            None => unnumbered(self.sql.sqlite, &self.values, text, values),
        }
    }

    fn for_postgres(self) -> sqlx::Result<(SqlStr, PgArguments)> {
        match self.given {
            Some(given) => given.for_postgres(self.sql.postgres, self.values),
            None => Ok((self.sql.postgres.into_sql_str(), arguments(self.values)?)),
        }
    }

    /// Runs several; how many rows they changed together. A file's are sent to SQLite's thread as one: each way there and
    /// back costs more than most statements.
    pub(super) async fn execute_together<'c>(
        statements: Vec<Statement<'q>>,
        on: impl Into<On<'c>>,
    ) -> sqlx::Result<u64> {
        let mut on = on.into();
        if let On::Sqlite(connection) = on {
            let Script { text, arguments, .. } = Script::of(statements)?;
            return Ok(sqlx::query_with(text, arguments).execute(connection).await?.rows_affected());
        }
        let mut changed = 0;
        for statement in statements {
            changed += statement.execute(on.again()).await?;
        }
        Ok(changed)
    }

    /// Every row that it finds.
    pub(super) async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> sqlx::Result<Vec<Row>> {
        on_either!(on.into(), self, executor, query =>
            Ok(query.fetch_all(executor).await?.into_iter().map(Row::from).collect()))
    }

    /// The first column of every row that it finds.
    pub(super) async fn fetch_column<'c, T: Column>(self, on: impl Into<On<'c>>) -> sqlx::Result<Vec<T>> {
        self.fetch_all(on).await?.iter().map(|row| row.get(0)).collect()
    }

    /// The row that it finds, if any.
    pub(super) async fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> sqlx::Result<Option<Row>> {
        // To its end: what a statement writes outside of a transaction is committed there, after its row, and that may fail.
        let rows = self.fetch_all(on).await?;
        debug_assert!(rows.len() <= 1, "it was to find one row at most");
        Ok(rows.into_iter().next())
    }

    /// The row that it finds.
    pub(super) async fn fetch_one<'c>(self, on: impl Into<On<'c>>) -> sqlx::Result<Row> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The first column of the row that it finds.
    pub(super) async fn fetch_value<'c, T: Column>(self, on: impl Into<On<'c>>) -> sqlx::Result<T> {
        self.fetch_one(on).await?.get(0)
    }
}

/// Statements for a file that are sent to SQLite's thread as one, put together beforehand by whoever has the time.
pub(super) struct Script {
    text: SqlStr,
    arguments: SqliteArguments,
    statements: usize,
}

impl Script {
    pub(super) fn of(statements: Vec<Statement<'_>>) -> sqlx::Result<Script> {
        let count = statements.len();
        let (mut text, mut values) = (String::new(), Vec::new());
        for statement in statements {
            statement.append_to(&mut text, &mut values);
            text.push(';');
        }
        Ok(Script { text: AssertSqlSafe(text).into_sql_str(), arguments: arguments(values)?, statements: count })
    }

    /// Runs them; how many rows each has changed, and all rows that they find. The first that fails is the last that is run.
    /// Each that was run to its end is told of: that the answers end says nothing, for they end too where SQLite's thread dies.
    ///
    /// After an error, what they have begun may be open still: `sqlite::roll_back`.
    pub(super) async fn fetch(self, connection: &mut SqliteConnection) -> sqlx::Result<(Vec<u64>, Vec<Row>)> {
        let (mut changed, mut rows) = (Vec::with_capacity(self.statements), Vec::new());
        let mut answers = connection.fetch_many(sqlx::query_with(self.text, self.arguments));
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Either::Left(done) => changed.push(done.rows_affected()),
                Either::Right(row) => rows.push(Row::from(row)),
            }
        }
        if changed.len() == self.statements { Ok((changed, rows)) } else { Err(sqlx::Error::WorkerCrashed) }
    }
}

/// What is bound to a statement, in its order.
pub(super) fn arguments<A>(values: Vec<Value<'_>>) -> sqlx::Result<A>
where
    A: Arguments,
    Option<i64>: for<'e> Encode<'e, A::Database> + Type<A::Database>,
    Option<f64>: for<'e> Encode<'e, A::Database> + Type<A::Database>,
    Option<String>: for<'e> Encode<'e, A::Database> + Type<A::Database>,
    Option<Vec<u8>>: for<'e> Encode<'e, A::Database> + Type<A::Database>,
    bool: for<'e> Encode<'e, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    for value in values {
        match value {
            Value::Integer(number) => arguments.add(number),
            Value::Real(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text.map(Cow::into_owned)),
            Value::Bytes(bytes) => arguments.add(bytes.map(Cow::into_owned)),
            Value::Bool(is) => arguments.add(is),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A type that a column of either database can be read as.
pub(super) trait Column: Type<Sqlite> + Type<Postgres> + OfSqlite + OfPostgres {}

impl<T: Type<Sqlite> + Type<Postgres> + OfSqlite + OfPostgres> Column for T {}

pub(super) trait OfSqlite: for<'r> Decode<'r, Sqlite> {}
impl<T: for<'r> Decode<'r, Sqlite>> OfSqlite for T {}
pub(super) trait OfPostgres: for<'r> Decode<'r, Postgres> {}
impl<T: for<'r> Decode<'r, Postgres>> OfPostgres for T {}

impl Row {
    /// A column, by its place or its name.
    pub(super) fn get<T: Column>(&self, column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>) -> sqlx::Result<T> {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
    }

    /// A number that is stored as 64 bits, as the type that it has in this program.
    pub(super) fn small<T: TryFrom<i64>>(
        &self,
        column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> sqlx::Result<T>
    where
        T::Error: std::error::Error + Send + Sync + 'static,
    {
        narrow(self.get(column)?)
    }

    /// Likewise, where it may be null.
    pub(super) fn small_or_null<T: TryFrom<i64>>(
        &self,
        column: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> sqlx::Result<Option<T>>
    where
        T::Error: std::error::Error + Send + Sync + 'static,
    {
        self.get::<Option<i64>>(column)?.map(narrow).transpose()
    }
}

fn narrow<T: TryFrom<i64>>(number: i64) -> sqlx::Result<T>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(number).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Row {
        Row::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Row {
        Row::Postgres(row)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Integer(Some(number))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Value::Integer(Some(i64::from(number)))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Value::Integer(number)
    }
}

impl From<Option<f64>> for Value<'_> {
    fn from(number: Option<f64>) -> Self {
        Value::Real(number)
    }
}

impl<'q> From<Option<&'q [u8]>> for Value<'q> {
    fn from(bytes: Option<&'q [u8]>) -> Self {
        Value::Bytes(bytes.map(Cow::Borrowed))
    }
}

impl From<bool> for Value<'_> {
    fn from(is: bool) -> Self {
        Value::Bool(is)
    }
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Value::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        Value::from(text.as_str())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Some(Cow::Owned(text)))
    }
}

impl<'q> From<Option<&'q str>> for Value<'q> {
    fn from(text: Option<&'q str>) -> Self {
        Value::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Value::Text(text.map(Cow::Owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Address, Store};

    #[tokio::test]
    async fn a_commit_that_fails_behind_a_statements_row_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&Address::File(folder.path().join("queue.db")), true).await.expect("a store");
        let mut writer = store.writer().await.expect("a writer");
        const CHILD: &str = "CREATE TABLE child (id INTEGER PRIMARY KEY, batch_id INTEGER
            REFERENCES batch (id) DEFERRABLE INITIALLY DEFERRED)";
        query(CHILD).execute(&mut *writer).await.expect("a table");
        let orphan = query("INSERT INTO child (batch_id) VALUES (7) RETURNING id").fetch_value::<i64>(&mut *writer);
        assert!(orphan.await.is_err());
        let stored: i64 = query("SELECT COUNT(*) FROM child").fetch_value(&mut *writer).await.expect("a count");
        assert_eq!(stored, 0);
    }
}
