//! Reads a campaign file into judged rows.
//!
//! What is packed, no UTF-8 or a workbook is first written down as text in a temporary file. That text is read twice. The
//! first pass, [`Input::open`], surveys the whole of it: what it is, whether it can be read to its end, and its hash. The
//! second, [`Rows`], gives one judged row after another and ends with the assurance that the content was the same. Memory
//! does not grow with the file.

mod chunks;
mod constants;
mod earlier;
mod exclusions;
mod exported;
mod input;
mod json;
mod judgement;
mod limits;
mod note;
mod noted;
mod options;
mod pipeline;
mod raw_rows;
mod reading;
mod refused;
mod rejected;
mod repeats;
mod rows;
mod service;
mod source;
mod suppression;
mod survey;
mod table;
mod text;
mod unmended;
mod verdicts;
mod workbook;
mod zones;

pub use earlier::may_be_rejected_file;
pub use exclusions::Exclusions;
pub use input::{Input, STANDARD_INPUT};
pub use judgement::{AlreadySent, Judgement, ProblemGroup, ProblemPlace, SuppressedRows};
pub use limits::{CELL_BYTES_MAX, COLUMNS_MAX, JSON_DEPTH_MAX, RECORD_BYTES_MAX, ROWS_MAX, SUPPRESSED_MAX};
pub use note::Note;
pub use options::{ColumnMap, Constant, Options};
pub use pipeline::{RejectedMax, Tolerance, TooManyRejected, check, import};
pub use reading::Reading;
pub use refused::{FileFault, FileRefused, HeaderFlags};
pub use rejected::{RejectedForm, WrittenRejects};
pub use repeats::Duplicates;
pub use rows::{Row, Rows};
pub use suppression::suppression_list;
pub use survey::{Format, Survey};
pub use table::columns::is_same_header;
pub use table::delimiter::Delimiter;
pub use table::flags::in_one_line;
pub use table::mapped::MappedColumn;
pub use text::encoding::TextEncoding;
pub use text::gzip::unpacked_name;
pub use verdicts::{Verdicts, check_reason, check_request_id, verdicts};
pub use workbook::choice::SheetChoice;
pub use zones::UnknownZones;
