//! What a process that runs the program knows of the row.

use super::came::Came;
use super::queue::Ticket;

/// A process with its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// The run's place.
    pub(crate) run: usize,
    /// Stopped, asleep or cut off from the database: it makes no turn.
    pub(crate) is_silent: bool,
    /// What a slot has.
    pub(crate) held: Option<Held>,
    /// An attempt without an outcome that no slot had: it is given back.
    pub(crate) stray: Option<Ticket>,
    /// What is open since a turn failed: then it takes nothing.
    pub(crate) trouble: Option<Trouble>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) ticket: Ticket,
    pub(crate) stage: Stage,
}

/// How far a row in a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Handed,
    /// Handed out, and past its sell-by.
    Stale,
    /// Found to be in time; nothing is written yet.
    Checked,
    OnWire,
    /// The outcome is known and not durable.
    Ended(Came),
}

/// A store that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Which outcomes the turn had that may have been committed; `None`: there is none any more.
    pub(crate) unconfirmed: Option<Included>,
}

/// Which outcomes a turn had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Included {
    pub(crate) held: bool,
    pub(crate) stray: bool,
}

impl Process {
    pub(crate) fn of(run: usize) -> Process {
        Process { run, is_silent: false, held: None, stray: None, trouble: None }
    }

    /// The outcomes that are known and not durable.
    pub(crate) fn finished(&self) -> Included {
        let held = matches!(self.held, Some(Held { stage: Stage::Ended(_), .. }));
        Included { held, stray: self.stray.is_some() }
    }

    /// These outcomes, for a turn.
    pub(crate) fn outcomes(&self, included: Included) -> [Option<(Ticket, Came)>; 2] {
        let held = match self.held {
            Some(Held { ticket, stage: Stage::Ended(came) }) if included.held => Some((ticket, came)),
            Some(_) | None => None,
        };
        let stray = self.stray.filter(|_| included.stray).map(|ticket| (ticket, Came::GivenBack));
        [held, stray]
    }

    /// These outcomes are durable, and their slots free.
    pub(crate) fn committed(&mut self, included: Included) {
        if included.held {
            self.held = None;
        }
        if included.stray {
            self.stray = None;
        }
    }

    /// Whether a slot is free once the next turn is durable.
    pub(crate) fn has_room(&self) -> bool {
        self.held.is_none() || self.finished().held
    }

    /// Whether nothing is left to be done or told.
    pub(crate) fn is_idle(&self) -> bool {
        self.held.is_none() && self.stray.is_none() && self.trouble.is_none()
    }

    /// Whether the attempt may still be written, or is on the wire.
    pub(crate) fn may_send(&self, attempt: u32) -> bool {
        let is_open = |stage| match stage {
            Stage::Handed | Stage::Stale | Stage::Checked | Stage::OnWire => true,
            Stage::Ended(_) => false,
        };
        self.held.is_some_and(|held| held.ticket.attempt == attempt && is_open(held.stage))
    }
}

impl Included {
    pub(crate) fn is_empty(self) -> bool {
        !self.held && !self.stray
    }
}
