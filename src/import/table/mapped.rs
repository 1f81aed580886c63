//! The mapping of a file's columns, as it is shown and kept.

use csv::StringRecord;

use crate::validate::sample_of;

/// Rows whose first filled cell is taken for a sample: a column that is empty in all of them is shown without one.
const SAMPLED_ROWS: usize = 50;

/// A column and what it is mapped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedColumn {
    /// The operator's header, or the path of a JSON property.
    pub header: String,
    /// The target; `None` where the column is left out.
    pub target: Option<String>,
    /// The first filled cell, short and masked.
    pub sample: Option<String>,
}

/// The first filled cells of a table's columns.
#[derive(Debug, Default)]
pub(in crate::import) struct Samples {
    cells: Vec<Option<String>>,
    rows: usize,
}

impl Samples {
    /// Looks at a row, unless enough have been seen.
    pub(in crate::import) fn look_at(&mut self, cells: &StringRecord, is_phone: impl Fn(usize) -> bool) {
        if self.rows == SAMPLED_ROWS {
            return;
        }
        self.rows += 1;
        self.cells.resize(self.cells.len().max(cells.len()), None);
        for (place, (sample, cell)) in self.cells.iter_mut().zip(cells).enumerate() {
            if sample.is_none() && !cell.trim().is_empty() {
                *sample = Some(sample_of(cell, is_phone(place)));
            }
        }
    }

    /// The sample of a column.
    pub(in crate::import) fn of(&self, place: usize) -> Option<&str> {
        self.cells.get(place)?.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_first_filled_cell_and_no_number_in_full() {
        let mut samples = Samples::default();
        for row in [["12515550130", " "], ["x", "7A"], ["y", "8B"]] {
            samples.look_at(&StringRecord::from(row.to_vec()), |place| place == 0);
        }
        assert_eq!((samples.of(0), samples.of(1), samples.of(2)), (Some("1251•••0130"), Some("7A"), None));
    }
}
