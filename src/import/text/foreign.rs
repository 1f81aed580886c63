//! Files that are no campaign, told by how they begin.

use crate::import::refused::FileFault;

const EXPORT: &str = "open it in a spreadsheet and save it as `CSV UTF-8`";
const UNPACK: &str = "unpack it first; of packed files only gzip is read";
const WRONG_FILE: &str = "check the path: a campaign is CSV, JSON, NDJSON or .xlsx";

/// Bytes at the beginning of a file, what it is then, and what to do.
const SIGNATURES: [(&[u8], &str, &str); 19] = [
    (b"PK\x03\x04", "a workbook or a zip archive within a gzip", UNPACK),
    (b"PK\x05\x06", "an empty zip archive within a gzip", UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old .xls workbook, or a workbook with a password", EXPORT),
    (b"PAR1", "a Parquet file", "export it as CSV, for example with DuckDB"),
    (b"%PDF-", "a PDF", "export the table behind it as `CSV UTF-8`"),
    (b"{\\rtf", "a rich text document (RTF)", "save it as plain text, or the table as `CSV UTF-8`"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"BZh", "bzip2", UNPACK),
    (b"\xfd7zXZ\0", "xz", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"\x89PNG\r\n\x1a\n", "an image", WRONG_FILE),
    (b"\xff\xd8\xff", "an image", WRONG_FILE),
    (b"GIF87a", "an image", WRONG_FILE),
    (b"GIF89a", "an image", WRONG_FILE),
    (b"\x7fELF", "a program", WRONG_FILE),
    (b"bplist0", "a property list", WRONG_FILE),
    (b"-----BEGIN ", "a key or a certificate", WRONG_FILE),
];

/// Beginnings of a text that is markup, in lower case.
const MARKUP: [(&str, &str); 7] = [
    ("<!doctype html", "HTML"),
    ("<html", "HTML"),
    ("<head", "HTML"),
    ("<meta", "HTML"),
    ("<table", "HTML"),
    ("<?xml", "XML"),
    ("<workbook", "XML"),
];

/// Where an archive of tar says that it is one.
const TAR_MARK: (usize, &[u8]) = (257, b"ustar");

/// Bytes that are enough to tell.
pub(in crate::import) const HEAD_BYTES: usize = 4096;

/// Refuses what begins like something else than text, or like another kind of text.
pub(in crate::import) fn refuse_foreign(head: &[u8]) -> Result<(), FileFault> {
    let found = if head.get(TAR_MARK.0..).is_some_and(|rest| rest.starts_with(TAR_MARK.1)) {
        Some(("a tar archive", UNPACK))
    } else {
        let signature = SIGNATURES.iter().find(|(start, _, _)| head.starts_with(start));
        signature.map(|(_, found, fix)| (*found, *fix)).or_else(|| markup(head))
    };
    match found {
        Some((found, fix)) => Err(FileFault::new(format!("found {found}; expected CSV, JSON, NDJSON or .xlsx"), fix)),
        None => Ok(()),
    }
}

/// Reports of many systems are HTML by the name of .xls or .csv.
fn markup(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins_with =
        |start: &str| text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()));
    MARKUP.iter().find(|(start, _)| begins_with(start)).map(|(_, found)| (*found, EXPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_campaign_is_named_with_the_way_to_one() {
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        for (head, found) in [
            (&b"PK\x03\x04\x14"[..], "a workbook or a zip archive within a gzip"),
            (b"PK\x05\x06\0\0", "an empty zip archive"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "an old .xls workbook"),
            (b"PAR1\x15", "a Parquet file"),
            (b"%PDF-1.7", "a PDF"),
            (b"{\\rtf1\\ansi", "a rich text document"),
            (b"\x89PNG\r\n\x1a\n", "an image"),
            (&tar, "a tar archive"),
            (b"\xef\xbb\xbf\r\n <HTML xmlns:x=", "HTML"),
            (b"<table><tr>", "HTML"),
            (b"<?xml version=\"1.0\"?><?mso-application", "XML"),
        ] {
            let fault = refuse_foreign(head).expect_err("no campaign");
            assert!(fault.reason.starts_with(&format!("found {found}")), "{}", fault.reason);
            assert!(!fault.fix.is_empty());
        }
        for campaign in
            [&b"phoneNumber,session.a\n"[..], b"[{}]", b"{\"phoneNumber\":1}", b"<3,phoneNumber", b"PK", b""]
        {
            assert_eq!(refuse_foreign(campaign), Ok(()));
        }
    }
}
