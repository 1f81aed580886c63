//! The figures of a server's life.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::plan::Plan;

/// What a server did from its start to its shutdown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Requests that were received whole.
    pub received: u64,
    /// Requests that were answered with 202 and a request ID.
    pub accepted: u64,
    /// Requests of which the simulated service texted the person.
    pub taken: u64,
    /// Answers by status. What is missing to the requests got no answer with a whole head.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests by the fault that struck them.
    pub faults: BTreeMap<Fault, u64>,
}

impl Summary {
    pub(super) fn count(&mut self, plan: &Plan, fault: Option<Fault>) {
        let has_id = plan.reply.request_id.as_ref().is_some_and(|id| !id.is_empty());
        self.received += 1;
        self.accepted += u64::from(has_id && plan.status() == Some(202));
        self.taken += u64::from(plan.taken);
        if let Some(status) = plan.status() {
            *self.statuses.entry(status).or_default() += 1;
        }
        if let Some(fault) = fault {
            *self.faults.entry(fault).or_default() += 1;
        }
    }
}
