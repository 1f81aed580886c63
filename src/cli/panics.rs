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
    let told = told(&place, panicked.payload_as_str().unwrap_or_default());
    let backtrace = Backtrace::capture();
    let is_wanted = backtrace.status() == BacktraceStatus::Captured; // by RUST_BACKTRACE
    if is_wanted { format!("{told}{backtrace}\n") } else { told }
}

fn told(place: &str, said: &str) -> String {
    let said = validate::without_phones(&said.chars().take(SAID_CHARS_MAX).collect::<String>());
    format!("error: panicked at {place}: {said}; this is a defect of mep-batch, please report it\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_quotes_nobodys_number_and_little_else() {
        let said = format!("byte index 3 is not a char boundary of `12515550130,Zoë{}`", "é".repeat(1000));
        let told = told("src/x.rs:1:2", &said);
        assert!(told.starts_with("error: panicked at src/x.rs:1:2: byte index 3 is not"), "{told}");
        assert!(told.contains("`1251•••0130,Zoë") && told.chars().count() < SAID_CHARS_MAX + 120, "{told}");
    }
}
