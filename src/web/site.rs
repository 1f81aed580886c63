//! What every page is made from: the queue, its figures, who listens, and who may look.

use std::sync::Arc;

use maud::Markup;
use tokio::sync::watch;

use super::events::Hub;
use super::gate::Gate;
use super::typed;
use crate::report::Figures;
use crate::store::{Notes, Store};

/// What every page is made from.
pub(super) struct Site {
    /// Opened for reading.
    pub(super) store: Arc<Store>,
    pub(super) figures: Figures,
    pub(super) gate: Gate,
    pub(super) hub: Hub,
    /// The address behind the flag that named the queue, as a word for a shell; `None` where no flag did.
    database: Option<String>,
    /// Whether the server ends.
    pub(super) ends: watch::Receiver<bool>,
}

impl Site {
    pub(super) fn new(
        store: Arc<Store>,
        notes: Option<Notes>,
        gate: Gate,
        database: Option<String>,
        ends: watch::Receiver<bool>,
    ) -> Site {
        Site { figures: Figures::new(Arc::clone(&store), notes), store, gate, hub: Hub::default(), database, ends }
    }

    /// A page, or a part of one, with its commands as they have to be typed.
    pub(super) fn typed(&self, page: Markup) -> Markup {
        typed::whole(page, self.database.as_deref())
    }
}
