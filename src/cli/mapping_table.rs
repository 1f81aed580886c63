//! The mapping of a file's columns as a table: the operator's header, where it goes, and a sample to see that it is right.

use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::counted;
use crate::import::MappedColumn;
use crate::validate::{is_like_a_phone, mask_cell};

/// Columns that are told on a screen; `--json` has all of them.
const COLUMNS_TOLD_MAX: usize = 40;

/// A screen's 80 columns without the margin and the spaces between.
const CELLS_WIDTH: usize = 74;

const LEFT_OUT: &str = "(left out)";

/// A column in the documented object.
pub(super) fn json_of(column: &MappedColumn) -> Value {
    json!({ "header": header_shown(&column.header), "target": column.target, "sample": column.sample })
}

/// A header for a program to read: as it is, unless it is somebody's number.
pub(super) fn header_shown(header: &str) -> String {
    if is_like_a_phone(header) { mask_cell(header) } else { header.to_owned() }
}

/// The table; nothing where no column is known.
pub(super) fn text_of(mapping: &[MappedColumn]) -> String {
    if mapping.is_empty() {
        return String::new();
    }
    let mut lines = vec![["column".to_owned(), "goes to".to_owned(), "sample".to_owned()]];
    lines.extend(mapping.iter().take(COLUMNS_TOLD_MAX).map(|column| {
        [
            mask_cell(&column.header),
            column.target.as_deref().unwrap_or(LEFT_OUT).to_owned(),
            column.sample.clone().unwrap_or_default(),
        ]
    }));
    let width = |of: usize| lines.iter().map(|line| line[of].width()).max().unwrap_or(0);
    let left = CELLS_WIDTH.saturating_sub(width(2));
    let targets = width(1).min(left - width(0).min(left / 2));
    let headers = width(0).min(left - targets);
    let mut text = String::new();
    for [header, target, sample] in &lines {
        let line = format!("  {}  {}  {sample}", fitted(header, headers), fitted(target, targets));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let untold = mapping.len().saturating_sub(COLUMNS_TOLD_MAX);
    if untold > 0 {
        text.push_str(&format!("  and {} more\n", counted(untold as u64, "column")));
    }
    text
}

/// A text of exactly this width: with spaces behind it, or with its end cut off.
fn fitted(text: &str, width: usize) -> String {
    let mut fitted = text.to_owned();
    if text.width() > width {
        fitted.clear();
        let has_room = |fitted: &str, c: char| fitted.width() + c.width().unwrap_or(0) < width;
        for c in text.chars() {
            if !has_room(&fitted, c) {
                break;
            }
            fitted.push(c);
        }
        fitted.push('…');
    }
    fitted.push_str(&" ".repeat(width.saturating_sub(fitted.width())));
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_a_screen_whatever_the_headers() {
        let column = |header: &str, target: Option<&str>| MappedColumn {
            header: header.to_owned(),
            target: target.map(str::to_owned),
            sample: Some("x".repeat(20)),
        };
        let long = "\u{6771}".repeat(50);
        let mapping = [column(&long, Some(&long)), column("12515550130", None)];
        let text = text_of(&mapping);
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        assert!(text.contains("1251•••0130") && text.contains(LEFT_OUT), "{text}");
        assert_eq!(text_of(&[]), "");
    }
}
