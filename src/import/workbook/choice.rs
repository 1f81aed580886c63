//! Which sheet of a workbook is read: a wrong one texts the wrong people.

use std::fmt;
use std::fmt::Write;
use std::io::{Read, Seek};
use std::str::FromStr;

use calamine::{Reader, SheetType, SheetVisible, Xlsx};

use crate::validate::mask_cell;

use super::reader::SheetReader;
use crate::import::note::Note;
use crate::import::refused::FileFault;
use crate::invocation::counted;

/// What an operator says about the sheet: its name, or its number among the tabs that are shown, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetChoice(String);

/// The sheet to read.
#[derive(Debug)]
pub(in crate::import) struct Chosen {
    /// Its place in the workbook, hidden sheets and charts counted.
    pub(in crate::import) place: usize,
    /// Its name.
    pub(in crate::import) name: String,
}

/// A sheet as its tab shows it.
#[derive(Debug, Clone)]
struct Tab {
    place: usize,
    name: String,
    is_shown: bool,
    has_cells: bool,
}

/// The sheet that the operator names, else the only one that has cells; `None` where none has any.
pub(in crate::import) fn choose<RS: Read + Seek>(
    book: &mut Xlsx<RS>,
    choice: Option<&SheetChoice>,
    notes: &mut Vec<Note>,
) -> Result<Option<Chosen>, FileFault> {
    let mut tabs = tabs(book);
    if let Some(choice) = choice {
        return choice.among(&tabs).map(|tab| Some(tab.chosen()));
    }
    for tab in tabs.iter_mut().filter(|tab| tab.is_shown && tab.has_cells) {
        tab.has_cells = SheetReader::open(book, &tab.name)?.next_row()?.is_some();
    }
    let hidden: Vec<&Tab> = tabs.iter().filter(|tab| !tab.is_shown).collect();
    let filled: Vec<&Tab> = tabs.iter().filter(|tab| tab.is_shown && tab.has_cells).collect();
    match filled.as_slice() {
        [] if hidden.is_empty() => Ok(None),
        [] => Err(FileFault::new(
            format!("the sheets that are shown are empty; hidden: {}", listed(&hidden)),
            "if it is a hidden one, name it with `--sheet NAME`",
        )),
        [one] => {
            let empty: Vec<&Tab> = tabs.iter().filter(|tab| tab.is_shown && !tab.has_cells).collect();
            for (what, others) in [("hidden", hidden), ("empty", empty)] {
                if !others.is_empty() {
                    let text = format!("not read, because it is {what}: {}", listed(&others));
                    notes.push(Note::new(text, "`--sheet NAME` reads another sheet"));
                }
            }
            Ok(Some(one.chosen()))
        }
        [first, ..] => {
            let fix = format!("say which is meant, as in `--sheet '{}'`", mask_cell(&first.name));
            Err(FileFault::new(format!("several sheets have cells{}", described(book, &filled)?), fix))
        }
    }
}

/// All that can hold rows, in the workbook's order; a sheet that is shown may turn out to be empty.
fn tabs<RS: Read + Seek>(book: &Xlsx<RS>) -> Vec<Tab> {
    let sheets = book.sheets_metadata().iter().enumerate();
    sheets
        .map(|(place, sheet)| Tab {
            place,
            name: sheet.name.clone(),
            is_shown: sheet.visible == SheetVisible::Visible,
            has_cells: sheet.typ == SheetType::WorkSheet,
        })
        .collect()
}

impl Tab {
    fn chosen(&self) -> Chosen {
        Chosen { place: self.place, name: self.name.clone() }
    }
}

impl SheetChoice {
    fn among<'a>(&self, tabs: &'a [Tab]) -> Result<&'a Tab, FileFault> {
        let by_name = tabs.iter().find(|tab| tab.name == self.0);
        let by_any_case = || tabs.iter().find(|tab| tab.name.to_lowercase() == self.0.to_lowercase());
        let by_number = || {
            let number: usize = self.0.parse().ok()?;
            tabs.iter().filter(|tab| tab.is_shown).nth(number.checked_sub(1)?)
        };
        match by_name.or_else(by_any_case).or_else(by_number) {
            Some(tab) if tab.has_cells => Ok(tab),
            Some(tab) => Err(FileFault::new(
                format!("`{}` is a chart and has no cells", mask_cell(&tab.name)),
                "name another sheet with `--sheet`",
            )),
            None => {
                let all: Vec<&Tab> = tabs.iter().collect();
                let reason = format!("no sheet `{}`; found {}", mask_cell(&self.0), listed(&all));
                Err(FileFault::new(reason, "correct the `--sheet`: a name, or a number from 1"))
            }
        }
    }
}

impl fmt::Display for SheetChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SheetChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("expected the name of a sheet, or its number from 1".to_owned());
        }
        Ok(SheetChoice(text.to_owned()))
    }
}

/// Sheets that an error lists.
const LISTED_MAX: usize = 20;
/// Cells of a sheet's first row that an error shows: enough to recognise it by.
const SHOWN_CELLS: usize = 4;

fn listed(tabs: &[&Tab]) -> String {
    let shown: Vec<_> = tabs.iter().take(LISTED_MAX).map(|tab| format!("`{}`", mask_cell(&tab.name))).collect();
    let more = if tabs.len() > LISTED_MAX { " …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A line for each sheet, with its rows and how it begins.
fn described<RS: Read + Seek>(book: &mut Xlsx<RS>, tabs: &[&Tab]) -> Result<String, FileFault> {
    let mut text = String::new();
    for tab in tabs.iter().take(LISTED_MAX) {
        let mut reader = SheetReader::open(book, &tab.name)?;
        let first = reader.next_row()?.unwrap_or_default();
        while reader.next_row()?.is_some() {}
        let cells = first.cells.iter().filter(|cell| !cell.trim().is_empty()).take(SHOWN_CELLS);
        let cells: Vec<_> = cells.map(|cell| format!("`{}`", mask_cell(cell))).collect();
        let rows = counted(reader.tally().rows, "row");
        let _ = write!(text, "\n  `{}`: {rows}, the first begins {}", mask_cell(&tab.name), cells.join(", "));
    }
    Ok(text)
}
