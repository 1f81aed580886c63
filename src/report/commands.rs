//! The commands that work on a queue: each means another one where it is typed without the flag that named it.

/// Their names.
pub const COMMANDS_OF_QUEUE: [&str; 15] = [
    "cancel", "doctor", "export", "import", "list", "pause", "purge", "report", "resolve", "resume", "retry", "run",
    "show", "status", "throttle",
];
