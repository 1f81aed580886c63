//! Fuzzes the CSV reader and its mapping.

#![no_main]

#[expect(dead_code, reason = "each target makes one of the claims")]
#[path = "../claims/mod.rs"]
mod claims;

libfuzzer_sys::fuzz_target!(|data: &[u8]| claims::csv::hold(data));
