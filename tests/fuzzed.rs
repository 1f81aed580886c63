//! What is claimed of anything read from outside, held against the corpora of the fuzz targets: seeds, and whatever once broke one.

#[path = "../fuzz/claims/mod.rs"]
mod claims;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A corpus grows; it never shrinks unseen.
const INPUTS_MIN: usize = 30;

/// Holds the claims of a target for each input of its corpus.
fn replay(target: &str, hold: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for input in std::fs::read_dir(&folder).expect("the corpus is there") {
        let input = input.expect("an input").path();
        let data = std::fs::read(&input).expect("the input can be read");
        let held = catch_unwind(AssertUnwindSafe(|| hold(&data)));
        assert!(held.is_ok(), "{}", input.display());
        inputs += 1;
    }
    assert!(inputs >= INPUTS_MIN, "{inputs} inputs in {}", folder.display());
}

#[test]
fn whatever_comes_back_on_the_wire_has_one_outcome() {
    replay("answer", claims::answer::hold);
}

#[test]
fn a_csv_of_any_bytes_makes_up_no_row() {
    replay("csv", claims::csv::hold);
}

#[test]
fn json_of_any_bytes_is_read_whole_or_refused() {
    replay("json", claims::json::hold);
}

#[test]
fn a_phone_number_that_is_taken_stood_in_the_text() {
    replay("phone", claims::phone::hold);
}

#[test]
fn any_retry_after_has_an_end() {
    replay("retry_after", claims::retry_after::hold);
}
