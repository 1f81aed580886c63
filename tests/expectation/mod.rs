//! The corpus: hostile files, and what is expected of each in a file beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mep_batch::import::{FileRefused, Judgement, Survey};
use serde::Deserialize;

use crate::reader::{Answer, Flags};

const EXPECTED: &str = "expected";

/// A file with its expected answer.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) file: PathBuf,
    pub(crate) expected: Expectation,
}

/// What `check` makes of a file; a key that is left out expects nothing, 0, or what is usual.
///
/// An expected text is the beginning of the one that is found: `line 3, Mobile: too few digits`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Expectation {
    /// The flags that the file is read with.
    pub(crate) flags: Vec<String>,
    exit: u8,
    ready: u64,
    rejected: u64,
    skipped: u64,
    cleaned: u64,
    completed: u64,
    /// UTF-8 where it is left out.
    encoding: Option<String>,
    delimiter: Option<char>,
    sheet: Option<String>,
    /// All problems of rows, by line.
    problems: Vec<String>,
    /// All that is wrong with the file as a whole.
    faults: Vec<String>,
    /// All notes.
    notes: Vec<String>,
    /// The bodies of all good rows, in full.
    bodies: Option<Vec<String>>,
}

/// Every file of the corpus.
pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let (mut files, mut expectations) = (BTreeSet::new(), BTreeSet::new());
    for topic in fs::read_dir(root).expect("the corpus is there") {
        for file in fs::read_dir(topic.expect("a topic").path()).expect("a topic is a folder") {
            let file = file.expect("a file").path();
            let is_expectation = file.extension().is_some_and(|extension| extension == EXPECTED);
            if is_expectation {
                expectations.insert(file)
            } else {
                files.insert(file)
            };
        }
    }
    let expectation_of = |file: &PathBuf| file.with_extension("").with_extension(EXPECTED);
    let wanted: BTreeSet<_> = files.iter().map(expectation_of).collect();
    let alone: Vec<_> = wanted.symmetric_difference(&expectations).collect();
    assert!(alone.is_empty(), "an expectation without a file, or a file without one: {alone:#?}");
    assert_eq!(wanted.len(), files.len(), "two files share a name, and so an expectation");
    let case = |file: PathBuf| {
        let text = fs::read_to_string(expectation_of(&file)).expect("an expectation is a text");
        let expected = toml::from_str(&text).unwrap_or_else(|error| unreachable!("{}: {error}", file.display()));
        Case { file, expected }
    };
    files.into_iter().map(case).collect()
}

impl Case {
    /// All that is otherwise than expected.
    pub(crate) async fn mismatches(&self) -> Vec<String> {
        let flags = Flags::parse(&self.expected.flags);
        let mut found = Expectation::of(&flags.check(&self.file).await);
        found.bodies = self.expected.bodies.as_ref().map(|_| flags.bodies(&self.file).unwrap_or_default());
        self.expected.differences(&found)
    }
}

impl Expectation {
    fn of(answer: &Answer) -> Expectation {
        match answer {
            Answer::Judged(judgement, survey) => {
                let exit = if judgement.rejected > 0 { 3 } else { 0 };
                Expectation { exit, ..Expectation::of_judgement(judgement, survey) }
            }
            Answer::TooMany(judgement, survey) => {
                Expectation { exit: 7, ..Expectation::of_judgement(judgement, survey) }
            }
            Answer::Refused(refused) => Expectation { exit: 7, faults: faults_of(refused), ..Expectation::default() },
        }
    }

    fn of_judgement(judgement: &Judgement, survey: &Survey) -> Expectation {
        let Judgement { rows, ready, rejected, skipped, cleaned, completed, .. } = *judgement;
        assert_eq!(rows, ready + rejected + skipped, "every row is counted once");
        let encoding = (!survey.encoding.is_utf8()).then(|| survey.encoding.to_string());
        let notes = judgement.notes.iter().map(|note| at(note.line, "", &note.text)).collect();
        Expectation {
            ready,
            rejected,
            skipped,
            cleaned,
            completed,
            encoding,
            delimiter: survey.delimiter.map(char::from),
            sheet: survey.sheet.clone(),
            problems: problems_of(judgement),
            notes,
            ..Expectation::default()
        }
    }

    fn differences(&self, found: &Expectation) -> Vec<String> {
        let count = |what, expected: u64, found: u64| {
            (expected != found).then(|| format!("{what}: expected {expected}, found {found}"))
        };
        let text = |what, expected: &Option<String>, found: &Option<String>| {
            (expected != found).then(|| format!("{what}: expected {expected:?}, found {found:?}"))
        };
        let texts = |what, expected: &[String], found: &[String]| {
            let is_same = expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| f.starts_with(e));
            (!is_same).then(|| format!("{what}: expected {expected:#?}, found {found:#?}"))
        };
        let delimiter = match (self.delimiter, found.delimiter) {
            (Some(expected), found) if Some(expected) != found => {
                Some(format!("delimiter: expected {expected:?}, found {found:?}"))
            }
            (Some(_) | None, _) => None,
        };
        let bodies = (self.bodies != found.bodies)
            .then(|| format!("bodies: expected {:#?}, found {:#?}", self.bodies, found.bodies));
        let differences = [
            count("exit", self.exit.into(), found.exit.into()),
            count("ready", self.ready, found.ready),
            count("rejected", self.rejected, found.rejected),
            count("skipped", self.skipped, found.skipped),
            count("cleaned", self.cleaned, found.cleaned),
            count("completed", self.completed, found.completed),
            text("encoding", &self.encoding, &found.encoding),
            text("sheet", &self.sheet, &found.sheet),
            texts("problems", &self.problems, &found.problems),
            texts("faults", &self.faults, &found.faults),
            texts("notes", &self.notes, &found.notes),
            delimiter,
            bodies,
        ];
        differences.into_iter().flatten().collect()
    }
}

/// The problems one by one, in the order of the lines.
fn problems_of(judgement: &Judgement) -> Vec<String> {
    let groups = judgement.problems.iter();
    let places = groups.flat_map(|group| group.first.iter().map(move |place| (place.line, group)));
    let mut places: Vec<_> = places.collect();
    places.sort_by_key(|(line, _)| *line);
    places.into_iter().map(|(line, group)| at(Some(line), &group.column, &group.reason)).collect()
}

fn faults_of(refused: &FileRefused) -> Vec<String> {
    let told = refused.faults.iter();
    told.map(|fault| at(fault.line, fault.column.as_deref().unwrap_or_default(), &fault.reason)).collect()
}

fn at(line: Option<u32>, column: &str, text: &str) -> String {
    match (line, column) {
        (Some(line), "") => format!("line {line}: {text}"),
        (Some(line), column) => format!("line {line}, {column}: {text}"),
        (None, "") => text.to_owned(),
        (None, column) => format!("{column}: {text}"),
    }
}
