//! What a run notes while it goes on: how far it has come, after its commits and before what they took is handed out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::note::{Note, NotedBatch, Notes, boot};
use super::run::Run;
use super::statement::{Row, query};
use super::{Batch, Result, Store, json_text};

/// A note is at most this old while its run goes on.
const NOTE_EVERY: Duration = Duration::from_millis(250);

/// How many lines are noted ahead of the one that was taken last: none where rows are taken slowly; where they are taken fast,
/// so many that a few notes a second do.
const AHEAD_FIRST: u32 = 16;
const AHEAD_MAX: u32 = 16 * 1024;

/// The note of one run.
///
/// It is never ahead of what is durable, and no row is handed out behind the line that it names. What cannot be noted is told
/// once, and the run goes on: a note is the second line of defence.
#[derive(Debug)]
pub struct Noting {
    notes: Notes,
    file: PathBuf,
    note: Note,
    /// The turns of all runs but this one, as it began.
    others_turns: i64,
    /// Files that this note takes the place of.
    superseded: Vec<PathBuf>,
    /// How many times it was written.
    written: u64,
    written_at: Option<Instant>,
    taken: Vec<TakenOf>,
    ahead: u32,
    ahead_since: Option<Instant>,
    has_failed: bool,
}

/// How far a batch was taken of which this run has taken rows.
#[derive(Debug)]
struct TakenOf {
    batch: NotedBatch,
    /// The line that the note names: at this one or before it whatever was taken stands.
    noted: u32,
}

/// What a turn has taken of a batch: up to which line.
#[derive(Debug, Clone, Copy)]
pub struct TakenUpTo<'a> {
    /// The batch.
    pub batch: &'a Batch,
    /// The highest line.
    pub line: u32,
}

impl Store {
    /// Begins the note of a run, with what the notes of earlier runs know. Nothing is written before its first turn.
    pub async fn begin_noting(&self, notes: Notes, run: &Run) -> Result<Noting> {
        const TURNS: &str = "SELECT CAST(COALESCE(SUM(turn), 0) AS BIGINT) FROM run WHERE id <> $1";
        let (found, mut superseded) = notes.read();
        let failed = || self.failed("read what was noted");
        let others_turns = query(TURNS).bind(run.id.0).fetch_value(&self.readers()).await.map_err(failed())?;
        let tokens: Vec<&str> = found.iter().map(|found| found.note.token.as_str()).collect();
        let known = self.noted_runs(&tokens).await?;
        let mut note = Note {
            run: run.id.0,
            token: run.token.clone(),
            turn: 0,
            turns: others_turns,
            is_over: false,
            boot: boot(),
            since_run: self.since_run(run, &found.iter().map(|found| &found.note).collect::<Vec<_>>(), &tokens).await?,
            unnamed: 0,
            batches: Vec::new(),
            lost: Vec::new(),
        };
        for found in &found {
            note.learn(&found.note);
            let is_over =
                |run: &NotedRun| run.token == found.note.token && run.has_ended && run.turn >= found.note.turn;
            if known.iter().any(is_over) {
                superseded.push(found.file.clone());
            }
        }
        // What was deleted is sent by nobody, and a database that has lost it is told of by those that are left.
        let there = self.batches().await?;
        note.batches.retain(|noted| there.iter().any(|batch| noted.is_same(&noted_batch(batch))));
        Ok(Noting {
            file: notes.file_of(run),
            notes,
            note,
            others_turns,
            superseded,
            written: 0,
            written_at: None,
            taken: Vec::new(),
            ahead: 0,
            ahead_since: None,
            has_failed: false,
        })
    }

    /// Since which run all that took anything have whole notes here, where this one is to have one too.
    async fn since_run(&self, run: &Run, notes: &[&Note], tokens: &[&str]) -> Result<i64> {
        const OTHERS: &str = "SELECT COUNT(*) FROM run WHERE id > $1 AND id < $2 AND turn > 0
            AND token NOT IN (SELECT value ->> 0 FROM json_each($3))";
        let before = notes.iter().filter(|note| note.run < run.id.0).max_by_key(|note| note.run);
        let (since, last) = before.map_or((0, 0), |note| (note.since_run, note.run));
        let others = query(OTHERS).bind(last).bind(run.id.0).bind(listed(tokens)).fetch_value(&self.readers()).await;
        let others: i64 = others.map_err(self.failed("read what was noted"))?;
        let boot = boot();
        let are_whole = others == 0 && notes.iter().all(|note| note.is_whole(&boot));
        Ok(if are_whole { since } else { run.id.0 })
    }

    /// The runs with these tokens.
    pub(super) async fn noted_runs(&self, tokens: &[&str]) -> Result<Vec<NotedRun>> {
        const NOTED: &str = "SELECT token, turn, ended_at IS NOT NULL FROM run
            WHERE token IN (SELECT value ->> 0 FROM json_each($1))";
        let failed = || self.failed("read what was noted");
        let rows = query(NOTED).bind(listed(tokens)).fetch_all(&self.readers()).await.map_err(failed())?;
        let read = |row: &Row| Ok(NotedRun { token: row.get(0)?, turn: row.get(1)?, has_ended: row.get(2)? });
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(failed())
    }
}

/// A run of which there is a note, as the database knows it.
#[derive(Debug)]
pub(super) struct NotedRun {
    pub(super) token: String,
    pub(super) turn: i64,
    pub(super) has_ended: bool,
}

/// Texts as one list that a statement reads: each in a list of its own, as [`super::ids_text`] has numbers.
fn listed(tokens: &[&str]) -> String {
    json_text(&tokens.iter().map(|token| [token]).collect::<Vec<_>>())
}

/// A batch as a note names it, of which nothing was taken yet.
pub(super) fn noted_batch(batch: &Batch) -> NotedBatch {
    NotedBatch {
        id: batch.id.0,
        imported_at: batch.imported_at.0,
        name: batch.name.clone(),
        sha256: batch.source_sha256.clone(),
        up_to: 0,
    }
}

impl Noting {
    /// Notes that the turn of that number is durable, and what it has taken: before any of that is handed out.
    pub fn turned<'a>(&mut self, turn: i64, taken: impl Iterator<Item = TakenUpTo<'a>>, now: Instant) {
        self.note.turn = turn;
        let mut is_behind = false;
        for TakenUpTo { batch, line } in taken {
            is_behind |= self.takes(batch, line, now);
        }
        let is_fresh = self.written_at.is_some_and(|at| now.saturating_duration_since(at) < NOTE_EVERY);
        if is_behind || !is_fresh {
            self.write(now);
        }
    }

    /// Notes the last turn, and for each batch the line that was really taken last: durably, so that the note is whole.
    pub fn end(&mut self, turn: i64, now: Instant) {
        if turn == 0 {
            return; // it has done nothing that could be lost
        }
        (self.note.turn, self.note.is_over) = (turn, true);
        for taken in std::mem::take(&mut self.taken) {
            self.note.batch_mut(&taken.batch).up_to = taken.batch.up_to;
        }
        self.write(now);
    }

    /// Notes a line that was taken; whether what is written names none as high.
    fn takes(&mut self, batch: &Batch, line: u32, now: Instant) -> bool {
        let is_of = |of: &TakenOf| (of.batch.id, of.batch.imported_at) == (batch.id.0, batch.imported_at.0);
        let place = self.taken.iter().position(is_of).unwrap_or_else(|| {
            let mut batch = noted_batch(batch);
            batch.up_to = self.note.batch_mut(&batch).up_to;
            self.taken.push(TakenOf { noted: batch.up_to, batch });
            self.taken.len() - 1
        });
        let of = &mut self.taken[place];
        of.batch.up_to = of.batch.up_to.max(line);
        if line <= of.noted && self.written > 0 {
            return false;
        }
        let is_fast = self.ahead_since.is_some_and(|at| now.saturating_duration_since(at) < NOTE_EVERY);
        self.ahead = if is_fast { (self.ahead * 2).clamp(AHEAD_FIRST, AHEAD_MAX) } else { self.ahead / 2 };
        self.ahead_since = Some(now);
        of.noted = of.noted.max(line.saturating_add(self.ahead));
        self.note.batch_mut(&of.batch).up_to = of.noted;
        true
    }

    fn write(&mut self, now: Instant) {
        if self.has_failed {
            return;
        }
        self.note.turns = self.others_turns + self.note.turn;
        self.written += 1;
        self.written_at = Some(now);
        // The first one also makes the file, and takes the place of others.
        let is_durable = self.written == 1 || self.note.is_over;
        if let Err(error) = self.notes.write(&self.file, self.written, &self.note, is_durable) {
            self.has_failed = true;
            tracing::warn!(
                "what is sent cannot be noted in `{}` any more, so that a backup that is put back may not be known as one: {error}",
                self.file.display()
            );
            return;
        }
        for file in self.superseded.drain(..) {
            if let Err(error) = std::fs::remove_file(&file) {
                tracing::debug!("an old note stays: `{}`: {error}", file.display());
            }
        }
    }
}
