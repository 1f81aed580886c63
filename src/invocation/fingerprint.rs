//! What tells a request from any other to the same service and endpoint.

use sha2::{Digest, Sha256};

/// What a row that can be sent says, in short: rows with one number and one hash are the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    /// The number.
    pub phone: u64,
    /// The body's hash, as [`body_hash`] makes it.
    pub body_hash: i64,
    /// The row's line in its file.
    pub line: u32,
}

/// The start of the body's SHA-256. Only rows with one phone number are compared by it.
#[must_use]
pub fn body_hash(body: &str) -> i64 {
    let digest = Sha256::digest(body.as_bytes());
    let mut start = [0; 8];
    start.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(start)
}
