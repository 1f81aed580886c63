//! How often a test does what chance chooses: a few rounds, or as many as the full programme (`tests/full.py`) asks for.
//!
//! Each round has a seed of its own, which a failure tells and which replays it.

use std::collections::BTreeMap;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Rounds instead of the quick ones.
const ROUNDS: &str = "MEP_BATCH_TEST_ROUNDS";
/// The first round's seed; each next one is greater by one.
const SEED: &str = "MEP_BATCH_TEST_SEED";
/// Minutes after which no further round begins.
const MINUTES: &str = "MEP_BATCH_TEST_MINUTES";
/// The file that is given a line of JSON about all rounds.
const FIGURES: &str = "MEP_BATCH_TEST_FIGURES";

/// What was counted in all rounds, by what it is.
pub(crate) struct Figures(BTreeMap<String, u64>);

impl Figures {
    /// Adds to a figure; what is rare is counted from the start, as 0.
    pub(crate) fn count(&mut self, what: &str, number: usize) {
        *self.0.entry(what.to_owned()).or_default() += number as u64;
    }
}

/// Does the rounds of a part of the programme, one after another, each with its own chance. What is counted is for people to
/// read, and for the caller to hold against what has to have happened.
#[track_caller]
pub(crate) fn rounds(part: &str, quick: u64, mut round: impl FnMut(&mut Rng, &mut Figures)) -> BTreeMap<String, u64> {
    let asked = number(ROUNDS).unwrap_or(quick);
    let seed = number(SEED).unwrap_or_else(|| fastrand::u64(..u64::from(u32::MAX)));
    let longest = number(MINUTES).map(|minutes| Duration::from_secs(minutes * 60));
    let (began, mut figures, mut done) = (Instant::now(), Figures(BTreeMap::new()), 0);
    while done < asked && longest.is_none_or(|longest| began.elapsed() < longest) {
        let seed = seed.wrapping_add(done);
        let held = catch_unwind(AssertUnwindSafe(|| round(&mut Rng::with_seed(seed), &mut figures)));
        assert!(held.is_ok(), "{part}: round {} of {asked}; {SEED}={seed} {ROUNDS}=1 replays it", done + 1);
        done += 1;
    }
    let told = serde_json::json!({
        "part": part, "rounds": done, "asked": asked, "seed": seed, "seconds": began.elapsed().as_secs(), "figures": figures.0,
    });
    if let Ok(file) = std::env::var(FIGURES) {
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(file).expect("a file for the figures");
        writeln!(file, "{told}").expect("the figures can be written");
    }
    figures.0
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| unreachable!("{variable}={value} is no number")))
}
