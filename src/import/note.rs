//! What is said of a file although nothing is wrong with it.

/// Something about a file, or about how it was read, that its operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line that it is about, from 1; `None`: the whole file.
    pub line: Option<u32>,
    /// What was found, and what was made of it.
    pub text: String,
    /// What the operator can do where that is wrong; empty where there is nothing to do.
    pub fix: String,
}

impl Note {
    pub(super) fn new(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Note { line: None, text: text.into(), fix: fix.into() }
    }

    pub(super) fn at_line(self, line: u32) -> Self {
        Note { line: Some(line), ..self }
    }
}
