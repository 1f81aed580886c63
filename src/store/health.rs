//! Whether the database is what it has to be: whole, and at one with itself. Nothing is changed.

use super::connection::Readers;
use super::statement::{Sql, query};
use super::{Result, Store};
use crate::invocation::{Counts, State, UnixMillis};

/// Faults of one kind that are read, at most: who has more has read enough.
const FAULTS_MAX: usize = 10;

/// The rows of a batch, counted once more.
#[derive(Debug, Clone, PartialEq)]
pub struct Recount {
    /// The batch.
    pub batch: String,
    /// Rows in its file, as the importer counted them.
    pub rows: i64,
    /// Its rows by state.
    pub found: Counts,
    /// What the table of counts says.
    pub told: Counts,
}

impl Recount {
    /// Whether all three agree.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.found == self.told && self.found.iter().map(|(_, count)| count).sum::<i64>() == self.rows
    }
}

impl Store {
    /// What the database is and which version: `SQLite 3.51.3`.
    pub async fn software(&self) -> Result<String> {
        const SOFTWARE: Sql = Sql {
            sqlite: "SELECT 'SQLite ' || sqlite_version()",
            postgres: "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1)",
        };
        query(SOFTWARE).fetch_value(&self.readers()).await.map_err(self.failed("read the database's version"))
    }

    /// Whether the server writes to its disk what it says is committed; a file always does.
    pub async fn is_durable(&self) -> Result<bool> {
        const DURABLE: Sql = Sql { sqlite: "SELECT 1 = 1", postgres: "SELECT current_setting('fsync') = 'on'" };
        query(DURABLE).fetch_value(&self.readers()).await.map_err(self.failed("read the server's settings"))
    }

    /// What the database itself finds wrong, a line each. Reads all of a file.
    pub async fn damage(&self) -> Result<Vec<String>> {
        const INTEGRITY: &str = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        const REFERENCES: &str = "SELECT 'a row of ' || \"table\" || ' refers to one that is not there'
            FROM pragma_foreign_key_check LIMIT 10";
        const NOT_WHOLE: &str = "SELECT 'the constraint ' || conname || ' was not checked' FROM pg_constraint
                WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
            UNION ALL
            SELECT 'the index ' || indexrelid::regclass::text || ' is not whole' FROM pg_index
                WHERE NOT indisvalid AND indrelid IN
                      (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)";
        let failed = || self.failed("check the database");
        let readers = self.readers();
        let statements: &[&'static str] = match &readers {
            Readers::Sqlite(_) => &[INTEGRITY, REFERENCES],
            Readers::Postgres(_) => &[NOT_WHOLE],
        };
        let mut damage = Vec::new();
        for statement in statements {
            damage.extend(query(*statement).fetch_column::<String>(&readers).await.map_err(failed())?);
        }
        damage.truncate(FAULTS_MAX);
        Ok(damage)
    }

    /// Every batch with its rows counted once more, but those that are being deleted. Reads all rows.
    pub async fn recount(&self) -> Result<Vec<Recount>> {
        // One statement, so that a run beside it changes nothing in between.
        const COUNT: &str = "SELECT b.name, b.row_count, s.state, s.invocations, COALESCE(f.found, 0)
            FROM batch AS b JOIN state_count AS s ON s.batch_id = b.id
            LEFT JOIN (SELECT batch_id, state, COUNT(*) AS found FROM invocation GROUP BY batch_id, state) AS f
                   ON f.batch_id = b.id AND f.state = s.state
            WHERE b.imported_at IS NOT NULL AND COALESCE(b.purge_how, '') <> 'delete' ORDER BY b.id";
        let failed = || self.failed("recount the rows");
        let mut recounts: Vec<Recount> = Vec::new();
        for row in query(COUNT).fetch_all(&self.readers()).await.map_err(failed())? {
            let batch: String = row.get(0).map_err(failed())?;
            let state: String = row.get(2).map_err(failed())?;
            let state: State = state.parse().map_err(|error| self.misread("a state", &error))?;
            if recounts.last().is_none_or(|last| last.batch != batch) {
                let rows = row.get(1).map_err(failed())?;
                recounts.push(Recount { batch, rows, found: Counts::default(), told: Counts::default() });
            }
            let Some(last) = recounts.last_mut() else { continue };
            last.told[state] = row.get(3).map_err(failed())?;
            last.found[state] = row.get(4).map_err(failed())?;
        }
        Ok(recounts)
    }

    /// What contradicts itself: how many rows, and in what. Reads all rows and attempts.
    pub async fn contradictions(&self) -> Result<Vec<(&'static str, i64)>> {
        const ASKED: [(&str, &str); 8] = [
            (
                "whose last attempt is not recorded",
                "SELECT COUNT(*) FROM invocation AS i WHERE i.attempt > 0 AND i.state <> 'sending' AND NOT EXISTS
                 (SELECT 1 FROM attempt AS a WHERE a.invocation_id = i.id AND a.number = i.attempt)",
            ),
            (
                "with an attempt later than their last",
                "SELECT COUNT(*) FROM attempt AS a JOIN invocation AS i ON i.id = a.invocation_id
                 WHERE a.number > i.attempt",
            ),
            (
                "in flight in a run that has ended",
                "SELECT COUNT(*) FROM invocation AS i JOIN run AS r ON r.id = i.run_id
                 WHERE i.state = 'sending' AND r.ended_at IS NOT NULL",
            ),
            (
                "without a content",
                "SELECT COUNT(*) FROM invocation AS i WHERE NOT EXISTS
                 (SELECT 1 FROM content AS c WHERE c.invocation_id = i.id)
                 AND i.batch_id IN (SELECT id FROM batch WHERE imported_at IS NOT NULL)",
            ),
            (
                "of which only a content is left",
                "SELECT COUNT(*) FROM content AS c WHERE NOT EXISTS
                 (SELECT 1 FROM invocation AS i WHERE i.id = c.invocation_id)",
            ),
            // No foreign keys.
            (
                "of which only attempts are left",
                "SELECT COUNT(DISTINCT a.invocation_id) FROM attempt AS a WHERE NOT EXISTS
                 (SELECT 1 FROM invocation AS i WHERE i.id = a.invocation_id)",
            ),
            (
                "taken by a run that is not there",
                "SELECT COUNT(DISTINCT a.invocation_id) FROM attempt AS a WHERE NOT EXISTS
                 (SELECT 1 FROM run AS r WHERE r.id = a.run_id)",
            ),
            (
                "that later imports would not find by their number",
                "SELECT COUNT(*) FROM content AS c WHERE c.phone IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM fingerprint AS f WHERE f.phone = c.phone AND f.invocation_id = c.invocation_id)
                 AND c.invocation_id >> 32 IN (SELECT id FROM batch WHERE imported_at IS NOT NULL)",
            ),
        ];
        let mut found = Vec::new();
        for (what, sql) in ASKED {
            let count: i64 =
                query(sql).fetch_value(&self.readers()).await.map_err(self.failed("look for contradictions"))?;
            if count > 0 {
                found.push((what, count));
            }
        }
        Ok(found)
    }

    /// The latest moment that is stored: no clock may stand before it.
    pub async fn last_moment(&self) -> Result<Option<UnixMillis>> {
        const LAST: &str = "SELECT MAX(at) FROM
            (SELECT MAX(turned_at) AS at FROM run UNION ALL SELECT MAX(at) FROM action) AS moments";
        let last: Option<i64> =
            query(LAST).fetch_value(&self.readers()).await.map_err(self.failed("read the last moment"))?;
        Ok(last.map(UnixMillis))
    }
}
