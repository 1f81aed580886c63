//! A private temporary database that sorts the rows of one file and finds repeated ones, so that memory does not grow with
//! it.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row};

use super::{Error, Result, json_text};
use crate::invocation::Fingerprint;

/// What has been seen of a file: phone, content and line of each good row. Gone with the process, however it ends.
pub struct Scratch {
    pub(super) connection: SqliteConnection,
}

/// A later row with the same phone number as an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The later row's line.
    pub line: u32,
    /// The phone number that both have.
    pub phone: u64,
    /// What it repeats.
    pub of: RepeatOf,
}

/// A good row, and whether it repeats an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What it says.
    pub row: Fingerprint,
    /// Whether it is one of the repeats.
    pub is_repeat: bool,
}

/// What a row repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatOf {
    /// The same request, first at that line.
    Request(u32),
    /// The same phone number with other content, first at that line.
    Phone(u32),
}

impl Scratch {
    /// Opens a new one.
    pub async fn open() -> Result<Scratch> {
        let mut connection = SqliteConnectOptions::new()
            .filename("") // SQLite's word for a file that has no name, so that not even a kill leaves it behind
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-4096")
            .connect()
            .await
            .map_err(failed("open a temporary database"))?;
        for table in [
            "CREATE TABLE seen (phone INTEGER NOT NULL, hash INTEGER NOT NULL, line INTEGER NOT NULL)",
            "CREATE TABLE repeat (line INTEGER PRIMARY KEY, phone INTEGER NOT NULL, same_request INTEGER NOT NULL,
                                  first INTEGER NOT NULL)",
            "CREATE TABLE refused (line INTEGER PRIMARY KEY, reason TEXT NOT NULL, fix TEXT NOT NULL, phone INTEGER)",
        ] {
            sqlx::query(table).execute(&mut connection).await.map_err(failed("prepare a temporary database"))?;
        }
        Ok(Scratch { connection })
    }

    /// Notes good rows.
    pub async fn note(&mut self, rows: &[Fingerprint]) -> Result<()> {
        const NOTE: &str = "INSERT INTO seen (phone, hash, line)
            SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
        let rows: Vec<_> = rows.iter().map(|row| (row.phone, row.request_hash, row.line)).collect();
        let done = sqlx::query(NOTE).bind(json_text(&rows)).execute(&mut self.connection).await;
        done.map(drop).map_err(failed("note rows"))
    }

    /// Sorts the rows and finds all repeats, both to be read page by page.
    ///
    /// With `first_only` the first row of a phone number is the one that stays, and every other repeats it; without,
    /// rows with the same number and other content all stay, and only equal requests are repeats.
    pub async fn find_repeats(&mut self, first_only: bool) -> Result<()> {
        const SORT: &str = "CREATE INDEX seen_in_order ON seen (phone, hash, line)";
        const FIND: &str = "INSERT INTO repeat (line, phone, same_request, first)
            SELECT line, phone, CASE WHEN $1 THEN hash = first_hash ELSE 1 END,
                   CASE WHEN $1 THEN first_line ELSE first_equal END
            FROM (SELECT line, phone, hash,
                         MIN(line) OVER (PARTITION BY phone) AS first_line,
                         FIRST_VALUE(hash) OVER (PARTITION BY phone ORDER BY line) AS first_hash,
                         MIN(line) OVER (PARTITION BY phone, hash) AS first_equal
                  FROM seen
                  WHERE phone IN (SELECT phone FROM seen GROUP BY phone HAVING COUNT(*) > 1))
            WHERE CASE WHEN $1 THEN first_line ELSE first_equal END < line
            ORDER BY line";
        sqlx::query(SORT).execute(&mut self.connection).await.map_err(failed("sort the rows"))?;
        let done = sqlx::query(FIND).bind(first_only).execute(&mut self.connection).await;
        done.map(drop).map_err(failed("find repeated rows"))
    }

    /// The next good rows after one, in the order of numbers, hashes and lines; from the first where there is none before;
    /// empty at the end.
    pub async fn seen_after(&mut self, after: Option<Fingerprint>, limit: u32) -> Result<Vec<Seen>> {
        // One text instead of thousands of rows: each costs the driver more than its place in the text.
        const PAGE: &str = "SELECT json_group_array(json_array(phone, hash, line, line IN (SELECT line FROM repeat)))
            FROM (SELECT phone, hash, line FROM seen WHERE (phone, hash, line) > ($1, $2, $3)
                  ORDER BY phone, hash, line LIMIT $4) AS page";
        let after = after.unwrap_or(Fingerprint { phone: 0, request_hash: i64::MIN, line: 0 });
        let page: String = sqlx::query_scalar(PAGE)
            .bind(after.phone.cast_signed())
            .bind(after.request_hash)
            .bind(i64::from(after.line))
            .bind(i64::from(limit))
            .fetch_one(&mut self.connection)
            .await
            .map_err(failed("read the sorted rows"))?;
        let rows: Vec<(u64, i64, u32, u8)> = serde_json::from_str(&page)
            .map_err(|error| failed("read the sorted rows")(sqlx::Error::Decode(Box::new(error))))?;
        let read = |(phone, request_hash, line, is_repeat): (u64, i64, u32, u8)| Seen {
            row: Fingerprint { phone, request_hash, line },
            is_repeat: is_repeat == 1,
        };
        let mut page: Vec<Seen> = rows.into_iter().map(read).collect();
        page.sort_unstable_by_key(|seen| seen.row); // a text is gathered in an order that SQL does not promise
        Ok(page)
    }

    /// The next repeats after a line, in the order of lines; empty at the end.
    pub async fn repeats_after(&mut self, line: u32, limit: u32) -> Result<Vec<Repeat>> {
        const PAGE: &str = "SELECT line, phone, same_request, first FROM repeat WHERE line > $1 ORDER BY line LIMIT $2";
        let rows = sqlx::query(PAGE)
            .bind(i64::from(line))
            .bind(i64::from(limit))
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed("read repeated rows"))?;
        rows.iter()
            .map(|row| {
                let (line, first) = (row.try_get("line")?, row.try_get("first")?);
                let same_request: i64 = row.try_get("same_request")?;
                Ok(Repeat {
                    line,
                    phone: row.try_get::<i64, _>("phone")?.unsigned_abs(),
                    of: if same_request != 0 { RepeatOf::Request(first) } else { RepeatOf::Phone(first) },
                })
            })
            .collect::<sqlx::Result<Vec<_>>>()
            .map_err(failed("read repeated rows"))
    }
}

pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |cause| Error::Database {
        doing,
        place: std::env::temp_dir().display().to_string(),
        cause,
        hint: "\nhint: set TMPDIR to a folder with room",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(phone: u64, request_hash: i64, line: u32) -> Fingerprint {
        Fingerprint { phone, request_hash, line }
    }

    /// Row 1 and 4 are equal; 2 has the same number and other content; 3 repeats 2; 5 stands alone.
    async fn found(first_only: bool) -> Scratch {
        let mut scratch = Scratch::open().await.expect("a temporary database");
        scratch.note(&[row(12, 7, 1), row(12, -8, 2), row(12, -8, 3)]).await.expect("noted");
        scratch.note(&[row(12, 7, 4), row(13, 7, 5)]).await.expect("noted");
        scratch.find_repeats(first_only).await.expect("found");
        scratch
    }

    async fn repeats(first_only: bool) -> Vec<(u32, RepeatOf)> {
        let mut scratch = found(first_only).await;
        let mut found = scratch.repeats_after(0, 2).await.expect("a page");
        while let Some(last) = found.last().copied() {
            let page = scratch.repeats_after(last.line, 2).await.expect("a page");
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        found.into_iter().map(|repeat| (repeat.line, repeat.of)).collect()
    }

    #[tokio::test]
    async fn the_first_row_of_a_number_stays() {
        let expected = [(2, RepeatOf::Phone(1)), (3, RepeatOf::Phone(1)), (4, RepeatOf::Request(1))];
        assert_eq!(repeats(true).await, expected);
    }

    #[tokio::test]
    async fn rows_come_in_the_order_of_their_numbers_and_repeats_are_marked() {
        let mut scratch = found(true).await;
        let mut lines = Vec::new();
        let mut after = None;
        loop {
            let page = scratch.seen_after(after, 2).await.expect("a page");
            let Some(last) = page.last() else { break };
            after = Some(last.row);
            lines.extend(page.iter().map(|seen| (seen.row.line, seen.is_repeat)));
        }
        assert_eq!(lines, [(2, true), (3, true), (1, false), (4, true), (5, false)]);
    }

    #[tokio::test]
    async fn equal_requests_are_repeats_even_where_a_number_may_come_twice() {
        assert_eq!(repeats(false).await, [(3, RepeatOf::Request(2)), (4, RepeatOf::Request(1))]);
    }
}
