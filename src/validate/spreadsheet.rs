//! What spreadsheets write into a cell whose formula failed.

use super::fault::Fault;

const ERRORS: [&str; 10] =
    ["#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#GETTING_DATA"];

/// Whether a cell is nothing but a spreadsheet's error: nobody means to text that to a person.
#[must_use]
pub fn is_spreadsheet_error(cell: &str) -> bool {
    cell.starts_with('#') && ERRORS.contains(&cell.trim_end())
}

/// What is said of such a cell.
#[must_use]
pub fn spreadsheet_error() -> Fault {
    Fault::new("an error of the spreadsheet instead of a value", "mend the formula there, or write the value by hand")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_whole_cell() {
        assert!(is_spreadsheet_error("#N/A") && is_spreadsheet_error("#DIV/0! "));
        assert!(!is_spreadsheet_error("#1") && !is_spreadsheet_error("see #N/A") && !is_spreadsheet_error(""));
    }
}
