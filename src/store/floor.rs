//! Where the search for rows never tried begins on PostgreSQL: behind those that this process has just taken.
//!
//! The index of what is due keeps its entries of rows that are due no more until a vacuum has been there. A search from the
//! beginning steps over all of them, so that a turn would cost the more, the more was sent.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::invocation::{BatchId, UnixMillis};

/// How long a row that has become due behind the others may have to wait for those before them: one that an operator has
/// retried or resolved.
const FLOOR_MS: i64 = 1_000;

/// The floor of each batch.
#[derive(Debug, Default)]
pub(super) struct Floors(Mutex<HashMap<BatchId, Floor>>);

#[derive(Debug)]
struct Floor {
    id: i64,
    since: UnixMillis,
}

impl Floor {
    fn holds(&self, now: UnixMillis) -> bool {
        (0..FLOOR_MS).contains(&now.0.saturating_sub(self.since.0))
    }
}

impl Floors {
    /// The row above which to search; 0: among all. Where that gives too few, the caller searches among all.
    pub(super) fn of(&self, batch: BatchId, now: UnixMillis) -> i64 {
        // Nothing panics while it is held.
        let floors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        floors.get(&batch).filter(|floor| floor.holds(now)).map_or(0, |floor| floor.id)
    }

    /// Notes that a row was taken. Whether that is ever committed does not matter: the floor does not hold for long.
    pub(super) fn raise(&self, batch: BatchId, id: i64, now: UnixMillis) {
        let mut floors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let floor = floors.entry(batch).or_insert(Floor { id, since: now });
        if !floor.holds(now) {
            *floor = Floor { id, since: now };
        }
        floor.id = floor.id.max(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_raised_and_falls_after_a_second() {
        let (floors, batch) = (Floors::default(), BatchId(1));
        let at = UnixMillis;
        assert_eq!(floors.of(batch, at(5)), 0);
        floors.raise(batch, 7, at(5));
        floors.raise(batch, 6, at(900));
        assert_eq!((floors.of(batch, at(1_004)), floors.of(BatchId(2), at(1_004))), (7, 0));
        assert_eq!((floors.of(batch, at(1_005)), floors.of(batch, at(4))), (0, 0));
        floors.raise(batch, 3, at(1_005));
        assert_eq!(floors.of(batch, at(1_006)), 3);
    }
}
