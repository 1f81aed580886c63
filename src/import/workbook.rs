//! A workbook, read once, cell by cell, into a text that is then read like any other file.
//!
//! The same cells make the same text, whichever program saved the workbook: its hash is that of the content.

mod cell;
pub(super) mod choice;
pub(super) mod container;
mod notes;
mod package;
mod reader;
pub(super) mod row;
mod xml_tags;

use std::fs::File;
use std::io::{BufReader, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Reader, Xlsx};
use sha2::{Digest, Sha256};

use super::limits::{CHUNK_BYTES, UNPACKED_BYTES_MAX};
use super::note::Note;
use super::refused::FileFault;
use super::source::hex;
use super::survey::{Format, Survey};
use super::text::encoding::TextEncoding;
use super::text::spool::Spool;
use super::text::{Text, sha256_of};
use choice::{SheetChoice, choose};
use notes::{notes_on, padded_numbers};
use package::{Package, broken};
use reader::SheetReader;
use row::SheetRow;

/// The text of a workbook's sheet, and what was found out about it.
///
/// The text is in a temporary file without a name, which only this process can read and which goes with it.
pub(super) fn read_workbook(mut file: File, choice: Option<&SheetChoice>) -> Result<(Text, Survey), FileFault> {
    let sha256 = sha256_of(&file)?;
    let package = guarded(|| Package::inspect(&mut file))?;
    file.rewind().map_err(|error| FileFault::unreadable(&error))?;
    let (text, mut survey) = guarded(|| {
        let mut book = Xlsx::new(BufReader::new(&mut file)).map_err(|error| broken(&error))?;
        let mut notes = Vec::new();
        let chosen = choose(&mut book, choice, &mut notes)?;
        let mut text = SheetText::new(UNPACKED_BYTES_MAX)?;
        if let Some(chosen) = &chosen {
            let padded = padded_numbers(&mut book, &chosen.name)?;
            let mut sheet = SheetReader::open(&mut book, &chosen.name)?;
            while let Some(row) = sheet.next_row()? {
                text.write(&row)?;
            }
            notes.extend(notes_on(sheet.tally(), &padded, package.remarks(chosen.place)));
        }
        text.finish(chosen.map(|chosen| chosen.name), notes)
    })?;
    survey.file_sha256.clone_from(&sha256);
    Ok((Text::made_of(file, sha256, text), survey))
}

/// Takes a panic for a broken workbook: the crate that reads it counts on numbers that a program would have written.
fn guarded<T>(read: impl FnOnce() -> Result<T, FileFault>) -> Result<T, FileFault> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(broken(&"it is damaged")))
}

/// The text while it is written.
struct SheetText {
    spool: Spool,
    hash: Sha256,
    bytes: u64,
    /// A string that stands once in the workbook may be the text of every cell.
    bytes_max: u64,
    /// Rows that are written together.
    buffer: Vec<u8>,
}

impl SheetText {
    fn new(bytes_max: u64) -> Result<SheetText, FileFault> {
        Ok(SheetText { spool: Spool::new()?, hash: Sha256::new(), bytes: 0, bytes_max, buffer: Vec::new() })
    }

    fn write(&mut self, row: &SheetRow) -> Result<(), FileFault> {
        serde_json::to_writer(&mut self.buffer, row).map_err(|error| FileFault::unreadable(&error.into()))?;
        self.buffer.push(b'\n');
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), FileFault> {
        self.hash.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        if self.bytes > self.bytes_max {
            let reason = format!("the sheet's text has more than {} bytes", self.bytes_max);
            return Err(FileFault::new(reason, "split it, or save the sheet as `CSV UTF-8`"));
        }
        self.spool.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self, sheet: Option<String>, notes: Vec<Note>) -> Result<(File, Survey), FileFault> {
        self.flush()?;
        let survey = Survey {
            sha256: hex(self.hash),
            file_sha256: String::new(),
            bytes: self.bytes,
            format: Format::Xlsx,
            encoding: TextEncoding::UTF_8,
            sheet,
            delimiter: None,
            escape: None,
            is_blank: self.bytes == 0,
            notes,
            skipped_bytes: 0,
            first_line: 1,
        };
        Ok((self.spool.finish()?, survey))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_of_too_much_text_is_refused() {
        let row = SheetRow { row: 1, cells: vec!["1".repeat(CHUNK_BYTES)], faults: Vec::new() };
        let bytes_max = 3 * CHUNK_BYTES as u64;
        let mut text = SheetText::new(bytes_max).expect("a temporary file");
        text.write(&row).and_then(|()| text.write(&row)).expect("room");
        let refused = text.write(&row).expect_err("too much");
        assert_eq!(refused.reason, format!("the sheet's text has more than {bytes_max} bytes"));
    }
}
