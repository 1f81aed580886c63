//! Erasing: what was changed or deleted is made to leave the database's files, where old bytes lie about.

use super::connection::Writer;
use super::statement::{Row, query};
use super::{Error, Result, Store, postgres};

/// What of a purge is left in the database's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasure {
    /// Nothing.
    Done,
    /// Some may be, until the purge is typed again: why.
    Left(String),
    /// Some may be, which is for another to see to: what that is.
    NotOurs(String),
}

/// The tables in which something is made unreadable or deleted.
const TABLES: [&str; 6] = ["content", "fingerprint", "attempt", "invocation", "action_row", "action"];

impl Store {
    /// Has what is deleted from now on overwritten, where the database can do so at once.
    pub async fn overwrite_deleted(&self) -> Result<()> {
        let mut writer = self.writer().await?;
        if let Writer::Sqlite(_) = &mut *writer {
            let done = query("PRAGMA secure_delete = ON").fetch_optional(&mut *writer).await;
            done.map(drop).map_err(self.failed("have what is deleted overwritten"))?;
        }
        Ok(())
    }

    /// Rewrites the database, so that it holds nothing but what can be read in it.
    ///
    /// A file and its log are rewritten and cut. A server's tables are, where nobody sends meanwhile: they are locked for as
    /// long as it takes.
    pub async fn erase(&self) -> Result<Erasure> {
        if self.is_shared() { self.erase_on_server().await } else { self.erase_in_file().await }
    }

    async fn erase_in_file(&self) -> Result<Erasure> {
        let mut writer = self.writer().await?;
        // What the library moved about in earlier years was not overwritten: only a new copy is free of it.
        query("VACUUM").execute(&mut *writer).await.map_err(self.failed("rewrite the database"))?;
        let cut = query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await;
        let is_busy: i64 = cut.and_then(|row: Row| row.get(0)).map_err(self.failed("cut the database's log"))?;
        Ok(match is_busy {
            0 => Erasure::Done,
            _ => Erasure::Left("another process is reading the database, and its log cannot be cut".to_owned()),
        })
    }

    async fn erase_on_server(&self) -> Result<Erasure> {
        const ARE_OWN: &str = "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relname IN
                  ('content', 'fingerprint', 'attempt', 'invocation', 'action_row', 'action')";
        let failed = || self.failed("rewrite the tables");
        let are_own: bool = query(ARE_OWN).fetch_value(&self.readers()).await.map_err(failed())?;
        if !are_own {
            return Ok(Erasure::NotOurs(format!(
                "this user does not own the tables\nhint: their owner types: VACUUM FULL {}",
                TABLES.join(", ")
            )));
        }
        let is_sent_from = !self.open_runs().await?.is_empty();
        if !is_sent_from && self.rewrite_tables().await? {
            return self.forget_statistics().await;
        }
        let mut writer = self.writer().await?;
        for table in [
            "VACUUM content",
            "VACUUM fingerprint",
            "VACUUM attempt",
            "VACUUM invocation",
            "VACUUM action_row",
            "VACUUM action",
        ] {
            query(table).execute(&mut *writer).await.map_err(failed())?;
        }
        let why = if is_sent_from { "a run has not ended" } else { "somebody is using the tables" };
        Ok(Erasure::Left(format!("{why}, and the tables are rewritten only while nobody uses them")))
    }

    /// Rewrites the planner's statistics: they hold samples of what stood in the tables, and outlive them.
    async fn forget_statistics(&self) -> Result<Erasure> {
        const IS_OWN: &str = "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()";
        let failed = || self.failed("rewrite the statistics");
        let mut writer = self.writer().await?;
        let is_own: bool = query(IS_OWN).fetch_value(&mut *writer).await.map_err(failed())?;
        if !is_own {
            return Ok(Erasure::NotOurs(
                "this user does not own the database, whose statistics are samples of what stood in it\n\
                 hint: its owner types: VACUUM FULL pg_statistic"
                    .to_owned(),
            ));
        }
        query("VACUUM FULL pg_statistic").execute(&mut *writer).await.map_err(failed())?;
        Ok(Erasure::Done)
    }

    /// Whether all tables could be locked and rewritten.
    async fn rewrite_tables(&self) -> Result<bool> {
        let mut writer = self.writer().await?;
        for table in [
            "VACUUM (FULL, ANALYZE) content",
            "VACUUM (FULL, ANALYZE) fingerprint",
            "VACUUM (FULL, ANALYZE) attempt",
            "VACUUM (FULL, ANALYZE) invocation",
            "VACUUM (FULL, ANALYZE) action_row",
            "VACUUM (FULL, ANALYZE) action",
        ] {
            match query(table).execute(&mut *writer).await {
                Ok(_) => {}
                Err(cause) if postgres::is_busy(&cause) => return Ok(false),
                Err(cause) => return Err::<bool, Error>(self.failed("rewrite the tables")(cause)),
            }
        }
        Ok(true)
    }
}
