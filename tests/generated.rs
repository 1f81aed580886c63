//! What is made from the flags alone: completions, manual pages, the version.

mod audit;
mod cluster;
mod scenario;

use scenario::{Done, Running, Scenario};

/// A setting that nobody has by chance, in the environment and in the configuration.
const SETTING: &str = "7654.25";

/// Runs a command where every place for a setting has one, or, for what must not be read, something broken.
fn anywhere(s: &Scenario, line: &str) -> Done {
    let mut command = s.command_without_database(line);
    command.env("MEP_BATCH_RATE", SETTING).env("MEP_BATCH_DB", "postgres://nobody:secret@[").env_remove("HOME");
    Running::start(&mut command, b"").finish()
}

#[test]
fn completions_are_of_the_flags_and_of_nothing_on_this_machine() {
    let s = Scenario::new();
    std::fs::create_dir_all(s.path("config/mep-batch")).expect("a folder");
    s.write("config/mep-batch/mep-batch.toml", "this is no TOML");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = anywhere(&s, &format!("completions {shell}")).exits(0);
        assert!(done.stdout.contains("older-than") && done.stderr.is_empty(), "{shell}");
        assert!(!done.stdout.contains(SETTING) && !done.stdout.contains("secret"), "{shell}");
    }
    anywhere(&s, "completions tcsh").exits(2);
    s.mep("status").exits(2).says("is no TOML");
}

#[test]
fn bash_completes_what_follows_a_command() {
    let s = Scenario::new();
    s.write("completions.bash", anywhere(&s, "completions bash").exits(0).stdout);
    let complete = |command: &str, word: &str, before: &str| {
        let script = format!(
            ". ./completions.bash; COMP_WORDS=(mep-batch {command} {before} '{word}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             _mep__batch mep-batch '{word}' '{before}'; echo ${{COMPREPLY[@]}}"
        );
        let mut bash = std::process::Command::new("bash");
        let done = Running::start(bash.args(["--norc", "-c", &script]).current_dir(s.folder()), b"").finish();
        done.exits(0).stdout.trim().to_owned()
    };
    assert_eq!(complete("export june", "", "--format"), "csv ndjson json");
    assert_eq!(complete("resolve june", "a", "--as"), "accepted abandoned");
    assert_eq!(complete("run", "--w", ""), "--wait --window");
}

#[test]
fn a_page_stands_for_each_command() {
    let s = Scenario::new();
    s.write("mep-batch.toml", format!("rate = {SETTING}\n"));
    let main = anywhere(&s, "--config mep-batch.toml man").exits(0);
    assert!(main.stdout.contains(".TH mep-batch 1"), "{}", main.stdout);
    anywhere(&s, "man --config mep-batch.toml --output pages").exits(0);
    let mut pages: Vec<String> = s
        .files()
        .into_keys()
        .filter_map(|path| Some(path.strip_prefix(s.path("pages")).ok()?.to_string_lossy().into_owned()))
        .collect();
    pages.sort();
    for command in ["check", "completions", "export", "man", "purge", "run", "status"] {
        assert!(pages.contains(&format!("mep-batch-{command}.1")), "{command}: {pages:?}");
    }
    assert!(pages.contains(&"mep-batch.1".to_owned()) && !pages.contains(&"mep-batch-help.1".to_owned()), "{pages:?}");
    let run = s.read("pages/mep-batch-run.1");
    assert!(run.contains(".TH mep-batch-run 1") && run.contains("mep\\-batch run"), "{run}");
    assert!(!pages.iter().any(|page| s.read(&format!("pages/{page}")).contains(SETTING)));
}

#[test]
fn the_long_version_names_the_database_library_and_the_schema() {
    let s = Scenario::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(s.mep("-V").exits(0).stdout, format!("mep-batch {version}\n"));
    let long = s.mep("--version").exits(0).stdout;
    let rest = long.strip_prefix(&format!("mep-batch {version} (SQLite 3.")).expect("the library's version");
    assert!(rest.ends_with(", schema 1)\n"), "{long}");
    assert_eq!(s.files().len(), 0);
}
