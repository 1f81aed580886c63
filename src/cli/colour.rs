//! Colours: one place decides whether there are any, and which state has which.

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};

use crate::invocation::State;

/// Whether what goes to one stream is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(bool);

impl Paint {
    /// For what goes to that stream.
    pub(super) fn of(choice: ColorChoice, stream: &impl IsTerminal) -> Paint {
        Paint(is_coloured(choice, stream.is_terminal(), |name| std::env::var_os(name)))
    }

    /// For what is plain in any case.
    #[cfg(test)]
    pub(super) fn none() -> Paint {
        Paint(false)
    }

    /// The text in the colour of a state: sparingly, what is well in green, what a person has to look at stands out.
    pub(super) fn state(self, state: State, text: &str) -> String {
        let style = match state {
            State::Accepted => Style::new().fg_color(Some(AnsiColor::Green.into())),
            State::Unknown => Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold(),
            State::Rejected | State::Failed => Style::new().fg_color(Some(AnsiColor::Red.into())),
            State::Pending | State::Sending | State::Skipped | State::Cancelled => return text.to_owned(),
        };
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// What a colour here is made of.
const SEQUENCES: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// The sequence of this program's own colours that a text begins with.
pub(super) fn own_sequence(text: &str) -> Option<&'static str> {
    SEQUENCES.into_iter().find(|sequence| text.starts_with(sequence))
}

/// The flag first, then the variables that programs agree on (no-color.org, bixense.com/clicolors), then the terminal.
fn is_coloured(choice: ColorChoice, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is_zero = |name: &str| variable(name).is_some_and(|value| value == "0");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if is_set("NO_COLOR") => false,
        ColorChoice::Auto if is_set("CLICOLOR_FORCE") && !is_zero("CLICOLOR_FORCE") => true,
        ColorChoice::Auto => is_terminal && !is_zero("CLICOLOR") && is_able(variable("TERM")),
    }
}

/// Whether a terminal of that kind knows more than plain text.
pub(super) fn is_able(term: Option<OsString>) -> bool {
    term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_the_variables_beat_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, is_terminal, variables, expected) in [
            (Auto, true, "TERM=xterm", true),
            (Auto, false, "TERM=xterm", false),
            (Auto, true, "TERM=dumb", false),
            (Auto, true, "", false),
            (Auto, true, "TERM=xterm NO_COLOR=1", false),
            (Auto, true, "TERM=xterm NO_COLOR=", true),
            (Auto, true, "TERM=xterm CLICOLOR=0", false),
            (Auto, false, "CLICOLOR_FORCE=1", true),
            (Auto, false, "CLICOLOR_FORCE=0", false),
            (Auto, false, "CLICOLOR_FORCE=1 NO_COLOR=1", false),
            (Always, false, "NO_COLOR=1", true),
            (Never, true, "TERM=xterm CLICOLOR_FORCE=1", false),
        ] {
            let variable = |name: &str| {
                let pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(is_coloured(choice, is_terminal, variable), expected, "{choice:?} {is_terminal} {variables}");
        }
    }

    #[test]
    fn every_colour_is_made_of_the_known_sequences() {
        for state in State::ALL {
            let mut rest = Paint(true).state(state, "");
            while let Some(own) = own_sequence(&rest) {
                rest.drain(..own.len());
            }
            assert_eq!(rest, "", "{state}");
        }
    }

    #[test]
    fn what_is_plain_stays_plain() {
        assert_eq!(Paint(true).state(State::Pending, "pending"), "pending");
        assert_eq!(Paint::none().state(State::Unknown, "unknown"), "unknown");
        assert_eq!(Paint(true).state(State::Accepted, "x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
