//! Notes of what was sent from a database, in a folder of its user's own: a database that is older than they are was put back.

use serde::{Deserialize, Serialize};

use crate::invocation::BatchId;

/// Batches that a note names at most, those that are lost included: so many fit into a slot whatever their names are.
const BATCHES_MAX: usize = 128;
/// Those of them that are lost, at most.
const LOST_MAX: usize = 32;

/// What a run has noted: only what was durable by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    /// The run's number in its database, and its random token.
    pub(super) run: i64,
    pub(super) token: String,
    /// Its last turn.
    pub(super) turn: i64,
    /// The turns of all runs up to then.
    pub(super) turns: i64,
    /// Whether the run came to its end: then this note was made durable itself.
    pub(super) is_over: bool,
    /// Since when the machine was on that wrote it, by the kernel's name for that; empty where it has none.
    pub(super) boot: String,
    /// Since which run all runs that took anything have notes here; 0: since the first.
    pub(super) since_run: i64,
    /// Of batches up to this number there may be some that are not named: whatever they had may have been taken.
    pub(super) unnamed: i64,
    /// The batches of which rows were taken, by this run or an earlier one.
    pub(super) batches: Vec<NotedBatch>,
    /// Those of which it is known that the database has lost them.
    pub(super) lost: Vec<NotedBatch>,
}

/// A batch of which rows were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotedBatch {
    /// Its number, and when it was imported: a number alone may come again in a database that was put back.
    pub id: i64,
    /// When it was imported.
    pub imported_at: i64,
    /// Its name.
    pub name: String,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// No row behind this line was ever taken; the highest there is where nobody knows.
    pub up_to: u32,
}

/// The highest line that a row can have.
pub(super) const LINE_MAX: u32 = u32::MAX;

impl NotedBatch {
    /// No row behind this line was ever taken; `None`: nobody knows how far it had come.
    #[must_use]
    pub fn last_line(&self) -> Option<u32> {
        Some(self.up_to).filter(|line| *line < LINE_MAX)
    }

    /// Whether both speak of the same batch.
    pub(super) fn is_same(&self, other: &NotedBatch) -> bool {
        (self.id, self.imported_at) == (other.id, other.imported_at)
    }
}

impl Note {
    /// Whether nothing that was noted may have been lost since: not where the machine went off before the note was on the disk.
    pub(super) fn is_whole(&self, boot: &str) -> bool {
        self.is_over || (!boot.is_empty() && self.boot == boot)
    }

    /// The entry of a batch.
    pub(super) fn batch_mut(&mut self, batch: &NotedBatch) -> &mut NotedBatch {
        let place = self.batches.iter().position(|noted| noted.is_same(batch)).unwrap_or_else(|| {
            self.batches.push(NotedBatch { up_to: 0, ..batch.clone() });
            self.forget_oldest();
            self.batches.len() - 1
        });
        &mut self.batches[place]
    }

    /// Adds what another note knows.
    pub(super) fn learn(&mut self, other: &Note) {
        self.unnamed = self.unnamed.max(other.unnamed);
        for batch in &other.batches {
            let known = self.batch_mut(batch);
            known.up_to = known.up_to.max(batch.up_to);
        }
        self.lose(other.lost.iter().cloned());
    }

    /// Adds batches that the database has lost. Where there are too many for a note the first ones are left out: those.
    pub(super) fn lose(&mut self, batches: impl IntoIterator<Item = NotedBatch>) -> Vec<NotedBatch> {
        for batch in batches {
            if !self.lost.iter().any(|lost| lost.is_same(&batch)) {
                self.lost.push(batch);
            }
        }
        let too_many = self.lost.len().saturating_sub(LOST_MAX);
        let left_out = self.lost.drain(..too_many).collect();
        self.forget_oldest();
        left_out
    }

    /// Leaves out the batches of the lowest numbers where there are too many for a note, but never the last one.
    fn forget_oldest(&mut self) {
        while self.batches.len() + self.lost.len() > BATCHES_MAX {
            let oldest = (0..self.batches.len() - 1).min_by_key(|place| self.batches[*place].id);
            let Some(oldest) = oldest else { return };
            self.unnamed = self.unnamed.max(self.batches.remove(oldest).id);
        }
    }

    /// How far rows of the batch may have been taken.
    pub(super) fn reach(&self, batch: BatchId, imported_at: i64) -> Reach {
        if batch.0 <= self.unnamed {
            return Reach::All; // also where it is named again: by then it was not known how far it had come
        }
        let noted = self.batches.iter().find(|noted| (noted.id, noted.imported_at) == (batch.0, imported_at));
        noted.map_or(Reach::None, |noted| Reach::UpTo(noted.up_to))
    }
}

/// The kernel's name for the time since this machine was turned on; empty where it has none.
pub(super) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// How far rows of a batch may have been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// None was.
    None,
    /// Up to this line.
    UpTo(u32),
    /// Any may have been.
    All,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn note(turn: i64) -> Note {
        let (token, batches, lost) = ("t".repeat(32), Vec::new(), Vec::new());
        let boot = "a".to_owned();
        Note { run: 7, token, turn, turns: 20 + turn, is_over: false, boot, since_run: 0, unnamed: 0, batches, lost }
    }

    pub(in super::super) fn batch(id: i64) -> NotedBatch {
        NotedBatch { id, imported_at: i64::MAX, name: "n".repeat(64), sha256: "f".repeat(64), up_to: u32::MAX }
    }

    #[test]
    fn as_many_batches_as_are_kept_fit_and_what_is_left_out_is_told_of() {
        let mut full = Note { turn: i64::MAX, turns: i64::MAX, ..note(1) };
        let left_out = full.lose((0..40).map(|id| batch(i64::MAX - 1_000 + id)));
        assert_eq!((left_out.len(), left_out[7].id), (8, i64::MAX - 993));
        (1..=200).for_each(|id| full.batch_mut(&batch(id)).up_to = u32::MAX);
        assert_eq!((full.batches.len(), full.lost.len(), full.unnamed), (96, 32, 104));
        assert_eq!(full.reach(BatchId(104), i64::MAX), Reach::All);
        assert_eq!(full.reach(BatchId(105), i64::MAX), Reach::UpTo(u32::MAX));
        assert_eq!(full.reach(BatchId(105), 5), Reach::None);
        assert_eq!(full.reach(BatchId(201), i64::MAX), Reach::None);
    }

    #[test]
    fn a_note_that_a_power_cut_may_have_cut_short_is_not_whole() {
        assert!(note(1).is_whole("a"));
        assert!(!note(1).is_whole("b"));
        assert!(Note { is_over: true, ..note(1) }.is_whole("b"));
        assert!(!Note { boot: String::new(), ..note(1) }.is_whole(""));
    }

    #[test]
    fn a_note_learns_the_higher_line() {
        let (mut one, mut other) = (note(1), note(2));
        one.batch_mut(&batch(1)).up_to = 5;
        other.batch_mut(&batch(1)).up_to = 9;
        other.batch_mut(&batch(2)).up_to = 3;
        one.learn(&other);
        assert_eq!(one.reach(BatchId(1), i64::MAX), Reach::UpTo(9));
        assert_eq!(one.reach(BatchId(2), i64::MAX), Reach::UpTo(3));
    }
}
