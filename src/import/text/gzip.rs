//! Unpacks gzip.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::spool::copied;
use crate::import::refused::FileFault;

const EXTENSION: &str = "gz";
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether a file that begins so is gzip.
pub(in crate::import) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&MAGIC)
}

/// The name that a packed file has unpacked: without its `.gz`. Any other name is left as it is.
#[must_use]
pub fn unpacked_name(name: &Path) -> PathBuf {
    match name.extension() {
        Some(extension) if extension.eq_ignore_ascii_case(EXTENSION) => name.with_extension(""),
        Some(_) | None => name.to_owned(),
    }
}

/// Unpacks all members of a gzip into a temporary file; a small file may unpack to more than any disk holds.
pub(in crate::import) fn unpacked(packed: impl Read, bytes_max: u64) -> Result<File, FileFault> {
    let too_large = || {
        let reason = format!("the gzip unpacks to more than {bytes_max} bytes");
        FileFault::new(reason, "split the file; check where it comes from")
    };
    copied(MultiGzDecoder::new(packed), bytes_max, damaged, too_large)
}

fn damaged(error: &io::Error) -> FileFault {
    let again = "fetch it once more, and check it with `gzip -t`";
    if error.raw_os_error().is_some() {
        FileFault::unreadable(error)
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        FileFault::new("the gzip is cut off: its end is missing", again)
    } else {
        FileFault::new(format!("the gzip is damaged: {error}"), again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const BYTES_MAX: u64 = 100;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(text).expect("written");
        writer.finish().expect("packed")
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut file = unpacked(bytes, BYTES_MAX).map_err(|fault| fault.reason)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).expect("read");
        Ok(text)
    }

    #[test]
    fn the_name_of_a_gzip_is_the_one_it_has_unpacked() {
        for (packed, unpacked) in
            [("a/b.csv.gz", "a/b.csv"), ("b.GZ", "b"), ("b.csv", "b.csv"), ("-", "-"), (".gz", ".gz")]
        {
            assert_eq!(unpacked_name(Path::new(packed)), Path::new(unpacked));
        }
    }

    #[test]
    fn all_members_are_unpacked() {
        assert_eq!(unpack(&packed(b"a\nb")), Ok(b"a\nb".to_vec()));
        assert_eq!(unpack(&[packed(b"a"), packed(b""), packed(b"b")].concat()), Ok(b"ab".to_vec()));
        assert_eq!(unpack(&packed(b"")), Ok(Vec::new()));
    }

    #[test]
    fn what_is_cut_or_damaged_is_refused_wherever_it_is() {
        let whole = packed(b"phoneNumber\n12515550130\n");
        for end in 2..whole.len() {
            assert_eq!(unpack(&whole[..end]), Err("the gzip is cut off: its end is missing".to_owned()), "{end}");
        }
        for at in whole.len() - 8..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(unpack(&bytes).expect_err("a wrong sum").starts_with("the gzip is damaged"), "{at}");
        }
        assert!(unpack(&[&whole, &b"x"[..]].concat()).is_err());
    }

    #[test]
    fn a_gzip_that_unpacks_to_too_much_is_refused() {
        assert_eq!(unpack(&packed(&[b'a'; 100])).map(|text| text.len()), Ok(100));
        assert_eq!(unpack(&packed(&[b'a'; 101])), Err("the gzip unpacks to more than 100 bytes".to_owned()));
    }
}
