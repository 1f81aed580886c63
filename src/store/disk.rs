//! The disk under a database's file: how long it takes to make something durable, and how much room there is.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often something is made durable to know how long it takes: enough for a middle that one slow one does not move.
const SYNCS: usize = 21;

/// What is written each time: a page of a database.
const PAGE: [u8; 4096] = [0; 4096];

/// What was found out about the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// How long it takes to make a page durable: the middle of several.
    pub sync: Duration,
    /// Bytes that this user may still write.
    pub free: u64,
    /// Bytes of the database's file.
    pub size: u64,
    /// Who may do what with that file.
    pub mode: u32,
}

impl Disk {
    /// Looks at the disk under the file, with a file of its own beside it that is gone at once.
    pub fn under(database: &Path) -> std::io::Result<Disk> {
        let folder = database.parent().unwrap_or(Path::new("."));
        let metadata = database.metadata()?;
        let space = rustix::fs::statvfs(folder)?;
        Ok(Disk {
            sync: middle_sync(folder)?,
            free: space.f_bavail.saturating_mul(space.f_frsize),
            size: metadata.len(),
            mode: metadata.permissions().mode() & 0o777,
        })
    }
}

fn middle_sync(folder: &Path) -> std::io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}
