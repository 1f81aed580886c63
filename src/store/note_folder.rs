//! The folder of a user's notes about one database: what is read there, and how a note is written so that it is whole.
//!
//! Each run leaves a file of its own, so that two that write at once need not know of each other.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::file::{FILE_MODE, FOLDER_MODE, shared_file_system};
use super::note::Note;
use super::run::{Run, TOKEN_CHARS};

/// How often the notes are read at most where some of them go away meanwhile, as they do once for each run.
const READ_MAX: usize = 20;

/// A note is written into one of two places in its file, in turn, so that the other one is whole whatever ends the writing.
const SLOT_BYTES: usize = 32 * 1024;
/// What every note begins with; its number, its length and its SHA-256 follow.
const MAGIC: &str = "mep-batch-note-1";

/// The notes of one user about one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    folder: PathBuf,
}

/// What was read of the notes about a database.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) found: Vec<Found>,
    pub(super) torn: Vec<Torn>,
}

/// A note with the file that it was read from.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) note: Note,
}

/// A file that has no whole note, as a power cut or a full disk may leave it: only that its run was is known of it.
#[derive(Debug)]
pub(super) struct Torn {
    pub(super) file: PathBuf,
    /// The run's, by the file's name.
    pub(super) token: String,
}

impl Noted {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.torn.is_empty()
    }

    /// The tokens of all runs that left something.
    pub(super) fn tokens(&self) -> Vec<&str> {
        let found = self.found.iter().map(|found| found.note.token.as_str());
        found.chain(self.torn.iter().map(|torn| torn.token.as_str())).collect()
    }

    /// All that was read.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.found.iter().map(|found| &found.file).chain(self.torn.iter().map(|torn| &torn.file))
    }
}

impl Notes {
    /// The notes about the database of that identity, beneath the program's folder for what it keeps for a user.
    pub(super) fn new(state_folder: &Path, identity: &str) -> Notes {
        Notes { folder: state_folder.join(identity) }
    }

    /// Where they lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes their folder, for its owner alone; why nothing can be noted there.
    pub fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
        check_folder(&self.folder)
    }

    /// Why nothing can be noted here; makes nothing.
    pub fn check(&self) -> io::Result<()> {
        let is_there = |folder: &&Path| folder.symlink_metadata().is_ok();
        let Some(folder) = self.folder.ancestors().find(is_there) else { return Ok(()) };
        if !folder.is_dir() {
            return Err(naming(folder, &ErrorKind::NotADirectory.into()));
        }
        check_folder(folder)
    }

    /// All that is noted. An error means that nobody could look: what could not be read may say anything.
    ///
    /// Files that are not named as notes are, are somebody else's.
    pub(super) fn read(&self) -> io::Result<Noted> {
        for _ in 0..READ_MAX {
            if let Some(noted) = self.read_once()? {
                return Ok(noted);
            }
        }
        Err(io::Error::other(format!("`{}`: what is there changes all the time", self.folder.display())))
    }

    /// Likewise; `None` where a note went away meanwhile: another one has taken its place, which was perhaps not seen.
    fn read_once(&self) -> io::Result<Option<Noted>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            // What is no folder holds no notes.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Some(Noted::default()));
            }
            Err(error) => return Err(naming(&self.folder, &error)),
        };
        let mut noted = Noted::default();
        for entry in entries {
            let file = entry.map_err(|error| naming(&self.folder, &error))?.path();
            let Some(token) = token_of(&file) else { continue };
            let content = match std::fs::read(&file) {
                Ok(content) => content,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(naming(&file, &error)),
            };
            match newest(&content) {
                Some((_, note)) => noted.found.push(Found { file, note }),
                None => noted.torn.push(Torn { file, token }),
            }
        }
        Ok(Some(noted))
    }

    /// The file of a run's note.
    pub(super) fn file_of(&self, run: &Run) -> PathBuf {
        self.folder.join(format!("{}-{}", run.id.0, run.token))
    }

    /// Writes the note of that number. Overwrites in place, and makes the file where it is not there.
    pub(super) fn write(&self, file: &Path, number: u64, note: &Note, durably: bool) -> io::Result<()> {
        let opened = open(file).or_else(|error| {
            // Whoever cleans up may have taken the folder away.
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.folder)?;
            open(file)
        })?;
        let place = if number.is_multiple_of(2) { 0 } else { SLOT_BYTES as u64 };
        opened.write_all_at(&slot(number, note), place)?;
        if durably {
            opened.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }
}

fn check_folder(folder: &Path) -> io::Result<()> {
    if let Some(name) = shared_file_system(folder)? {
        return Err(io::Error::other(format!("it lies on {name}, which may keep a run waiting")));
    }
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK)?;
    Ok(())
}

/// The run's token in the name of a note's file, as [`Notes::file_of`] makes it.
fn token_of(file: &Path) -> Option<String> {
    let (run, token) = file.file_name()?.to_str()?.split_once('-')?;
    let is_token = token.len() == TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_token && run.parse::<i64>().is_ok()).then(|| token.to_owned())
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

fn open(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(file)
}

fn slot(number: u64, note: &Note) -> Vec<u8> {
    let text = super::json_text(note);
    debug_assert!(text.len() < SLOT_BYTES - 200, "{} bytes are too many", text.len());
    format!("{MAGIC} {number} {} {:x}\n{text}\n", text.len(), Sha256::digest(&text)).into_bytes()
}

/// The newer of the two notes in a file, with its number.
pub(super) fn newest(content: &[u8]) -> Option<(u64, Note)> {
    let (first, second) = content.split_at(content.len().min(SLOT_BYTES));
    [first, second].into_iter().filter_map(read_slot).max_by_key(|(number, _)| *number)
}

fn read_slot(slot: &[u8]) -> Option<(u64, Note)> {
    let end = slot.iter().position(|byte| *byte == b'\n')?;
    let head = std::str::from_utf8(&slot[..end]).ok()?;
    let mut words = head.split(' ');
    if words.next() != Some(MAGIC) {
        return None;
    }
    let (number, length): (u64, usize) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let text = slot.get(end + 1..end.checked_add(1)?.checked_add(length)?)?;
    let is_whole = words.next()? == format!("{:x}", Sha256::digest(text));
    if is_whole { Some((number, serde_json::from_slice(text).ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::note::tests::{batch, note};
    use super::*;
    use crate::invocation::RunId;

    fn folder() -> (tempfile::TempDir, Notes) {
        let folder = tempfile::tempdir().expect("a folder");
        let notes = Notes::new(folder.path(), "0123");
        (folder, notes)
    }

    #[test]
    fn the_newest_note_is_read_and_an_older_one_where_that_is_cut_anywhere() {
        let (_folder, notes) = folder();
        let file = notes.file_of(&Run { id: RunId(7), token: "t".repeat(TOKEN_CHARS) });
        for number in 1..=4 {
            notes.write(&file, number, &note(i64::try_from(number).expect("a turn")), number == 1).expect("written");
            let Noted { found, torn } = notes.read().expect("the notes");
            assert_eq!((torn.len(), found.len()), (0, 1));
            assert_eq!(found[0].note.turn, i64::try_from(number).expect("a turn"));
        }
        let whole = std::fs::read(&file).expect("the file");
        let length = slot(4, &note(4)).len();
        for cut in 0..length {
            let mut torn = whole.clone();
            torn[cut..length].fill(0);
            let turn = newest(&torn).expect("the note before").1.turn;
            assert!(turn == 3 || cut == length - 1, "cut at {cut}: turn {turn}");
        }
        assert_eq!(newest(b""), None);
        assert_eq!(newest(&vec![0; 2 * SLOT_BYTES]), None);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_only_what_was_read_is_torn() {
        let (folder, notes) = folder();
        assert!(notes.read().expect("no folder holds no notes").is_empty());
        notes.prepare().expect("a folder");
        let (token, other) = ("t".repeat(TOKEN_CHARS), "u".repeat(TOKEN_CHARS));
        for name in [format!("7-{token}"), "7-short".to_owned(), format!("x-{token}"), ".nfs0001".to_owned()] {
            std::fs::write(notes.folder().join(name), [0; 9]).expect("a file");
        }
        let noted = notes.read().expect("the notes");
        assert_eq!((noted.tokens(), noted.found.len(), noted.files().count()), (vec![token.as_str()], 0, 1));
        // What is a note by its name, and cannot be read as a file.
        std::fs::create_dir(notes.folder().join(format!("8-{other}"))).expect("a folder");
        let error = notes.read().expect_err("nobody could look").to_string();
        assert!(error.contains(&other), "{error}");
        // A folder of that name which cannot be opened, whoever asks: a link that leads to itself.
        let looping = Notes::new(folder.path(), "loop");
        std::os::unix::fs::symlink(looping.folder(), looping.folder()).expect("a link");
        looping.read().expect_err("nobody could look");
    }

    #[test]
    fn a_note_of_all_that_is_kept_fits() {
        let mut full = Note { turn: i64::MAX, turns: i64::MAX, ..note(1) };
        full.lose((0..40).map(|id| batch(i64::MAX - 1_000 + id)));
        (1..=200).for_each(|id| full.batch_mut(&batch(id)).up_to = u32::MAX);
        assert!(slot(u64::MAX, &full).len() < SLOT_BYTES, "{} bytes", slot(u64::MAX, &full).len());
    }
}
