//! Reads a campaign file into judged rows.
//!
//! The file is read twice; what is packed or no UTF-8 is unpacked and decoded into a temporary file first. The first pass, [`Input::open`], surveys the whole of it: what it is, whether it can be read
//! to its end, and its hash. The second, [`Rows`], gives one judged row after another and ends with the assurance that
//! the content was the same. Memory does not grow with the file.

mod census;
mod columns;
mod container;
mod csv_records;
mod decode;
mod delimiter;
mod dialect;
mod elements;
mod encoding;
mod exclusions;
mod foreign;
mod gzip;
mod input;
mod json_fields;
mod json_members;
mod json_rows;
mod judgement;
mod limits;
mod note;
mod options;
mod package;
mod pipeline;
mod raw_rows;
mod reading;
mod record;
mod records;
mod refused;
mod rejected;
mod rivals;
mod rows;
mod samples;
mod service;
mod sheet_cell;
mod sheet_choice;
mod sheet_notes;
mod sheet_reader;
mod sheet_records;
mod sheet_row;
mod source;
mod spool;
mod suppression;
mod survey;
mod table;
mod table_rows;
mod text;
mod utf8;
mod workbook;
mod xml_tags;

pub use delimiter::Delimiter;
pub use encoding::TextEncoding;
pub use exclusions::Exclusions;
pub use gzip::unpacked_name;
pub use input::{Input, STANDARD_INPUT};
pub use judgement::{AlreadySent, Judgement, ProblemGroup, ProblemPlace, SuppressedRows};
pub use limits::{CELL_BYTES_MAX, COLUMNS_MAX, JSON_DEPTH_MAX, RECORD_BYTES_MAX, ROWS_MAX, SUPPRESSED_MAX};
pub use note::Note;
pub use options::{ColumnMap, Constant, Options};
pub use pipeline::{Duplicates, RejectedMax, Tolerance, TooManyRejected, check, import};
pub use reading::Reading;
pub use refused::{FileFault, FileRefused};
pub use rejected::RejectedForm;
pub use rows::{Row, Rows};
pub use sheet_choice::SheetChoice;
pub use suppression::suppression_list;
pub use survey::{Format, Survey};
