//! Rows whose `timeZone` names no zone that is known: nothing is wrong with them until hours of the day are set.

use std::collections::HashMap;

use super::judgement::LINES_NAMED_MAX;
use crate::invocation::{ImportedRow, RowContent, time_zone};

/// Names of which it is kept whether each is a zone: there are about 600.
const NAMES_KEPT_MAX: usize = 2_000;

/// Rows with an unknown zone.
#[derive(Debug, Clone, Default)]
pub struct UnknownZones {
    /// How many.
    pub count: u64,
    /// The first of them: the line, and what stands there.
    pub first: Vec<(u32, String)>,
    is_known: HashMap<String, bool>,
}

impl UnknownZones {
    /// Notes a row, if its zone is not known.
    pub(super) fn note(&mut self, row: &ImportedRow) {
        let RowContent::Ready { time_zone: Some(name), .. } = &row.content else { return };
        if self.knows(name) {
            return;
        }
        self.count += 1;
        if self.first.len() < LINES_NAMED_MAX {
            self.first.push((row.line, name.clone()));
        }
    }

    fn knows(&mut self, name: &str) -> bool {
        if let Some(is_known) = self.is_known.get(name) {
            return *is_known;
        }
        let is_known = time_zone(name).is_some();
        if self.is_known.len() < NAMES_KEPT_MAX {
            self.is_known.insert(name.to_owned(), is_known);
        }
        is_known
    }
}
