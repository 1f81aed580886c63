//! The turn: one durable transaction that writes what has finished and takes what is due.

use std::sync::atomic::Ordering;

use super::connection::Tx;
use super::counts::changed_counts;
use super::gate::Gate;
use super::run::{Run, last_turn, server_now};
use super::statement::{Sql, Statement, query};
use super::{Error, Result, Store, WriterGuard, gate};
use crate::invocation::{BatchId, Counts, UnixMillis};

/// A turn of a run, from its beginning to its commit. Dropped before that, it leaves nothing behind.
///
/// What [`Turn::take`] returns may be sent only after [`ClosedTurn::commit`] has said `Ok`.
pub struct Turn<'a> {
    pub(super) tx: Tx<'a>,
    pub(super) store: &'a Store,
    pub(super) run: Run,
    pub(super) now: UnixMillis,
    pub(super) is_ended: bool,
    pub(super) moved: Vec<(BatchId, Counts)>,
    /// Statements that nothing in this turn waits for, and how many rows they change.
    later: (Vec<Statement<'static>>, u64),
}

/// A turn that has written all that it will.
pub struct ClosedTurn<'a> {
    tx: Tx<'a>,
    store: &'a Store,
}

/// What became of the claim to a turn's number.
pub enum Claim<'a> {
    /// It is this turn's: it had not committed before.
    Granted(Turn<'a>),
    /// That turn had committed, though its answer was lost.
    Committed,
}

/// Holds the writer for as long as a turn lasts: [`Turn`] borrows from it.
pub struct TurnWriter<'a> {
    pub(super) store: &'a Store,
    pub(super) guard: WriterGuard,
    pub(super) rate: f64,
}

impl Store {
    /// Gets hold of the writer for a turn.
    pub async fn turn_writer(&self) -> Result<TurnWriter<'_>> {
        Ok(TurnWriter { store: self, guard: self.writer().await?, rate: 0.0 })
    }
}

/// Has each statement of this transaction planned once, and for the indexes: what a turn reads is found by number or by an
/// index of its own, few rows of whatever many. Planned by figures that a vacuum has taken before the batch came, or after
/// most of it was sent, a statement would now and then read a whole table.
macro_rules! by_index {
    () => {
        ", set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
           set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true)"
    };
}

/// Claims a turn's number at the moment that is given.
macro_rules! claim {
    ($($now:expr),+) => {
        concat!("UPDATE run SET turn = $3, turned_at = ", $($now),+, ", rate = $5
            WHERE id = $1 AND token = $2 AND turn = $3 - 1")
    };
}

/// Claims the number of a file's turn for a run that nobody has ended.
pub(super) const CLAIM_OF_THE_LIVING: &str = concat!(claim!("$4"), " AND ended_at IS NULL");

/// A claim to a turn's number, by one of the texts.
pub(super) fn claim<'q>(text: impl Into<Sql>, run: &'q Run, number: i64, now: UnixMillis, rate: f64) -> Statement<'q> {
    query(text).bind(run.id.0).bind(&run.token).bind(number).bind(now.0).bind(Some(rate))
}

impl TurnWriter<'_> {
    /// Has the turn tell how many outcomes a second its run has seen of late: for people to read.
    #[must_use]
    pub fn at_rate(self, rate: f64) -> Self {
        TurnWriter { rate, ..self }
    }

    /// Begins the turn of that number, which is the witness of its own commit. Claiming it once more tells whether a commit
    /// that was not confirmed had come about: a server that still has it under way is waited for.
    pub async fn begin(&mut self, run: &Run, number: i64, now: UnixMillis) -> Result<Claim<'_>> {
        const CLAIM: Sql = Sql {
            sqlite: concat!(claim!("$4"), " RETURNING turned_at, ended_at IS NOT NULL"),
            postgres: concat!(
                claim!("COALESCE(", server_now!(), ", $4)"),
                " RETURNING turned_at, ended_at IS NOT NULL",
                by_index!()
            ),
        };
        let store = self.store;
        let failed = || store.failed("begin a turn");
        let mut tx = self.guard.begin().await.map_err(failed())?;
        let claim = claim(CLAIM, run, number, now, self.rate);
        if let Some(claimed) = claim.fetch_optional(&mut tx).await.map_err(failed())? {
            let now = UnixMillis(claimed.get(0).map_err(failed())?);
            let is_ended = claimed.get(1).map_err(failed())?;
            return Ok(Claim::Granted(Turn {
                tx,
                store,
                run: run.clone(),
                now,
                is_ended,
                moved: Vec::new(),
                later: Default::default(),
            }));
        }
        let last = last_turn(&mut tx, run).await.map_err(failed())?;
        tx.rollback().await.map_err(failed())?;
        match last {
            Some(last) if last == number => Ok(Claim::Committed),
            Some(_) | None => {
                Err(Error::Fenced(
                    "it is not in the database any more, or another process goes by its name\n\
                     hint: was the database replaced or put back? `mep-batch doctor` looks; then type `mep-batch run` again"
                        .to_owned(),
                ))
            }
        }
    }
}

impl ClosedTurn<'_> {
    /// Makes everything durable. An error leaves open whether it is: claiming the turn's number once more, on a new
    /// connection, tells.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await.map_err(self.store.failed("commit a turn"))
    }
}

impl<'a> Turn<'a> {
    /// What the queue's clock says: that of this machine, or of the server that several machines share.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// How far that clock is ahead of this machine's, which has just said `here`.
    #[must_use]
    pub fn clock_ahead_ms(&self, here: UnixMillis) -> i64 {
        if self.store.is_shared() { self.now.0 - here.0 } else { 0 }
    }

    /// Whether other runs may be at work on the same queue.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Whether somebody else has ended this run: then it takes nothing more, and what it still has to say is late.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The gates of these numbers as they stand. Read exclusively, they stay so for everybody until this turn has committed.
    pub async fn gates(&mut self, ids: &[i64], exclusively: bool) -> Result<Vec<Gate>> {
        if exclusively {
            // Whether a probe is on the wire is read from its row.
            self.catch_up().await?;
        }
        gate::find(&mut self.tx, ids, exclusively).await.map_err(self.store.failed("read the gates"))
    }

    /// Stores a gate as it stands. It was read exclusively.
    pub async fn store_gate(&mut self, gate: &Gate) -> Result<()> {
        gate::write(&mut self.tx, gate).await.map_err(self.store.failed("store the gate"))
    }

    /// Writes what has been put off, and how the counts have changed: the last that a turn does, so that other runs' wait no
    /// longer than its commit takes.
    pub async fn close(mut self) -> Result<ClosedTurn<'a>> {
        if let Some((counts, changed)) = changed_counts(&self.moved) {
            self.later(counts, changed);
        }
        self.catch_up().await?;
        Ok(ClosedTurn { tx: self.tx, store: self.store })
    }

    /// Puts off a statement that changes so many rows: with others it costs a file little more than alone.
    pub(super) fn later(&mut self, statement: Statement<'_>, changed: u64) {
        self.later.0.push(statement.owned());
        self.later.1 += changed;
    }

    /// Runs what has been put off. To be called before anything is read that it changes.
    pub(super) async fn catch_up(&mut self) -> Result<()> {
        let (statements, expected) = std::mem::take(&mut self.later);
        if statements.is_empty() {
            return Ok(());
        }
        let changed = Statement::execute_together(statements, &mut self.tx).await;
        let changed = changed.map_err(self.store.failed("store a turn"))?;
        if changed == expected {
            Ok(())
        } else if !self.store.is_shared() && !self.store.looks_first.swap(true, Ordering::Relaxed) {
            Err(Error::Overtaken)
        } else {
            let why = format!("{changed} of {expected} were as they had been read");
            Err(self.store.misread("the rows of a turn", &why))
        }
    }
}
