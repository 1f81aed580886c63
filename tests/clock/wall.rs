//! A wall clock that a test sets while the program runs: a library that is loaded before it, built once from `wall.c`.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::scenario::Scenario;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/wall.c");

/// The clock of the processes that are started by it; that of the stand-in goes on as it is.
pub(crate) struct Wall {
    ahead: File,
    path: PathBuf,
}

impl Wall {
    /// One that is right.
    pub(crate) fn of(s: &Scenario) -> Wall {
        let path = s.path("clock-ahead");
        s.write("clock-ahead", 0_i64.to_ne_bytes());
        let ahead = File::options().write(true).open(&path).expect("the file was just written");
        Wall { ahead, path }
    }

    /// Sets it so far ahead of the machine's, or back.
    pub(crate) fn set(&self, ahead_ms: i64) {
        self.ahead.write_all_at(&ahead_ms.to_ne_bytes(), 0).expect("the clock can be set");
    }

    /// Sets it to that moment.
    pub(crate) fn set_to(&self, moment: Timestamp) {
        self.set(moment.as_millisecond() - Timestamp::now().as_millisecond());
    }

    /// The program with this clock.
    pub(crate) fn command(&self, s: &Scenario, line: &str) -> Command {
        let mut command = s.command(line);
        command.env("LD_PRELOAD", library()).env("CLOCK_AHEAD", &self.path);
        command
    }
}

/// Builds it with the C compiler that SQLite needs too.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let built = tempfile::Builder::new().prefix("wall-").suffix(".so").tempfile_in(folder).expect("a file");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let words = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"];
        let status = Command::new(&compiler).args(words).arg(built.path()).arg(SOURCE).status();
        assert!(status.is_ok_and(|status| status.success()), "`{compiler}` cannot build {SOURCE}");
        let library = folder.join(format!("wall-{}.so", std::process::id()));
        built.persist(&library).expect("the library can be kept");
        library
    })
}
