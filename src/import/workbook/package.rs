//! The parts of a zipped document: which kind of document it is, and whether its parts can be read within bounds.
//!
//! The crate that reads workbooks believes what a file says of itself: it makes room for as many strings as the file
//! claims to have, and unpacks whatever there is. Each part is therefore read once before, by the same zip library, so
//! that both see the same parts.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};

use zip::ZipArchive;

use super::container::refuse_other_zips;
use super::xml_tags::{Tag, Tags};
use crate::import::limits::{RECORD_BYTES_MAX, SHARED_STRINGS_BYTES_MAX, UNPACKED_BYTES_MAX};
use crate::import::refused::FileFault;

/// What was found in the parts of a workbook.
#[derive(Debug, Default)]
pub(in crate::import) struct Package {
    /// The relations of the sheets, in the workbook's order.
    sheets: Vec<String>,
    /// The part that each relation means.
    targets: HashMap<String, String>,
    /// What is remarkable in parts that are sheets.
    remarks: HashMap<String, Remarks>,
}

/// What the cells of a sheet do not show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::import) struct Remarks {
    /// Rows that are hidden by a filter or by hand.
    pub(in crate::import) hidden_rows: u64,
    /// Ranges of cells that are merged.
    pub(in crate::import) merged_ranges: u64,
}

impl Package {
    /// Reads every part of a workbook once.
    ///
    /// # Errors
    ///
    /// It is another kind of document, is broken, or is larger than the bounds.
    pub(in crate::import) fn inspect(file: &mut File) -> Result<Package, FileFault> {
        file.rewind().map_err(|error| FileFault::unreadable(&error))?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(&error))?;
        let names: Vec<String> = archive.file_names().filter_map(Result::ok).map(|name| name.into_owned()).collect();
        refuse_other_zips(&names)?;
        let mut package = Package::default();
        let mut unpacked = 0;
        for index in 0..archive.len() {
            let part = archive.by_index(index).map_err(|error| broken(&error))?;
            let name = part.name().map_err(|error| broken(&error))?.to_ascii_lowercase();
            let mut tags = Tags::new(part.take(UNPACKED_BYTES_MAX - unpacked + 1));
            package.read_part(&name, &mut tags)?;
            unpacked += tags.bytes();
            if unpacked > UNPACKED_BYTES_MAX {
                return Err(too_large(format!("it unpacks to more than {UNPACKED_BYTES_MAX} bytes")));
            }
        }
        Ok(package)
    }

    /// What is remarkable in a sheet, by its place in the workbook.
    pub(in crate::import) fn remarks(&self, sheet: usize) -> Remarks {
        let part = self.sheets.get(sheet).and_then(|id| self.targets.get(id));
        part.and_then(|part| self.remarks.get(part)).copied().unwrap_or_default()
    }

    fn read_part(&mut self, name: &str, tags: &mut Tags<impl Read>) -> Result<(), FileFault> {
        let mut remarks = Remarks::default();
        let mut string_begins = None;
        loop {
            let place = tags.bytes();
            let Some(tag) = tags.next_tag().map_err(|error| broken(&error))? else { break };
            match tag.local_name() {
                b"row" => remarks.hidden_rows += u64::from(is_hidden(tag)),
                b"mergeCell" => remarks.merged_ranges += u64::from(!tag.is_closing()),
                b"c" | b"si" => string_begins = tag.is_opening().then_some(place),
                b"sst" => check_table_of_strings(tag)?,
                b"sheet" => self.sheets.extend(tag.attribute("id").map(str::to_owned)),
                b"Relationship" if is_of_workbook(name) => self.note_relation(tag),
                b"!DOCTYPE" => return Err(broken(&"it has a document type, which no workbook has")),
                _ => {}
            }
            let is_long = |begin: u64| tags.bytes() - begin > RECORD_BYTES_MAX as u64;
            if string_begins.is_some_and(is_long) {
                return Err(too_large(format!("a cell is longer than {RECORD_BYTES_MAX} bytes")));
            }
        }
        if name.ends_with("sharedstrings.xml") && tags.bytes() > SHARED_STRINGS_BYTES_MAX {
            return Err(too_large(format!("its table of strings has more than {SHARED_STRINGS_BYTES_MAX} bytes")));
        }
        if remarks != Remarks::default() {
            self.remarks.insert(name.to_owned(), remarks);
        }
        Ok(())
    }

    fn note_relation(&mut self, tag: Tag<'_>) {
        let (Some(id), Some(target)) = (tag.attribute("Id"), tag.attribute("Target")) else { return };
        let part = match target.strip_prefix('/') {
            Some(absolute) => absolute.to_ascii_lowercase(),
            None => format!("xl/{}", target.to_ascii_lowercase()),
        };
        self.targets.insert(id.to_owned(), part);
    }
}

fn is_of_workbook(name: &str) -> bool {
    name.starts_with("xl/_rels/workbook") && name.ends_with(".rels")
}

fn is_hidden(row: Tag<'_>) -> bool {
    row.is_opening() && matches!(row.attribute("hidden"), Some("1" | "true"))
}

/// Strings that a table may claim to hold: more than fit into the largest table, and room for them is made at once.
const STRINGS_MAX: u64 = SHARED_STRINGS_BYTES_MAX / "<si/>".len() as u64;

fn check_table_of_strings(tag: Tag<'_>) -> Result<(), FileFault> {
    match tag.attribute("uniqueCount").map(str::parse::<u64>) {
        Some(Ok(count)) if count > STRINGS_MAX => Err(broken(&format!("it claims to have {count} strings"))),
        Some(Ok(_) | Err(_)) | None => Ok(()),
    }
}

fn too_large(reason: String) -> FileFault {
    FileFault::new(reason, "split it, or save the sheet as `CSV UTF-8`")
}

/// A workbook that cannot be read.
pub(in crate::import) fn broken(error: &impl std::fmt::Display) -> FileFault {
    let fix = "open it in the spreadsheet program and save it again as `.xlsx`, or as `CSV UTF-8`";
    FileFault::new(format!("the workbook cannot be read: {error}"), fix)
}
