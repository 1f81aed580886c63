//! Operators' acts that need more than the store: which rows may go back, and when.

mod candidate;
mod others;
mod resolve;
mod retry;

pub use resolve::{REST, Resolution, Word, resolve};
pub use retry::{RetryOutcome, retry};
