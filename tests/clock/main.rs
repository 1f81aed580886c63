//! A wall clock that is set, a machine that sleeps, and both edges of summer time, under the whole program: retries neither
//! burst nor freeze, and nothing leaves at a wrong hour.

#[path = "../audit/mod.rs"]
mod audit;
#[path = "../cluster/mod.rs"]
mod cluster;
mod jumps;
#[path = "../rounds/mod.rs"]
mod rounds;
#[path = "../scenario/mod.rs"]
mod scenario;
mod summer_time;
mod wall;
