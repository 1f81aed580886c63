//! `mep-batch`: a durable, queue-backed batch invoker for OpenMarket's MEP Invoke Service API.

pub mod client;
pub mod import;
pub mod invocation;
pub mod mep;
pub mod retry;
pub mod run;
pub mod simulator;
pub mod store;
pub mod validate;
pub mod worker;
