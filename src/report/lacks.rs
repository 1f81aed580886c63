//! Whether a database knows all that was sent from it, as far as its user's notes tell.

use crate::store::{self, Notes, Store};

/// What the database lacks that was noted, or why that is not known, in a sentence; `None`: nothing.
///
/// # Errors
///
/// The database cannot be read. Notes that cannot be are told in the sentence: how things stand is told all the same.
pub async fn lacks(store: &Store, notes: &Notes) -> store::Result<Option<String>> {
    match store.missing(notes).await {
        Ok(missing) => Ok(missing.map(|missing| {
            format!("this database is older than what was sent from it: {missing}; nothing is sent from it")
        })),
        Err(error @ store::Error::Unsuitable { .. }) => {
            Ok(Some(format!("nothing is sent from this database: {error}")))
        }
        Err(error) => Err(error),
    }
}
