//! The disk under a database's file: how long it takes to make something durable, and how much room there is.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Error, Result};

/// How often something is made durable to know how long it takes: enough for a middle that one slow one does not move.
const SYNCS: usize = 21;

/// What is written each time: a page of a database.
const PAGE: [u8; 4096] = [0; 4096];

/// What an import leaves free of the disk: what its log may grow to, and be folded into the file.
const ROOM: u64 = 64 << 20;

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
        let folder = folder_of(database);
        let metadata = database.metadata()?;
        Ok(Disk {
            sync: middle_sync(folder)?,
            free: free_in(folder)?,
            size: metadata.len(),
            mode: metadata.permissions().mode() & 0o777,
        })
    }
}

fn folder_of(database: &Path) -> &Path {
    database.parent().unwrap_or(Path::new("."))
}

fn free_in(folder: &Path) -> std::io::Result<u64> {
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Refuses to fill a disk to its end: then the log could not even be folded, which makes room, and no run could go on.
pub(super) fn hold_room(database: &Path) -> Result<()> {
    // A disk that does not tell is found to be full when it is.
    free_in(folder_of(database)).map_or(Ok(()), |free| is_enough(database, free))
}

fn is_enough(database: &Path, free: u64) -> Result<()> {
    if free >= ROOM {
        return Ok(());
    }
    let [free_mib, room_mib] = [free, ROOM].map(|bytes| bytes >> 20);
    Err(Error::Narrow { place: database.display().to_string(), free_mib, room_mib })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_leaves_room_on_the_disk() {
        let database = Path::new("/data/queue.db");
        assert!(is_enough(database, ROOM).is_ok());
        let told = is_enough(database, ROOM - 1).expect_err("too little room").to_string();
        assert!(told.contains("63 MiB") && told.contains("64 MiB") && told.contains("/data/queue.db"), "{told}");
    }
}
