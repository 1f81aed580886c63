//! What every page is made from: the queue, its figures, who listens, and who may look.

use std::sync::Arc;

use tokio::sync::watch;

use super::events::Hub;
use super::gate::Gate;
use crate::report::Figures;
use crate::store::{Notes, Store};

/// What every page is made from.
pub(super) struct Site {
    /// Opened for reading.
    pub(super) store: Arc<Store>,
    pub(super) figures: Figures,
    pub(super) gate: Gate,
    pub(super) hub: Hub,
    /// Whether the server ends.
    pub(super) ends: watch::Receiver<bool>,
}

impl Site {
    pub(super) fn new(store: Arc<Store>, notes: Option<Notes>, gate: Gate, ends: watch::Receiver<bool>) -> Site {
        Site { figures: Figures::new(Arc::clone(&store), notes), store, gate, hub: Hub::default(), ends }
    }
}
