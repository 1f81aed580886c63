//! What is served over HTTP: figures for Prometheus, and whether the database answers.

mod monitoring;

pub use monitoring::Monitoring;
