//! What is wrong with a cell, and how it is said.

use std::borrow::Cow;
use std::ops::Range;

use crate::invocation::mask_phone;

use super::shown::{ShownCell, hide_numbers_in_text, is_like_a_phone, is_no_number};

/// What is wrong and how to mend it, without saying where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Why; holds no data of the row, so that equal faults can be counted together.
    pub reason: Cow<'static, str>,
    /// What the operator can do.
    pub fix: Cow<'static, str>,
    /// The characters of the cell that are at fault; `None`: all of them.
    pub span: Option<Range<usize>>,
}

/// What is wrong with one cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The operator's own header, or the path in a JSON row.
    pub column: String,
    /// The raw text; `None` where there is no cell to show. For people see [`Problem::shown_cell`].
    pub cell: Option<String>,
    /// The characters of the cell that are at fault; `None`: all of them.
    pub span: Option<Range<usize>>,
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
pub(super) const LIKE_A_PHONE: usize = 7;

/// Characters of a cell that are shown.
const SHOWN_CHARS: usize = 60;

/// The text in one short line, with the middle of what looks like a phone number hidden.
///
/// Serves cells of every column, and headers: a row shifted by one cell has its number elsewhere, and a file without
/// a header line has numbers for headers.
#[must_use]
pub fn mask_cell(text: &str) -> String {
    if is_like_a_phone(text) {
        return mask_phone(text.trim());
    }
    let mut chars: Vec<char> = text.chars().collect();
    if !is_no_number(text) {
        hide_numbers_in_text(&mut chars);
    }
    let mut shown: String = chars.iter().take(SHOWN_CHARS).copied().flat_map(escaped).collect();
    if chars.len() > SHOWN_CHARS {
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
        Fault { reason: reason.into(), fix: fix.into(), span: None }
    }

    /// The fault of these characters only.
    #[must_use]
    pub(super) fn under(self, span: Range<usize>) -> Self {
        Fault { span: Some(span), ..self }
    }

    /// The fault of a part as one of the whole text that it was cut out of.
    #[must_use]
    pub(super) fn within(self, whole: &str, part: &str) -> Self {
        let before = whole.find(part).map_or(0, |at| whole[..at].chars().count());
        let span = self.span.map(|span| span.start + before..span.end + before);
        Fault { span, ..self }
    }

    /// The fault in a place.
    #[must_use]
    pub fn at(self, column: &str, cell: Option<&str>) -> Problem {
        Problem {
            column: column.to_owned(),
            cell: cell.map(str::to_owned),
            span: self.span,
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
    /// The cell as people may see it, with the place of the fault.
    #[must_use]
    pub fn shown_cell(&self) -> Option<ShownCell> {
        self.cell.as_deref().map(|cell| ShownCell::new(cell, self.is_phone, self.span.as_ref()))
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
        let shown = |problem: Problem| problem.shown_cell().expect("a cell").text;
        assert_eq!(shown(Fault::new("x", "x").at_phone("Mobile", Some("12515550130x"))), "1251•••0130x");
        for shifted in ["12515550130", "+1 (251) 555-0130", "\u{ff11}2515550130"] {
            let shifted = shown(Fault::new("x", "x").at("mobileOperatorId", Some(shifted)));
            assert!(shifted.contains("•••"), "{shifted}");
        }
        for (text, shown) in [
            ("tel12515550132", "tel1251•••0132"),
            ("ID_12515550133x", "ID_1251•••0133x"),
            ("MJHF787679", "MJHF787679"),
            ("2026-07-01", "2026-07-01"),
            ("2026-07-01 09:30:00.000", "2026-07-01 09:30:00.000"),
        ] {
            assert_eq!(mask_cell(text), shown);
        }
        assert_eq!(shown(Fault::new("x", "x").at_phone("Mobile", Some(""))), "");
    }

    #[test]
    fn a_cell_is_shown_in_one_short_line() {
        assert_eq!(mask_cell("a\nb\0"), "a\\nb\\u{0}");
        assert_eq!(mask_cell(&"é".repeat(70)).chars().count(), 61);
    }
}
