//! Runs: starting, showing that they live, ending, and what a run sees of the others.

use std::time::Duration;

use super::action::Actor;
use super::connection::{Tx, Writer};
use super::lock::{Holder, RunLock};
use super::statement::{Sql, query};
use super::{Address, Backend, Error, Result, Store};
use crate::invocation::{BatchId, RunId, UnixMillis};

/// How a run's end begins that was stopped by a fault; the reason follows.
pub const STOPPED: &str = "stopped: ";

/// How far this machine's clock may be off a server's: what is to be sent when is decided by both.
const CLOCK_SKEW_MAX_MS: i64 = 30_000;

/// What a server's clock says; the place of a time that is bound for SQLite, where all clocks are one.
macro_rules! server_now {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}
pub(super) use server_now;

/// A run as it identifies itself in every statement: its number and its random token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number in this database.
    pub id: RunId,
    /// Random for each process start, so that a copied or restored database knows a stranger.
    pub token: String,
}

/// A run as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// Its number.
    pub id: RunId,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// When it started.
    pub started_at: UnixMillis,
    /// When it showed last that it lives.
    pub seen_at: UnixMillis,
    /// How long ago that was, by the clock that said when.
    pub silent: Duration,
    /// Whether it lives. In a file the lock proves it; on a server it has shown it lately, by the server's clock.
    pub is_alive: bool,
    /// Rows that it has in flight.
    pub sending: i64,
    /// Outcomes a second of late, as it counts them.
    pub rate: f64,
    /// The batches that it was started for, as they are stored; `None`: each that there is, those to come too.
    sends: Option<String>,
}

impl RunView {
    /// Whether it sends that batch, if it lives.
    #[must_use]
    pub fn sends(&self, batch: BatchId) -> bool {
        self.sends.as_ref().is_none_or(|sends| sends.contains(&format!(",{},", batch.0)))
    }
}

/// What a run shows of its life. Who reads the same for long enough, by its own clock, knows that it is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignOfLife {
    /// The run.
    pub run: RunId,
    /// Its heartbeat.
    pub beat: i64,
    /// Its last turn.
    pub turn: i64,
}

/// Characters of a run's token.
pub(super) const TOKEN_CHARS: usize = 32;

/// A token for a new run.
#[must_use]
pub fn random_token() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// The heartbeat of one run, on a connection of its own.
pub struct Heart(Writer);

/// A run that has shown nothing new for that long is dead to whoever has watched it meanwhile, by its own clock; by the
/// server's clock it is only shown as one that may be. Six times its heartbeat, and six times as long as a row that it has
/// taken may wait before it is sent: when its rows become unknown, it sends none of them any more.
pub const SILENCE: Duration = Duration::from_secs(30);

impl Store {
    /// Lets a run begin, or says who is in its way.
    ///
    /// In a file there is one run at a time, whose lock this is: `who` is what another process is told meanwhile. A server
    /// is shared, and has to keep what it says is committed: one that has another history than at the last run may not know
    /// what was sent then, unless an operator `accepts_history`.
    pub async fn admit_run(&self, who: &str, accepts_history: bool) -> Result<Option<RunLock>> {
        let options = match &self.address {
            Address::File(path) => return RunLock::acquire(path, who).map(Some),
            Address::Postgres(options) => options,
        };
        let (connection, server) = super::postgres::open(&self.place, options, self.patience).await?;
        let skew_ms = UnixMillis::now().0 - server.now.0;
        Writer::Postgres(connection).close().await;
        let unsuitable = |why: String| Err(Error::Unsuitable { place: self.place.clone(), why });
        if !server.is_durable {
            return unsuitable(
                "its server runs with `fsync` off: a power cut would make it forget what is being sent, and it would be sent \
                 again\nhint: ALTER SYSTEM SET fsync = on, then reload the server"
                    .to_owned(),
            );
        }
        if !accepts_history && self.has_other_history().await? {
            return unsuitable(
                "it has another history than when it was sent from last (a standby that took over, a backup): what was sent \
                 shortly before may be pending in it, and would be sent again\n\
                 hint: hold `mep-batch status` and `mep-batch list` against what was sent; then `mep-batch run --accept-history`"
                    .to_owned(),
            );
        }
        if skew_ms.abs() > CLOCK_SKEW_MAX_MS {
            return unsuitable(format!(
                "this machine's clock is {} s off the server's, and both decide what is due\nhint: set it, by NTP for example",
                skew_ms / 1_000
            ));
        }
        Ok(None)
    }

    /// Which server this is, and which of its histories; empty for a file.
    pub(super) fn history(&self) -> String {
        match &self.backend {
            Backend::Sqlite(_) => String::new(),
            Backend::Postgres(_, identity) => identity.to_string(),
        }
    }

    /// Whether the last run sent from another history of the server, or, where there was none, a batch came into another.
    pub async fn has_other_history(&self) -> Result<bool> {
        const OTHER: &str = "SELECT COALESCE((SELECT history <> $1 FROM run ORDER BY id DESC LIMIT 1),
            EXISTS (SELECT 1 FROM batch WHERE imported_at IS NOT NULL AND history <> $1))";
        let found = query(OTHER).bind(self.history()).fetch_value(&self.readers()).await;
        found.map_err(self.failed("read the last run"))
    }

    /// Says that a run is in the way, where one has not ended: on a server, where no lock says so.
    pub async fn refuse_beside_a_run(&self) -> Result<()> {
        let Some(run) = self.open_runs().await?.into_iter().next() else { return Ok(()) };
        let who = format!("pid {} on {}, started at {}", run.pid, run.host, run.started_at);
        Err(Error::Held { place: self.place.clone(), holder: Holder::new(who) })
    }

    /// Registers a run of these batches, or of each that there is; its first turn is number 1.
    pub async fn start_run(
        &self,
        token: &str,
        actor: &Actor,
        sends: Option<&[BatchId]>,
        now: UnixMillis,
    ) -> Result<Run> {
        const START: Sql = Sql {
            sqlite: "INSERT INTO run (token, who, host, pid, version, history, started_at, sends, turned_at, beat_at)
                VALUES ($1, $7, $2, $3, $4, $6, $5, $8, $5, $5) RETURNING id",
            postgres: concat!(
                "INSERT INTO run (token, who, host, pid, version, history, started_at, sends, turned_at, beat_at)
                SELECT $1, $7, $2, $3, $4, $6, COALESCE(now.ms, $5), $8, now.ms, now.ms FROM (SELECT ",
                server_now!(),
                " AS ms) AS now RETURNING id"
            ),
        };
        let mut writer = self.writer().await?;
        let id = query(START)
            .bind(token)
            .bind(&actor.host)
            .bind(i64::from(std::process::id()))
            .bind(&actor.version)
            .bind(now.0)
            .bind(self.history())
            .bind(&actor.who)
            .bind(sends.map(listed))
            .fetch_value(&mut *writer)
            .await
            .map_err(self.failed("register the run"))?;
        Ok(Run { id: RunId(id), token: token.to_owned() })
    }

    /// Puts all that is in a file's log into the file itself.
    pub async fn fold_log(&self) -> Result<()> {
        let failed = || self.failed("put the log into the file");
        if !self.is_shared() {
            let mut writer = self.writer().await?;
            query("PRAGMA wal_checkpoint(FULL)").fetch_all(&mut *writer).await.map_err(failed())?;
        }
        Ok(())
    }

    /// Notes that the run has ended by itself, unless rows of it are still `sending`: those that it could not store. Then it is
    /// left for others to find dead, who make them unknown.
    pub async fn end_run(&self, run: &Run, how: &str, now: UnixMillis) -> Result<()> {
        const END: &str =
            "UPDATE run SET ended_at = $3, ended_how = $4 WHERE id = $1 AND token = $2 AND ended_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM invocation WHERE run_id = $1 AND state = 'sending')";
        // Locked first: one statement that waited for a turn under way would know the run as that has left it, and its rows
        // as they were before.
        const LOCK: Sql =
            Sql { sqlite: "SELECT id FROM run WHERE id = $1", postgres: "SELECT id FROM run WHERE id = $1 FOR UPDATE" };
        let failed = || self.failed("end the run");
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(failed())?;
        query(LOCK).bind(run.id.0).fetch_optional(&mut tx).await.map_err(failed())?;
        let end = query(END).bind(run.id.0).bind(&run.token).bind(now.0).bind(how);
        end.execute(&mut tx).await.map_err(failed())?;
        tx.commit().await.map_err(failed())
    }

    /// What the queue's clock says: that of this machine, or of the server that several machines share.
    pub async fn now(&self) -> Result<UnixMillis> {
        if !self.is_shared() {
            return Ok(UnixMillis::now());
        }
        const NOW: &str = concat!("SELECT ", server_now!());
        query(NOW).fetch_value(&self.readers()).await.map(UnixMillis).map_err(self.failed("read the server's clock"))
    }

    /// What the runs show of their lives that have not ended, but this one, where a run asks.
    pub async fn signs_of_life(&self, but: Option<&Run>) -> Result<Vec<SignOfLife>> {
        // One that has ended and has rows in flight all the same would leave them so for ever.
        const SIGNS: &str = "SELECT id, beat, turn FROM run WHERE ended_at IS NULL AND id <> COALESCE($1, 0)
            UNION
            SELECT id, beat, turn FROM run WHERE id IN (SELECT run_id FROM invocation WHERE state = 'sending')
            AND id <> COALESCE($1, 0)";
        let failed = || self.failed("look for other runs");
        let rows = query(SIGNS).bind(but.map(|run| run.id.0)).fetch_all(&self.readers()).await.map_err(failed())?;
        let read = |row: &super::statement::Row| {
            Ok(SignOfLife { run: RunId(row.get(0)?), beat: row.get(1)?, turn: row.get(2)? })
        };
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }

    /// Whether runs on several machines may share it, each of which has to show that it lives.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.address.file().is_none()
    }

    /// Opens the connection on which a run shows that it lives.
    pub async fn heart(&self) -> Result<Heart> {
        Ok(Heart(self.open_writer().await?))
    }

    /// Raises the run's heartbeat.
    pub async fn beat(&self, heart: &mut Heart, run: &Run) -> Result<()> {
        const BEAT: Sql = Sql {
            sqlite: "UPDATE run SET beat = beat + 1 WHERE id = $1 AND token = $2 AND ended_at IS NULL",
            postgres: concat!(
                "UPDATE run SET beat = beat + 1, beat_at = ",
                server_now!(),
                " WHERE id = $1 AND token = $2 AND ended_at IS NULL"
            ),
        };
        let done = query(BEAT).bind(run.id.0).bind(&run.token).execute(&mut heart.0).await;
        done.map(drop).map_err(self.failed("show that this run lives"))
    }

    /// Why the last run of that batch that ended was stopped, where it was.
    pub async fn last_stop(&self, batch: BatchId) -> Result<Option<String>> {
        const LAST: &str = "SELECT ended_how FROM run WHERE ended_at IS NOT NULL AND (sends IS NULL OR sends LIKE $1)
            ORDER BY id DESC LIMIT 1";
        let failed = || self.failed("read the last run");
        let last = query(LAST).bind(format!("%,{},%", batch.0)).fetch_optional(&self.readers()).await;
        let Some(last) = last.map_err(failed())? else { return Ok(None) };
        let how: String = last.get(0).map_err(failed())?;
        Ok(how.strip_prefix(STOPPED).map(str::to_owned))
    }

    /// The runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<RunView>> {
        macro_rules! open_runs {
            ($last:literal, $now:expr) => {
                concat!(
                    "SELECT id, host, pid, started_at, sends, rate, ",
                    $last,
                    " AS seen_at, ",
                    $now,
                    " AS now, (SELECT COUNT(*) FROM invocation WHERE run_id = run.id AND state = 'sending') AS sending
                    FROM run WHERE ended_at IS NULL ORDER BY id"
                )
            };
        }
        const OPEN: Sql = Sql {
            sqlite: open_runs!("MAX(turned_at, beat_at)", "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT)"),
            postgres: open_runs!("GREATEST(turned_at, beat_at)", server_now!()),
        };
        let failed = || self.failed("list the runs");
        let rows = query(OPEN).fetch_all(&self.readers()).await.map_err(failed())?;
        let is_locked = match &self.address {
            Address::File(path) if !rows.is_empty() => RunLock::is_held(path)?,
            Address::File(_) | Address::Postgres(_) => false,
        };
        rows.iter()
            .map(|row| {
                let number = |column: &str| row.get::<i64>(column).map_err(failed());
                let (seen_at, now) = (UnixMillis(number("seen_at")?), UnixMillis(number("now")?));
                let silent = now.since(seen_at);
                Ok(RunView {
                    id: RunId(number("id")?),
                    host: row.get("host").map_err(failed())?,
                    pid: number("pid")?,
                    started_at: UnixMillis(number("started_at")?),
                    seen_at,
                    silent,
                    is_alive: if self.is_shared() { silent <= SILENCE } else { is_locked },
                    sending: number("sending")?,
                    rate: row.get("rate").map_err(failed())?,
                    sends: row.get("sends").map_err(failed())?,
                })
            })
            .collect()
    }
}

/// The batches of a run as they are stored: each number stands between two commas.
fn listed(batches: &[BatchId]) -> String {
    batches.iter().fold(",".to_owned(), |list, batch| format!("{list}{},", batch.0))
}

/// The last turn of a run that committed; `None` where the run is not in the database.
pub(super) async fn last_turn(tx: &mut Tx<'_>, run: &Run) -> sqlx::Result<Option<i64>> {
    const LAST: &str = "SELECT turn FROM run WHERE id = $1 AND token = $2";
    let found = query(LAST).bind(run.id.0).bind(&run.token).fetch_optional(&mut *tx).await?;
    found.map(|row| row.get(0)).transpose()
}
