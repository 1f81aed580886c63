//! Turns: when one is due, what it writes and takes, and what follows its commit.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::Engine;
use super::sending::{Due, Sending};
use crate::invocation::{State, Taken, UnixMillis};
use crate::store;
use crate::worker::SellBy;

/// A turn comes at least this often: what other processes changed is read with it.
pub(super) const TURN_EVERY: Duration = Duration::from_secs(1);
/// The writer steps back this often, for this long, so that other processes' short transactions get in.
const STEP_BACK_EVERY: Duration = Duration::from_millis(400);
const STEP_BACK: Duration = Duration::from_millis(2);

/// A row that a turn has taken, with its batch's place in the run.
pub(super) type TakenRow = (Taken, usize);

impl Engine<'_> {
    /// Whether there is anything to store or to take, or it is time to show that this run lives.
    pub(super) fn is_turn_due(&self) -> bool {
        !self.finished.is_empty() || self.can_take() || self.next_turn() <= Instant::now()
    }

    /// When a turn is due though nothing has happened.
    pub(super) fn next_turn(&self) -> Instant {
        self.turned + TURN_EVERY
    }

    pub(super) fn may_take(&self) -> bool {
        self.ending.is_none() && self.trouble.is_none() && self.limit_left > 0
    }

    fn can_take(&self) -> bool {
        let now = UnixMillis::now();
        let free = self.free();
        let open = |sending: &Sending| self.gates[sending.gate].keeper.allowance(free, now) > 0;
        self.may_take() && free > 0 && self.batches.iter().any(|s| s.is_due(now) && !s.is_held() && open(s))
    }

    /// Slots that are free once the next turn is durable, within the rows that may still be taken.
    pub(super) fn free(&self) -> u32 {
        let freed = self.finished.iter().filter(|finished| finished.slot.is_some()).count();
        let free = u64::from(self.slots.free()) + freed as u64;
        u32::try_from(free.min(self.limit_left)).unwrap_or(u32::MAX)
    }

    /// One turn. Where it fails, what it would have stored stays in memory, and nothing that it took is handed out.
    pub(super) async fn turn(&mut self) {
        let included = self.finished.len();
        let mut taken = Vec::new();
        match self.write_turn(included, &mut taken).await {
            Ok(sell_by) => {
                self.committed(included);
                self.hand_out(taken, sell_by);
                self.look_ahead().await;
                self.step_back().await;
            }
            Err(error) if error.is_busy() && taken.is_empty() => {
                tracing::info!("waiting for another process's transaction: {error}");
            }
            Err(error) => {
                let taken = taken.into_iter().map(|(taken, place)| (taken.attempt, place)).collect();
                self.fail(&error, included, taken);
            }
        }
    }

    /// Writes and commits a turn; `taken` is filled with what it took, also where its commit fails.
    pub(super) async fn write_turn(&mut self, included: usize, taken: &mut Vec<TakenRow>) -> store::Result<SellBy> {
        if self.lock.as_ref().is_some_and(|lock| !lock.still_holds()) {
            return Err(store::Error::Fenced("the database or its lock file was replaced while it ran".to_owned()));
        }
        let mut writer = self.store.turn_writer().await?;
        let store::Claim::Granted(mut turn) = writer.begin(&self.run, self.turns + 1, UnixMillis::now()).await? else {
            return Err(store::Error::Fenced("another process goes by its name".to_owned()));
        };
        if turn.is_ended() {
            return Err(store::Error::Fenced("it was ended by another process".to_owned()));
        }
        // Read after the wait for other processes, so that it does not eat up the time in which rows may be sent.
        let (now, sell_by) = (turn.now(), SellBy::from_now());
        let settlements: Vec<_> = self.finished[..included].iter().map(|finished| &finished.settlement).collect();
        turn.settle(&settlements).await?;
        if self.may_take() {
            let mut free = self.free();
            for (place, sending) in self.batches.iter_mut().enumerate() {
                let keeper = &mut self.gates[sending.gate].keeper;
                let wanted = keeper.allowance(free, now);
                if wanted == 0 || !sending.is_due(now) || sending.is_held() {
                    continue;
                }
                let rows = turn.take(sending.batch.id, wanted).await?;
                let ids: Vec<_> = rows.iter().map(|row| row.attempt.id).collect();
                keeper.took(&ids, now);
                let found = u32::try_from(rows.len()).unwrap_or(u32::MAX);
                sending.due = if found < wanted { Due::Unclear } else { Due::Now };
                free -= found;
                taken.extend(rows.into_iter().map(|row| (row, place)));
            }
        }
        for gate in &mut self.gates {
            if let Some(changed) = gate.keeper.take_change() {
                turn.store_gate(&changed).await.inspect_err(|_| gate.keeper.not_stored())?;
            }
        }
        turn.commit().await?;
        Ok(sell_by)
    }

    /// The turn is durable: its outcomes' slots are free.
    pub(super) fn committed(&mut self, included: usize) {
        self.turns += 1;
        self.turned = Instant::now();
        for finished in self.finished.drain(..included) {
            if let Some(slot) = finished.slot {
                self.slots.free_up(slot);
            }
        }
    }

    fn hand_out(&mut self, taken: Vec<TakenRow>, sell_by: SellBy) {
        self.limit_left = self.limit_left.saturating_sub(taken.len() as u64);
        for (taken, place) in taken {
            let sending = &mut self.batches[place];
            sending.counts.moved(State::Pending, State::Sending);
            self.slots.hand_out(taken, sell_by, &sending.route);
        }
    }

    /// Finds out when the next rows of a batch are due that had fewer than were wanted.
    async fn look_ahead(&mut self) {
        for sending in self.batches.iter_mut().filter(|sending| sending.due == Due::Unclear) {
            match self.store.next_due(sending.batch.id).await {
                Ok(next) => sending.due = next.map_or(Due::Nothing, Due::At),
                Err(error) => tracing::debug!("what is due next is not known yet: {error}"),
            }
        }
    }

    async fn step_back(&mut self) {
        if self.stepped_back.elapsed() >= STEP_BACK_EVERY {
            tokio::time::sleep(STEP_BACK).await;
            self.stepped_back = Instant::now();
        }
    }
}
