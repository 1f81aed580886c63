//! A file that is refused as a whole.

use std::fmt;
use std::io;

use crate::validate::mask_cell;

/// Why a file is refused as a whole: nothing of it is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRefused {
    /// The file's name as it was given.
    pub file: String,
    /// All that is wrong with it; at least one.
    pub faults: Vec<FileFault>,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column's header.
    pub column: Option<String>,
    /// What was found, and what was expected.
    pub reason: String,
    /// What the operator can do.
    pub fix: String,
    /// Where it is the last fault of a header: flags that take the whole of it, one line for each choice there is.
    pub whole_header: Vec<HeaderFlags>,
}

/// Flags that take a whole header, to be copied as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFlags {
    /// The column that is taken for the phone number; `None` where that is not in question.
    pub number: Option<String>,
    /// The flags, quoted for a shell.
    pub line: String,
}

impl FileFault {
    /// A fault of the whole file; both texts are lower-case fragments.
    pub fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        FileFault { line: None, column: None, reason: reason.into(), fix: fix.into(), whole_header: Vec::new() }
    }

    pub(super) fn at_line(self, line: u32) -> Self {
        FileFault { line: Some(line), ..self }
    }

    pub(super) fn in_column(self, column: &str) -> Self {
        FileFault { column: Some(column.to_owned()), ..self }
    }

    pub(super) fn unreadable(error: &io::Error) -> Self {
        FileFault::new(format!("it cannot be read: {error}"), "check its path, its permissions and the disk")
    }

    pub(super) fn changed() -> Self {
        FileFault::new("its content changed while it was read", "wait until whoever writes it is done, and start again")
    }

    pub(super) fn in_file(self, file: &str) -> FileRefused {
        FileRefused { file: file.to_owned(), faults: vec![self] }
    }
}

impl fmt::Display for FileRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is refused", self.file.escape_debug())?;
        match self.faults.as_slice() {
            [fault] => write!(f, ": {fault}"),
            faults => faults.iter().try_for_each(|fault| write!(f, "\n{fault}")),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column `{}`: ", mask_cell(column))?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, Some(column)) => write!(f, "column `{}`: ", mask_cell(column))?,
            (None, None) => {}
        }
        write!(f, "{}\nhint: {}", self.reason, self.fix)?;
        self.whole_header.iter().try_for_each(|flags| match &flags.number {
            None => write!(f, "\nhint: for the whole header: {}", flags.line),
            Some(number) => write!(f, "\nhint: for the whole header, with the number in `{number}`: {}", flags.line),
        })
    }
}

impl std::error::Error for FileRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_and_a_number_for_a_header_is_masked() {
        let seat = FileFault::new("it maps to nothing", "map it").at_line(1).in_column("Seat");
        let number = FileFault::new("it maps to nothing", "map it").at_line(1).in_column("12515550130");
        assert_eq!(
            seat.clone().in_file("a.csv").to_string(),
            "`a.csv` is refused: line 1, column `Seat`: it maps to nothing\nhint: map it"
        );
        let both = FileRefused { file: "a.csv".to_owned(), faults: vec![seat, number] }.to_string();
        assert!(
            both.starts_with("`a.csv` is refused\nline 1, column `Seat`") && both.contains("`1251•••0130`"),
            "{both}"
        );
    }
}
