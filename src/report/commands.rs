//! The commands that work on a queue: each means another one where it is typed without the flag that named it.

/// Their names.
pub const COMMANDS_OF_QUEUE: [&str; 15] = [
    "cancel", "doctor", "export", "import", "list", "pause", "purge", "report", "resolve", "resume", "retry", "run",
    "show", "status", "throttle",
];

/// Whether one of them follows the program's name: `after` is the text behind that.
#[must_use]
pub fn is_command_of_queue(after: &str) -> bool {
    let word = after.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
    COMMANDS_OF_QUEUE.contains(&word)
}
