//! Whether a database knows all that was sent from it, as far as its user's notes tell.

use serde::Serialize;

use crate::store::{self, Notes, Store};

/// Why the figures of a database are not to be relied on, and nothing is sent from it. In JSON the sentence alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Lacks {
    /// What it lacks of what was sent from it, or that nobody can tell, in a sentence without its full stop.
    pub why: String,
    /// What to do about it, with commands between backticks.
    #[serde(skip)]
    pub hint: String,
    /// Whether it is known what it lacks, so that it can be resolved.
    #[serde(skip)]
    pub is_known: bool,
}

/// What the database lacks that was noted, or why that is not known; `None`: nothing.
///
/// # Errors
///
/// The database cannot be read. That the notes cannot be is told in its place: how things stand is told all the same.
pub async fn lacks(store: &Store, notes: &Notes) -> store::Result<Option<Lacks>> {
    match store.missing(notes).await {
        Ok(missing) => Ok(missing.map(|missing| Lacks {
            why: format!("this database is older than what was sent from it: {missing}; nothing is sent from it"),
            hint: "`mep-batch resolve --rolled-back` says which rows may have been sent, and makes them unknown"
                .to_owned(),
            is_known: true,
        })),
        Err(error @ store::Error::Unsuitable { .. }) => {
            let told = error.to_string();
            let (why, hint) = told.split_once("\nhint: ").unwrap_or((&told, ""));
            let why = format!("nothing is sent from this database: {why}");
            Ok(Some(Lacks { why, hint: hint.to_owned(), is_known: false }))
        }
        Err(error) => Err(error),
    }
}
