//! What is claimed of whatever is read from outside, for any bytes at all. Fuzz targets look for bytes for which it does not hold;
//! `cargo test` holds it against those that are kept in `fuzz/corpus`.

pub(crate) mod answer;
pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod phone;
pub(crate) mod retry_after;
mod rows;
mod settled;
