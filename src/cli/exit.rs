//! The exit codes: a contract with scripts and cron.

use std::process::ExitCode;

use crate::report::Standing;
use crate::run::{Ending, Signal};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// All that was due is accepted, or skipped as a duplicate, or cancelled.
    Complete = 0,
    /// An unexpected error.
    Error = 1,
    /// Usage or configuration; not confirmed.
    Usage = 2,
    /// Some rows are rejected, failed or expired.
    Imperfect = 3,
    /// Some rows are unknown: a person must decide.
    Undecided = 4,
    /// Incomplete by design.
    Incomplete = 5,
    /// Stopped: a fault that would meet every row.
    Stopped = 6,
    /// The input was refused; nothing was imported.
    InputRefused = 7,
    /// Another run holds the database.
    Held = 8,
    /// The store cannot be read or written.
    Store = 9,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
    /// Interrupted by the system.
    Terminated = 143,
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

impl From<Standing> for Exit {
    fn from(standing: Standing) -> Exit {
        match standing {
            Standing::Undecided => Exit::Undecided,
            Standing::Incomplete => Exit::Incomplete,
            Standing::Imperfect => Exit::Imperfect,
            Standing::Complete => Exit::Complete,
        }
    }
}

/// A run's code: how it ended where that tells more than what is stored.
pub(super) fn of_run(ending: &Ending, worst: Standing) -> Exit {
    match ending {
        Ending::StoreFailed(..) => Exit::Store,
        Ending::Stopped(_) => Exit::Stopped,
        Ending::Interrupted(Signal::Int, _) => Exit::Interrupted,
        Ending::Interrupted(Signal::Term, _) => Exit::Terminated,
        Ending::Done | Ending::Waiting(_) | Ending::LimitReached => worst.into(),
    }
}
