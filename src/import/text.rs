//! The text of a campaign, and the file that it was made of.

pub(super) mod census;
pub(super) mod decode;
pub(super) mod encoding;
mod foreign;
pub(super) mod gzip;
mod samples;
pub(super) mod spool;
pub(super) mod utf8;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::limits::{CHUNK_BYTES, UNPACKED_BYTES_MAX};
use super::refused::FileFault;
use super::source::hex;
use decode::Decoded;
use encoding::TextEncoding;
use foreign::{HEAD_BYTES, refuse_foreign};
use spool::read_some;

/// A file to read a campaign from.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) file: File,
    /// What the text was unpacked or decoded from; `None`: it is read as it is.
    origin: Option<Origin>,
}

/// A file of which a temporary copy is read: it must stay the same until the copy has been read.
#[derive(Debug)]
struct Origin {
    file: File,
    sha256: String,
}

impl Text {
    /// The text of a file that can be read twice; a gzip is unpacked.
    pub(super) fn of(mut file: File) -> Result<Text, FileFault> {
        let head = head_of(&mut file, HEAD_BYTES)?;
        if !gzip::is_gzip(&head) {
            refuse_foreign(&head)?;
            return Ok(Text { file, origin: None });
        }
        let mut packed = Hashed::new(&file);
        let mut text = gzip::unpacked(&mut packed, UNPACKED_BYTES_MAX)?;
        let sha256 = packed.sha256();
        let head = head_of(&mut text, HEAD_BYTES)?;
        if gzip::is_gzip(&head) {
            return Err(FileFault::new("found a gzip within a gzip", "unpack it once, and give what comes out"));
        }
        refuse_foreign(&head)?;
        Ok(Text::made_of(file, sha256, text))
    }

    /// A text that was made of a file with that hash.
    pub(super) fn made_of(origin: File, sha256: String, text: File) -> Text {
        Text { file: text, origin: Some(Origin { file: origin, sha256 }) }
    }

    /// The same text, to be read once more: that its file is still the same has been proved by then.
    pub(super) fn again(&self) -> io::Result<Text> {
        Ok(Text { file: self.file.try_clone()?, origin: None })
    }

    /// Bytes of the text at a place, which moves no reading.
    pub(super) fn bytes_at(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, place)?;
        Ok(bytes)
    }

    /// The beginning of the text.
    pub(super) fn head(&mut self, bytes: usize) -> Result<Vec<u8>, FileFault> {
        head_of(&mut self.file, bytes)
    }

    /// The file, to be read from its start.
    pub(super) fn rewound(&mut self) -> Result<&mut File, FileFault> {
        self.file.rewind().map_err(|error| FileFault::unreadable(&error))?;
        Ok(&mut self.file)
    }

    /// The text as UTF-8, in a temporary file of its own, and what shows whether it was decoded right.
    pub(super) fn decoded(
        mut self,
        encoding: TextEncoding,
        mark_bytes: usize,
    ) -> Result<(Text, Vec<String>), FileFault> {
        let mut from = Hashed::new(self.rewound()?);
        let Decoded { mut file, samples } = decode::decoded(&mut from, encoding, mark_bytes)?;
        let sha256 = from.sha256();
        refuse_foreign(&head_of(&mut file, HEAD_BYTES)?)?;
        let origin = self.origin.unwrap_or(Origin { file: self.file, sha256 });
        Ok((Text { file, origin: Some(origin) }, samples))
    }

    /// The hash of the file itself, where that is another than the text's.
    pub(super) fn origin_sha256(&self) -> Option<&str> {
        self.origin.as_ref().map(|origin| origin.sha256.as_str())
    }

    /// Called at the end: whether the file is still the one of which the text was made.
    pub(super) fn verify_origin(&self) -> Result<(), FileFault> {
        match &self.origin {
            Some(Origin { file, sha256 }) if sha256_of(file)? != *sha256 => Err(FileFault::changed()),
            Some(_) | None => Ok(()),
        }
    }
}

/// The beginning of a file, which is rewound before and after.
fn head_of(file: &mut File, bytes: usize) -> Result<Vec<u8>, FileFault> {
    let mut head = Vec::new();
    file.rewind()
        .and_then(|()| file.by_ref().take(bytes as u64).read_to_end(&mut head))
        .and_then(|_| file.rewind())
        .map_err(|error| FileFault::unreadable(&error))?;
    Ok(head)
}

/// The hash of a whole file.
pub(super) fn sha256_of(mut file: &File) -> Result<String, FileFault> {
    file.rewind().map_err(|error| FileFault::unreadable(&error))?;
    let mut from = Hashed::new(file);
    let mut chunk = vec![0; CHUNK_BYTES];
    while read_some(&mut from, &mut chunk).map_err(|error| FileFault::unreadable(&error))? > 0 {}
    Ok(from.sha256())
}

/// A file that is hashed while it is read.
struct Hashed<'a> {
    file: &'a File,
    hash: Sha256,
}

impl<'a> Hashed<'a> {
    fn new(file: &'a File) -> Self {
        Hashed { file, hash: Sha256::new() }
    }

    fn sha256(self) -> String {
        hex(self.hash)
    }
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
