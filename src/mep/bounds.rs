//! The bounds of a request: how long, how many, and how a phone number is written.

use std::ops::RangeInclusive;

/// Digits of a phone number with its country code. The official example has 11; the vendor's RCS API says 6 to 16.
pub const PHONE_DIGITS: RangeInclusive<usize> = 6..=16;

/// The largest `mobileOperatorId`: a positive integer, held to what every JSON reader keeps exactly.
pub const MOBILE_OPERATOR_ID_MAX: u64 = (1 << 53) - 1;

/// The longest service ID. The vendor's examples have 12, 15 and 16 digits.
pub const SERVICE_ID_LENGTH_MAX: usize = 64;

/// The bounds that the vendor says exist without saying which: this tool's own, and therefore settings.
///
/// `None` means that the bound is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest variable key, in characters.
    pub key_length_max: Option<usize>,
    /// The longest variable value, in Unicode scalar values of the raw text (`${…}` is counted as typed).
    pub value_length_max: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { key_length_max: Some(255), value_length_max: Some(255) }
    }
}

/// How `endUser.phoneNumber` is written: the official example is a JSON number, a sibling API takes a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhoneNumberJson {
    /// `"phoneNumber":12515550130`
    #[default]
    Number,
    /// `"phoneNumber":"12515550130"`
    String,
}
