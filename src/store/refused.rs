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
}

impl Scratch {
    /// Notes rows that are refused; each line once.
    pub async fn note_refused(&mut self, refused: &[Refused]) -> Result<()> {
        const NOTE: &str = "INSERT INTO refused (line, reason, fix)
            SELECT value ->> 'line', value ->> 'reason', value ->> 'fix' FROM json_each($1)";
        let done = sqlx::query(NOTE).bind(json_text(refused)).execute(&mut self.connection).await;
        done.map(drop).map_err(scratch::failed("note refused rows"))
    }

    /// The next refused rows after a line, in the order of lines; empty at the end.
    pub async fn refused_after(&mut self, line: u32, limit: u32) -> Result<Vec<Refused>> {
        const PAGE: &str = "SELECT line, reason, fix FROM refused WHERE line > $1 ORDER BY line LIMIT $2";
        let rows = sqlx::query(PAGE)
            .bind(i64::from(line))
            .bind(i64::from(limit))
            .fetch_all(&mut self.connection)
            .await
            .map_err(scratch::failed("read refused rows"))?;
        rows.iter()
            .map(|row| {
                Ok(Refused { line: row.try_get("line")?, reason: row.try_get("reason")?, fix: row.try_get("fix")? })
            })
            .collect::<sqlx::Result<Vec<_>>>()
            .map_err(scratch::failed("read refused rows"))
    }
}
