//! One row, two runs and an operator, in every order in which their steps can follow one another: nothing is sent twice unasked,
//! and nothing is left stuck. What the model assumes is written in `one_row`.

#[path = "one_row/calm.rs"]
mod calm;
mod one_row;
mod rounds;

use one_row::search::Search;
use one_row::weakness::Weakness;

/// A row is taken once in the first round, twice in the second, and so on.
const QUICK: u64 = 2;

#[test]
fn no_order_of_steps_sends_a_row_twice_unasked_or_leaves_it_stuck() {
    let mut attempts = 0;
    rounds::rounds("model", QUICK, |_, figures| {
        attempts += 1;
        let search =
            Search::all(attempts, Weakness::None, |_, _, _, _| {}).unwrap_or_else(|told| unreachable!("{told}"));
        if let Err((violation, place)) = calm::all_settle(&search.worlds) {
            unreachable!("{violation}, after {:#?}", search.path(place));
        }
        figures.count(&format!("worlds of {attempts} attempts"), search.worlds.len());
        figures.count(&format!("steps of {attempts} attempts"), search.steps);
    });
}

/// Every rule that can be left out.
const WEAKNESSES: [Weakness; 10] = [
    Weakness::JudgedGoesBack,
    Weakness::OutcomeOfAnyAttempt,
    Weakness::WordOnAnyAttempt,
    Weakness::LateOverrules,
    Weakness::EndedRunTakes,
    Weakness::HandsOutUnconfirmed,
    Weakness::NoSellBy,
    Weakness::GivesBackWhatIsHeld,
    Weakness::TimeoutIsRepeated,
    Weakness::CancelledIsTaken,
];

#[test]
fn each_rule_that_is_left_out_is_missed() {
    for weakness in WEAKNESSES {
        let told = Search::all(2, weakness, |_, _, _, _| {}).err();
        assert!(told.is_some(), "{weakness:?}: nothing was found");
    }
}
