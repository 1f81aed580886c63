//! A campaign file, opened and surveyed.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use super::options::Options;
use super::reading::Reading;
use super::refused::{FileFault, FileRefused};
use super::rows::Rows;
use super::survey::{Survey, survey};

/// A file of which all is known that can be known without the operator's options.
#[derive(Debug)]
pub struct Input {
    name: String,
    file: File,
    survey: Survey,
}

/// The path that means standard input.
pub const STANDARD_INPUT: &str = "-";

impl Input {
    /// Opens and surveys a file; `-` is standard input.
    ///
    /// What cannot be read twice (standard input, a pipe) is first written to a temporary file without a name, which
    /// only this process can read and which goes with it.
    ///
    /// # Errors
    ///
    /// It cannot be read, is no UTF-8, or has a quote or a record without end.
    pub fn open(path: &Path, reading: &Reading) -> Result<Input, FileRefused> {
        let is_standard_input = path == Path::new(STANDARD_INPUT);
        let name = if is_standard_input { "standard input".to_owned() } else { path.display().to_string() };
        let opened = if is_standard_input { spooled(io::stdin().lock()) } else { regular(path) };
        let mut file = opened.map_err(|error| FileFault::unreadable(&error).in_file(&name))?;
        let _ = reading; // nothing can be said of it yet
        match survey(&mut file, path) {
            Ok(survey) => Ok(Input { name, file, survey }),
            Err(fault) => Err(fault.in_file(&name)),
        }
    }

    /// What the survey found out.
    #[must_use]
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Begins to read the rows.
    ///
    /// # Errors
    ///
    /// All faults of the header and of the constants at once.
    pub fn rows(self, options: Options) -> Result<Rows, FileRefused> {
        Rows::begin(self.name, self.file, self.survey, options)
    }
}

fn regular(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    if kind.is_file() { Ok(file) } else { spooled(file) }
}

fn spooled(mut from: impl Read) -> io::Result<File> {
    let mut spool = tempfile::tempfile()?;
    io::copy(&mut from, &mut spool)?;
    spool.rewind()?;
    Ok(spool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_once_only_is_spooled_and_read_from_its_start() {
        let mut spool = spooled(&b"phoneNumber\n12515550130\n"[..]).expect("a spool");
        let mut text = String::new();
        spool.read_to_string(&mut text).expect("text");
        assert_eq!(text, "phoneNumber\n12515550130\n");
    }

    #[test]
    fn what_cannot_be_opened_is_told_by_its_name() {
        for path in ["/nowhere/at all.csv", "/"] {
            let told = Input::open(Path::new(path), &Reading::default()).map(|_| ()).expect_err("no file").to_string();
            assert!(told.starts_with(&format!("`{path}` is refused: it cannot be read: ")), "{told}");
        }
    }
}
