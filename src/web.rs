//! Pages for people who would rather look than read. Made of data that is gathered below; escaped as a whole by maud.

pub mod chart;
pub mod layout;
mod report;
#[cfg(test)]
mod style;
pub mod words;

pub use report::report;
