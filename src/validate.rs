//! Every rule of the contract, in one place.
//!
//! A row is judged when it is imported, when an operator retries one that was refused, and once more right before
//! it is sent. All three come here: a [`Draft`] takes cells and becomes a body or the list of all that is wrong, and
//! [`check_body`] holds a stored body against the same rules. No I/O and no clock.

mod body;
mod cells;
mod draft;
mod fault;
mod iso_date;
mod number;
mod phone;
mod redaction;
mod request;
mod rules;
mod shown;
mod spreadsheet;
mod target;
mod value;
mod walk;
mod writing;

pub use body::{BodyValue, body_cells, check_body, with_phone};
pub use cells::{REFUSED_COLUMN, row_from_cells};
pub use draft::{Draft, Given, Ready};
pub use fault::{Fault, Problem, mask_cell, reasons, refusal};
pub use iso_date::is_iso_date;
pub use phone::{CleanPhone, clean_phone, is_phone};
pub use redaction::{body_sha256, body_values, without_numbers};
pub use request::request_hash;
pub use rules::Rules;
pub use shown::{ShownCell, is_like_a_phone, sample_of, without_phones};
pub use spreadsheet::{is_spreadsheet_error, spreadsheet_error};
pub use target::{Kind, Target, TargetFault, Variable, check_key};

pub(crate) use body::text_of;
pub(crate) use cells::unknown_property;
pub(crate) use draft::wrong_type;
pub(crate) use target::{set_twice, unknown_scope};
pub(crate) use walk::Key;
