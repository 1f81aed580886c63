//! Rows of values that a statement reads as a table named `given`: one statement, however many rows it carries.
//!
//! On SQLite they are a `VALUES` list, on PostgreSQL arrays. A JSON text would be one form for both, and costs SQLite three
//! times as much: it is parsed once for each row and each column.

use std::borrow::Cow;
use std::fmt::Write;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr, SqlStr};

use super::statement::{Value, add_value};

/// The most rows that one statement may be given: SQLite takes 32,766 values.
pub(super) const GIVEN_MAX: usize = 1_024;

/// SQLite keeps a parsed statement for each number of rows, so there are few of them: powers of two, from this one on.
const ROWS_MIN: usize = 8;

/// What a column of `given` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Text,
    Bytes,
}

/// The columns of `given`. The first is never null.
pub(super) type Columns = &'static [(&'static str, Kind)];

/// Rows for a statement to read. On SQLite it may find rows of nulls behind them, so that it has to ask for the first column.
#[derive(Debug)]
pub(super) struct Given<'q> {
    columns: Columns,
    values: Vec<Value<'q>>,
    is_streamed: bool,
}

impl<'q> Given<'q> {
    /// Rows of these columns.
    pub(super) fn new<const N: usize>(columns: Columns, rows: impl IntoIterator<Item = [Value<'q>; N]>) -> Given<'q> {
        debug_assert_eq!(columns.len(), N);
        Given { columns, values: rows.into_iter().flatten().collect(), is_streamed: false }
    }

    /// Any number of rows, in as many parts as statements are needed.
    pub(super) fn parts<const N: usize>(
        columns: Columns,
        rows: Vec<[Value<'q>; N]>,
    ) -> impl Iterator<Item = Given<'q>> {
        let mut rows = rows.into_iter();
        std::iter::from_fn(move || {
            let part = Given::new(columns, rows.by_ref().take(GIVEN_MAX));
            (part.rows() > 0).then_some(part)
        })
    }

    /// For a statement that reads each row once, in turn: SQLite then makes no table of them first.
    pub(super) fn streamed(self) -> Given<'q> {
        Given { is_streamed: true, ..self }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns.len()
    }

    /// The statement's text for SQLite, with all that is bound to it.
    pub(super) fn for_sqlite(self, sql: &str, others: Vec<Value<'q>>) -> sqlx::Result<(SqlStr, SqliteArguments)> {
        let (columns, given) = (self.columns.len(), self.rows());
        let rows = given.next_power_of_two().max(ROWS_MIN);
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let row = format!(",({})", vec!["?"; columns].join(","));
        let kept = if self.is_streamed { "" } else { "MATERIALIZED " };
        let mut text = format!("WITH given ({}) AS {kept}(VALUES {}) ", names.join(","), &row.repeat(rows)[1..]);
        numbered_from(&mut text, sql, rows * columns);
        let mut arguments = SqliteArguments::default();
        arguments.reserve(rows * columns + others.len(), 0);
        let nulls = std::iter::repeat_n(Value::Integer(None), (rows - given) * columns);
        self.values.into_iter().chain(nulls).chain(others).try_for_each(|value| add_value(&mut arguments, value))?;
        Ok((AssertSqlSafe(text).into_sql_str(), arguments))
    }

    /// The statement's text for PostgreSQL, with all that is bound to it.
    pub(super) fn for_postgres(self, sql: &str, others: Vec<Value<'q>>) -> sqlx::Result<(SqlStr, PgArguments)> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut arrays: Vec<String> = Vec::with_capacity(names.len());
        let mut arguments = PgArguments::default();
        let (columns, rows, bound) = (self.columns, self.rows(), others.len());
        others.into_iter().try_for_each(|value| add_value(&mut arguments, value))?;
        let mut by_column: Vec<Vec<Value<'q>>> = columns.iter().map(|_| Vec::with_capacity(rows)).collect();
        for (place, value) in self.values.into_iter().enumerate() {
            by_column[place % columns.len()].push(value);
        }
        for (place, ((_, kind), values)) in columns.iter().zip(by_column).enumerate() {
            let number = bound + place + 1;
            let (array, added) = match kind {
                Kind::Integer => ("BIGINT", arguments.add(values.into_iter().map(integer).collect::<Vec<_>>())),
                Kind::Text => ("TEXT", arguments.add(values.into_iter().map(text).collect::<Vec<_>>())),
                Kind::Bytes => ("BYTEA", arguments.add(values.into_iter().map(bytes).collect::<Vec<_>>())),
            };
            added.map_err(sqlx::Error::Encode)?;
            arrays.push(format!("CAST(${number} AS {array}[])"));
        }
        let text = format!(
            "WITH given AS MATERIALIZED (SELECT * FROM unnest({}) AS given ({})) {sql}",
            arrays.join(","),
            names.join(",")
        );
        Ok((AssertSqlSafe(text).into_sql_str(), arguments))
    }
}

/// Appends a statement whose `$1` is the value after the first `before`.
fn numbered_from(text: &mut String, sql: &str, before: usize) {
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = part[..digits].parse().expect("`$` stands before a number only");
        write!(text, "?{}{}", before + number, &part[digits..]).expect("writing to a string cannot fail");
    }
}

fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(number) => number,
        Value::Real(_) | Value::Text(_) | Value::Bytes(_) | Value::Bool(_) => unreachable!("a column of integers"),
    }
}

fn text(value: Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => text.map(Cow::into_owned),
        Value::Integer(_) | Value::Real(_) | Value::Bytes(_) | Value::Bool(_) => unreachable!("a column of texts"),
    }
}

fn bytes(value: Value<'_>) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => bytes.map(<[u8]>::to_vec),
        Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Bool(_) => unreachable!("a column of bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_values_come_after_the_rows() {
        let mut text = String::new();
        numbered_from(&mut text, "UPDATE t SET a = $2 FROM given WHERE t.id = given.id AND t.run = $1", 16);
        assert_eq!(text, "UPDATE t SET a = ?18 FROM given WHERE t.id = given.id AND t.run = ?17");
    }
}
