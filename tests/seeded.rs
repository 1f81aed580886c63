//! The seeded bugs of the full programme (`tests/full/seeded/`): each patch still fits the sources, and says who catches it by what.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

const PATCHES: &str = "tests/full/seeded";

/// What can tell whether a patch fits, the first that is installed: with these words the patch is given and nothing is changed.
const PROGRAMS: [(&str, &[&str]); 2] = [
    ("patch", &["--dry-run", "--strip=1", "--batch", "--forward", "--fuzz=0", "--input"]),
    ("git", &["apply", "--check"]),
];

fn main() -> ExitCode {
    let program = PROGRAMS.iter().find(|(name, _)| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    let facts = patches().into_iter().flat_map(|file| {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let named = file.clone();
        let fits = Trial::test(format!("{name}::fits_the_sources"), move || {
            let (program, words) = program.ok_or("neither `patch` nor `git` is installed")?;
            fits(program, words, &file)
        });
        let says = Trial::test(format!("{name}::says_who_catches_it_by_what"), move || says_who_catches_it(&named));
        [fits.with_ignored_flag(program.is_none()), says]
    });
    libtest_mimic::run(&Arguments::from_args(), facts.collect()).exit_code()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn patches() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join(PATCHES)).expect("the folder of the patches");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no bug is seeded");
    files
}

fn fits(program: &str, words: &[&str], file: &Path) -> Result<(), Failed> {
    let mut command = Command::new(program);
    // A copy of the tree below another one's `target` is no part of that one to `git`.
    command.args(words).arg(file).current_dir(root()).env("GIT_CEILING_DIRECTORIES", root().parent().unwrap_or(root()));
    let done = command.stdin(Stdio::null()).output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(()) } else { Err(format!("make it anew: `{program}` says\n{said}").into()) }
}

fn says_who_catches_it(file: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(file)?;
    let (head, _) = text.split_once("\n--- ").ok_or("it changes nothing")?;
    let values = |key: &str| head.lines().filter_map(move |line| line.strip_prefix(key)).collect::<Vec<_>>();
    let (what, catchers) = (values("What: "), values("Caught-by: "));
    if what.len() != 1 || catchers.is_empty() {
        return Err("it says no `What:`, or names nobody after `Caught-by:`".into());
    }
    let is_whole = |catcher: &&str| {
        let (fact, says) = catcher.split_once(": \"").unwrap_or_default();
        fact.split_once(' ').is_some() && says.len() > 1 && says.ends_with('"')
    };
    match catchers.iter().find(|catcher| !is_whole(catcher)) {
        Some(catcher) => Err(format!("`{catcher}` is not `TEST FACT: \"what it says\"`").into()),
        None => Ok(()),
    }
}
