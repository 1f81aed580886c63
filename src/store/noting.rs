//! What a run notes while it goes on: how far it has come, after its commits and before what they took is handed out.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::note::{Note, NotedBatch, boot};
use super::note_folder::Notes;
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
/// once, and the run goes on: a note is the second line of defence. It is tried again with each turn, and meanwhile what is
/// there says of itself that it bounds nothing.
#[derive(Debug)]
pub struct Noting {
    notes: Notes,
    file: PathBuf,
    note: Note,
    /// The turns of all runs but this one, as it began.
    others_turns: i64,
    /// Whether the run has looked once more for notes that its database does not know: before that this note takes the place of
    /// no other one.
    has_looked: bool,
    /// Files that this note takes the place of.
    superseded: Vec<PathBuf>,
    /// How many times it was written, or tried.
    tried: u64,
    /// Whether the file is there, and durable.
    is_there: bool,
    /// Whether what is in the file is what was to be noted last.
    is_noted: bool,
    written_at: Option<Instant>,
    taken: Vec<TakenOf>,
    ahead: u32,
    ahead_since: Option<Instant>,
    /// Whether it was told that something could not be noted.
    has_told: bool,
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
        let noted = self.read_notes(&notes)?;
        let found = &noted.found;
        let failed = || self.failed("read what was noted");
        let others_turns = query(TURNS).bind(run.id.0).fetch_value(&self.readers()).await.map_err(failed())?;
        let tokens: Vec<&str> = found.iter().map(|found| found.note.token.as_str()).collect();
        let known = self.noted_runs(&noted.tokens()).await?;
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
        let is_over =
            |token: &str, turn| known.iter().any(|run| run.token == token && run.has_ended && run.turn >= turn);
        let mut superseded = Vec::new();
        for found in found {
            note.learn(&found.note);
            if is_over(&found.note.token, found.note.turn) {
                superseded.push(found.file.clone());
            }
        }
        superseded.extend(noted.torn.iter().filter(|torn| is_over(&torn.token, 0)).map(|torn| torn.file.clone()));
        // What was deleted is sent by nobody, and a database that has lost it is told of by those that are left.
        let there = self.batches().await?;
        note.batches.retain(|noted| there.iter().any(|batch| noted.is_same(&noted_batch(batch))));
        Ok(Noting::new(notes, run, note, superseded))
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
    /// Of a note that has the turns of others in it, and none of its own yet.
    fn new(notes: Notes, run: &Run, note: Note, superseded: Vec<PathBuf>) -> Noting {
        Noting {
            file: notes.file_of(run),
            notes,
            others_turns: note.turns,
            note,
            has_looked: false,
            superseded,
            tried: 0,
            is_there: false,
            is_noted: false,
            written_at: None,
            taken: Vec::new(),
            ahead: 0,
            ahead_since: None,
            has_told: false,
        }
    }

    /// Notes that the turn of that number is durable, and what it has taken: before any of that is handed out.
    pub fn turned<'a>(&mut self, turn: i64, taken: impl Iterator<Item = TakenUpTo<'a>>, now: Instant) {
        let mut is_behind = false;
        for TakenUpTo { batch, line } in taken {
            is_behind |= self.takes((batch.id.0, batch.imported_at.0), || noted_batch(batch), line, now);
        }
        self.write_if_due(turn, is_behind, now);
    }

    /// Writes the note where what is written is behind what was taken, is too old, or could not be written.
    fn write_if_due(&mut self, turn: i64, is_behind: bool, now: Instant) {
        self.note.turn = turn;
        let is_fresh = self.written_at.is_some_and(|at| now.saturating_duration_since(at) < NOTE_EVERY);
        if is_behind || !is_fresh || !self.is_noted {
            self.write(now);
        }
    }

    /// The notes to look at before the first row is handed out, now that others can see this one: of two that begin at once from
    /// one database and its copy, each had seen none of the other, and from here on one of them sees it. `None`: it was done.
    #[must_use]
    pub fn to_look_at(&self) -> Option<Notes> {
        (!self.has_looked).then(|| self.notes.clone())
    }

    /// The run has looked, and goes on.
    pub fn goes_on(&mut self) {
        self.has_looked = true;
        self.supersede();
    }

    /// The run has looked, and sends nothing: so it has nothing to note.
    pub fn withdraw(self) {
        if let Err(error) = std::fs::remove_file(&self.file) {
            tracing::debug!("the note of a run that sent nothing stays: `{}`: {error}", self.file.display());
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
    fn takes(&mut self, batch: (i64, i64), named: impl FnOnce() -> NotedBatch, line: u32, now: Instant) -> bool {
        let is_of = |of: &TakenOf| (of.batch.id, of.batch.imported_at) == batch;
        let place = self.taken.iter().position(is_of).unwrap_or_else(|| {
            let mut batch = named();
            batch.up_to = self.note.batch_mut(&batch).up_to;
            self.taken.push(TakenOf { noted: batch.up_to, batch });
            self.taken.len() - 1
        });
        let of = &mut self.taken[place];
        of.batch.up_to = of.batch.up_to.max(line);
        if line <= of.noted && self.tried > 0 {
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
        self.note.turns = self.others_turns + self.note.turn;
        self.written_at = Some(now);
        // The first one also makes the file, and takes the place of others.
        let is_first = !self.is_there;
        let written = self.try_to_write(&self.note, is_first || self.note.is_over);
        self.tried += 1;
        self.is_noted = written.is_ok();
        if let Err(error) = written {
            self.doubt();
            self.tell(&error);
            return;
        }
        self.is_there = true;
        self.supersede();
    }

    /// Takes the place of the notes whose place it is to take.
    fn supersede(&mut self) {
        if !self.is_there || !self.has_looked {
            return;
        }
        for file in self.superseded.drain(..) {
            if let Err(error) = std::fs::remove_file(&file) {
                tracing::debug!("an old note stays: `{}`: {error}", file.display());
            }
        }
    }

    fn try_to_write(&self, note: &Note, durably: bool) -> io::Result<()> {
        self.notes.write(&self.file, self.tried + 1, note, durably)
    }

    /// Says in the file, in the place of what was noted before, that the run has come this far and that nobody knows what it has
    /// sent: the note that is there would be taken for whole. It is short and goes where one stands already, so that a full disk
    /// has room for it.
    fn doubt(&mut self) {
        let lost = self.note.lost.clone();
        let doubt = Note {
            boot: String::new(),
            is_over: false,
            batches: Vec::new(),
            lost,
            token: self.note.token.clone(),
            ..self.note
        };
        if let Err(error) = self.try_to_write(&doubt, false) {
            tracing::debug!("nor can it be noted that it is not noted: `{}`: {error}", self.file.display());
        }
        self.tried += 1;
    }

    fn tell(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_told, true) {
            tracing::warn!(
                "what is sent cannot be noted in `{}`, so that a backup that is put back may not be known as one: {error}",
                self.file.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::super::note::Reach;
    use super::super::note_folder::newest;
    use super::*;
    use crate::invocation::{BatchId, RunId};

    fn noting(folder: &tempfile::TempDir) -> Noting {
        let notes = Notes::new(folder.path(), "0123");
        notes.prepare().expect("a folder");
        let run = Run { id: RunId(7), token: "t".repeat(32) };
        let (run_id, token, batches, lost) = (run.id.0, run.token.clone(), Vec::new(), Vec::new());
        let (turn, turns, is_over, since_run, unnamed) = (0, 0, false, 0, 0);
        let note = Note { run: run_id, token, turn, turns, is_over, boot: boot(), since_run, unnamed, batches, lost };
        Noting::new(notes, &run, note, Vec::new())
    }

    /// A turn that takes a row of the batch.
    fn takes(noting: &mut Noting, turn: i64, id: i64, line: u32) {
        let named = || NotedBatch { id, imported_at: 1, name: "n".repeat(64), sha256: "f".repeat(64), up_to: 0 };
        let now = Instant::now();
        let is_behind = noting.takes((id, 1), named, line, now);
        noting.write_if_due(turn, is_behind, now);
    }

    /// A file that cannot grow is what a full disk leaves of a note.
    #[test]
    fn what_could_not_be_noted_bounds_nothing_and_is_noted_once_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut noting = noting(&folder);
        let full = memfd_create("note", MemfdFlags::ALLOW_SEALING).expect("a file in memory");
        std::os::unix::fs::symlink(format!("/proc/self/fd/{}", full.as_raw_fd()), &noting.file).expect("a link");
        let read = |noting: &Noting| newest(&std::fs::read(&noting.file).expect("the file")).expect("a note").1;
        takes(&mut noting, 1, 1, 10);
        takes(&mut noting, 2, 1, 200);
        assert!(read(&noting).is_whole(&boot()));
        assert_eq!(read(&noting).reach(BatchId(1), 1), Reach::UpTo(216));

        fcntl_add_seals(&full, SealFlags::GROW).expect("a file that has no room");
        // The third is longer than the first, whose place it takes.
        for turn in 3..=6 {
            takes(&mut noting, turn, turn, 300);
            let doubt = read(&noting);
            assert!(!doubt.is_whole(&boot()) && doubt.turn == turn, "{doubt:?}");
            assert_eq!(doubt.token, noting.note.token);
        }
        noting.end(7, Instant::now());
        let doubt = read(&noting);
        assert!(!doubt.is_whole(&boot()) && doubt.turn == 7, "{doubt:?}");

        let torn = std::fs::read(&noting.file).expect("the file");
        std::fs::remove_file(&noting.file).expect("the link");
        File::create(&noting.file).and_then(|mut file| file.write_all(&torn)).expect("a file with room");
        takes(&mut noting, 8, 1, 250);
        let found = read(&noting);
        assert!(found.is_whole(&boot()) && found.turn == 8, "{found:?}");
        assert!(matches!(found.reach(BatchId(6), 1), Reach::UpTo(300..)));
        assert!(matches!(found.reach(BatchId(1), 1), Reach::UpTo(250..)));
    }
}
