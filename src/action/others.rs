//! What other batches have told the people whom a `retry` would reach.

use std::collections::HashMap;

use crate::invocation::{BatchId, Fingerprint, UnixMillis, already_sent};
use crate::store::{self, Batch, Store};

/// An operator who retries a row goes by how it stands, so another batch counts however long ago it was.
const EVER: UnixMillis = UnixMillis(0);

/// The other batches of a batch's service and endpoint.
pub(super) struct Others {
    of: BatchId,
    ids: Vec<BatchId>,
    names: HashMap<BatchId, String>,
}

/// Why rows are not to be sent again, by line.
#[derive(Default)]
pub(super) struct Told {
    /// Another batch has sent the same request, or is about to.
    pub(super) same_request: HashMap<u32, String>,
    /// A batch that was imported later has told the number something else, or is about to.
    pub(super) by_later_batch: HashMap<u32, String>,
}

impl Others {
    /// Those that are stored.
    pub(super) async fn of(store: &Store, batch: &Batch) -> store::Result<Others> {
        let mut names: HashMap<BatchId, String> = HashMap::new();
        for other in store.batches().await? {
            if other.id != batch.id && other.service == batch.service && other.endpoint == batch.endpoint {
                names.insert(other.id, other.name);
            }
        }
        Ok(Others { of: batch.id, ids: names.keys().copied().collect(), names })
    }

    /// What they have told the people of these rows.
    pub(super) async fn told(&self, store: &Store, rows: &[Fingerprint]) -> store::Result<Told> {
        let mut told = Told::default();
        if self.ids.is_empty() || rows.is_empty() {
            return Ok(told);
        }
        for found in store.told(rows, &self.ids, EVER).await? {
            let (other, line) = (found.earlier.batch(), found.earlier.line());
            let name = self.names.get(&other).map_or("", String::as_str);
            if let Some(state) = found.same_request {
                told.same_request.insert(found.line, already_sent(name, line, state));
            } else if other > self.of {
                let reason = format!(
                    "not sent: line {line} of batch `{name}`, which was imported later, has the same phone number"
                );
                told.by_later_batch.insert(found.line, reason);
            }
        }
        Ok(told)
    }
}
