//! The rules that an operator can change.

use crate::invocation::Expressions;
use crate::mep::{Bounds, PhoneNumberJson};

/// What a row is held against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// How long keys and values may be.
    pub bounds: Bounds,
    /// Whether values outside ASCII are refused.
    pub ascii_only: bool,
    /// Where a value may hold `${`.
    pub expressions: Expressions,
    /// How a phone number is written; a stored body passes in either form.
    pub phone_number_json: PhoneNumberJson,
}
