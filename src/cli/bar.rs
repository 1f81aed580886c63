//! The progress bar: on a terminal that somebody looks at, with everything else printed above it.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use rustix::termios::tcgetwinsize;

use super::steering::{Escape, tamed};
use super::{colour, logs};

/// Draws a second: enough to follow, few enough to cost nothing.
const DRAWS_A_SECOND: u8 = 4;
/// Where a terminal does not say how wide it is.
const COLUMNS: u16 = 80;

/// The bar that is up: whoever prints has to know.
static UP: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// The bar for as long as it is up; cleared when it is dropped.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Puts the bar up, where somebody looks at it.
    pub(super) fn put_up(is_quiet: bool) -> Option<Bar> {
        let is_watched = io::stderr().is_terminal()
            && colour::is_able(std::env::var_os("TERM"))
            && std::env::var_os("CI").is_none_or(|ci| ci.is_empty());
        if is_quiet || logs::is_json() || !is_watched {
            return None;
        }
        let bar = ProgressBar::with_draw_target(
            None,
            ProgressDrawTarget::term_like_with_hz(Box::<Screen>::default(), DRAWS_A_SECOND),
        );
        bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        *up() = Some(bar.clone());
        Some(Bar(bar))
    }

    /// Shows these lines, none of them wider than [`Bar::columns`].
    pub(super) fn show(&self, lines: &[String]) {
        self.0.set_message(tamed(&lines.join("\n"), Escape::Text).into_owned());
    }

    /// How wide a line may be: what the terminal itself writes behind the last one (`^C`) must not wrap.
    pub(super) fn columns(&self) -> usize {
        usize::from(width()).saturating_sub(ECHO_COLUMNS)
    }
}

/// Columns of `^C`, and the last one, which some terminals wrap at once.
const ECHO_COLUMNS: usize = 3;

fn width() -> u16 {
    tcgetwinsize(io::stderr()).map_or(COLUMNS, |size| if size.ws_col == 0 { COLUMNS } else { size.ws_col })
}

/// Standard error as the bar draws on it.
///
/// The library fills each line up with spaces and lets the terminal wrap: what is echoed behind it, or a window that is made
/// narrower, would tear that apart. Here the rest of a line is cleared instead, and lines are parted by line feeds.
#[derive(Debug, Default)]
struct Screen {
    /// Whether the line under the cursor is whole.
    is_whole: Mutex<bool>,
}

impl Screen {
    fn moves(&self, rows: usize, way: char) -> io::Result<()> {
        *self.whole() = false;
        if rows == 0 { Ok(()) } else { write!(io::stderr(), "\x1b[{rows}{way}") }
    }

    fn whole(&self) -> MutexGuard<'_, bool> {
        self.is_whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        width()
    }

    fn height(&self) -> u16 {
        // Some terminals say 0, and a bar of three lines fits on any.
        tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_row).max(8)
    }

    fn move_cursor_up(&self, rows: usize) -> io::Result<()> {
        self.moves(rows, 'A')
    }

    fn move_cursor_down(&self, rows: usize) -> io::Result<()> {
        self.moves(rows, 'B')
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.moves(columns, 'C')
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.moves(columns, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        *self.whole() = false;
        write!(io::stderr(), "{text}\r\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut is_whole = self.whole();
        if text.bytes().all(|byte| byte == b' ') {
            *is_whole = true;
            return io::stderr().write_all(b"\x1b[K");
        }
        let line_feed = if std::mem::take(&mut *is_whole) { "\r\n" } else { "" };
        write!(io::stderr(), "{line_feed}{text}")
    }

    fn clear_line(&self) -> io::Result<()> {
        *self.whole() = false;
        io::stderr().write_all(b"\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        *up() = None;
    }
}

/// Prints above the bar, if one is up.
pub(super) fn above<T>(print: impl FnOnce() -> T) -> T {
    let bar = up().clone();
    match bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// Standard error for the log: each line is written as a whole.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let shown = String::from_utf8_lossy(line);
        above(|| io::stderr().write_all(tamed(&shown, logs::escape()).as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn up() -> MutexGuard<'static, Option<ProgressBar>> {
    UP.lock().unwrap_or_else(PoisonError::into_inner)
}
