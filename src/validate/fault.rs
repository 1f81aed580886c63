//! What is wrong with a cell, and how it is said.

use std::borrow::Cow;

use crate::invocation::mask_phone;

/// What is wrong and how to mend it, without saying where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Why; holds no data of the row, so that equal faults can be counted together.
    pub reason: Cow<'static, str>,
    /// What the operator can do.
    pub fix: Cow<'static, str>,
}

/// What is wrong with one cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The operator's own header, or the path in a JSON row.
    pub column: String,
    /// The raw text; `None` where there is no cell to show. For people see [`Problem::cell_masked`].
    pub cell: Option<String>,
    /// Whether the cell is meant to hold a phone number.
    pub is_phone: bool,
    /// Why; holds no data of the row.
    pub reason: String,
    /// What the operator can do.
    pub fix: String,
}

/// The refusal that is stored with a row: all its problems in one line, which begins with `not sent:`.
#[must_use]
pub fn refusal(problems: &[Problem]) -> String {
    format!("not sent: {}", reasons(problems))
}

/// What is wrong with a row, column by column, in one line.
#[must_use]
pub fn reasons(problems: &[Problem]) -> String {
    let reason = |problem: &Problem| match problem.column.as_str() {
        "" => problem.reason.clone(),
        column => format!("{}: {}", mask_cell(column), problem.reason),
    };
    problems.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// Digits from which on a text that has no letters is taken for a phone number.
const LIKE_A_PHONE: usize = 7;

/// Characters of a cell that are shown.
const SHOWN_CHARS: usize = 60;

/// The text in one short line, with its middle hidden if it looks like a phone number.
///
/// Serves cells of every column, and headers: a row shifted by one cell has its number elsewhere, and a file without
/// a header line has numbers for headers.
#[must_use]
pub fn mask_cell(text: &str) -> String {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    if digits >= LIKE_A_PHONE && !text.chars().any(char::is_alphabetic) {
        return mask_phone(text.trim());
    }
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(escaped).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let (escape, plain) = if c.is_control() { (Some(c.escape_default()), None) } else { (None, Some(c)) };
    escape.into_iter().flatten().chain(plain)
}

impl Fault {
    /// A fault; both texts are lower-case fragments.
    pub fn new(reason: impl Into<Cow<'static, str>>, fix: impl Into<Cow<'static, str>>) -> Self {
        Fault { reason: reason.into(), fix: fix.into() }
    }

    /// The fault in a place.
    #[must_use]
    pub fn at(self, column: &str, cell: Option<&str>) -> Problem {
        Problem {
            column: column.to_owned(),
            cell: cell.map(str::to_owned),
            is_phone: false,
            reason: self.reason.into_owned(),
            fix: self.fix.into_owned(),
        }
    }

    /// The fault in a cell that is meant to hold a phone number.
    #[must_use]
    pub fn at_phone(self, column: &str, cell: Option<&str>) -> Problem {
        Problem { is_phone: true, ..self.at(column, cell) }
    }
}

impl Problem {
    /// The cell as people may see it: a phone number with its middle hidden, anything else in one short line.
    #[must_use]
    pub fn cell_masked(&self) -> Option<String> {
        let masked = |cell: &str| match cell.trim() {
            "" => cell.to_owned(),
            number if self.is_phone => mask_phone(number),
            _ => mask_cell(cell),
        };
        self.cell.as_deref().map(masked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_every_column_and_begins_with_not_sent() {
        let problems = [
            Fault::new("too few digits", "x").at_phone("Mobile", Some("1")),
            Fault::new("holds `${`", "x").at("session.pin", Some("${x}")),
        ];
        assert_eq!(refusal(&problems), "not sent: Mobile: too few digits; session.pin: holds `${`");
    }

    #[test]
    fn a_phone_number_is_masked_in_whatever_column_it_stands() {
        let in_its_column = Fault::new("x", "x").at_phone("Mobile", Some("12515550130x"));
        assert_eq!(in_its_column.cell_masked().as_deref(), Some("1251•••130x"));
        for shifted in ["12515550130", "+1 (251) 555-0130", "\u{ff11}2515550130"] {
            let shown = Fault::new("x", "x").at("mobileOperatorId", Some(shifted)).cell_masked().expect("a cell");
            assert!(shown.contains("•••"), "{shown}");
        }
        assert_eq!(mask_cell("MJHF787679"), "MJHF787679");
        assert_eq!(Fault::new("x", "x").at_phone("Mobile", Some("")).cell_masked().as_deref(), Some(""));
    }

    #[test]
    fn a_cell_is_shown_in_one_short_line() {
        assert_eq!(mask_cell("a\nb\0"), "a\\nb\\u{0}");
        assert_eq!(mask_cell(&"é".repeat(70)).chars().count(), 61);
    }
}
