//! The other batches of a service and endpoint: those whose rows may have told the same people.

use std::collections::HashMap;

use super::{Result, Store};
use crate::invocation::BatchId;
use crate::mep::{Endpoint, ServiceId};

/// Batches with their names.
#[derive(Debug, Default)]
pub struct Others {
    ids: Vec<BatchId>,
    names: HashMap<BatchId, String>,
}

impl Store {
    /// Every batch of that service and endpoint but one.
    pub async fn others(&self, service: &ServiceId, endpoint: &Endpoint, but: Option<BatchId>) -> Result<Others> {
        let mut others = Others::default();
        for batch in self.batches().await? {
            if batch.service == *service && batch.endpoint == *endpoint && Some(batch.id) != but {
                others.ids.push(batch.id);
                others.names.insert(batch.id, batch.name);
            }
        }
        Ok(others)
    }
}

impl Others {
    /// Their numbers.
    #[must_use]
    pub fn ids(&self) -> &[BatchId] {
        &self.ids
    }

    /// The name of one of them.
    #[must_use]
    pub fn name(&self, batch: BatchId) -> &str {
        self.names.get(&batch).map_or("", String::as_str)
    }
}
