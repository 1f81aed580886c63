//! The program on a terminal: what is typed there, and what its screen shows.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::environment;
use super::process::until;

/// So many that nothing a test looks for leaves the screen.
const ROWS: NonZero<u16> = NonZero::new(100).expect("100 is not 0");
const COLUMNS: NonZero<u16> = NonZero::new(80).expect("80 is not 0");

/// A process on a pseudo-terminal of its own, which is its controlling one; killed when it is dropped.
pub(crate) struct Terminal {
    child: Child,
    keys: File,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts what the command says, with a clean environment and the command's own.
    pub(super) fn start(command: &Command) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("it can be used");
        set_size(&master, COLUMNS);
        let name = ptsname(&master, Vec::new()).expect("its name");
        let flags = OFlags::NOCTTY.bits().cast_signed();
        let open = || {
            let path = name.to_str().expect("the name of a device");
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).expect("the terminal")
        };
        let child = on_terminal(command).stdin(open()).stdout(open()).stderr(open()).spawn();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let keys = File::from(master);
        let reader = gather(keys.try_clone().expect("another handle"), Arc::clone(&screen));
        Terminal { child: child.expect("the program can be started"), keys, screen, reader: Some(reader) }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).expect("the terminal takes it");
    }

    /// Presses Ctrl-C, which the terminal makes a signal of.
    pub(crate) fn interrupts(&mut self) {
        self.types("\x03");
    }

    pub(crate) fn resize(&self, columns: u16) {
        let columns = NonZero::new(columns).expect("a terminal has columns");
        set_size(&self.keys, columns);
        self.locked().screen_mut().set_size(ROWS, columns);
    }

    /// The lines that the screen shows, without what is empty at its end.
    pub(crate) fn screen(&self) -> String {
        self.locked().screen().contents().trim_end().to_owned()
    }

    /// What is shown, with its colours as escape sequences.
    pub(crate) fn colours(&self) -> String {
        self.locked().screen().contents_formatted()
    }

    #[track_caller]
    pub(crate) fn until_it_shows(&self, words: &str) {
        until(words, || self.screen().contains(words));
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill(); // it may have ended
    }

    /// Waits until it ends by itself; its exit code, and what the screen shows then.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (i32, String) {
        let mut ended = None;
        until("the end", || {
            ended = self.child.try_wait().expect("a child can be waited for");
            ended.is_some()
        });
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading a terminal does not fail");
        }
        let ended = ended.expect("it has ended");
        (ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).expect("it has ended"), self.screen())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, vt100::Parser> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// The same command in a session of its own, whose terminal is its input.
fn on_terminal(command: &Command) -> Command {
    let mut on_terminal = Command::new("setsid");
    on_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear().env("TERM", "xterm");
    on_terminal.envs(environment(command));
    if let Some(folder) = command.get_current_dir() {
        on_terminal.current_dir(folder);
    }
    on_terminal
}

fn set_size(terminal: impl std::os::fd::AsFd, columns: NonZero<u16>) {
    let size = Winsize { ws_row: ROWS.get(), ws_col: columns.get(), ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal has a size");
}

/// Shows what comes until nobody has the other side any more, which is told as an error.
fn gather(mut output: File, screen: Arc<Mutex<vt100::Parser>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length) = output.read(&mut chunk) {
            if length == 0 {
                break;
            }
            screen.lock().unwrap_or_else(PoisonError::into_inner).process(&chunk[..length]);
        }
    })
}
