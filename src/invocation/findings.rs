//! What an import found out about a file: stored with its batch, to be told before anything of it is sent.

use serde::{Deserialize, Serialize};

use super::phone_table::PhoneTable;

/// What was found of a file's rows that can be sent. What is left out of a stored text has its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Findings {
    /// Their phone numbers by length and country.
    pub numbers: PhoneTable,
    /// How many of these numbers were sent other content of the same service lately, or are about to be.
    pub told_before: u64,
    /// The newest batch that did so.
    pub told_by: Option<String>,
    /// What `lately` was taken for, in milliseconds.
    pub told_within_ms: u64,
}

impl Findings {
    /// Whether most of the numbers were sent something else lately: it may be the same campaign, corrected.
    #[must_use]
    pub fn most_were_told_before(&self) -> bool {
        self.told_before > self.numbers.total() / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_are_most() {
        let mut findings = Findings::default();
        assert!(!findings.most_were_told_before());
        (0..5).for_each(|person| findings.numbers.add(12_515_550_130 + person));
        for (told_before, are_most) in [(0, false), (2, false), (3, true), (5, true)] {
            assert_eq!(Findings { told_before, ..findings.clone() }.most_were_told_before(), are_most, "{told_before}");
        }
    }

    #[test]
    fn findings_read_back_as_they_were_written() {
        let mut findings = Findings {
            told_before: 7,
            told_by: Some("june".to_owned()),
            told_within_ms: 60_000,
            ..Findings::default()
        };
        findings.numbers.add(12_515_550_130);
        let text = serde_json::to_string(&findings).expect("plain data");
        assert_eq!(text, r#"{"numbers":[[11,"1",1]],"toldBefore":7,"toldBy":"june","toldWithinMs":60000}"#);
        assert_eq!(serde_json::from_str::<Findings>(&text).expect("the same data"), findings);
        assert_eq!(serde_json::from_str::<Findings>("{}").expect("all defaults"), Findings::default());
    }
}
