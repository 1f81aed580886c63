//! What tells a request from any other to the same service and endpoint.

/// What a row that can be sent says, in short: rows with one number and one hash are the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    /// The number.
    pub phone: u64,
    /// A hash of what its body asks for, whatever the order of its keys.
    pub request_hash: i64,
    /// The row's line in its file.
    pub line: u32,
}
