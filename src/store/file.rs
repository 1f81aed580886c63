//! The database's file: where it may lie, and who may read it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{Error, Result};

/// The files of this program are for their owner alone: they hold phone numbers.
pub(super) const FILE_MODE: u32 = 0o600;
pub(super) const FOLDER_MODE: u32 = 0o700;

/// What is told of a lock file that is none.
const LINK: &str = "it is a link, and nothing is written through it; this program makes no links\nhint: see who put it there, \
                    and remove it";

/// What every SQLite file begins with.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Whether a file is a database of SQLite, by how it begins; `false` too where it is not there or cannot be read.
///
/// Of a database that this process has open it takes the locks away: whoever asks for that writes to it no more.
#[must_use]
pub fn is_database(path: &Path) -> bool {
    let mut begin = [0; SQLITE_MAGIC.len()];
    // A pipe would wait for who writes into it.
    let is_read = path.is_file() && fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut begin).is_ok());
    is_read && begin == *SQLITE_MAGIC
}

/// File systems on which `flock` or a shared memory map does not reach every machine that has the file open.
const SHARED_FILE_SYSTEMS: [(u64, &str); 13] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x6a65_6a63, "virtiofs"),
    (0x786f_4256, "a VirtualBox shared folder"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
];

/// The database's real path, checked; the file is created empty where it is missing and `create` says so.
pub(super) fn prepare(path: &Path, create: bool) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|error| unsuitable(path, &error))?;
    if !absolute.exists() {
        if !create {
            return Err(Error::NotFound(absolute.display().to_string()));
        }
        create_empty(&absolute).map_err(|error| unsuitable(&absolute, &error))?;
    }
    let real = fs::canonicalize(&absolute).map_err(|error| unsuitable(&absolute, &error))?;
    check_content(&real)?;
    check_place(&real)?;
    Ok(real)
}

/// Opens a companion of the database (a lock), for its owner alone, creating it where it is missing.
///
/// Never through a link: it is emptied and written into, and what a link leads to is somebody's file.
pub(super) fn open_companion(path: &Path) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
    let opened = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    opened.map_err(|error| if path.is_symlink() { std::io::Error::other(LINK) } else { error })
}

fn create_empty(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()), // another process was first
        Err(error) => Err(error),
    }
}

fn check_content(path: &Path) -> Result<()> {
    let foreign = |what: &str| Error::Unsuitable {
        place: path.display().to_string(),
        why: format!("{what}\nhint: `--db PATH` names the queue's own file"),
    };
    if !path.is_file() {
        return Err(foreign("it is no regular file"));
    }
    let mut start = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(SQLITE_MAGIC.len() as u64).read_to_end(&mut start))
        .map_err(|error| unsuitable(path, &error))?;
    if start.is_empty() || start == SQLITE_MAGIC { Ok(()) } else { Err(foreign("it is no SQLite database")) }
}

fn check_place(path: &Path) -> Result<()> {
    if let Some(name) = shared_file_system(path).map_err(|error| unsuitable(path, &error))? {
        return Err(Error::Unsuitable {
            place: path.display().to_string(),
            why: format!(
                "it lies on {name}, where two machines can hold the same lock and text people twice\n\
                 hint: `--db` a path on a local disk"
            ),
        });
    }
    if is_mount_point(path) {
        return Err(Error::Unsuitable {
            place: path.display().to_string(),
            why:
                "the file itself is a mount point, so its lock and log would lie elsewhere than other processes look\n\
                  hint: mount its folder instead"
                    .to_owned(),
        });
    }
    Ok(())
}

/// The kind of the file system under a path, where several machines may share it.
pub(super) fn shared_file_system(path: &Path) -> std::io::Result<Option<&'static str>> {
    let status = rustix::fs::statfs(path)?;
    #[expect(
        clippy::cast_sign_loss,
        reason = "the kernel's magic numbers are 32-bit patterns, whatever the type's sign"
    )]
    let kind = (status.f_type as u64) & 0xffff_ffff;
    Ok(SHARED_FILE_SYSTEMS.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name))
}

/// Whether the file itself is mounted, as containers do with single files. Where `/proc` cannot be read: no.
fn is_mount_point(path: &Path) -> bool {
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else { return false };
    // The fifth field is the mount point, with blanks and backslashes written in octal.
    let wanted: Vec<u8> = path
        .as_os_str()
        .as_bytes()
        .iter()
        .flat_map(|byte| match byte {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
            other => vec![*other],
        })
        .collect();
    mounts.split(|byte| *byte == b'\n').any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&wanted))
}

fn unsuitable(path: &Path, error: &std::io::Error) -> Error {
    let hint =
        "hint: see that it and its folder can be read and written by this user, and that its disk is well and has room";
    Error::Unsuitable { place: path.display().to_string(), why: format!("{error}\n{hint}") }
}
