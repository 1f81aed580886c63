//! What README.md and docs/ tell a reader to type: every command has flags that exist, and those that are marked run.
//!
//! A fence of `sh run` is run by `sh` (with `-e`), one after the other for each page, in a folder of the page's own with the
//! repository's `samples/` and the program on its path; `sh run exit=3` must end so. In a plain `sh` fence, and in a phrase in
//! backticks, each `mep-batch …` must be a command with flags that exist; a page that is generated has none.

mod audit;
mod cluster;
mod scenario;

use std::path::{Path, PathBuf};
use std::process::Command;

use scenario::{Running, Scenario};

/// A block of commands of a page.
struct Fence {
    line: usize,
    info: String,
    text: String,
}

impl Fence {
    /// The code that it must end with, where it is to be run.
    fn exit(&self) -> Option<i32> {
        let mut words = self.info.split_whitespace();
        if (words.next(), words.next()) != (Some("sh"), Some("run")) {
            return None;
        }
        Some(words.next().and_then(|word| word.strip_prefix("exit=")).map_or(0, |code| code.parse().expect("a code")))
    }
}

fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("docs/") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    let name = |path: &PathBuf| path.strip_prefix(root).expect("in the repository").display().to_string();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("a page"))).collect()
}

/// The fences of a page, and the page without them.
fn taken_apart(page: &str) -> (Vec<Fence>, String) {
    let (mut fences, mut prose, mut open): (Vec<Fence>, String, bool) = (Vec::new(), String::new(), false);
    for (number, line) in page.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                fences.push(Fence { line: number + 1, info: info.trim().to_owned(), text: String::new() });
                open = true;
            }
            None if open => {
                let fence = fences.last_mut().expect("an open fence");
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            None => prose.push_str(line),
        }
        prose.push('\n');
    }
    (fences, prose)
}

/// The words after `mep-batch` of each command of a script, as a shell would take them apart.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = script.replace("\\\n", " ").chars().collect::<Vec<_>>().into_iter().peekable();
    let mut here_document: Option<String> = None;
    let end = |words: &mut Vec<String>, commands: &mut Vec<Vec<String>>| {
        let place = words.iter().position(|word| word == "mep-batch" || word == "/usr/local/bin/mep-batch");
        commands.extend(place.map(|place| words[place + 1..].to_vec()));
        words.clear();
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.extend(letters.by_ref().take_while(|c| *c != letter));
            }
            '#' if word.is_none() => while letters.next_if(|c| *c != '\n').is_some() {},
            ';' | '|' | '&' | '\n' | '(' | ')' | '>' => {
                words.extend(word.take());
                end(&mut words, &mut commands);
                if letter == '\n'
                    && let Some(mark) = here_document.take()
                {
                    let mut line = String::new();
                    for c in letters.by_ref() {
                        if c != '\n' {
                            line.push(c);
                        } else if std::mem::take(&mut line) == mark {
                            break;
                        }
                    }
                }
            }
            ' ' => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
        if let Some(mark) = word.as_deref().and_then(|word| word.strip_prefix("<<")).filter(|mark| !mark.is_empty()) {
            here_document = Some(mark.to_owned());
        }
    }
    words.extend(word.take());
    end(&mut words, &mut commands);
    commands
}

fn faults_of(place: &str, script: &str) -> Vec<String> {
    let script = script.replace("cargo run --release -- ", "mep-batch ");
    let fault = |words: Vec<String>| {
        let words: Vec<String> = words.into_iter().filter(|word| word != "…").collect();
        let error = mep_batch::cli::parses(&words).err()?;
        Some(format!("{place}: mep-batch {}\n    {}", words.join(" "), error.lines().next().unwrap_or_default()))
    };
    commands(&script).into_iter().filter_map(fault).collect()
}

#[test]
fn each_command_in_the_docs_has_flags_that_exist() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for (name, page) in pages() {
        let (fences, prose) = taken_apart(&page);
        let marked = ["sh", "text", "ini", "toml"];
        for fence in fences.iter().filter(|fence| marked.contains(&fence.info.split(' ').next().unwrap_or_default())) {
            let is_script = fence.info.starts_with("sh");
            let lines = fence.text.lines().filter(|line| is_script || line.contains("mep-batch run "));
            let text = if is_script { fence.text.clone() } else { lines.collect::<Vec<_>>().join("\n") };
            seen += commands(&text).len();
            if name != "docs/reference.md" {
                faults.extend(faults_of(&format!("{name}:{}", fence.line), &text));
            }
        }
        for (number, line) in prose.lines().enumerate() {
            let phrases = line.split('`').skip(1).step_by(2).filter(|phrase| phrase.starts_with("mep-batch "));
            for phrase in phrases {
                seen += 1;
                faults.extend(faults_of(&format!("{name}:{}", number + 1), phrase));
            }
        }
    }
    assert!(faults.is_empty(), "these commands of the docs do not exist:\n{}", faults.join("\n"));
    assert!(seen > 50, "only {seen} commands were found");
}

#[test]
fn what_the_docs_say_to_run_runs() {
    let mut ran = 0;
    for (name, page) in pages() {
        let s = Scenario::new();
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        std::os::unix::fs::symlink(samples, s.path("samples")).expect("a link");
        for fence in taken_apart(&page).0 {
            let Some(code) = fence.exit() else { continue };
            let program = Path::new(env!("CARGO_BIN_EXE_mep-batch")).parent().expect("a folder").display().to_string();
            let mut shell = Command::new("sh");
            shell.args(["-e", "-c", &fence.text]).current_dir(s.folder()).env_clear();
            shell.env("PATH", format!("{program}:/usr/bin:/bin")).env("HOME", s.folder()).env("USER", "operator");
            let done = Running::start(&mut shell, b"").finish();
            assert_eq!(done.code, code, "{name}:{}\n{}\n{}", fence.line, fence.text, done.output());
            ran += 1;
        }
    }
    assert!(ran > 5, "only {ran} blocks are marked to be run");
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    for (name, page) in pages() {
        let (_, prose) = taken_apart(&page);
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target =
                if file.is_empty() { root.join(&name) } else { root.join(&name).with_file_name("").join(file) };
            let Ok(text) = std::fs::read_to_string(&target) else {
                faults.extend((!target.exists()).then(|| format!("{name}: {link}")));
                continue;
            };
            let anchors = text.lines().filter(|line| line.starts_with('#')).map(anchor_of);
            if !anchor.is_empty() && !anchors.into_iter().any(|there| there == anchor) {
                faults.push(format!("{name}: {link} has no such heading"));
            }
        }
    }
    assert!(faults.is_empty(), "links that lead nowhere:\n{}", faults.join("\n"));
}

/// What a heading is called in a link.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_script_is_taken_apart_as_a_shell_would() {
    let script = "X=1 mep-batch run 'a b' \\\n  --rate 5 # a word\ncat <<'E' | sort\nmep-batch no\nE\n(mep-batch status; true) && \
                  mep-batch show june 17 >x\n";
    assert_eq!(commands(script), [vec!["run", "a b", "--rate", "5"], vec!["status"], vec!["show", "june", "17"]]);
}
