//! Decides what came of an attempt and what follows.
//!
//! [`classify`] gives the verdict on what the client saw, [`settle`] turns it into the row's next state. Both are pure:
//! time and chance are parameters, so that every line of the contract's table is a test.

mod delay;
mod message;
mod policy;
mod retry_after;
mod settlement;
mod stop;
mod verdict;

pub use delay::{PROBE_DELAY_MAX, backoff_delay, probe_delay};
pub use message::MESSAGE_CHARS_MAX;
pub use policy::Policy;
pub use retry_after::{RETRY_AFTER_MAX, retry_after};
pub use settlement::settle;
pub use stop::configuration_fault;
pub use verdict::classify;
