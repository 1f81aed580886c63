//! `run --metrics-file`: figures for Prometheus, kept in a file beside the run. Whatever befalls the file, the run goes on.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::failure::Usage;
use crate::invocation::{BatchId, State, UnixMillis};
use crate::report::{self, LastAccepted, Page, QueueFigures, QueueReader, Tallies};
use crate::run::{Measures, Which};
use crate::store::{Store, is_database};

/// How often it is written: well within the quarter of a minute after which a Prometheus usually looks again.
const EVERY: Duration = Duration::from_secs(5);

/// How long the database may take to answer: then the file is written without it, and the run's end waits no longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whoever collects it is another user, and it holds nobody's number and no text. What the umask takes away stays away.
const READABLE: u32 = 0o644;

/// A file of figures.
#[derive(Debug)]
pub(super) struct MetricsFile {
    path: PathBuf,
    folder: PathBuf,
}

impl MetricsFile {
    /// The file at this path; refused where it can never be written.
    pub(super) fn at(path: &Path) -> Result<MetricsFile, Usage> {
        let shown = path.display();
        let refuse = |why: String| Err(Usage(format!("nothing was sent: `--metrics-file {shown}` {why}")));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return refuse(format!("is in no folder that is there\nhint: make `{}` first", folder.display()));
        }
        if is_database(path) {
            return refuse("is a database, and would be replaced\nhint: name another file".to_owned());
        }
        // A link is replaced, and never written through.
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.is_file() && !there.is_symlink() => refuse("is no file".to_owned()),
            Ok(_) | Err(_) => Ok(MetricsFile { path: path.to_owned(), folder: folder.to_owned() }),
        }
    }

    /// Writes it now and again, until that is ended.
    pub(super) fn keep(self, store: &Arc<Store>, which: &Which, of_run: Measures) -> Writing {
        let (end, ended) = oneshot::channel();
        let mut writer = Writer {
            file: self,
            store: Arc::clone(store),
            queue: QueueReader::new(Arc::clone(store)),
            which: match which {
                Which::Named(batches) => Some(batches.clone()),
                Which::All => None,
            },
            of_run,
            last_accepted: Arc::default(),
            looking_back: None,
            late: None,
            fails: None,
        };
        Writing { end, task: tokio::spawn(async move { writer.write_until(ended).await }) }
    }

    /// Puts a text in its place, whole or not at all.
    fn write(&self, text: &str) -> std::io::Result<()> {
        // Collectors take what ends in `.prom`, which this does not yet.
        let mut beside = tempfile::Builder::new();
        beside.prefix(".mep-batch-metrics-").suffix(".tmp").permissions(Permissions::from_mode(READABLE));
        let mut file = beside.tempfile_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

/// A file that is kept up while a run goes on.
pub(super) struct Writing {
    end: oneshot::Sender<bool>,
    task: JoinHandle<()>,
}

impl Writing {
    /// Writes it a last time, now that the run has ended; `may_read`: whether its database may be read.
    pub(super) async fn end(self, may_read: bool) {
        let _ = self.end.send(may_read); // it listens until it has heard
        if let Err(error) = self.task.await {
            tracing::error!("the metrics file was not written to the end: {error}");
        }
    }
}

struct Writer {
    file: MetricsFile,
    store: Arc<Store>,
    queue: QueueReader,
    /// The run's batches; `None`: all.
    which: Option<Vec<BatchId>>,
    of_run: Measures,
    /// When each batch's last request was accepted before this run.
    last_accepted: Arc<Mutex<LastAccepted>>,
    /// The search for those, in batches of any size.
    looking_back: Option<JoinHandle<()>>,
    /// A question that the database has not answered in time. It is not broken off, and nobody asks a second one meanwhile.
    late: Option<JoinHandle<Option<QueueFigures>>>,
    /// Why it cannot be written, as that was told.
    fails: Option<String>,
}

impl Writer {
    async fn write_until(&mut self, mut ended: oneshot::Receiver<bool>) {
        loop {
            self.write(true).await;
            if let Ok(may_read) = tokio::time::timeout(EVERY, &mut ended).await {
                let may_read = may_read.unwrap_or(false);
                if let Some(looking_back) = self.looking_back.take().filter(|_| may_read) {
                    let _ = tokio::time::timeout(PATIENCE, looking_back).await; // what is not found by then is left out
                }
                // The last figures stay for long: all of them are read anew.
                self.queue = QueueReader::new(Arc::clone(&self.store));
                self.write(may_read).await;
                return;
            }
        }
    }

    async fn write(&mut self, may_read: bool) {
        let queue = if may_read { self.read().await } else { None };
        if let Some(queue) = queue.as_ref().filter(|_| self.looking_back.is_none()) {
            let batches = queue.batches_with(State::Accepted).collect();
            let (store, found) = (Arc::clone(&self.store), Arc::clone(&self.last_accepted));
            self.looking_back = Some(tokio::spawn(look_back(store, batches, found)));
        }
        let last_accepted = self.last_accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let page = Page {
            now: UnixMillis::now(),
            is_shared: self.store.is_shared(),
            queue: queue.as_ref(),
            tallies: &Tallies::new(),
            last_accepted: &last_accepted,
            run: Some(&self.of_run.figures()),
        };
        let written = self.file.write(&page.text());
        // Its kind alone: the text names a temporary file, which is another one each time.
        self.tell(written.err().map(|error| error.kind().to_string()));
    }

    /// How the queue stands, where the database says so in time.
    async fn read(&mut self) -> Option<QueueFigures> {
        if let Some(mut late) = self.late.take()
            && tokio::time::timeout(PATIENCE, &mut late).await.is_err()
        {
            self.late = Some(late);
            return None;
        }
        let (queue, which) = (self.queue.clone(), self.which.clone());
        let mut reading = tokio::spawn(async move {
            let failed = |error| tracing::debug!("the figures of the batches cannot be read: {error}");
            queue.read(which.as_deref(), PATIENCE).await.map_err(failed).ok()
        });
        match tokio::time::timeout(PATIENCE, &mut reading).await {
            Ok(read) => read.ok().flatten(),
            Err(_) => {
                self.late = Some(reading);
                None
            }
        }
    }

    /// Says once that it cannot be written, and once that it can again.
    fn tell(&mut self, fails: Option<String>) {
        let path = self.file.path.display();
        match (&self.fails, &fails) {
            (was, Some(why)) if was.as_ref() != Some(why) => {
                tracing::warn!("the metrics file `{path}` cannot be written; the run goes on without it: {why}");
            }
            (Some(_), None) => tracing::warn!("the metrics file `{path}` is written again"),
            (_, _) => {}
        }
        self.fails = fails;
    }
}

/// Looks for the last accepted request of each batch, once. What this run has accepted since, it knows itself.
async fn look_back(store: Arc<Store>, batches: Vec<BatchId>, found: Arc<Mutex<LastAccepted>>) {
    for batch in batches {
        match report::last_accepted(&store, batch).await {
            Ok(Some(last)) => {
                found.lock().unwrap_or_else(PoisonError::into_inner).insert(batch, last);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!("the last accepted request of a batch cannot be read: {error}"),
        }
    }
}
