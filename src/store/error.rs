//! Why the store cannot do what was asked.

use super::{Holder, postgres, sqlite};

/// Why the store cannot do what was asked. The variants are what a caller chooses by; each has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no queue at that place, and this command creates none.
    #[error(
        "there is no queue at `{0}`\nhint: `mep-batch import` or `mep-batch run FILE` creates one; `--db` names another"
    )]
    NotFound(String),
    /// The database, or where it lies, cannot serve.
    #[error("`{place}` cannot be the queue: {why}")]
    Unsuitable {
        /// The database.
        place: String,
        /// What is wrong, and the way out.
        why: String,
    },
    /// Another process holds the database.
    #[error("another run holds `{place}`: {holder}\nhint: `mep-batch status` shows how far it is")]
    Held {
        /// The database.
        place: String,
        /// The process that holds it, as it said of itself.
        holder: Holder,
    },
    /// This run was ended by somebody else, or its database was replaced: it may take nothing more.
    #[error("this run may send nothing more: {0}")]
    Fenced(String),
    /// The disk is nearly full, and an import would fill it.
    #[error(
        "the disk under `{place}` has {free_mib} MiB left, and an import leaves {room_mib} MiB free so that runs can go on; nothing was imported\nhint: make room and type the command again"
    )]
    Narrow {
        /// The database.
        place: String,
        /// What is free, in MiB.
        free_mib: u64,
        /// What is left free, in MiB.
        room_mib: u64,
    },
    /// What was asked contradicts what is stored.
    #[error("{0}")]
    Conflict(String),
    /// A row that this run had in flight is not any more. Nothing of the turn is stored, and repeated it holds row by row
    /// against the database.
    #[error("somebody else was first with a row in flight; the turn is repeated")]
    Overtaken,
    /// The database has not answered. What was asked of it may be done all the same, now or later.
    #[error("cannot {doing} in `{place}`: the server does not answer\nhint: check the server and the network")]
    Silent {
        /// What was being done.
        doing: &'static str,
        /// The database.
        place: String,
    },
    /// The database did not do it.
    #[error("cannot {doing} in `{place}`: {}{hint}", postgres::text_of(cause))]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database.
        place: String,
        /// What the driver says.
        cause: sqlx::Error,
        /// The way out, on a line of its own, where one is known.
        hint: &'static str,
    },
}

impl Error {
    /// Whether another process was in the way: to be repeated, and no failure.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match self {
            Error::Database { cause, .. } => sqlite::is_busy(cause) || postgres::is_busy(cause),
            Error::Overtaken => true,
            Error::NotFound(_)
            | Error::Unsuitable { .. }
            | Error::Held { .. }
            | Error::Fenced(_)
            | Error::Silent { .. }
            | Error::Narrow { .. }
            | Error::Conflict(_) => false,
        }
    }

    /// Whether the server is gone for now: a new connection may find it again.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Error::Silent { .. } => true,
            Error::Database { cause, .. } => postgres::is_lost(cause),
            Error::Overtaken
            | Error::NotFound(_)
            | Error::Unsuitable { .. }
            | Error::Held { .. }
            | Error::Fenced(_)
            | Error::Narrow { .. }
            | Error::Conflict(_) => false,
        }
    }
}
