//! The layers of the sources: imports run downward only, and each layer keeps what it alone may know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The layers, lowest first; modules of one layer know nothing of each other.
const LAYERS: [&[&str]; 7] = [
    &["mep"],
    &["invocation"],
    &["store", "validate", "client", "retry"],
    &["worker", "action", "report"],
    &["import", "run", "web", "simulator"],
    &["cli"],
    &["main", "lib"],
];

/// Libraries that some modules alone may know.
const KEPT: [(&str, &[&str]); 8] = [
    ("sqlx", &["store"]),
    ("reqwest", &["client"]),
    ("hyper", &["client", "web", "simulator"]),
    ("hyper_util", &["client", "web", "simulator"]),
    ("http_body_util", &["client", "web", "simulator"]),
    ("axum", &["web", "simulator"]),
    ("maud", &["web"]),
    ("clap", &["cli"]),
];

struct Source {
    /// `store/turn.rs`.
    path: String,
    /// `store`.
    module: String,
    text: String,
}

impl Source {
    /// The lines of code up to the tests, without comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        let end = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        self.text[..end].lines().map(|line| line.split("//").next().unwrap_or_default())
    }

    /// The modules at the top that its code names, by `crate::` or by a `super::` that leads out of its own.
    fn named_modules(&self) -> BTreeSet<String> {
        let code: String = self.code().collect::<Vec<_>>().join("\n");
        let mut found = names_after(&code, "crate::");
        let depth = self.path.trim_end_matches("/mod.rs").matches('/').count();
        found.extend(names_after(&code, &"super::".repeat(depth + 1)));
        found.remove(&self.module);
        found
    }
}

/// The first names after each place of a prefix: one, or those of a group in braces.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let is_longer_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &code[at + prefix.len()..];
        if is_longer_word || rest.starts_with("super::") {
            continue;
        }
        let listed =
            rest.strip_prefix('{').and_then(|group| group.split_once(['}', ';'])).map_or(rest, |(list, _)| list);
        let count = if rest.starts_with('{') { usize::MAX } else { 1 };
        for name in listed.split(',').take(count) {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names.remove("");
    names
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                let path = path.strip_prefix(&root).expect("in src").display().to_string();
                let module = path.split(['/', '.']).next().unwrap_or_default().to_owned();
                sources.push(Source { path, module, text });
            }
        }
    }
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    sources
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn faults(judge: impl Fn(&Source) -> Vec<String>) {
    let faults: Vec<String> = sources().iter().flat_map(judge).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_module_has_its_layer() {
    faults(|source| match layer(&source.module) {
        Some(_) => vec![],
        None => vec![format!("{}: `{}` is in no layer", source.path, source.module)],
    });
}

#[test]
fn imports_run_downward_only() {
    faults(|source| {
        let named = source.named_modules().into_iter().filter(|name| layer(name) >= layer(&source.module));
        named.filter(|name| layer(name).is_some()).map(|name| format!("{} names `{name}`", source.path)).collect()
    });
}

#[test]
fn the_check_itself_sees_a_name_that_runs_upward() {
    let source = |path: &str, text: &str| Source { path: path.into(), module: "store".into(), text: text.into() };
    let named = |path: &str, text: &str| source(path, text).named_modules().into_iter().collect::<Vec<_>>();
    assert_eq!(named("store/turn.rs", "use crate::{cli::Exit, run};\nuse super::Store;"), ["cli", "run"]);
    assert_eq!(named("store/turn.rs", "use super::super::worker::Route;"), ["worker"]);
    assert_eq!(named("store.rs", "use super::client::Client; // crate::web"), ["client"]);
    assert_eq!(named("store/turn.rs", "let x = crate::retry::settle(1);"), ["retry"]);
}

#[test]
fn libraries_stay_where_they_belong() {
    faults(|source| {
        let says = |library: &str| source.code().any(|line| names_the_library(line, library));
        KEPT.iter()
            .filter(|(library, modules)| !modules.contains(&source.module.as_str()) && says(library))
            .map(|(library, modules)| format!("{} names `{library}`, which is for {modules:?}", source.path))
            .collect()
    });
}

fn names_the_library(line: &str, library: &str) -> bool {
    line.match_indices(library).any(|(at, _)| {
        let begins = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.');
        let rest = &line[at + library.len()..];
        begins && (rest.starts_with("::") || (line.trim_start().starts_with("use ") && rest.starts_with(';')))
    })
}

#[test]
fn nothing_is_printed_below_cli() {
    faults(|source| {
        let prints =
            |line: &str| ["println!(", "print!(", "eprintln!(", "eprint!(", "dbg!("].iter().any(|m| line.contains(m));
        let says = source.module != "cli" && source.code().any(prints);
        if says { vec![format!("{} prints", source.path)] } else { vec![] }
    });
}

#[test]
fn every_file_begins_with_what_it_is() {
    faults(|source| match source.text.lines().next() {
        Some(first) if first.starts_with("//! ") => vec![],
        first => vec![format!("{} begins with {first:?}", source.path)],
    });
}

#[test]
fn validate_and_retry_ask_no_clock() {
    faults(|source| {
        let is_kept = ["validate", "retry", "invocation", "mep"].contains(&source.module.as_str());
        let asks = |line: &str| {
            ["Instant::now", "SystemTime::now", "UnixMillis::now", "fastrand::"].iter().any(|m| line.contains(m))
        };
        let says = is_kept && source.code().any(asks);
        if says { vec![format!("{} asks a clock or chance", source.path)] } else { vec![] }
    });
}
