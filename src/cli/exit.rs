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
    /// The store cannot be read or written, or is older than what was sent from it.
    Store = 9,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
    /// Interrupted by the system.
    Terminated = 143,
}

impl Exit {
    /// Every code, as they are documented.
    pub(super) const ALL: [Exit; 12] = [
        Exit::Complete,
        Exit::Error,
        Exit::Usage,
        Exit::Imperfect,
        Exit::Undecided,
        Exit::Incomplete,
        Exit::Stopped,
        Exit::InputRefused,
        Exit::Held,
        Exit::Store,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    /// What it tells a person or a script.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Exit::Complete => "all that was due is accepted, or skipped as a duplicate, or cancelled",
            Exit::Error => "an unexpected error",
            Exit::Usage => "usage or configuration; not confirmed",
            Exit::Imperfect => "some rows are rejected, failed or expired",
            Exit::Undecided => "some rows are unknown: a person must decide",
            Exit::Incomplete => {
                "incomplete by design: retries are scheduled, the batch is paused or outside its window, the gate is closed, \
                 or `--limit` is reached"
            }
            Exit::Stopped => {
                "stopped: the service refused the credentials or the request line, twenty equal refusals, five failed \
                 probes, or more unknown rows than `--max-unknown`"
            }
            Exit::InputRefused => "the input was refused; nothing was imported",
            Exit::Held => {
                "another run holds the database; a file was imported all the same, and the running process sends it if \
                 it was started without names"
            }
            Exit::Store => "the database cannot be read or written, or is older than what was sent from it",
            Exit::Interrupted => "interrupted by Ctrl-C (INT)",
            Exit::Terminated => "interrupted by the system (TERM)",
        }
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
