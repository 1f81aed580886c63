//! An operator's word on an unknown row.

use std::fmt;
use std::str::FromStr;

use super::{State, UnixMillis};

/// What an operator says became of an unknown row, or is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The service did accept it.
    Accepted,
    /// It was not sent: back to pending.
    NotSent,
    /// It may have been sent; send it again all the same.
    Resend,
    /// Leave it: never to be sent again.
    Abandoned,
}

/// A text that names no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected accepted, not-sent, resend or abandoned")]
pub struct UnknownVerdict;

impl Verdict {
    /// Every verdict, in the order in which they are told.
    pub const ALL: [Verdict; 4] = [Verdict::Accepted, Verdict::NotSent, Verdict::Resend, Verdict::Abandoned];

    /// The word for it in flags, in files, in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::NotSent => "not-sent",
            Verdict::Resend => "resend",
            Verdict::Abandoned => "abandoned",
        }
    }

    /// The state that it leads to.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Verdict::Accepted => State::Accepted,
            Verdict::NotSent | Verdict::Resend => State::Pending,
            Verdict::Abandoned => State::Cancelled,
        }
    }

    /// The state that it leads to in a batch that was cancelled then, or was not: there nothing becomes pending any more.
    #[must_use]
    pub fn state_in(self, cancelled_at: Option<UnixMillis>) -> State {
        match (self, cancelled_at) {
            (Verdict::NotSent | Verdict::Resend, Some(_)) => State::Cancelled,
            (Verdict::NotSent | Verdict::Resend | Verdict::Accepted | Verdict::Abandoned, _) => self.state(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    /// As people write it down, too: `Not sent`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.trim().to_ascii_lowercase().replace([' ', '_'], "-");
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word).ok_or(UnknownVerdict)
    }
}

/// What an operator says of one row, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The verdict.
    pub verdict: Verdict,
    /// The service's name for the request, where the operator learned it.
    pub request_id: Option<String>,
    /// How the operator knows.
    pub reason: String,
}

/// An operator's word on the row of that line, as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledWord {
    /// The line of the file of verdicts.
    pub at: u32,
    /// The row's own line.
    pub line: u32,
    /// The attempt of which it speaks, where the file says so.
    pub attempt: Option<u32>,
    /// The row's phone number, where the file has it.
    pub phone: Option<u64>,
    /// The word.
    pub word: Word,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_as_people_write_it() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.as_str().parse(), Ok(verdict));
        }
        for text in ["Not sent", " NOT_SENT ", "not-sent"] {
            assert_eq!(text.parse(), Ok(Verdict::NotSent), "{text}");
        }
        for text in ["", "sent", "no", "accept", "notsent"] {
            assert_eq!(text.parse::<Verdict>(), Err(UnknownVerdict), "{text}");
        }
    }

    #[test]
    fn in_a_cancelled_batch_nothing_becomes_pending() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.state_in(None), verdict.state());
            assert_ne!(verdict.state_in(Some(UnixMillis(1))), State::Pending);
        }
        assert_eq!(Verdict::Accepted.state_in(Some(UnixMillis(1))), State::Accepted);
    }
}
