//! The second reading of a surveyed file.

use std::fs::File;
use std::io::{self, Read, Seek};

use sha2::{Digest, Sha256};

use super::refused::FileFault;
use super::survey::Survey;

/// A file that is read once more, and hashed once more.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    hash: Sha256,
    expected: String,
}

impl Source {
    /// Begins behind what is no content: the byte order mark and a `sep=` line.
    pub(super) fn open(mut file: File, survey: &Survey) -> Result<Self, FileFault> {
        file.rewind().map_err(|error| FileFault::unreadable(&error))?;
        let mut source = Source { file, hash: Sha256::new(), expected: survey.sha256.clone() };
        let mut skipped = vec![0; survey.skipped_bytes];
        source.read_exact(&mut skipped).map_err(|_| FileFault::changed())?;
        Ok(source)
    }

    /// Called at the end: whether all that was read is what was surveyed.
    pub(super) fn verify(&self) -> Result<(), FileFault> {
        if hex(self.hash.clone()) == self.expected { Ok(()) } else { Err(FileFault::changed()) }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

/// The hash in lower-case hexadecimal digits.
pub(super) fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
