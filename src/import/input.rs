//! A campaign file, opened and surveyed.

use std::fs::File;
use std::io;
use std::path::Path;

use super::limits::UNPACKED_BYTES_MAX;
use super::options::Options;
use super::reading::Reading;
use super::refused::{FileFault, FileRefused};
use super::rows::Rows;
use super::survey::{Survey, survey};
use super::table::Records;
use super::text::Text;
use super::text::spool::spooled;
use super::workbook::container::is_zip;
use super::workbook::read_workbook;

/// A file of which all is known that can be known without the operator's options.
#[derive(Debug)]
pub struct Input {
    name: String,
    text: Text,
    survey: Survey,
}

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

impl Input {
    /// Opens and surveys a file; `-` is standard input.
    ///
    /// What cannot be read twice (standard input, a pipe), is packed, or is no UTF-8, is first written to a temporary
    /// file without a name, which only this process can read and which goes with it.
    ///
    /// # Errors
    ///
    /// It cannot be read or decoded, is no campaign, or has a quote or a record without end.
    pub fn open(path: &Path, reading: &Reading) -> Result<Input, FileRefused> {
        let is_standard_input = path == Path::new(STANDARD_INPUT);
        let name = if is_standard_input { "standard input".to_owned() } else { path.display().to_string() };
        let surveyed = if is_standard_input { spooled(io::stdin().lock(), UNPACKED_BYTES_MAX) } else { regular(path) }
            .and_then(|file| surveyed(file, path, reading));
        match surveyed {
            Ok((text, survey)) => Ok(Input { name, text, survey }),
            Err(fault) => Err(fault.in_file(&name)),
        }
    }

    /// What the survey found out.
    #[must_use]
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// The same file, to be read apart from this one.
    ///
    /// # Errors
    ///
    /// The system gives no second handle to it.
    pub fn again(&self) -> io::Result<Input> {
        Ok(Input { name: self.name.clone(), text: self.text.again()?, survey: self.survey.clone() })
    }

    /// Its name, and its records with whatever stands first.
    pub(super) fn into_records(self) -> Result<(String, Records), FileRefused> {
        let records = Records::open(self.text, &self.survey).map_err(|fault| fault.in_file(&self.name))?;
        Ok((self.name, records))
    }

    /// Begins to read the rows.
    ///
    /// # Errors
    ///
    /// All faults of the header and of the constants at once.
    pub fn rows(self, options: Options) -> Result<Rows, FileRefused> {
        Rows::begin(self.name, self.text, self.survey, options)
    }
}

/// The text of a file, and what was found out about it.
fn surveyed(mut file: File, path: &Path, reading: &Reading) -> Result<(Text, Survey), FileFault> {
    if is_zip(&mut file)? {
        return read_workbook(file, reading.sheet.as_ref());
    }
    survey(Text::of(file)?, path, reading)
}

fn regular(path: &Path) -> Result<File, FileFault> {
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata.file_type())));
    let (file, kind) = opened.map_err(|error| FileFault::unreadable(&error))?;
    if kind.is_dir() {
        return Err(FileFault::unreadable(&io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")));
    }
    if kind.is_file() { Ok(file) } else { spooled(file, UNPACKED_BYTES_MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_told_by_its_name() {
        for path in ["/nowhere/at all.csv", "/"] {
            let told = Input::open(Path::new(path), &Reading::default()).map(|_| ()).expect_err("no file").to_string();
            assert!(told.starts_with(&format!("`{path}` is refused: it cannot be read: ")), "{told}");
        }
    }
}
