//! Why a row is not sent though nothing is wrong with it.

use std::fmt;
use std::str::FromStr;

use super::State;

/// Why a row is skipped. Stored by its word; a row that a duplicate gets rejected has it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// An earlier row of the same file reaches the same person.
    Duplicate,
    /// Another batch has sent the same request, or is about to.
    AlreadySent,
    /// Its number is on the suppression list. No operator's `retry` brings such a row back.
    Suppressed,
    /// Its time has passed.
    Expired,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [SkipReason; 4] =
        [SkipReason::Duplicate, SkipReason::AlreadySent, SkipReason::Suppressed, SkipReason::Expired];

    /// The word for it in the database, in flags and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SkipReason::Duplicate => "duplicate",
            SkipReason::AlreadySent => "already-sent",
            SkipReason::Suppressed => "suppressed",
            SkipReason::Expired => "expired",
        }
    }
}

/// What is stored as a row's text where nothing more is known.
impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SkipReason::Duplicate => "not sent: an earlier row reaches the same person",
            SkipReason::AlreadySent => "not sent: the same request is in another batch",
            SkipReason::Suppressed => "not sent: its number is on the suppression list",
            SkipReason::Expired => "not sent: its time has passed",
        })
    }
}

/// Why a row is not sent that another batch has sent, or is about to.
#[must_use]
pub fn already_sent(batch: &str, line: u32, state: State) -> String {
    format!("not sent: the same request as line {line} of batch `{batch}`, which is {state}")
}

impl FromStr for SkipReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = SkipReason::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no reason for which a row is skipped"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reasons_word_reads_back_as_the_reason() {
        for reason in SkipReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
        }
        assert!("".parse::<SkipReason>().is_err());
    }
}
