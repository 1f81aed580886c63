//! `mep-batch`: a durable, queue-backed batch invoker for OpenMarket's MEP Invoke Service API.

pub mod action;
pub mod cli;
pub mod client;
pub mod import;
pub mod invocation;
pub mod mep;
pub mod report;
pub mod retry;
pub mod run;
pub mod simulator;
pub mod store;
pub mod validate;
pub mod web;
pub mod worker;
