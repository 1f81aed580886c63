//! Work on the database that nobody breaks off: dropped half-way, nobody would know what has come about.

use std::time::Duration;

use crate::store::{self, Store};

/// How long a server may take to answer before the run looks for it anew. Well above the store's own time-outs, below the
/// time after which a silent run is judged dead.
const PATIENCE: Duration = Duration::from_secs(15);

/// Has work on the database done by a task of its own, and waits for it.
///
/// A server that is gone without a word answers never. After a while this stops waiting; the work goes on, and whatever
/// comes of it is found out by a turn's number. A file's disk is waited for, however long it takes.
pub(super) async fn patiently<T: Send + 'static>(
    store: &Store,
    doing: &'static str,
    work: impl Future<Output = store::Result<T>> + Send + 'static,
) -> store::Result<T> {
    let work = tokio::spawn(work);
    let done = if store.is_shared() {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(done) => done,
            Err(_) => return Err(store.silent(doing)),
        }
    } else {
        work.await
    };
    done.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}
