//! The rules that an operator can change.

use crate::invocation::{Expressions, PhoneRules, Settings};
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
    /// Which country code a phone number may lack, and which it may have.
    pub phones: PhoneRules,
    /// How a phone number is written; a stored body passes in either form.
    pub phone_number_json: PhoneNumberJson,
}

impl Rules {
    /// The rules by which a batch was imported, as far as they are stored with it.
    #[must_use]
    pub fn of_batch(settings: &Settings, bounds: Bounds, phone_number_json: PhoneNumberJson) -> Self {
        Rules {
            bounds,
            ascii_only: settings.ascii_only,
            expressions: settings.expressions.clone(),
            phones: settings.phones.clone(),
            phone_number_json,
        }
    }
}
