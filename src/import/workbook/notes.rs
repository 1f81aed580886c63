//! What is said of a sheet whose cells could be read in more than one way.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use calamine::{DataRef, Xlsx, XlsxCellReader};

use super::package::{Remarks, broken};
use super::reader::Tally;
use crate::import::note::Note;
use crate::import::refused::FileFault;
use crate::invocation::counted;

/// Cells by their column, counted from 0.
pub(in crate::import) type CellCounts = BTreeMap<usize, u64>;

/// What the operator should know about a sheet that was read.
pub(in crate::import) fn notes_on(tally: &Tally, padded: &CellCounts, remarks: Remarks) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |what: String, count: String, fix: &str| notes.push(Note::new(format!("{what}: {count}"), fix));
    if !tally.dates.is_empty() {
        let what = format!("dates are read in ISO form, as `{}`", tally.first_date);
        let fix = "if another form is wanted, format the column as Text and fill it in again";
        note(what, by_column(&tally.dates), fix);
    }
    if !padded.is_empty() {
        let what = "numbers that are shown with zeros before them are read without these".to_owned();
        note(what, by_column(padded), "if the zeros are meant, format the column as Text and fill it in again");
    }
    if tally.formulas > 0 {
        note(
            "formulas are read as the values that were saved with them".to_owned(),
            counted(tally.formulas, "cell"),
            "",
        );
    }
    if remarks.hidden_rows > 0 {
        let what = "rows that are hidden, by a filter or by hand, are read all the same".to_owned();
        let fix = "if they are not meant, copy the rows that are shown to a sheet of their own";
        note(what, counted(remarks.hidden_rows, "row"), fix);
    }
    if remarks.merged_ranges > 0 {
        let what = "merged ranges have a value in their first cell only".to_owned();
        note(what, counted(remarks.merged_ranges, "range"), "unmerge them, and fill in each cell");
    }
    notes
}

/// Numbers to which their format alone gives zeros at the front, such as `00000` to a postal code.
///
/// The sheet is read once more for that, and only where the workbook has such a format.
pub(in crate::import) fn padded_numbers<RS: Read + Seek>(
    book: &mut Xlsx<RS>,
    sheet: &str,
) -> Result<CellCounts, FileFault> {
    let mut reader = book.worksheet_cells_reader(sheet).map_err(|error| broken(&error))?;
    let least = least_numbers(&reader);
    let mut counts = CellCounts::new();
    if least.iter().all(|least| *least <= 0.0) {
        return Ok(counts);
    }
    while let Some((cell, style)) = reader.next_cell_with_style_id().map_err(|error| broken(&error))? {
        let (_, column) = cell.get_position();
        if let (DataRef::Float(number), Some(least)) = (cell.get_value(), least.get(style))
            && number.abs() < *least
        {
            *counts.entry(column as usize).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Of each style, the least number to which it gives no zeros; 0 where it gives none to any.
fn least_numbers<RS: Read + Seek>(reader: &XlsxCellReader<'_, RS>) -> Vec<f64> {
    let least = |code: &str| match code.bytes().take_while(|byte| *byte == b'0').count() {
        0 | 1 => 0.0,
        zeros => 10_f64.powi(i32::try_from(zeros - 1).unwrap_or(i32::MAX)),
    };
    let styles = reader.styles().iter();
    styles.map(|style| style.number_format.as_ref().map_or(0.0, |format| least(&format.format_code))).collect()
}

/// Columns that a note names.
const COLUMNS_NAMED_MAX: usize = 5;

fn by_column(counts: &CellCounts) -> String {
    let named = counts.iter().take(COLUMNS_NAMED_MAX);
    let named: Vec<_> =
        named.map(|(column, count)| format!("{} in column `{}`", counted(*count, "cell"), letters(*column))).collect();
    let more = if counts.len() > COLUMNS_NAMED_MAX { " …" } else { "" };
    format!("{}{more}", named.join(", "))
}

/// The letters over a column, of which the first has the index 0: `A`, `AB`.
pub(in crate::import) fn letters(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[column % 26]));
        if column < 26 {
            break;
        }
        column = column / 26 - 1;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_letters_that_a_spreadsheet_shows() {
        for (column, shown) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")] {
            assert_eq!(letters(column), shown);
        }
    }
}
