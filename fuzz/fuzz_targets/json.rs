//! Fuzzes the JSON reader.

#![no_main]

#[expect(dead_code, reason = "each target makes one of the claims")]
#[path = "../claims/mod.rs"]
mod claims;

libfuzzer_sys::fuzz_target!(|data: &[u8]| claims::json::hold(data));
