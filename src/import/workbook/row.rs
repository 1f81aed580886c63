//! A row of a sheet as it is written down between the two readings of a workbook.

use serde::{Deserialize, Serialize};

use crate::validate::Fault;

/// A row that has any cell; one is written as a line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::import) struct SheetRow {
    /// Its number in the sheet, from 1.
    pub(in crate::import) row: u32,
    /// The text of its cells from column A up to the last one that is not empty.
    pub(in crate::import) cells: Vec<String>,
    /// What is wrong with a cell, by its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::import) faults: Vec<(usize, CellFault)>,
}

/// Why a cell of a sheet has no text that could be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::import) enum CellFault {
    /// A whole number with more digits than a spreadsheet keeps.
    LostDigits,
    /// What is no finite number.
    NoNumber,
    /// A date outside the calendar of spreadsheets.
    NoDate,
    /// A formula that was never calculated.
    NoResult,
}

impl CellFault {
    /// The fault in words.
    pub(in crate::import) fn told(self) -> Fault {
        let (reason, fix) = match self {
            CellFault::LostDigits => (
                "a number with more than 15 digits, of which the spreadsheet keeps 15",
                "format the column as Text, fill in the numbers again and save",
            ),
            CellFault::NoNumber => ("no finite number", "correct the cell, or empty it"),
            CellFault::NoDate => ("a date outside the years 1900 to 9999", "correct the cell, or format it as Text"),
            CellFault::NoResult => (
                "a formula whose result is not in the file",
                "open it in the spreadsheet program, let it calculate and save",
            ),
        };
        Fault::new(reason, fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_its_cells_hold() {
        let row = SheetRow {
            row: 7,
            cells: vec!["a\nb\"".to_owned(), String::new(), "=A1".to_owned()],
            faults: vec![(2, CellFault::NoResult)],
        };
        let line = serde_json::to_string(&row).expect("JSON");
        assert_eq!(line, r#"{"row":7,"cells":["a\nb\"","","=A1"],"faults":[[2,"no-result"]]}"#);
        assert_eq!(serde_json::from_str::<SheetRow>(&line).expect("a row"), row);
    }
}
