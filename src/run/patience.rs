//! Work on the database that nobody breaks off: dropped half-way, nobody would know what has come about.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::store::{self, Store};

/// How long a server may take to answer before the run looks for it anew. Well above the store's own time-outs, below the
/// time after which a silent run is judged dead.
const PATIENCE: Duration = Duration::from_secs(15);

/// Has work on the database done, and waits for it.
///
/// A file's disk is waited for, however long it takes. A server that is gone without a word answers never: after a while this
/// stops waiting; the work goes on by itself, and whatever comes of it is found out by a turn's number. It has a thread of its
/// own: among the workers each answer of the server would wait for the requests that are being sent.
pub(super) async fn patiently<T: Send + 'static>(
    store: &Store,
    doing: &'static str,
    work: impl Future<Output = store::Result<T>> + Send + 'static,
) -> store::Result<T> {
    if !store.is_shared() {
        return work.await;
    }
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || runtime.block_on(work));
    let Ok(done) = tokio::time::timeout(PATIENCE, work).await else { return Err(store.silent(doing)) };
    done.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}
