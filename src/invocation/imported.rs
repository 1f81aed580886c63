//! A row on its way from a file into a batch.

/// One row of the input, judged: every row of the file becomes exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRow {
    /// The line of the file at which the row starts, or the element's number in a JSON array; from 1, each once.
    pub line: u32,
    /// What became of it.
    pub content: RowContent,
}

/// What became of a row of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowContent {
    /// It can be sent.
    Ready {
        /// The request's body, byte for byte as it will be sent.
        body: String,
        /// The cleaned phone number: 6 to 16 digits.
        phone: u64,
        /// The recipient's time zone, as given.
        time_zone: Option<String>,
    },
    /// This tool refuses it.
    Refused {
        /// Why, in one line that begins with `not sent:`.
        message: String,
        /// The cells as they came.
        cells: Vec<Cell>,
    },
}

/// A cell of a refused row, kept as it came so that the row can be shown, mended and tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What the column is mapped to (`phoneNumber`, `session.seat`, `session.flight:number`).
    pub column: String,
    /// The raw text.
    pub text: String,
}
