//! The plain turn of a file: one that nothing has gone wrong in, so that no part of it waits for what another has read.
//!
//! It is one script of statements, the commit among them. SQLite's thread is asked once and not five times: each way there and
//! back costs a wake-up on either side, which with few rows in a turn is most of what the turn takes.

use std::sync::atomic::Ordering;

use super::counts::{changed_and_taken_counts, changed_counts, note_move};
use super::given::GIVEN_MAX;
use super::run::Run;
use super::settle::{Settling, settling};
use super::statement::{On, Script, Statement, query};
use super::take::{DUE, TAKE_DUE, read_due};
use super::turn::{CLAIM_OF_THE_LIVING, TurnWriter, claim};
use super::{Result, sqlite};
use crate::invocation::{BatchId, Settlement, State, Taken, UnixMillis};

/// Where a script notes that it has not changed what it was to change: the note itself is refused, and that ends the script
/// before its commit.
pub(super) const MISMATCH: &str =
    "CREATE TEMP TABLE IF NOT EXISTS mismatch (changed INTEGER, expected INTEGER, CHECK (changed = expected))";

/// Ends the script unless the statement before has changed so many rows.
const CHANGED: &str = "INSERT INTO temp.mismatch SELECT changes(), $1 WHERE changes() <> $1";

/// The place of the statement that takes, from the end of a script that has one: it is followed by the counts, what holds them
/// and the commit.
const BEHIND_TAKING: usize = 4;

/// What a plain turn does.
#[derive(Debug)]
pub struct Plain<'a> {
    /// The turn's number.
    pub number: i64,
    /// When it is made.
    pub now: UnixMillis,
    /// What came of attempts. None of them leads to `pending`.
    pub settlements: &'a [&'a Settlement],
    /// The batch of which rows are taken, and how many at most.
    pub take: Option<(BatchId, u32)>,
}

impl TurnWriter<'_> {
    /// Makes a plain turn and commits it. What it returns may be sent.
    ///
    /// `None`: nothing was done, because something is not as it is in a plain turn; [`TurnWriter::begin`] finds out what. An
    /// error leaves open whether the turn has been committed, unless it is that another process was in the way.
    pub async fn make_plain(&mut self, run: &Run, plain: &Plain<'_>) -> Result<Option<Vec<Taken>>> {
        let store = self.store;
        // More than one statement can be given make a script of a length that hardly comes again, and each is kept parsed.
        let is_too_much = plain.settlements.len() > GIVEN_MAX;
        if store.is_shared() || is_too_much || store.looks_first.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let script = Script::of(self.script(run, plain)).map_err(store.failed("make a turn"))?;
        let On::Sqlite(connection) = On::from(&mut *self.guard) else { return Ok(None) };
        let (changed, found) = match script.fetch(connection).await {
            Ok(found) => found,
            Err(cause) => {
                let is_undone = sqlite::roll_back(connection).await;
                if is_undone && sqlite::is_refused(&cause) {
                    return Ok(None);
                }
                if !is_undone {
                    self.guard.forget();
                }
                return Err(store.failed("make a turn")(cause));
            }
        };
        if plain.take.is_none() {
            return Ok(Some(Vec::new()));
        }
        // Found and moved by two statements: what is sent is held against what was moved.
        let due: Option<String> = match found.first() {
            Some(row) => row.get(0).map_err(store.failed("take due rows"))?,
            None => return Err(store.misread("the due rows", &"there is no answer")),
        };
        let taken = read_due(store, due.as_deref().unwrap_or_default(), plain.now)?;
        let moved = changed.get(changed.len() - BEHIND_TAKING).copied();
        if moved == Some(taken.len() as u64) {
            Ok(Some(taken))
        } else {
            let why = format!("{} were found and {} were moved", taken.len(), moved.unwrap_or_default());
            Err(store.misread("the due rows", &why))
        }
    }

    fn script(&self, run: &Run, plain: &Plain<'_>) -> Vec<Statement<'static>> {
        let Plain { number, now, settlements, take } = plain;
        let changed = |expected: u64| query(CHANGED).bind(expected.cast_signed());
        let claim = claim(CLAIM_OF_THE_LIVING, run, *number, *now, self.rate).owned();
        let mut script = vec![query("BEGIN IMMEDIATE"), claim, changed(1)];
        let settled: Vec<(&Settlement, State)> = settlements.iter().map(|s| (*s, s.state)).collect();
        for Settling { record, moves, rows } in settling(run.id.0, &settled) {
            script.extend([record, moves, changed(rows)]);
        }
        let mut moved = Vec::new();
        settled.iter().for_each(|(s, state)| note_move(&mut moved, s.id.batch(), State::Sending, *state));
        let counts = match take {
            Some((batch, limit)) => {
                let limit = i64::from(*limit);
                script.push(query(DUE).bind(batch.0).bind(now.0).bind(limit));
                script.push(query(TAKE_DUE).bind(batch.0).bind(now.0).bind(run.id.0).bind(limit));
                Some(changed_and_taken_counts(&moved, *batch))
            }
            None => changed_counts(&moved),
        };
        if let Some((counts, rows)) = counts {
            script.extend([counts, changed(rows)]);
        }
        script.push(query("COMMIT"));
        script
    }
}
