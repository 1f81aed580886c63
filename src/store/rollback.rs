//! A database that is older than the notes of what was sent from it: a backup was put back, or a copy was run beside it.

use std::path::Path;

use serde_json::json;

use super::action::{ActionKind, Actor, record};
use super::connection::Tx;
use super::note::{LINE_MAX, Note, NotedBatch, Reach, boot};
use super::note_folder::{Found, Noted, Notes};
use super::noting::noted_batch;
use super::run::{Run, random_token};
use super::statement::{Sql, query};
use super::{Batch, Error, Result, Store, control, counts};
use crate::invocation::{BatchId, Counts, InvocationId, NoAnswer, RunId, State, UnixMillis};

/// What is missing of a database, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// How many turns.
    pub turns: i64,
    /// Whether there may be more of them: on a server, and where both this database and a copy went on.
    pub at_least: bool,
}

/// What is to be done about a database that is older than its notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollback {
    /// What is missing.
    pub missing: Missing,
    /// Why every pending row may have been sent; `None`: the notes tell which may.
    pub why_all: Option<WhyAll>,
    /// The batches with rows that may have been sent.
    pub batches: Vec<InDoubt>,
    /// The batches that the notes name and the database has not.
    pub lost: Vec<NotedBatch>,
    /// Those of them, and of what was lost earlier, for which a note has no room: nothing stops their import.
    pub left_out: Vec<NotedBatch>,
}

/// Why the notes do not tell which rows may have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyAll {
    /// Other machines share the database, and each has notes of its own.
    Shared,
    /// Another user has sent from it too, or somebody without notes; or a power cut or a full disk may have taken the last of them.
    NotAllNoted,
}

/// Pending rows of a batch that may have been sent.
#[derive(Debug, Clone, PartialEq)]
pub struct InDoubt {
    /// The batch.
    pub batch: Batch,
    /// Up to this line; `None`: any.
    pub up_to: Option<u32>,
    /// How many.
    pub rows: i64,
    /// Its pending rows that were not sent.
    pub left: i64,
}

impl Store {
    /// The notes that this user has about the database, beneath the program's folder for what it keeps for a user.
    pub async fn notes(&self, state_folder: &Path) -> Result<Notes> {
        const ID: &str = "SELECT id FROM identity";
        let id: String =
            query(ID).fetch_value(&self.readers()).await.map_err(self.failed("read which database it is"))?;
        Ok(Notes::new(state_folder, &id))
    }

    /// What the database lacks that was noted; `None`: nothing.
    ///
    /// The notes are read first: a run that goes on meanwhile is ahead of them, never behind.
    pub async fn missing(&self, notes: &Notes) -> Result<Option<Missing>> {
        let noted = self.read_notes(notes)?;
        Ok(self.held_against(&noted).await?.map(|behind| behind.missing))
    }

    /// Whether anything is noted.
    pub fn has_notes(&self, notes: &Notes) -> Result<bool> {
        Ok(!self.read_notes(notes)?.found.is_empty())
    }

    /// Whether any run has made a turn in it.
    pub async fn has_sent(&self) -> Result<bool> {
        const SENT: &str = "SELECT EXISTS (SELECT 1 FROM run WHERE turn > 0)";
        query(SENT).fetch_value(&self.readers()).await.map_err(self.failed("read the runs"))
    }

    /// All that is noted. Who cannot look does not know that nothing is missing.
    pub(super) fn read_notes(&self, notes: &Notes) -> Result<Noted> {
        notes.read().map_err(|error| Error::Unsuitable {
            place: self.place.clone(),
            why: format!(
                "whether it is older than what was sent from it cannot be told, for the notes of that cannot be read: {error}\n\
                 hint: see that this user can read what is there, and that its disk is well; or XDG_STATE_HOME names another \
                 folder, where nothing is known of what was sent"
            ),
        })
    }

    /// Refuses to go on where the database lacks what was noted.
    pub async fn refuse_rolled_back(&self, notes: &Notes) -> Result<()> {
        let Some(missing) = self.missing(notes).await? else { return Ok(()) };
        Err(Error::Unsuitable {
            place: self.place.clone(),
            why: format!(
                "it is older than what was sent from it: {missing} (a backup was put back, or a copy of it was run), and \
                 whoever was sent to in them may be pending in it\n\
                 hint: `mep-batch resolve --rolled-back` says which rows that may be, and makes them unknown"
            ),
        })
    }

    /// What is to be done where the database lacks what was noted; `None`: it lacks nothing.
    pub async fn rollback(&self, notes: &Notes) -> Result<Option<Rollback>> {
        let noted = self.read_notes(notes)?;
        let Some(behind) = self.held_against(&noted).await? else { return Ok(None) };
        let mut known = merged(&noted.found);
        let there = self.batches().await?;
        let mut batches = Vec::new();
        for batch in &there {
            let reach = match behind.why_all {
                Some(_) => Reach::All,
                None => known.reach(batch.id, batch.imported_at.0),
            };
            let up_to = match reach {
                Reach::None => continue,
                Reach::UpTo(line) => Some(line),
                Reach::All => None,
            };
            let (rows, pending) = self.pending_up_to(batch.id, up_to.unwrap_or(LINE_MAX)).await?;
            if rows > 0 {
                batches.push(InDoubt { batch: batch.clone(), up_to, rows, left: pending - rows });
            }
        }
        let is_lost = |noted: &NotedBatch| !there.iter().any(|batch| noted.is_same(&noted_batch(batch)));
        let lost: Vec<NotedBatch> = std::mem::take(&mut known.batches).into_iter().filter(is_lost).collect();
        // Others may have come further in them.
        let up_to = |lost: &NotedBatch| if behind.why_all.is_some() { LINE_MAX } else { lost.up_to };
        let lost: Vec<NotedBatch> = lost.into_iter().map(|lost| NotedBatch { up_to: up_to(&lost), ..lost }).collect();
        let left_out = known.lose(lost.iter().cloned());
        Ok(Some(Rollback { missing: behind.missing, why_all: behind.why_all, batches, lost, left_out }))
    }

    /// Makes the rows unknown that may have been sent, with an attempt each that this takes the blame for, and lets the next
    /// run go on. The caller has seen to it that no run lives.
    ///
    /// All in one transaction. It is noted before the commit: where that does not come, the database stays behind its notes, by
    /// one more, and this is to be done once more. The notes that say so are removed only behind the commit.
    pub async fn resolve_rollback(
        &self,
        notes: &Notes,
        state_folder: &Path,
        rollback: &Rollback,
        actor: &Actor,
        reason: &str,
    ) -> Result<()> {
        let noted = self.read_notes(notes)?;
        let failed = || self.failed("make rows unknown");
        let now = self.now().await?;
        let token = random_token();
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await.map_err(self.failed("begin a transaction"))?;
        let last = last_turn_at(&mut tx).await.map_err(failed())?;
        let run = self.stand_in(&mut tx, &token, actor, now).await.map_err(failed())?;
        for doubtful in &rollback.batches {
            let since = last.unwrap_or(doubtful.batch.imported_at);
            let detail = json!({ "turns": rollback.missing.turns, "rows": doubtful.rows, "upTo": doubtful.up_to });
            let batch = doubtful.batch.id;
            control::cancelled(&mut tx, &[batch]).await.map_err(failed())?;
            let action = record(&mut tx, batch, ActionKind::RolledBack, actor, now, Some(reason), &detail).await;
            let action = action.map_err(failed())?;
            make_unknown(&mut tx, &run, doubtful, action, (since, now)).await.map_err(failed())?;
        }
        let identity = match rollback.why_all {
            Some(_) => Some(rename(&mut tx).await.map_err(failed())?),
            None => None,
        };
        let turns: i64 =
            query("SELECT CAST(SUM(turn) AS BIGINT) FROM run").fetch_value(&mut tx).await.map_err(failed())?;
        let mut note = merged(&noted.found);
        note.batches.retain(|noted| !rollback.lost.iter().any(|lost| lost.is_same(noted)));
        note.lose(rollback.lost.iter().cloned());
        (note.run, note.token, note.turn, note.turns, note.is_over) = (run.id.0, token, 1, turns, true);
        if rollback.why_all.is_some() {
            note.since_run = run.id.0; // what others had sent before is unknown now
        }
        // Under the old name too: who puts the newer one back, or runs the copy, is to find that this one went on.
        let renamed = identity.map(|identity| Notes::new(state_folder, &identity));
        for place in renamed.iter().chain([notes]) {
            place.prepare().and_then(|()| place.write(&place.file_of(&run), 1, &note, true)).map_err(|error| {
                let why =
                    format!("nothing was changed, for it cannot be noted in `{}`: {error}", place.folder().display());
                Error::Unsuitable { place: self.place.clone(), why }
            })?;
        }
        tx.commit().await.map_err(failed())?;
        drop(writer);
        for file in noted.files() {
            if let Err(error) = std::fs::remove_file(file) {
                tracing::warn!("an old note stays: `{}`: {error}", file.display());
            }
        }
        Ok(())
    }

    /// The batch of that content of which it is known that the database has lost it.
    pub fn lost_batch(&self, notes: &Notes, sha256: &str) -> Result<Option<NotedBatch>> {
        let found = self.read_notes(notes)?.found;
        Ok(found.into_iter().flat_map(|found| found.note.lost).find(|lost| lost.sha256 == sha256))
    }

    async fn held_against(&self, noted: &Noted) -> Result<Option<Behind>> {
        const RUNS: &str = "SELECT CAST(COALESCE(SUM(turn), 0) AS BIGINT), COALESCE(MAX(id), 0),
            COALESCE(MIN(CASE WHEN ended_at IS NULL THEN id END), COALESCE(MAX(id), 0) + 1), COALESCE(MIN(id), 1),
            COALESCE(MAX(CASE WHEN turn > 0 THEN id END), 0) FROM run";
        if noted.is_empty() {
            return Ok(None);
        }
        let failed = || self.failed("hold it against what was noted");
        let found = &noted.found;
        let known = self.noted_runs(&noted.tokens()).await?;
        let runs = query(RUNS).fetch_one(&self.readers()).await.map_err(failed())?;
        let number = |place: usize| runs.get::<i64>(place).map_err(failed());
        let (turns, last, open, first, last_sent) = (number(0)?, number(1)?, number(2)?, number(3)?, number(4)?);
        let mut behind = Missing { turns: 0, at_least: self.is_shared() };
        let (mut is_behind, mut are_known, mut more) = (false, true, 0);
        let boot = boot();
        for Found { note, .. } in found {
            let here = known.iter().find(|run| run.token == note.token);
            let lacks = note.turn - here.map_or(0, |run| run.turn);
            if here.is_some() && lacks <= 0 {
                continue;
            }
            let has_gone_on = here.is_none() && note.run <= last; // its number is another run's here
            is_behind = true;
            behind.turns += lacks;
            behind.at_least |= has_gone_on;
            more = more.max(note.turns - turns);
            are_known &= note.is_whole(&boot) && note.since_run <= if has_gone_on { first } else { open };
        }
        // Of a run that left nothing whole, and is not known here, there was a turn at least.
        for _ in noted.torn.iter().filter(|torn| !known.iter().any(|run| run.token == torn.token)) {
            (is_behind, are_known, behind.at_least) = (true, false, true);
            behind.turns += 1;
        }
        if !is_behind {
            return Ok(None);
        }
        behind.turns = behind.turns.max(more);
        let noted_last = found.iter().map(|found| found.note.run).max().unwrap_or(0);
        let why_all = if self.is_shared() {
            Some(WhyAll::Shared)
        } else {
            (!are_known || last_sent > noted_last).then_some(WhyAll::NotAllNoted)
        };
        Ok(Some(Behind { missing: behind, why_all }))
    }

    /// How many pending rows of the batch stand at no later line, and how many there are.
    async fn pending_up_to(&self, batch: BatchId, line: u32) -> Result<(i64, i64)> {
        const PENDING: &str = "SELECT COALESCE(SUM(CASE WHEN id <= $2 THEN 1 ELSE 0 END), 0), COUNT(*) FROM invocation
            WHERE state = 'pending' AND batch_id = $1";
        let failed = || self.failed("count pending rows");
        let found =
            query(PENDING).bind(batch.0).bind(InvocationId::new(batch, line).0).fetch_one(&self.readers()).await;
        let found = found.map_err(failed())?;
        Ok((found.get(0).map_err(failed())?, found.get(1).map_err(failed())?))
    }

    /// Registers a run in the place of those that are lost, with one turn: it stands for what they sent, and a copy lacks it.
    async fn stand_in(&self, tx: &mut Tx<'_>, token: &str, actor: &Actor, now: UnixMillis) -> sqlx::Result<Run> {
        const STAND_IN: &str =
            "INSERT INTO run (token, who, host, pid, version, history, started_at, turn, turned_at, beat_at,
                ended_at, ended_how)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $7, $7, $7, 'stands for runs that are lost') RETURNING id";
        let id = query(STAND_IN)
            .bind(token)
            .bind(&actor.who)
            .bind(&actor.host)
            .bind(i64::from(std::process::id()))
            .bind(&actor.version)
            .bind(self.history())
            .bind(now.0)
            .fetch_value(&mut *tx)
            .await?;
        Ok(Run { id: RunId(id), token: token.to_owned() })
    }
}

/// How a database stands to its notes, where it is behind them.
struct Behind {
    missing: Missing,
    why_all: Option<WhyAll>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (turns, are) =
            (crate::invocation::counted(self.turns.unsigned_abs(), "turn"), if self.turns == 1 { "is" } else { "are" });
        write!(f, "{}{turns} {are} missing", if self.at_least { "at least " } else { "" })
    }
}

/// What all notes know together.
fn merged(found: &[Found]) -> Note {
    let (run, token, boot, batches, lost) = (0, String::new(), boot(), Vec::new(), Vec::new());
    let mut known =
        Note { run, token, turn: 0, turns: 0, is_over: false, boot, since_run: 0, unnamed: 0, batches, lost };
    for Found { note, .. } in found {
        known.learn(note);
        known.since_run = known.since_run.max(note.since_run);
    }
    known
}

/// When the last turn was made that the database knows of.
async fn last_turn_at(tx: &mut Tx<'_>) -> sqlx::Result<Option<UnixMillis>> {
    let at: Option<i64> = query("SELECT MAX(turned_at) FROM run").fetch_value(&mut *tx).await?;
    Ok(at.map(UnixMillis))
}

/// Moves the rows from `pending` to `unknown`, with an attempt each that may have been, from then to now.
async fn make_unknown(
    tx: &mut Tx<'_>,
    run: &Run,
    doubtful: &InDoubt,
    action: i64,
    (since, now): (UnixMillis, UnixMillis),
) -> sqlx::Result<()> {
    const MOVE: &str = "UPDATE invocation SET state = 'unknown', attempt = attempt + 1, run_id = $3, taken_at = $4,
            finished_at = $5, message = $6, hold = NULL, http_status = NULL, code = NULL
        WHERE state = 'pending' AND batch_id = $1 AND id <= $2";
    const RECORD: &str =
        "INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, message, judged)
        SELECT id, attempt, run_id, taken_at, taken_at, finished_at, 'unknown', message, 1 FROM invocation
        WHERE state = 'unknown' AND batch_id = $1 AND run_id = $2";
    const ROWS: &str = "INSERT INTO action_row (invocation_id, action_id, was, became, attempt)
        SELECT id, $3, 'pending', 'unknown', attempt FROM invocation
        WHERE state = 'unknown' AND batch_id = $1 AND run_id = $2";
    let batch = doubtful.batch.id;
    let moved = query(MOVE)
        .bind(batch.0)
        .bind(InvocationId::new(batch, doubtful.up_to.unwrap_or(LINE_MAX)).0)
        .bind(run.id.0)
        .bind(since.0)
        .bind(now.0)
        .bind(NoAnswer::RolledBack.to_string())
        .execute(&mut *tx)
        .await?;
    query(RECORD).bind(batch.0).bind(run.id.0).execute(&mut *tx).await?;
    query(ROWS).bind(batch.0).bind(run.id.0).bind(action).execute(&mut *tx).await?;
    let moved = i64::try_from(moved).unwrap_or(i64::MAX);
    let mut change = Counts::default();
    (change[State::Pending], change[State::Unknown]) = (-moved, moved);
    counts::write_counts(tx, &[(batch, change)]).await
}

/// Gives the database another identity, of which no note speaks: what all of them would tell is in it now.
async fn rename(tx: &mut Tx<'_>) -> sqlx::Result<String> {
    const RENAME: Sql = Sql {
        sqlite: "UPDATE identity SET id = lower(hex(randomblob(16))) RETURNING id",
        postgres: "UPDATE identity SET id = replace(gen_random_uuid()::text, '-', '') RETURNING id",
    };
    query(RENAME).fetch_value(&mut *tx).await
}
