//! Files that hold other files, told by their first bytes: a workbook is one, and the rest is refused by its name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::import::refused::FileFault;

const ZIP: &[u8] = b"PK\x03\x04";
const EMPTY_ZIP: &[u8] = b"PK\x05\x06";
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

const SAVE_AS_XLSX: &str = "open it in the spreadsheet program, and save the sheet as `.xlsx` or as `CSV UTF-8`";

/// Whether a file is a zip, as a workbook is; the file is rewound.
///
/// # Errors
///
/// It cannot be read, or is what workbooks were before they were zips.
pub(in crate::import) fn is_zip(file: &mut File) -> Result<bool, FileFault> {
    let mut head = Vec::new();
    let read = file.by_ref().take(COMPOUND.len() as u64).read_to_end(&mut head).and_then(|_| file.rewind());
    read.map_err(|error| FileFault::unreadable(&error))?;
    if head == COMPOUND {
        return Err(if has_password(file).unwrap_or(false) {
            expected_instead_of("a workbook with a password", "open it, take the password away, and save it")
        } else {
            expected_instead_of("an old workbook (.xls) or another file of an Office program", SAVE_AS_XLSX)
        });
    }
    Ok(head.starts_with(ZIP) || head.starts_with(EMPTY_ZIP))
}

/// Refuses a zip that is no workbook, saying what it seems to be.
pub(in crate::import) fn refuse_other_zips(names: &[String]) -> Result<(), FileFault> {
    let has = |start: &str| names.iter().any(|name| name.to_ascii_lowercase().starts_with(start));
    let is_numbers = names.iter().any(|name| name.ends_with(".iwa"));
    let (found, fix) = if has("xl/workbook.bin") {
        ("a binary workbook (.xlsb)", SAVE_AS_XLSX)
    } else if has("xl/workbook") {
        return Ok(());
    } else if has("word/") {
        ("a text document (.docx)", "put its table into a sheet, and save that as `.xlsx` or as `CSV UTF-8`")
    } else if has("ppt/") {
        ("a presentation (.pptx)", "put its table into a sheet, and save that as `.xlsx` or as `CSV UTF-8`")
    } else if has("mimetype") && has("content.xml") {
        ("an OpenDocument file (.ods)", SAVE_AS_XLSX)
    } else if is_numbers {
        ("a Numbers document", "export it as `Excel`, or as `CSV` with UTF-8")
    } else {
        ("a zip that holds no workbook", "unpack it first")
    };
    Err(expected_instead_of(found, fix))
}

fn expected_instead_of(found: &str, fix: &str) -> FileFault {
    FileFault::new(format!("found {found}; expected CSV, JSON, NDJSON or .xlsx"), fix)
}

/// Entries of the directory that are looked at: those of a protected workbook stand at its beginning.
const DIRECTORY_BYTES: u64 = 4096;

/// Whether the directory of a compound file names what Office programs encrypt a workbook into.
fn has_password(file: &mut File) -> io::Result<bool> {
    let mut header = [0; 52];
    file.read_exact(&mut header)?;
    let sector_bits = u16::from_le_bytes([header[30], header[31]]);
    let first = u32::from_le_bytes([header[48], header[49], header[50], header[51]]);
    // The header itself takes the room of the sector before the first.
    file.seek(SeekFrom::Start((u64::from(first) + 1) << sector_bits.min(12)))?;
    let mut directory = Vec::new();
    file.take(DIRECTORY_BYTES).read_to_end(&mut directory)?;
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    Ok(directory.windows(name.len()).any(|window| window == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn told(content: &[u8]) -> Result<bool, String> {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(content).and_then(|()| file.rewind()).expect("written");
        is_zip(&mut file).map_err(|fault| fault.reason)
    }

    #[test]
    fn a_zip_is_told_by_its_first_bytes() {
        assert_eq!(told(b"PK\x03\x04..."), Ok(true));
        assert_eq!(told(b"PK\x05\x06"), Ok(true));
        assert_eq!(told(b"phoneNumber\n"), Ok(false));
        assert_eq!(told(b""), Ok(false));
    }

    #[test]
    fn an_old_workbook_and_one_with_a_password_are_told_apart() {
        let mut file = vec![0; 1536];
        file[..8].copy_from_slice(COMPOUND);
        file[30] = 9;
        file[48] = 1;
        assert!(told(&file).expect_err("refused").contains("an old workbook"));
        assert!(told(COMPOUND).expect_err("refused").contains("an old workbook"));
        let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        file[1024 + 128..][..name.len()].copy_from_slice(&name);
        assert!(told(&file).expect_err("refused").contains("a password"));
    }

    #[test]
    fn a_zip_that_is_no_workbook_is_called_by_its_name() {
        let kind = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            refuse_other_zips(&names).map_err(|fault| fault.reason)
        };
        assert_eq!(kind(&["[Content_Types].xml", "xl/workbook.xml"]), Ok(()));
        assert_eq!(kind(&["xl/workbook2.xml"]), Ok(()));
        for (names, word) in [
            (&["xl/workbook.bin"][..], ".xlsb"),
            (&["word/document.xml"], ".docx"),
            (&["ppt/presentation.xml"], ".pptx"),
            (&["mimetype", "content.xml"], ".ods"),
            (&["Index/Document.iwa"], "Numbers"),
            (&["guests.csv"], "a zip that holds no workbook"),
            (&[], "a zip that holds no workbook"),
        ] {
            assert!(kind(names).expect_err("refused").contains(word), "{word}");
        }
    }
}
