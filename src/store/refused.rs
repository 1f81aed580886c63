//! The refused rows of one file, kept outside memory until they are written out.

use sqlx::Row;

use super::{Result, Scratch, json_text, scratch};

/// A row that is refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// Its line.
    pub line: u32,
    /// Why.
    pub reason: String,
    /// What the operator can do.
    pub fix: String,
    /// Its phone number, if that is a good one.
    pub phone: Option<u64>,
    /// The first good row with the same number, once that is noted.
    #[serde(skip)]
    pub same_number: Option<u32>,
}

impl Scratch {
    /// Notes rows that are refused; each line once.
    pub async fn note_refused(&mut self, refused: &[Refused]) -> Result<()> {
        const NOTE: &str = "INSERT INTO refused (line, reason, fix, phone)
            SELECT value ->> 'line', value ->> 'reason', value ->> 'fix', value ->> 'phone' FROM json_each($1)";
        let done = sqlx::query(NOTE).bind(json_text(refused)).execute(&mut self.connection).await;
        done.map(drop).map_err(scratch::failed("note refused rows"))
    }

    /// Notes for refused rows which good row has their number: each pair is the refused row's line and the good one's.
    pub async fn note_same_numbers(&mut self, pairs: &[(u32, u32)]) -> Result<()> {
        const NOTE: &str = "UPDATE refused SET same_number = value ->> 1 FROM json_each($1) WHERE line = value ->> 0";
        let done = sqlx::query(NOTE).bind(json_text(pairs)).execute(&mut self.connection).await;
        done.map(drop).map_err(scratch::failed("note refused rows"))
    }

    /// The next refused rows after a line, in the order of lines; empty at the end.
    pub async fn refused_after(&mut self, line: u32, limit: u32) -> Result<Vec<Refused>> {
        const PAGE: &str =
            "SELECT line, reason, fix, phone, same_number FROM refused WHERE line > $1 ORDER BY line LIMIT $2";
        let rows = sqlx::query(PAGE)
            .bind(i64::from(line))
            .bind(i64::from(limit))
            .fetch_all(&mut self.connection)
            .await
            .map_err(scratch::failed("read refused rows"))?;
        rows.iter()
            .map(|row| {
                Ok(Refused {
                    line: row.try_get("line")?,
                    reason: row.try_get("reason")?,
                    fix: row.try_get("fix")?,
                    phone: row.try_get::<Option<i64>, _>("phone")?.map(i64::unsigned_abs),
                    same_number: row.try_get("same_number")?,
                })
            })
            .collect::<sqlx::Result<Vec<_>>>()
            .map_err(scratch::failed("read refused rows"))
    }
}
