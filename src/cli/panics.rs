//! How a defect is told that ends a part of this program: with its place, and nothing of anybody's data.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};

use super::logs;
use super::steering::tamed;
use crate::validate;

/// Of what a panic says of itself, in characters: enough for a sentence, and little of the text that it may quote.
const SAID_CHARS_MAX: usize = 300;

/// Has panics told like other errors, in the format of the log. What a panic says of itself may quote the text that it was
/// about, such as a row: it is cut short, and numbers like those of phones are masked in it.
pub(super) fn tell_as_errors() {
    panic::set_hook(Box::new(|panicked| {
        let text = text_of(panicked);
        let text = if logs::is_json() { logs::line_of(&text).unwrap_or_default() } else { text };
        // Past the bar: who panicked may be drawing it. There is nowhere to complain if it fails.
        let _ = io::stderr().write_all(tamed(&text, logs::escape()).as_bytes());
    }));
}

fn text_of(panicked: &PanicHookInfo<'_>) -> String {
    let place = panicked.location().map(ToString::to_string).unwrap_or_default();
    let said = panicked.payload_as_str().unwrap_or_default();
    let said = validate::without_phones(&said.chars().take(SAID_CHARS_MAX).collect::<String>());
    let backtrace = Backtrace::capture();
    let is_wanted = backtrace.status() == BacktraceStatus::Captured; // by RUST_BACKTRACE
    let trace = if is_wanted { format!("{backtrace}\n") } else { String::new() };
    format!("error: panicked at {place}: {said}; this is a defect of mep-batch, please report it\n{trace}")
}
