//! What is printed: data to stdout, all else to stderr, and nothing at all where a quiet run has nothing to say.

use std::collections::HashSet;
use std::io::{self, BufRead, IsTerminal, Write};

use super::exit::Exit;
use super::steering::{Escape, Tamed, tamed};
use super::{bar, logs, typed};

pub(super) use crate::invocation::{counted, grouped};

/// To the top left of the screen, and what is on it away.
const CLEAR: &str = "\x1b[H\x1b[J";

/// The two streams, and what a quiet run holds back until its exit code is known.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    quiet: bool,
    held: Vec<(Stream, String)>,
    noted_once: HashSet<String>,
    stdout_closed: bool,
    /// Why something that was to be on stdout is not, other than that its reader went away.
    stdout_fault: Option<io::Error>,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Err,
}

impl Output {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        Output { json, quiet, held: Vec::new(), noted_once: HashSet::new(), stdout_closed: false, stdout_fault: None }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether whoever read stdout has gone away.
    pub(super) fn is_closed(&self) -> bool {
        self.stdout_closed
    }

    /// Data that was asked for: never held back.
    pub(super) fn data(&mut self, text: &str) {
        self.write(Stream::Out, text);
    }

    /// The outcome of a command: data, and held back by a quiet run.
    pub(super) fn outcome(&mut self, text: &str) {
        self.hold_or_write(Stream::Out, &typed::whole(text));
    }

    /// Whatever else a person wants to know.
    pub(super) fn note(&mut self, text: &str) {
        self.hold_or_write(Stream::Err, text);
    }

    /// The same, unless it has been said already: what is read for each of several batches is told for the first.
    pub(super) fn note_once(&mut self, text: &str) {
        if self.noted_once.insert(text.to_owned()) {
            self.note(text);
        }
    }

    /// Prints what was held back, unless all went well: which it did not where what was asked for could not be written.
    pub(super) fn finish(&mut self, exit: Exit) -> Exit {
        let exit = if exit == Exit::Complete && self.stdout_fault.is_some() { Exit::Error } else { exit };
        if exit != Exit::Complete {
            for (stream, text) in std::mem::take(&mut self.held) {
                self.write(stream, &text);
            }
        }
        if let Some(fault) = &self.stdout_fault {
            stderr(&format!("error: standard output could not be written: {fault}\n"));
        }
        exit
    }

    /// Standard output for a writer of its own; whoever reads it may go away at any time. A program gets every byte as it is,
    /// a terminal none that it would obey.
    pub(super) fn stream(escape: Escape) -> Box<dyn Write + Send> {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            Box::new(io::BufWriter::new(Tamed::new(stdout, escape)))
        } else {
            Box::new(io::BufWriter::new(stdout))
        }
    }

    /// Empties the screen that stdout is.
    pub(super) fn clear_screen(&mut self) {
        let _ = write_to(io::stdout(), CLEAR); // what is printed next meets the same fault, and tells it
    }

    /// How characters are escaped in what goes to stdout.
    fn escape(&self) -> Escape {
        if self.json { Escape::Json } else { Escape::Text }
    }

    fn hold_or_write(&mut self, stream: Stream, text: &str) {
        if self.quiet { self.held.push((stream, text.to_owned())) } else { self.write(stream, text) }
    }

    fn write(&mut self, stream: Stream, text: &str) {
        match stream {
            // A closed pipe is `head` being done with us: no reason to stop sending, and none to complain.
            Stream::Out if self.stdout_closed => {}
            Stream::Out => {
                let text = tamed(text, self.escape());
                if let Err(fault) = bar::above(|| write_to(io::stdout(), &text)) {
                    self.stdout_closed = true;
                    self.stdout_fault = Some(fault).filter(|fault| fault.kind() != io::ErrorKind::BrokenPipe);
                }
            }
            Stream::Err => stderr(text),
        }
    }
}

/// Writes to stderr; there is nowhere to complain if that fails.
pub(super) fn stderr(text: &str) {
    let text = &typed::whole(text);
    let text = if logs::is_json() { logs::line_of(text).unwrap_or_default() } else { text.to_string() };
    let text = tamed(&text, logs::escape());
    let _ = bar::above(|| write_to(io::stderr(), &text));
}

/// Asks whoever sits at the terminal; what was typed, without the white space around it.
pub(super) fn ask(question: &str) -> io::Result<String> {
    stderr(question);
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    Ok(typed.trim().to_owned())
}

/// Writes the last line of stdout.
pub(super) fn stdout_last(line: &str) {
    let _ = write_to(io::stdout(), &format!("{}\n", tamed(line, Escape::Json)));
}

/// Writes what a command made to stdout, all at once.
pub(super) fn stdout_bytes(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text)?;
    stdout.flush()
}

fn write_to(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Whether an error is nothing but a reader that went away.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}
