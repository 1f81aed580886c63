//! Rows that may not be sent now: a turn reads what is due, puts off what has to wait, and skips what is too late.

use super::batch::read_settings;
use super::counts::note_move;
use super::statement::{Row, Sql, query};
use super::{Result, Turn, json_text};
use crate::invocation::{BatchId, HELD_UNTIL, Hold, InvocationId, Schedule, SkipReason, State, UnixMillis};

/// A pending row that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// Its place among the batch's pending rows.
    pub place: DuePlace,
    /// The zone that it names.
    pub time_zone: Option<String>,
}

/// A row's place in the order in which rows become due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DuePlace {
    /// When it is due.
    pub due_at: UnixMillis,
    /// The row.
    pub id: InvocationId,
}

impl DuePlace {
    /// Before all rows.
    pub const START: DuePlace = DuePlace { due_at: UnixMillis(i64::MIN), id: InvocationId(0) };
}

/// A row that may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOff {
    /// Where it was found.
    pub place: DuePlace,
    /// When it may be; `None`: its zone is not known.
    pub until: Option<UnixMillis>,
}

impl Turn<'_> {
    /// When rows of the batch may be sent, as it is stored. On a server it stays so until this turn has committed: who changes
    /// it waits, and lets go whatever this turn has put off.
    pub async fn schedule(&mut self, batch: BatchId) -> Result<Schedule> {
        macro_rules! settings {
            () => {
                "SELECT settings FROM batch WHERE id = $1"
            };
        }
        const SETTINGS: Sql = Sql { sqlite: settings!(), postgres: concat!(settings!(), " FOR SHARE") };
        let settings: String = query(SETTINGS)
            .bind(batch.0)
            .fetch_value(&mut self.tx)
            .await
            .map_err(self.store.failed("read the hours"))?;
        Ok(read_settings(self.store, &settings)?.schedule)
    }

    /// Up to `limit` rows of the batch that are due at `now`, in their order, from behind a place on. Of a run that was ended:
    /// none.
    pub async fn due_rows(
        &mut self,
        batch: BatchId,
        after: DuePlace,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Vec<DueRow>> {
        // Behind a place are two ranges of the index: SQLite would read the first from its beginning for a pair of columns.
        const DUE: Sql = Sql {
            sqlite: "SELECT due_at, id, (SELECT time_zone FROM content WHERE invocation_id = due.id) FROM (
                    SELECT * FROM (SELECT due_at, id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                   AND due_at = $2 AND id > $3 AND due_at <= $4 ORDER BY id LIMIT $5)
                    UNION ALL
                    SELECT * FROM (SELECT due_at, id FROM invocation WHERE state = 'pending' AND batch_id = $1
                                   AND due_at > $2 AND due_at <= $4 ORDER BY due_at, id LIMIT $5)) AS due",
            postgres: "SELECT due_at, id, (SELECT time_zone FROM content WHERE invocation_id = invocation.id)
                FROM invocation WHERE state = 'pending' AND batch_id = $1 AND (due_at, id) > ($2, $3) AND due_at <= $4
                ORDER BY due_at, id LIMIT $5",
        };
        if self.is_ended {
            return Ok(Vec::new());
        }
        // A row that this turn has given back is due as well: passed over now it would be taken, only to come back once more.
        self.catch_up().await?;
        let failed = || self.store.failed("read due rows");
        let rows = query(DUE)
            .bind(batch.0)
            .bind(after.due_at.0)
            .bind(after.id.0)
            .bind(now.0)
            .bind(i64::from(limit))
            .fetch_all(&mut self.tx)
            .await
            .map_err(failed())?;
        let read = |row: &Row| {
            let place = DuePlace { due_at: UnixMillis(row.get(0)?), id: InvocationId(row.get(1)?) };
            Ok(DueRow { place, time_zone: row.get(2)? })
        };
        let mut rows = rows.iter().map(read).collect::<sqlx::Result<Vec<DueRow>>>().map_err(failed())?;
        rows.sort_unstable_by_key(|row| row.place);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    /// Puts rows off that are still pending and due when they were; how many. Those that another run is just taking or putting
    /// off are left to it.
    pub async fn put_off(&mut self, rows: &[PutOff]) -> Result<u64> {
        macro_rules! asked {
            () => {
                "(SELECT CAST(value ->> 0 AS BIGINT) AS id, CAST(value ->> 1 AS BIGINT) AS was,
                         CAST(value ->> 2 AS BIGINT) AS due_at, value ->> 3 AS hold FROM json_each($1)) AS asked"
            };
        }
        // `state || ''`: by their numbers, and not among all that is pending, however old the planner's figures are.
        const PUT_OFF: Sql = Sql {
            sqlite: concat!(
                "UPDATE invocation SET due_at = asked.due_at, hold = asked.hold FROM ",
                asked!(),
                " WHERE invocation.id = asked.id AND state = 'pending' AND invocation.due_at = asked.was"
            ),
            postgres: concat!(
                "WITH free AS MATERIALIZED (SELECT i.id, asked.due_at, asked.hold FROM ",
                asked!(),
                " JOIN invocation AS i ON i.id = asked.id WHERE i.state || '' = 'pending' AND i.due_at = asked.was
                  FOR UPDATE OF i SKIP LOCKED)
                 UPDATE invocation SET due_at = free.due_at, hold = free.hold FROM free WHERE invocation.id = free.id"
            ),
        };
        if rows.is_empty() {
            return Ok(0);
        }
        let rows: Vec<_> = rows
            .iter()
            .map(|PutOff { place, until }| {
                let hold = if until.is_some() { Hold::Window } else { Hold::TimeZone };
                (place.id.0, place.due_at.0, until.unwrap_or(HELD_UNTIL).0, hold.as_str())
            })
            .collect();
        let put_off = query(PUT_OFF).bind(json_text(&rows)).execute(&mut self.tx).await;
        put_off.map_err(self.store.failed("put rows off"))
    }

    /// Skips up to `limit` pending rows of the batch, whenever they are due: their time has passed. How many. Of a run that was
    /// ended: none.
    pub async fn expire(&mut self, batch: BatchId, limit: u32) -> Result<u64> {
        macro_rules! expire {
            ($these:literal) => {
                concat!(
                    "UPDATE invocation SET state = 'skipped', reason = $3, message = $4, finished_at = $5, hold = NULL,
                        http_status = NULL, code = NULL WHERE id IN (",
                    $these,
                    ")"
                )
            };
        }
        const EXPIRE: Sql = Sql {
            sqlite: expire!(
                "SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1 ORDER BY due_at, id LIMIT $2"
            ),
            postgres: concat!(
                "WITH late AS MATERIALIZED (SELECT id FROM invocation WHERE state = 'pending' AND batch_id = $1
                    ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) ",
                expire!("SELECT id FROM late")
            ),
        };
        if self.is_ended {
            return Ok(0);
        }
        self.catch_up().await?;
        let expired = query(EXPIRE)
            .bind(batch.0)
            .bind(i64::from(limit))
            .bind(SkipReason::Expired.as_str())
            .bind(SkipReason::Expired.to_string())
            .bind(self.now.0)
            .execute(&mut self.tx)
            .await
            .map_err(self.store.failed("skip rows whose time has passed"))?;
        (0..expired).for_each(|_| note_move(&mut self.moved, batch, State::Pending, State::Skipped));
        Ok(expired)
    }
}
