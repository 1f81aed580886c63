//! `doctor`: what is well and what is not, a line each, with the way out.

mod database;
mod machine;

use std::fmt::Write;

use serde_json::{Value, json};

use super::args::DoctorArgs;
use super::context::Context;
use super::exit::Exit;

/// Characters of the longest check's name.
const NAME_CHARS: usize = 13;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// To be looked at; nothing is refused because of it.
    Doubtful,
    /// What is said or set is wrong: nothing would be sent.
    Misconfigured,
    /// The store cannot be trusted.
    Broken,
}

/// What was found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    name: &'static str,
    health: Health,
    text: String,
    fix: Option<String>,
}

pub(super) async fn doctor(context: &mut Context, args: DoctorArgs) -> anyhow::Result<Exit> {
    let mut checks = machine::checks(context, &args);
    checks.extend(database::checks(&context.database, context.state_folder.as_deref()).await);
    let exit = exit_of(&checks);
    if context.out.is_json() {
        let object = json!({ "checks": checks.iter().map(json_of).collect::<Vec<_>>(), "exitCode": exit.code() });
        context.out.data(&format!("{object}\n"));
    } else {
        context.out.outcome(&text_of(&checks));
    }
    Ok(exit)
}

impl Check {
    fn well(name: &'static str, text: impl Into<String>) -> Check {
        Check { name, health: Health::Well, text: text.into(), fix: None }
    }

    fn doubtful(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, health: Health::Doubtful, text: text.into(), fix: Some(fix.into()) }
    }

    fn misconfigured(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, health: Health::Misconfigured, text: text.into(), fix: Some(fix.into()) }
    }

    fn broken(name: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name, health: Health::Broken, text: text.into(), fix: Some(fix.into()) }
    }

    /// An error as a check: its hint is the fix.
    fn failed(name: &'static str, health: Health, error: &anyhow::Error) -> Check {
        let text = format!("{error:#}");
        let (text, fix) = match text.split_once("\nhint: ") {
            Some((text, fix)) => (text.to_owned(), Some(fix.to_owned())),
            None => (text, None),
        };
        Check { name, health, text, fix }
    }
}

fn exit_of(checks: &[Check]) -> Exit {
    let any = |health: Health| checks.iter().any(|check| check.health == health);
    if any(Health::Broken) {
        Exit::Store
    } else if any(Health::Misconfigured) {
        Exit::Usage
    } else {
        Exit::Complete
    }
}

fn word_of(health: Health) -> &'static str {
    match health {
        Health::Well => "ok",
        Health::Doubtful => "warning",
        Health::Misconfigured | Health::Broken => "error",
    }
}

fn json_of(check: &Check) -> Value {
    json!({ "check": check.name, "verdict": word_of(check.health), "text": check.text, "fix": check.fix })
}

fn text_of(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let told = check.text.replace('\n', "\n                       ");
        let _ = writeln!(text, "{:<7}  {:<NAME_CHARS$} {told}", word_of(check.health), check.name);
        if let Some(fix) = &check.fix {
            let _ =
                writeln!(text, "                       fix: {}", fix.replace('\n', "\n                            "));
        }
    }
    let count = |word: &str| checks.iter().filter(|check| word_of(check.health) == word).count();
    let _ = writeln!(text, "{} ok, {} to be looked at, {} wrong", count("ok"), count("warning"), count("error"));
    text
}
