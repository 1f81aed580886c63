//! A figure that takes a while to read: read by one at a time, and had by all who ask meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::store;

/// How long a figure is taken for the latest, at least.
const FRESH: Duration = Duration::from_millis(900);

/// How much longer than it took to read it.
const FRESH_TIMES: u32 = 20;

/// And at most, however long that was.
const FRESH_MAX: Duration = Duration::from_secs(30);

/// A figure as it was read last.
pub(super) struct Latest<T>(Arc<Shared<T>>);

struct Shared<T> {
    read: watch::Sender<Option<Read<T>>>,
    is_reading: AtomicBool,
}

struct Read<T> {
    figure: Result<Arc<T>, Arc<store::Error>>,
    at: Instant,
    took: Duration,
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Latest(Arc::clone(&self.0))
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest(Arc::new(Shared { read: watch::Sender::new(None), is_reading: AtomicBool::new(false) }))
    }
}

impl<T: Send + Sync + 'static> Latest<T> {
    /// The figure, read anew where it is old. Who has waited for `patience` has the last one, or `None` where there is none yet.
    ///
    /// The reading itself goes on: a question to the database is never broken off.
    pub(super) async fn get<R>(&self, patience: Duration, read: R) -> Option<Result<Arc<T>, Arc<store::Error>>>
    where
        R: Future<Output = store::Result<T>> + Send + 'static,
    {
        let mut told = self.0.read.subscribe();
        if !self.is_fresh() {
            told.mark_unchanged();
            if !self.0.is_reading.swap(true, Ordering::AcqRel) {
                let reading = Reading { shared: Arc::clone(&self.0), read: None };
                tokio::spawn(async move {
                    let began = Instant::now();
                    let figure = read.await.map(Arc::new).map_err(Arc::new);
                    reading.end(Read { figure, at: Instant::now(), took: began.elapsed() });
                });
            }
            // It is late: then the last one is what there is.
            let _ = tokio::time::timeout(patience, told.changed()).await;
        }
        let latest = self.0.read.borrow();
        latest.as_ref().map(|read| match &read.figure {
            Ok(figure) => Ok(Arc::clone(figure)),
            Err(error) => Err(Arc::clone(error)),
        })
    }

    fn is_fresh(&self) -> bool {
        let is_fresh = |read: &Read<T>| {
            // Of what could not be read nothing is known that would be worth keeping.
            let times = if read.figure.is_ok() { FRESH_TIMES } else { 0 };
            read.at.elapsed() < (read.took * times).clamp(FRESH, FRESH_MAX)
        };
        self.0.read.borrow().as_ref().is_some_and(is_fresh)
    }
}

/// A reading that goes on. However it ends, whoever waits for it is told, and it can be read anew: where it was broken off,
/// there is no figure, and not one that would be taken for the latest for ever.
struct Reading<T> {
    shared: Arc<Shared<T>>,
    read: Option<Read<T>>,
}

impl<T> Reading<T> {
    fn end(mut self, read: Read<T>) {
        self.read = Some(read);
    }
}

impl<T> Drop for Reading<T> {
    fn drop(&mut self) {
        // Before anybody is told, so that who is told late can read it anew.
        self.shared.is_reading.store(false, Ordering::Release);
        self.shared.read.send_replace(self.read.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn who_asks_together_has_one_reading() {
        let (latest, readings) = (Latest::<u32>::default(), Arc::new(AtomicU32::new(0)));
        let ask = || {
            let readings = Arc::clone(&readings);
            latest.get(Duration::from_secs(60), async move { Ok(readings.fetch_add(1, Ordering::Relaxed)) })
        };
        let (first, second) = tokio::join!(ask(), ask());
        let third = ask().await;
        for figure in [first, second, third] {
            assert_eq!(*figure.expect("a figure").expect("no error"), 0);
        }
    }

    #[tokio::test]
    async fn who_cannot_wait_has_nothing_and_later_what_was_read_meanwhile() {
        let latest = Latest::<u32>::default();
        let (tell, told) = oneshot::channel();
        let none = latest.get(Duration::ZERO, async move { Ok(told.await.unwrap_or_default()) }).await;
        assert!(none.is_none());
        tell.send(7).expect("it is being read");
        let seven = latest.get(Duration::from_secs(60), async { unreachable!("it is being read already") }).await;
        assert_eq!(*seven.expect("a figure").expect("no error"), 7);
    }

    #[tokio::test]
    async fn a_reading_that_was_broken_off_leaves_no_figure_and_is_repeated() {
        let latest = Latest::<u32>::default();
        let broken = || latest.get(Duration::from_secs(60), async { unreachable!("as a defect would") });
        assert!(broken().await.is_none() && broken().await.is_none());
        let seven = latest.get(Duration::from_secs(60), async { Ok(7) }).await;
        assert_eq!(*seven.expect("a figure").expect("no error"), 7);
        latest.0.read.send_modify(|read| read.iter_mut().for_each(|read| read.at -= FRESH));
        assert!(broken().await.is_none(), "the last one is no figure of this moment");
    }
}
