//! What stands where the refused rows are to be written: nothing is lost of it.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::table::columns::ADDED_COLUMNS;

/// Bytes of a file's beginning that are enough to know a file of refused rows by.
const HEAD_BYTES: u64 = 1 << 16;

/// Whether refused rows may be written to a path: where nothing is, or where an earlier file of refused rows is.
///
/// # Errors
///
/// In words: something else is there, or no file can be.
pub fn may_be_rejected_file(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err(format!("there is no folder `{}`", folder.display()))
            }
            Some(_) | None => Ok(()),
        },
        Err(error) => Err(format!("it cannot be looked at: {error}")),
        Ok(there) if is_earlier(path, &there).map_err(|error| format!("it cannot be read: {error}"))? => Ok(()),
        Ok(_) => Err("something else is there already, and would be lost".to_owned()),
    }
}

/// Moves an earlier file of refused rows out of the way: somebody may have mended it. Its new name; `None` where there was
/// nothing to keep.
pub(super) fn keep_earlier(path: &Path) -> io::Result<Option<PathBuf>> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(None) };
    if !is_earlier(path, &there)? {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there already"));
    }
    let head = head_of(path)?;
    let has_rows = head.contains('{') || rows_of(&head).nth(1).is_some();
    if !has_rows {
        return Ok(None);
    }
    let kept = (1_u32..).map(|number| numbered(path, number)).find(|name| !name.exists());
    let Some(kept) = kept else { unreachable!("there are fewer files than numbers") };
    fs::rename(path, &kept)?;
    Ok(Some(kept))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Whether a file has what only a file of refused rows has. One that is empty is none: it may be somebody's lock.
fn is_earlier(path: &Path, there: &Metadata) -> io::Result<bool> {
    if !there.is_file() || there.len() == 0 {
        return Ok(false);
    }
    let head = head_of(path)?;
    let first = rows_of(&head).next();
    Ok(first.is_none_or(|first| ADDED_COLUMNS.iter().all(|column| first.contains(column))))
}

/// The lines that hold something.
fn rows_of(head: &str) -> impl Iterator<Item = &str> {
    head.lines().filter(|line| !matches!(line.trim(), "" | "[" | "]"))
}

fn head_of(path: &Path) -> io::Result<String> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    let text = String::from_utf8_lossy(&head);
    // A mark and a `sep=` line may stand before the header.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(match text.split_once('\n') {
        Some((sep, rest)) if sep.starts_with("sep=") => rest.to_owned(),
        Some(_) | None => text.to_owned(),
    })
}
