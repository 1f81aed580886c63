//! A sheet of a workbook, row by row.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use calamine::{DataRef, Xlsx, XlsxCellFormulaMetadataRecord, XlsxCellReader, XlsxFormulaMetadata};

use super::cell::{CellText, cell_text};
use super::notes::letters;
use super::package::broken;
use super::row::{CellFault, SheetRow};
use crate::import::limits::{COLUMNS_MAX, SHEET_COLUMNS_MAX};
use crate::import::refused::FileFault;

/// Reads a sheet's rows that have more than empty cells.
pub(in crate::import) struct SheetReader<'a, RS: Read + Seek> {
    cells: XlsxCellReader<'a, RS>,
    /// The first cell of the next row.
    ahead: Option<XlsxCellFormulaMetadataRecord<'a>>,
    tally: Tally,
}

/// What was read of a sheet so far.
#[derive(Debug, Default)]
pub(in crate::import) struct Tally {
    /// Rows with more than empty cells.
    pub(in crate::import) rows: u64,
    /// Formulas whose results were read.
    pub(in crate::import) formulas: u64,
    /// Dates in each column that has any.
    pub(in crate::import) dates: BTreeMap<usize, u64>,
    /// The first of them, as it is read.
    pub(in crate::import) first_date: String,
}

impl<'a, RS: Read + Seek> SheetReader<'a, RS> {
    /// Begins to read a sheet, whose name is one of the workbook's.
    pub(in crate::import) fn open(book: &'a mut Xlsx<RS>, sheet: &str) -> Result<Self, FileFault> {
        let mut cells = book.worksheet_cells_reader(sheet).map_err(|error| broken(&error))?;
        let ahead = cells.next_cell_with_formula_metadata().map_err(|error| broken(&error))?;
        Ok(SheetReader { cells, ahead, tally: Tally::default() })
    }

    /// The next row; `None` behind the last.
    pub(in crate::import) fn next_row(&mut self) -> Result<Option<SheetRow>, FileFault> {
        while let Some(first) = self.ahead.take() {
            let row = self.row_from(first)?;
            if row.cells.iter().any(|cell| !cell.trim().is_empty()) {
                self.tally.rows += 1;
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    pub(in crate::import) fn tally(&self) -> &Tally {
        &self.tally
    }

    fn row_from(&mut self, first: XlsxCellFormulaMetadataRecord<'a>) -> Result<SheetRow, FileFault> {
        let (index, _) = first.pos;
        let mut row = SheetRow { row: index.saturating_add(1), ..SheetRow::default() };
        let mut next = Some(first);
        let mut least_column = 0;
        while let Some(cell) = next.take_if(|cell| cell.pos.0 == index) {
            let column = cell.pos.1 as usize;
            if column < least_column || column >= SHEET_COLUMNS_MAX {
                return Err(out_of_order(row.row));
            }
            least_column = column + 1;
            self.put(&mut row, column, cell)?;
            next = self.cells.next_cell_with_formula_metadata().map_err(|error| broken_in(row.row, &error))?;
        }
        if next.as_ref().is_some_and(|cell| cell.pos.0 < index) {
            return Err(out_of_order(row.row));
        }
        self.ahead = next;
        let filled = row.cells.iter().rposition(|cell| !cell.trim().is_empty());
        row.cells.truncate(filled.map_or(0, |last| last + 1));
        Ok(row)
    }

    fn put(
        &mut self,
        row: &mut SheetRow,
        column: usize,
        cell: XlsxCellFormulaMetadataRecord<'a>,
    ) -> Result<(), FileFault> {
        let has_result = cell.value != DataRef::Empty;
        let text = match (cell_text(cell.value), &cell.formula) {
            (Some(text), _) => text,
            (None, Some(formula)) => CellText::Faulty(format!("={}", text_of(formula)), CellFault::NoResult),
            (None, None) => return Ok(()),
        };
        if column >= COLUMNS_MAX {
            // One cell far to the right would make each row of the text as long as the sheet is wide.
            return if text.is_blank() { Ok(()) } else { Err(too_wide(row.row, column)) };
        }
        self.tally.formulas += u64::from(has_result && cell.formula.is_some());
        row.cells.resize(column, String::new());
        row.cells.push(match text {
            CellText::Text(text) => text,
            CellText::Date(text) => {
                if self.tally.dates.is_empty() {
                    self.tally.first_date.clone_from(&text);
                }
                *self.tally.dates.entry(column).or_default() += 1;
                text
            }
            CellText::Faulty(text, fault) => {
                row.faults.push((column, fault));
                text
            }
        });
        Ok(())
    }
}

fn text_of(formula: &XlsxFormulaMetadata) -> &str {
    match formula {
        XlsxFormulaMetadata::Normal { formula } | XlsxFormulaMetadata::Shared { formula, .. } => formula,
        // It follows the formula of another cell and has no text of its own.
        XlsxFormulaMetadata::SharedDerived { .. } | _ => "",
    }
}

fn out_of_order(row: u32) -> FileFault {
    broken(&"its cells are not in order").at_line(row)
}

fn too_wide(row: u32, column: usize) -> FileFault {
    let reason = format!("a cell in column `{}`; expected at most {COLUMNS_MAX} columns", letters(column));
    FileFault::new(reason, "delete the columns that are not needed, and save").at_line(row)
}

/// What cannot be read lies in this row or behind it: the crate does not say where.
fn broken_in(row: u32, error: &calamine::XlsxError) -> FileFault {
    broken(&format!("{error} (near row {row})"))
}
