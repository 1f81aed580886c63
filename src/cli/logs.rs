//! The log, to stderr: warnings unless more is asked for; and in JSON all else that goes there, a line each.

use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use super::args::{Global, LogFormat};
use super::steering::Escape;
use super::{bar, config};
use crate::invocation::UnixMillis;

/// Whether whoever reads stderr is a program. Known before anything is written, and never changed after.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Sets the format as far as it is known before the arguments are parsed: what is wrong with them is told in it too.
pub(super) fn foresee(arguments: &[OsString]) {
    let typed = config::typed_value(arguments, "--log-format").map(OsString::from);
    let format = typed.or_else(|| std::env::var_os("MEP_BATCH_LOG_FORMAT"));
    IS_JSON.store(format.is_some_and(|format| format == "json"), Ordering::Relaxed);
}

/// Sets up the log. Other crates' lines are left out: they may hold URLs, and nobody here promised what they say.
pub(super) fn begin(global: &Global) {
    IS_JSON.store(global.log_format == LogFormat::Json, Ordering::Relaxed);
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let filter = EnvFilter::new(format!("off,mep_batch={level}"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| bar::Log).with_target(false);
    let done = match global.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    debug_assert!(done.is_ok(), "the log is set up once");
}

/// Whether stderr holds JSON lines alone: then no bar is drawn there either.
pub(super) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// How characters are escaped in what goes to stderr.
pub(super) fn escape() -> Escape {
    if is_json() { Escape::Json } else { Escape::Text }
}

/// What is told on stderr as a line of the log, in the shape of the others; nothing of a text without words.
pub(super) fn line_of(text: &str) -> Option<String> {
    let told = text.trim();
    if told.is_empty() {
        return None;
    }
    let (told, hint) = match told.split_once("\nhint: ") {
        Some((told, hint)) => (told, Some(hint)),
        None => (told, None),
    };
    let levels = [("error: ", "ERROR"), ("warning: ", "WARN")];
    let (level, said) = levels
        .into_iter()
        .find_map(|(prefix, level)| Some((level, told.strip_prefix(prefix)?)))
        .unwrap_or(("INFO", told));
    let mut fields = Map::from_iter([("message".to_owned(), Value::from(said))]);
    fields.extend(hint.map(|hint| ("hint".to_owned(), Value::from(hint))));
    Some(format!("{}\n", json!({ "timestamp": UnixMillis::now().to_string(), "level": level, "fields": fields })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_one_line_with_its_level_and_hint() {
        let line = line_of("error: it is `fast`\nand so on\nhint: say how fast\n").expect("a line");
        assert_eq!(line.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["level"], "ERROR");
        assert_eq!(value["fields"], json!({ "message": "it is `fast`\nand so on", "hint": "say how fast" }));
        assert_eq!(line_of("\n"), None);
    }
}
