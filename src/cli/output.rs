//! What is printed: data to stdout, all else to stderr, and nothing at all where a quiet run has nothing to say.

use std::io::{self, Write};

use super::exit::Exit;

/// The two streams, and what a quiet run holds back until its exit code is known.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    quiet: bool,
    held: Vec<(Stream, String)>,
    stdout_closed: bool,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Err,
}

impl Output {
    pub(super) fn new(json: bool, quiet: bool) -> Self {
        Output { json, quiet, held: Vec::new(), stdout_closed: false }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Data that was asked for: never held back.
    pub(super) fn data(&mut self, text: &str) {
        self.write(Stream::Out, text);
    }

    /// The outcome of a command: data, and held back by a quiet run.
    pub(super) fn outcome(&mut self, text: &str) {
        self.hold_or_write(Stream::Out, text);
    }

    /// Whatever else a person wants to know.
    pub(super) fn note(&mut self, text: &str) {
        self.hold_or_write(Stream::Err, text);
    }

    /// Prints what was held back, unless all went well.
    pub(super) fn finish(&mut self, exit: Exit) -> Exit {
        if exit != Exit::Complete {
            for (stream, text) in std::mem::take(&mut self.held) {
                self.write(stream, &text);
            }
        }
        exit
    }

    /// Standard output for a writer of its own; whoever reads it may go away at any time.
    pub(super) fn stream() -> impl Write + Send {
        io::BufWriter::new(io::stdout())
    }

    fn hold_or_write(&mut self, stream: Stream, text: &str) {
        if self.quiet { self.held.push((stream, text.to_owned())) } else { self.write(stream, text) }
    }

    fn write(&mut self, stream: Stream, text: &str) {
        match stream {
            // A closed pipe is `head` being done with us: no reason to stop sending, and none to complain.
            Stream::Out if self.stdout_closed => {}
            Stream::Out => self.stdout_closed = write_to(io::stdout(), text).is_err(),
            Stream::Err => stderr(text),
        }
    }
}

/// Writes to stderr; there is nowhere to complain if that fails.
pub(super) fn stderr(text: &str) {
    let _ = write_to(io::stderr(), text);
}

/// Writes the last line of stdout.
pub(super) fn stdout_last(line: &str) {
    let _ = write_to(io::stdout(), &format!("{line}\n"));
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

/// A number as people read it: `20,000`.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A number with what it counts: `1 row`, `20,000 rows`.
pub(super) fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", grouped(i64::try_from(number).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2_000].map(|number| counted(number, "row")), ["0 rows", "1 row", "2,000 rows"]);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 20_000, 5_000_000].map(grouped), ["0", "999", "1,000", "20,000", "5,000,000"]);
        assert_eq!(grouped(-1_234), "-1,234");
    }
}
