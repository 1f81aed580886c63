//! The contract of the MEP Invoke Service API: addresses, limits, names, codes and the shape of its errors.
//!
//! What the vendor states and what this project decided where the vendor is silent stand here once, as
//! constants and small pure functions. The validator, the client and the simulator share these constants and
//! nothing else, so that a fault in one of them shows against another.

mod bounds;
mod code;
mod endpoint;
mod scope;
mod words;

pub use bounds::{Bounds, MOBILE_OPERATOR_ID_MAX, PHONE_DIGITS, PhoneNumberJson, SERVICE_ID_LENGTH_MAX};
pub use code::{
    ErrorBody, INVALID_CONTENT, METHOD_NOT_ALLOWED, PERMANENT_ERROR, ROLE_NOT_ALLOWED, TEMPORARY_ERROR,
    VENDOR_RETRY_EVERY, VENDOR_RETRY_FOR, read_error_body,
};
pub use endpoint::{Endpoint, EndpointError, INVOKE_PATH, ServiceId};
pub use scope::Scope;
pub use words::{BUILT_IN_VARIABLES, RESERVED_WORDS, is_built_in, is_key_char, is_reserved, is_value_char};

/// The header in which the service names an accepted request.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
