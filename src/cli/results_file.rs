//! A file for results: it takes its place once it is whole, is its owner's alone, and is written behind no link of somebody else.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use tempfile::NamedTempFile;

use super::failure::Usage;
use super::output::Output;
use super::steering::Escape;
use crate::store::is_database;

/// A link, which must not be taken for the file that stdout may have been led into.
const STDOUT: &str = "/dev/stdout";

/// Where results go.
pub(super) enum ResultsFile {
    /// Into a file, which is still beside its place.
    Beside(NamedTempFile, PathBuf),
    /// To a device or a pipe.
    Stream(File),
    /// To stdout.
    Stdout,
}

impl ResultsFile {
    /// Begins it; with no path: stdout. A database is not replaced by results: that was a slip of the fingers.
    pub(super) fn begin(path: Option<&Path>) -> anyhow::Result<ResultsFile> {
        match path {
            Some(path) if is_database(path) => bail!(Usage(format!(
                "`{}` is a database, and would be replaced\nhint: name another file",
                path.display()
            ))),
            Some(path) if !is_stream(path) => Ok(ResultsFile::Beside(beside(path)?, path.to_owned())),
            Some(path) if path != Path::new(STDOUT) => Ok(ResultsFile::Stream(stream(path)?)),
            Some(_) | None => Ok(ResultsFile::Stdout),
        }
    }

    /// What writes into it; what that holds back is lost where it is not flushed. On a terminal it is escaped.
    pub(super) fn writer(&mut self, escape: Escape) -> Box<dyn Write + Send + '_> {
        match self {
            ResultsFile::Beside(file, _) => Box::new(BufWriter::new(file.as_file_mut())),
            ResultsFile::Stream(file) => Box::new(BufWriter::new(file)),
            ResultsFile::Stdout => Output::stream(escape),
        }
    }

    /// Puts it in its place: all has been written.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        if let ResultsFile::Beside(file, path) = self {
            file.persist(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// Whether a path names a device or a pipe: written to as it is, and never replaced by a file. Somebody else's pipe is none,
/// nor is what another user's link leads to.
fn is_stream(path: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let is_strangers = |link: Metadata| link.is_symlink() && link.uid() != me && link.uid() != 0;
    if std::fs::symlink_metadata(path).is_ok_and(is_strangers) {
        return false;
    }
    path == Path::new(STDOUT) || std::fs::metadata(path).is_ok_and(|it| is_writable_stream(&it, me))
}

fn is_writable_stream(it: &Metadata, me: u32) -> bool {
    !it.is_file() && !it.is_dir() && (it.file_type().is_char_device() || it.uid() == me)
}

/// Opens it, unless something else has taken its place meanwhile: a file would be written over from its start.
fn stream(path: &Path) -> anyhow::Result<File> {
    let failed = || format!("cannot write to `{}`", path.display());
    let opened = File::options().write(true).open(path).with_context(failed)?;
    let is_one = is_writable_stream(&opened.metadata().with_context(failed)?, rustix::process::geteuid().as_raw());
    if is_one { Ok(opened) } else { Err(anyhow!("it has become another file")).with_context(failed) }
}

/// A new file beside the path, which takes its place once it is whole: for its owner alone (it holds phone numbers in
/// full), and never through a link that somebody else put there.
fn beside(path: &Path) -> anyhow::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        bail!(
            "cannot write into `{0}`: there is no such folder\nhint: make it first, or name another",
            folder.display()
        );
    }
    NamedTempFile::new_in(folder).with_context(|| format!("cannot write into `{}`", folder.display()))
}
