//! The figures: what is told of batches and rows, as data. Rendered last, by `cli` or by the formats below.

mod export;
mod hours;
mod row;
mod status;

pub use export::{Format, Wanted, attempts as export_attempts, rows as export_rows};
pub use row::{Field, FieldValue, columns_of, flat_row, masked_body};
pub use status::{BatchStatus, RunStatus, Standing, WaitingFor, standing, status};
