//! The problems of rows, grouped by cause: what is wrong, where, and what to do about it.

use std::fmt::Write;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::mapping_table::header_shown;
use super::output::{counted, grouped};
use crate::import::{Judgement, ProblemGroup, ProblemPlace};
use crate::validate::{ShownCell, mask_cell};

/// Groups that are told on a screen; `--json` has all of them.
const GROUPS_TOLD_MAX: usize = 20;

/// Columns to the left of a cell: they hold `line` and its number.
const MARGIN_WIDTH: usize = 13;

/// A group in the documented object.
pub(super) fn json_of(group: &ProblemGroup) -> Value {
    json!({
        "line": group.first.first().map(|place| place.line),
        "column": header_shown(&group.column),
        "reason": group.reason,
        "fix": group.fix,
        "count": group.count,
        "first": group.first.iter().map(json_of_place).collect::<Vec<_>>(),
    })
}

fn json_of_place(place: &ProblemPlace) -> Value {
    json!({
        "line": place.line,
        "cell": place.cell.as_ref().map(|cell| cell.text.as_str()),
        "caret": place.cell.as_ref().map(|cell| [cell.caret.start, cell.caret.end]),
        "earlierLine": place.earlier,
    })
}

/// The groups, one below the other.
pub(super) fn text_of(judgement: &Judgement) -> String {
    let mut text = String::new();
    for group in judgement.problems.iter().take(GROUPS_TOLD_MAX) {
        text.push('\n');
        push_group(&mut text, group);
    }
    let untold = judgement.problems.len().saturating_sub(GROUPS_TOLD_MAX) as u64 + judgement.more_problems;
    if untold > 0 {
        let _ = writeln!(text, "\nand {} more; `--json` lists them", counted(untold, "kind of problem"));
    }
    text
}

fn push_group(text: &mut String, group: &ProblemGroup) {
    let column = match group.column.as_str() {
        "" => String::new(),
        header => format!("column `{}`: ", mask_cell(header)),
    };
    let _ = writeln!(text, "{}: {column}{}", counted(group.count, "row"), group.reason);
    for place in &group.first {
        push_place(text, place);
    }
    let more = group.count - group.first.len() as u64;
    if more > 0 {
        let _ = writeln!(text, "  and {} more", grouped(i64::try_from(more).unwrap_or(i64::MAX)));
    }
    let _ = writeln!(text, "hint: {}", group.fix);
}

fn push_place(text: &mut String, place: &ProblemPlace) {
    let margin = format!("  line {}", place.line);
    match (&place.cell, place.earlier) {
        (Some(cell), _) if !cell.text.is_empty() => {
            let width = MARGIN_WIDTH.max(margin.len() + 2);
            let _ = writeln!(text, "{margin:width$}{}\n{:width$}{}", cell.text, "", carets(cell));
        }
        (Some(_), _) => {
            let _ = writeln!(text, "{margin}: the cell is empty");
        }
        (None, Some(earlier)) => {
            let _ = writeln!(text, "{margin}, as line {earlier}");
        }
        (None, None) => {
            let _ = writeln!(text, "{margin}");
        }
    }
}

/// The line below a cell that points at its fault.
fn carets(cell: &ShownCell) -> String {
    let part = |from: usize, to: usize| cell.text.chars().skip(from).take(to - from).collect::<String>();
    let before = part(0, cell.caret.start).width();
    let length = part(cell.caret.start, cell.caret.end).width().max(1);
    format!("{}{}", " ".repeat(before), "^".repeat(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointed(cell: &str, span: std::ops::Range<usize>) -> String {
        carets(&ShownCell::new(cell, false, Some(&span)))
    }

    #[test]
    fn carets_stand_below_what_they_point_at() {
        assert_eq!(pointed("ab${x}", 2..6), "  ^^^^");
        assert_eq!(pointed("\u{7}", 0..1), "^");
    }

    #[test]
    fn carets_keep_their_place_below_wide_and_combining_characters() {
        assert_eq!(pointed("\u{6771}\u{4eac}x", 2..3), "    ^");
        assert_eq!(pointed("e\u{301}x", 2..3), " ^");
        assert_eq!(pointed("\u{6771}", 0..1), "^^");
    }
}
