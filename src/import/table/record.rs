//! One record of a table: its cells and where it stands.

use csv::StringRecord;

use crate::validate::Fault;

use super::scan::RecordSpan;

/// A record of a CSV, or a row of a sheet.
#[derive(Debug, Clone)]
pub(in crate::import) struct Record {
    /// Where it stands.
    pub(in crate::import) span: RecordSpan,
    /// Its cells, in the columns' order.
    pub(in crate::import) cells: StringRecord,
    /// What is wrong with a cell before anybody asks what it is for: the cell's place, and why.
    pub(in crate::import) faults: Vec<(usize, Fault)>,
}

impl Record {
    pub(in crate::import) fn new() -> Record {
        Record { span: RecordSpan::at(1), cells: StringRecord::new(), faults: Vec::new() }
    }

    /// The cells that have more than white space.
    pub(in crate::import) fn filled(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().map(str::trim).filter(|cell| !cell.is_empty())
    }
}
