//! The values that every row gets, held against the rules before any row is read.

use crate::validate::{Draft, Given, Rules, Target};

use super::options::Options;
use super::refused::FileFault;
use super::table::columns::checked;

/// What is wrong with the constants.
pub(super) fn faults_of_sets(options: &Options, rules: &Rules) -> Vec<FileFault> {
    let mut faults = Vec::new();
    for (at, set) in options.sets.iter().enumerate() {
        let name = set.target.name();
        if let Err(fault) = checked(set.target.clone(), options) {
            faults.push(FileFault::new(format!("`--set {name}`: {}", fault.reason), fault.fix));
        }
        if options.sets[..at].iter().any(|other| other.target.same_place(&set.target)) {
            faults.push(FileFault::new(format!("`--set {name}` stands twice"), "leave one of them out"));
        }
        // A number makes the row whole, so that all it can fail for is the constant.
        let mut draft = Draft::new(rules);
        draft.put(&Target::PhoneNumber, "", Given::Cell("12515550130"));
        draft.put(&set.target, &name, Given::Cell(&set.text));
        for problem in draft.finish().err().unwrap_or_default() {
            faults.push(FileFault::new(format!("`--set {name}`: {}", problem.reason), problem.fix));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_held_against_the_rules_before_any_row() {
        let sets = [
            "session.n:number=x",
            "session.a=\0",
            "session.b=1",
            "session.B=2",
            "session.ok=${x}",
            "mobileOperatorId=x",
        ];
        let options = Options { sets: sets.map(|set| set.parse().expect("a constant")).to_vec(), ..Options::default() };
        assert_eq!(faults_of_sets(&options, &options.effective_rules()).len(), 4);
    }
}
