//! Operators' acts that need more than the store: which rows may go back, and when.

mod candidate;
mod others;
mod purge;
mod resolve;
mod retry;

pub use purge::{LeftBecause, PurgeOrder, PurgePlan, Purged, plan_purge, purge};
pub use resolve::{Because, Objection, REST, TooEarly, Weighed, decide, rested_at, too_early, weigh};
pub use retry::{RetryOutcome, retry};
