//! Where the programs of a PostgreSQL server are.

use std::path::{Path, PathBuf};

/// Where Debian and its kin install each major version, in a folder of its own.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A folder with `initdb`, `pg_ctl` and `postgres` in it.
#[derive(Debug, Clone)]
pub(super) struct Binaries(PathBuf);

impl Binaries {
    /// The newest version installed, or the one on PATH.
    pub(super) fn find() -> Option<Binaries> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = versions().into_iter().map(|version| Path::new(VERSIONS).join(version.to_string()).join("bin"));
        folders.chain(std::env::split_paths(&path)).map(Binaries).find(Binaries::are_whole)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn are_whole(&self) -> bool {
        ["initdb", "pg_ctl", "postgres"].iter().all(|name| self.path(name).is_file())
    }
}

/// The major versions, the newest first.
fn versions() -> Vec<u32> {
    let Ok(folders) = std::fs::read_dir(VERSIONS) else { return Vec::new() };
    let mut versions: Vec<u32> = folders.filter_map(|folder| folder.ok()?.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
}
