//! What a program has left behind: everything that it said, and everything that it wrote.

use std::path::PathBuf;

use crate::scenario::{Done, Running, Scenario};

/// What was found somewhere.
pub(crate) struct Traces {
    /// Where, and what stands there.
    places: Vec<(String, Vec<u8>)>,
    /// Where no full phone number may be: all that is said without being asked for.
    said: Vec<(String, String)>,
}

impl Traces {
    pub(crate) fn new() -> Traces {
        Traces { places: Vec::new(), said: Vec::new() }
    }

    pub(crate) fn add(&mut self, place: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.places.push((place.into(), content.into()));
    }

    /// What a command has said, of which nothing may be a full phone number.
    pub(crate) fn add_said(&mut self, line: &str, done: &Done) {
        self.add(format!("what `{line}` said"), done.output());
        self.said.push((line.to_owned(), done.output()));
    }

    /// What a command has said that was asked for full phone numbers: its stderr has none all the same.
    pub(crate) fn add_revealed(&mut self, line: &str, done: &Done) {
        self.add(format!("what `{line}` said"), done.output());
        self.said.push((line.to_owned(), done.stderr.clone()));
    }

    /// Every file of the folder, but what was given and not written by the program.
    pub(crate) fn add_files(&mut self, s: &Scenario, given: &[&str]) {
        let given: Vec<PathBuf> = given.iter().map(|name| s.path(name)).collect();
        for (path, content) in s.files() {
            if !given.contains(&path) {
                self.add(format!("the file {}", path.display()), content);
            }
        }
    }

    /// The arguments of a process that lives, and what its children can see; it has none.
    pub(crate) fn add_process(&mut self, running: &Running) {
        let read = |file: &str| std::fs::read(format!("/proc/{}/{file}", running.pid())).expect("a process that lives");
        self.add("the list of processes", read("cmdline"));
        let of_it = |child: &str| parent_of(child) == Some(running.pid());
        let listed = std::fs::read_dir("/proc").expect("the processes");
        let names = listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let children: Vec<String> = names.filter(|name| of_it(name)).collect();
        assert!(children.is_empty(), "it started {children:?}, which inherited its environment");
    }

    /// Asserts that none of these stands anywhere.
    #[track_caller]
    pub(crate) fn have_none_of(&self, secrets: &[&str]) {
        assert!(self.places.len() > 20, "only {} places were looked at", self.places.len());
        for secret in secrets {
            assert!(secret.len() >= 8, "`{secret}` would be found by chance");
            for (place, content) in &self.places {
                let at = content.windows(secret.len()).position(|window| window == secret.as_bytes());
                let around = at.map(|at| &content[at.saturating_sub(80)..(at + secret.len() + 20).min(content.len())]);
                let shown = around.map(String::from_utf8_lossy);
                assert!(shown.is_none(), "`{secret}` is in {place}: {shown:?}");
            }
        }
    }

    /// Asserts that none of these numbers stands in what was said, in whatever groups.
    #[track_caller]
    pub(crate) fn name_nobody(&self, numbers: &[String]) {
        for (line, said) in &self.said {
            let joined: String = said.chars().filter(|c| !" \u{a0}()-./+".contains(*c)).collect();
            for number in numbers {
                let at = joined.find(number.as_str());
                let around = at.map(|at| joined[..at].chars().rev().take(60).collect::<Vec<_>>());
                let shown = around.map(|chars| chars.into_iter().rev().collect::<String>());
                assert!(shown.is_none(), "`{line}` says {number} behind {shown:?}");
            }
        }
    }
}

/// The process that started one; `None` where it is none, or has ended.
fn parent_of(process: &str) -> Option<u32> {
    process.parse::<u32>().ok()?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}
