//! How large the parts of a file may be.

/// The longest record, or JSON element, in bytes: it is held in memory whole, and the vendor's requests have a few hundred.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// The longest cell in bytes: far beyond any value, so that what is stored of a refused row stays small.
pub const CELL_BYTES_MAX: usize = 1 << 16;

/// The most columns, or properties of a JSON row: headers are compared with one another.
pub const COLUMNS_MAX: usize = 1000;

/// The most rows: twice the largest campaign that the status figures are measured with; lines and counts are 32 bits wide.
pub const ROWS_MAX: u64 = 10_000_000;

/// The most lines of a suppression list: its numbers are held in memory, 40 MB of them.
pub const SUPPRESSED_MAX: usize = 5_000_000;

/// The deepest nesting of a JSON row: the API's own body has three levels.
pub const JSON_DEPTH_MAX: usize = 16;

/// The most bytes that a gzip or a workbook may unpack to, a sheet's text may have, and a pipe may give, for they fill a
/// temporary file: ten million rows of 800 bytes. Eight packed megabytes can hold as much.
pub(super) const UNPACKED_BYTES_MAX: u64 = 1 << 33;

/// Records among which the header is looked for, for titles above it are few; those below it tell what its columns hold.
pub(super) const FIRST_RECORDS: usize = 11;

/// Bytes that are read at once.
pub(super) const CHUNK_BYTES: usize = 1 << 16;

/// The most bytes of a workbook's table of strings, which is held in memory: twice that of a full sheet with ten columns of
/// short ones.
pub(super) const SHARED_STRINGS_BYTES_MAX: u64 = 512 << 20;

/// The longest piece of XML without a tag's end, in bytes: each is held in memory whole. Spreadsheets have cells of 32,767
/// characters; it is what else may stand in a workbook, such as an embedded picture, that needs more.
pub(super) const XML_PIECE_BYTES_MAX: usize = 16 << 20;

/// The most columns of a sheet, Excel's own limit.
pub(super) const SHEET_COLUMNS_MAX: usize = 16_384;

/// Lines of a file of verdicts that are told as wrong, before what is behind them is only counted as more: a screen of them.
pub(super) const VERDICT_FAULTS_TOLD: usize = 10;
