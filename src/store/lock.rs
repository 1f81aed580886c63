//! The lock beside a SQLite file: one run at a time.
//!
//! `flock` is given back by the kernel when its holder dies, so that who gets it knows that nobody else lives. The
//! file is never deleted: a lock on a deleted file excludes nobody.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Error, Result, file};

/// How long a command that needs the run lock for a moment waits for another such command.
const SOON: Duration = Duration::from_secs(5);
const SOON_STEP: Duration = Duration::from_millis(20);

/// How often, and how far apart, a lock is asked for that somebody may only be glancing at.
const GLANCES: u32 = 5;
const GLANCE: Duration = Duration::from_millis(10);

/// The longest that a holder says of itself.
const HOLDER_LENGTH_MAX: u64 = 512;

/// Who holds a lock, as it said of itself when it got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(String);

impl Holder {
    pub(super) fn new(who: String) -> Holder {
        Holder(who)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "a process that did not say who it is" } else { &self.0 })
    }
}

/// Held by the one run of a database for as long as it lives.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
    database: PathBuf,
    database_inode: Option<Inode>,
    /// The log and its index, as they were last found where this process writes them.
    log: Mutex<[Option<Inode>; 2]>,
}

/// A file's device and number on it.
type Inode = (u64, u64);

impl RunLock {
    /// Takes the lock of the database at its real path, or says who has it.
    ///
    /// `who` is what another process is told meanwhile.
    pub fn acquire(database: &Path, who: &str) -> Result<RunLock> {
        let path = companion(database, ".lock");
        let file = open(database, &path)?;
        let mut tries = GLANCES;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(GLANCE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Held { place: database.display().to_string(), holder: read_holder(&file) });
                }
                Err(TryLockError::Error(error)) => return Err(unlockable(database, &path, &error)),
            }
        }
        write_holder(&file, who).map_err(|error| unlockable(database, &path, &error))?;
        Ok(RunLock {
            file,
            path,
            database: database.to_owned(),
            database_inode: inode_of(database),
            log: Mutex::default(),
        })
    }

    /// Whether a run lives. Looks for a moment only, which [`RunLock::acquire`] waits out.
    pub fn is_held(database: &Path) -> Result<bool> {
        let path = companion(database, ".lock");
        let file = open(database, &path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(unlockable(database, &path, &error)),
        }
    }

    /// Who holds the lock; `None`: nobody. Makes no lock where there is none.
    pub fn holder(database: &Path) -> Result<Option<Holder>> {
        let path = companion(database, ".lock");
        if !path.exists() || !RunLock::is_held(database)? {
            return Ok(None);
        }
        Ok(Some(read_holder(&open(database, &path)?)))
    }

    /// Takes the lock for a short piece of work, waiting a little for others that do the same.
    pub(super) async fn acquire_soon(database: &Path) -> Result<RunLock> {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            match RunLock::acquire(database, "a command that is changing the schema") {
                Err(Error::Held { .. }) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(SOON_STEP).await;
                }
                other => return other,
            }
        }
    }

    /// Whether the paths still lead to the lock that is held and to the database that it was taken for. If not, another
    /// run may hold another lock, or this one may be writing into a file that nobody will read.
    #[must_use]
    pub fn still_holds(&self) -> bool {
        let held = self.file.metadata().ok().map(|held| (held.dev(), held.ino()));
        held.is_some()
            && held == inode_of(&self.path)
            && self.database_inode.is_some()
            && self.database_inode == inode_of(&self.database)
    }

    /// Whether other processes find the log and its index where this one, which has the database open, writes them. Where `/proc`
    /// cannot be read: yes.
    ///
    /// Deleted or moved, they take with them what is not in the database's file yet, once this process is killed.
    #[must_use]
    pub fn log_is_in_place(&self) -> bool {
        let paths = ["-wal", "-shm"].map(|ending| companion(&self.database, ending));
        let found = paths.each_ref().map(|path| inode_of(path));
        let mut known = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // With many connections it takes a while to look at all that is open.
        if *known == found && found.iter().all(Option::is_some) {
            return true;
        }
        let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return true };
        let open: Vec<PathBuf> = open.flatten().filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
        let is_in_place =
            paths.iter().all(|path| open.contains(path) && !open.contains(&companion(path, " (deleted)")));
        *known = if is_in_place { found } else { Default::default() };
        is_in_place
    }
}

pub(super) fn companion(database: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(ending);
    PathBuf::from(name)
}

pub(super) fn open(database: &Path, path: &Path) -> Result<File> {
    file::open_companion(path).map_err(|error| unlockable(database, path, &error))
}

fn inode_of(path: &Path) -> Option<Inode> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn read_holder(mut file: &File) -> Holder {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(HOLDER_LENGTH_MAX).read_to_string(&mut text));
    Holder(read.map_or_else(|_| String::new(), |_| text.trim().to_owned()))
}

fn write_holder(mut file: &File, who: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(who.as_bytes())
}

pub(super) fn unlockable(database: &Path, path: &Path, error: &std::io::Error) -> Error {
    let why = error.to_string();
    let hint =
        if why.contains("\nhint:") { "" } else { "\nhint: this user has to be able to write to it, and to its folder" };
    Error::Unsuitable {
        place: database.display().to_string(),
        why: format!("cannot lock `{}`: {why}{hint}", path.display()),
    }
}
