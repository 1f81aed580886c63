//! What other batches have told the people whom a `retry` would reach.

use std::collections::HashMap;

use crate::invocation::{Fingerprint, UnixMillis, already_sent};
use crate::store::{self, Batch, Others, Store};

/// An operator who retries a row goes by how it stands, so another batch counts however long ago it was.
const EVER: UnixMillis = UnixMillis(0);

/// Why rows are not to be sent again, by line.
#[derive(Default)]
pub(super) struct Told {
    /// Another batch has sent the same request, or is about to.
    pub(super) same_request: HashMap<u32, String>,
    /// A batch that was imported later has told the number something else, or is about to.
    pub(super) by_later_batch: HashMap<u32, String>,
}

/// What the other batches of a batch's service and endpoint have told the people of these rows of it.
pub(super) async fn told_by(
    others: &Others,
    store: &Store,
    batch: &Batch,
    rows: &[Fingerprint],
) -> store::Result<Told> {
    let mut told = Told::default();
    for found in store.told(rows, others.ids(), EVER).await? {
        let (other, line) = (found.earlier.batch(), found.earlier.line());
        let name = others.name(other);
        if let Some(state) = found.same_request {
            told.same_request.insert(found.line, already_sent(name, line, state));
        } else if other > batch.id {
            let reason =
                format!("not sent: line {line} of batch `{name}`, which was imported later, has the same phone number");
            told.by_later_batch.insert(found.line, reason);
        }
    }
    Ok(told)
}
