//! Pages for people who would rather look than read. Made of data that is gathered below; escaped as a whole by maud.

mod address;
mod assets;
pub mod chart;
mod events;
mod form;
mod gate;
mod headers;
mod hosts;
pub mod layout;
mod pages;
mod patient;
mod router;
mod secret;
mod server;
mod site;
#[cfg(test)]
mod style;
pub mod words;

pub use gate::Lock;
pub use server::Server;
