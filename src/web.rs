//! Pages for people who would rather look than read, and figures for programs that watch. Made of data that is gathered below;
//! escaped as a whole by maud.

mod address;
mod assets;
pub mod chart;
mod events;
mod form;
mod gate;
mod headers;
mod hosts;
pub mod layout;
mod monitoring;
mod pages;
mod patient;
mod report;
mod router;
mod secret;
mod server;
mod site;
#[cfg(test)]
mod style;
mod typed;
pub mod words;

pub use gate::Lock;
pub use monitoring::Monitoring;
pub use report::report;
pub use server::Server;
