//! Commands as they have to be typed: where the queue was named by `--db`, each that is told names it too.

use std::borrow::Cow;
use std::path::absolute;
use std::sync::OnceLock;

use crate::report::is_command_of_queue;
use crate::store::Address;

/// How every command of this program begins.
const PROGRAM: &str = "mep-batch ";

/// The address behind `--db`, as a word for a shell. Known before anything of the queue is told, and never changed after.
static DATABASE: OnceLock<String> = OnceLock::new();

/// Keeps where the queue is that was named by the flag. A file is named so that it is found from any folder: what is told may
/// be read in a mail.
pub(super) fn remember(address: &Address, typed: &str) {
    let whole = address.file().and_then(|file| absolute(file).ok());
    let word = whole.map_or_else(|| in_quotes(typed), |file| in_quotes(&file.display().to_string()));
    let _ = DATABASE.set(word); // the first one stands: there is one in a process
}

/// The address behind `--db`, as a word for a shell, where the queue was named by it.
pub(super) fn database() -> Option<&'static str> {
    DATABASE.get().map(String::as_str)
}

/// A text with its commands as they have to be typed.
pub(super) fn whole(text: &str) -> Cow<'_, str> {
    match database() {
        Some(database) if text.contains(PROGRAM) => Cow::Owned(with_database(text, database)),
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// Puts the flag into each command that works on a queue. What has it already stays.
fn with_database(text: &str, database: &str) -> String {
    let mut whole = String::with_capacity(text.len() + 64);
    for (place, part) in text.split(PROGRAM).enumerate() {
        if place > 0 {
            let is_begun = whole.chars().next_back().is_none_or(|before| before.is_whitespace() || before == '`');
            whole.push_str(PROGRAM);
            if is_begun && is_command_of_queue(part) {
                whole.push_str(&format!("--db {database} "));
            }
        }
        whole.push_str(part);
    }
    whole
}

/// A word for a POSIX shell.
pub(super) fn in_quotes(text: &str) -> String {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;
    use crate::report::COMMANDS_OF_QUEUE;

    #[test]
    fn each_command_of_a_queue_names_it() {
        for (told, typed) in [
            ("Next: mep-batch run x\n", "Next: mep-batch --db /q.db run x\n"),
            ("mep-batch status", "mep-batch --db /q.db status"),
            (
                "hint: `mep-batch resume x`, or `mep-batch run`",
                "hint: `mep-batch --db /q.db resume x`, or `mep-batch --db /q.db run`",
            ),
            ("`mep-batch check FILE` and `mep-batch config`", "`mep-batch check FILE` and `mep-batch config`"),
            ("mep-batch --db /q.db run x", "mep-batch --db /q.db run x"),
            ("my-mep-batch run x", "my-mep-batch run x"),
            ("a newer mep-batch than this; mep-batch runs", "a newer mep-batch than this; mep-batch runs"),
        ] {
            assert_eq!(with_database(told, "/q.db"), typed);
        }
    }

    #[test]
    fn each_command_works_on_a_queue_or_is_known_not_to_be_told() {
        let others = ["check", "completions", "config", "man", "serve", "simulate"];
        let mut known: Vec<&str> = COMMANDS_OF_QUEUE.into_iter().chain(others).collect();
        known.sort_unstable();
        let cli = Cli::command();
        let mut all: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(known, all);
    }

    #[test]
    fn a_word_with_blanks_is_one_word_for_a_shell() {
        assert_eq!(in_quotes("/a/b.db"), "/a/b.db");
        assert_eq!(in_quotes("it's here.db"), r"'it'\''s here.db'");
        assert_eq!(in_quotes(""), "''");
    }
}
