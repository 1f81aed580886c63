//! The second reading of a surveyed file.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::refused::FileFault;
use super::survey::Survey;
use super::text::Text;

/// A file that is read once more, and hashed once more.
#[derive(Debug)]
pub(super) struct Source {
    text: Text,
    hash: Sha256,
    expected: String,
}

impl Source {
    /// Begins behind what is no content: the byte order mark and a `sep=` line.
    pub(super) fn open(mut text: Text, survey: &Survey) -> Result<Self, FileFault> {
        text.rewound()?;
        let mut source = Source { text, hash: Sha256::new(), expected: survey.sha256.clone() };
        let mut skipped = vec![0; survey.skipped_bytes];
        source.read_exact(&mut skipped).map_err(|_| FileFault::changed())?;
        Ok(source)
    }

    /// Called at the end: whether all that was read is what was surveyed, and the file still what that was made of.
    pub(super) fn verify(&self) -> Result<(), FileFault> {
        if hex(self.hash.clone()) == self.expected { self.text.verify_origin() } else { Err(FileFault::changed()) }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.text.file.read(buffer)?;
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
