//! Temporary files: what cannot be read twice as it is, is written into one first.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;

use crate::import::limits::CHUNK_BYTES;
use crate::import::refused::FileFault;

/// Whoever may look into this process may open what has no name too.
const MODE: u32 = 0o600;

/// A temporary file without a name, which only this process can read and which goes with it, however it ends.
#[derive(Debug)]
pub(in crate::import) struct Spool(File);

impl Spool {
    pub(in crate::import) fn new() -> Result<Spool, FileFault> {
        let owner_only = |file: File| file.set_permissions(Permissions::from_mode(MODE)).map(|()| Spool(file));
        tempfile::tempfile().and_then(owner_only).map_err(|error| unwritable(&error))
    }

    pub(in crate::import) fn write(&mut self, piece: &[u8]) -> Result<(), FileFault> {
        self.0.write_all(piece).map_err(|error| unwritable(&error))
    }

    /// The file, to be read from its start.
    pub(in crate::import) fn finish(mut self) -> Result<File, FileFault> {
        self.0.rewind().map_err(|error| unwritable(&error))?;
        Ok(self.0)
    }
}

/// Everything that can be read, in a temporary file; a pipe may never end.
pub(in crate::import) fn spooled(from: impl Read, bytes_max: u64) -> Result<File, FileFault> {
    let too_large = || FileFault::new(format!("it has more than {bytes_max} bytes"), "split it");
    copied(from, bytes_max, FileFault::unreadable, too_large)
}

/// Likewise, with faults in the words of whoever knows what is read.
pub(super) fn copied(
    mut from: impl Read,
    bytes_max: u64,
    unreadable: impl Fn(&io::Error) -> FileFault,
    too_large: impl FnOnce() -> FileFault,
) -> Result<File, FileFault> {
    let mut spool = Spool::new()?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let count = read_some(&mut from, &mut chunk).map_err(|error| unreadable(&error))?;
        bytes += count as u64;
        if count == 0 {
            return spool.finish();
        } else if bytes > bytes_max {
            return Err(too_large());
        }
        spool.write(&chunk[..count])?;
    }
}

/// Reads once more where a signal came in between.
pub(in crate::import) fn read_some(from: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn unwritable(error: &io::Error) -> FileFault {
    FileFault::new(
        format!("a temporary file in `{}` cannot be written: {error}", std::env::temp_dir().display()),
        "make room there, or name a folder that has room: `TMPDIR=/some/folder mep-batch …`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_spool_is_read_from_its_start_and_has_no_name_and_no_other_reader() {
        let mut spool = spooled(&b"phoneNumber\n12515550130\n"[..], 24).expect("a spool");
        let mut text = String::new();
        spool.read_to_string(&mut text).expect("text");
        assert_eq!(text, "phoneNumber\n12515550130\n");
        let metadata = spool.metadata().expect("metadata");
        assert_eq!((metadata.mode() & 0o777, metadata.nlink()), (0o600, 0));
    }

    #[test]
    fn what_never_ends_is_refused() {
        let refused = spooled(io::repeat(b'1'), 100).expect_err("too much");
        assert_eq!(refused.reason, "it has more than 100 bytes");
    }

    #[test]
    fn what_cannot_be_written_names_the_folder_and_tmpdir() {
        let full = unwritable(&io::Error::from_raw_os_error(28)).to_string();
        let folder = std::env::temp_dir().display().to_string();
        assert!(full.contains(&folder) && full.contains("TMPDIR=") && full.contains("No space left"), "{full}");
    }
}
