//! Figures for Prometheus: how the queue stands, what came of its attempts, and how one run fares.
//!
//! They are read as data first and written last, so that a page is whole or is none. No label holds a number, a text or a
//! request's name.

mod families;
mod labels;
mod page;
mod queue;
mod run;

pub use families::FAMILIES;
pub use page::{LastAccepted, Page, Tallies};
pub use queue::{QueueFigures, QueueReader, last_accepted};
pub use run::RunFigures;
