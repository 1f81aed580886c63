//! How the bytes of a file are read, where its operator says it and it is not to be found out.

use super::table::delimiter::Delimiter;
use super::text::encoding::TextEncoding;
use super::workbook::choice::SheetChoice;

/// What an operator says about the bytes of a file. Nothing said: it is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// How its text is encoded; a byte order mark beats it.
    pub encoding: Option<TextEncoding>,
    /// What stands between its cells; it beats a `sep=` line.
    pub delimiter: Option<Delimiter>,
    /// The sheet of a workbook; other files have none.
    pub sheet: Option<SheetChoice>,
}
