//! Rows of values that a statement reads as a table named `given`: one statement, however many rows it carries.
//!
//! On SQLite they are a `VALUES` list, on PostgreSQL arrays. A JSON text would be one form for both, and costs SQLite three
//! times as much: it is parsed once for each row and each column.

use std::borrow::Cow;
use std::fmt::Write;

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr, SqlStr};

use super::statement::{Value, arguments};

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
    pub(super) fn new<R>(columns: Columns, rows: impl IntoIterator<Item = R>) -> Given<'q>
    where
        R: IntoIterator<Item = Value<'q>>,
    {
        let values: Vec<Value<'q>> = rows.into_iter().flatten().collect();
        debug_assert_eq!(values.len() % columns.len(), 0, "each row has a value for each column");
        Given { columns, values, is_streamed: false }
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

    /// Likewise, of nothing that is borrowed.
    pub(super) fn owned(self) -> Given<'static> {
        Given {
            columns: self.columns,
            values: self.values.into_iter().map(Value::owned).collect(),
            is_streamed: self.is_streamed,
        }
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns.len()
    }

    /// Appends the statement's text for SQLite, and what is bound to it in the order of its `?`.
    pub(super) fn for_sqlite(self, sql: &str, others: &[Value<'q>], text: &mut String, values: &mut Vec<Value<'q>>) {
        let (columns, given) = (self.columns.len(), self.rows());
        let rows = given.next_power_of_two().max(ROWS_MIN);
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let row = format!(",({})", vec!["?"; columns].join(","));
        let kept = if self.is_streamed { "" } else { "MATERIALIZED " };
        write!(text, "WITH given ({}) AS {kept}(VALUES {}) ", names.join(","), &row.repeat(rows)[1..])
            .expect("writing to a string cannot fail");
        values.extend(self.values);
        values.extend(std::iter::repeat_n(Value::Integer(None), (rows - given) * columns));
        unnumbered(sql, others, text, values);
    }

    /// The statement's text for PostgreSQL, with all that is bound to it.
    pub(super) fn for_postgres(self, sql: &str, others: Vec<Value<'q>>) -> sqlx::Result<(SqlStr, PgArguments)> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut arrays: Vec<String> = Vec::with_capacity(names.len());
        let (columns, rows, bound) = (self.columns, self.rows(), others.len());
        let mut arguments: PgArguments = arguments(others)?;
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

/// Appends a statement with `?` in the place of each `$1`, and what stands there: several that are run as one are not
/// numbered through.
pub(super) fn unnumbered<'q>(sql: &str, others: &[Value<'q>], text: &mut String, values: &mut Vec<Value<'q>>) {
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = part[..digits].parse().expect("`$` stands before a number only");
        values.push(others[number - 1].clone());
        text.push('?');
        text.push_str(&part[digits..]);
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
        Value::Bytes(bytes) => bytes.map(Cow::into_owned),
        Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Bool(_) => unreachable!("a column of bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_stands_where_its_number_stood() {
        let (mut text, mut values) = (String::new(), Vec::new());
        let others = [Value::from(7_i64), Value::from("x")];
        unnumbered("UPDATE t SET a = $2, b = $1 WHERE c = $2", &others, &mut text, &mut values);
        assert_eq!(text, "UPDATE t SET a = ?, b = ? WHERE c = ?");
        assert_eq!(format!("{values:?}"), format!("{:?}", [&others[1], &others[0], &others[1]]));
    }
}
