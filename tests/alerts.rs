//! The sample alert rules and the documentation of figures: they speak of figures that the program writes, and no others.

mod audit;
mod cluster;
mod page_of_figures;
mod scenario;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Trial};
use mep_batch::report::{FAMILIES, Family, Teller};
use page_of_figures::Figures;
use scenario::{Running, Scenario, sample};

const RULES: &str = "prometheus-alerts.yml";

/// When each of them fires, and when it does not.
const TESTS: &str = "tests/prometheus-alerts-test.yml";

fn main() -> ExitCode {
    let fact = |name: &str, fact: fn()| {
        Trial::test(name, move || {
            fact();
            Ok(())
        })
    };
    let has_promtool = find_promtool().is_some();
    let trials = vec![
        fact("the_rules_ask_for_figures_that_are_written", the_rules_ask_for_figures_that_are_written),
        fact("each_rule_has_a_test_in_which_it_fires", each_rule_has_a_test_in_which_it_fires),
        fact("each_rule_says_what_is_wrong_and_what_to_type", each_rule_says_what_is_wrong_and_what_to_type),
        fact("the_documentation_has_each_family_as_it_is", the_documentation_has_each_family_as_it_is),
        fact("names_and_units_follow_the_conventions", names_and_units_follow_the_conventions),
        fact("promtool_finds_nothing_wrong_with_the_rules", promtool_finds_nothing_wrong_with_the_rules)
            .with_ignored_flag(!has_promtool),
        fact("each_rule_fires_when_it_should_and_not_when_it_should_not", each_rule_fires_when_it_should)
            .with_ignored_flag(!has_promtool),
        fact("promtool_finds_nothing_wrong_with_a_page", promtool_finds_nothing_wrong_with_a_page)
            .with_ignored_flag(!has_promtool),
    ];
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if !has_promtool {
        tell("the tests with `promtool` were ignored: it is not on PATH\nhint: `apt-get install prometheus`");
    }
    conclusion.exit_code()
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests reads it")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn find_promtool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("promtool")).find(|program| program.is_file())
}

fn promtool(arguments: &[&str], input: &str) -> scenario::Done {
    let mut command = Command::new(find_promtool().expect("it is there"));
    Running::start(command.args(arguments), input.as_bytes()).finish()
}

fn rules() -> String {
    std::fs::read_to_string(sample(RULES)).expect("the sample")
}

/// The words of a text that look like names of figures.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("mep_batch_")).map(str::to_owned).collect()
}

/// The expressions of the rules, each with the lines that go on with it.
fn expressions(rules: &str) -> String {
    let (mut expressions, mut depth) = (String::new(), None);
    for line in rules.lines() {
        let indent = line.len() - line.trim_start().len();
        if let Some(first) = line.trim_start().strip_prefix("expr:") {
            depth = Some(indent);
            expressions.push_str(first);
        } else if depth.is_some_and(|depth| indent > depth) {
            expressions.push_str(line);
        } else {
            depth = None;
        }
        expressions.push('\n');
    }
    expressions
}

fn the_rules_ask_for_figures_that_are_written() {
    let mut known = BTreeSet::new();
    for family in FAMILIES {
        known.insert(family.name.to_owned());
        known.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{}{suffix}", family.name)));
    }
    let asked = names_in(&expressions(&rules()));
    assert!(asked.len() >= 8, "{asked:?}");
    let missing: Vec<&String> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "nothing writes {missing:?}");
    let everywhere = names_in(&rules());
    assert_eq!(everywhere.difference(&known).next(), None, "in a comment or a text");
}

fn each_rule_says_what_is_wrong_and_what_to_type() {
    let rules = rules();
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 8, "{}", alerts.len());
    for alert in alerts {
        for needed in ["expr:", "severity:", "summary:", "description:", "mep-batch "] {
            assert!(alert.contains(needed), "no `{needed}` in: {alert}");
        }
    }
    let mut faults = Vec::new();
    for phrase in rules.split('`').skip(1).step_by(2).filter_map(|phrase| phrase.strip_prefix("mep-batch ")) {
        let phrase = phrase.replace("{{ $labels.batch }}", "campaign");
        let words: Vec<String> = phrase.split_whitespace().map(str::to_owned).collect();
        faults.extend(mep_batch::cli::parses(&words).err().map(|error| format!("{phrase}: {error}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The table of the documentation, as the program's families make it.
fn table(told_by: Teller) -> String {
    let mut table = "| family | labels | what it is |\n|---|---|---|\n".to_owned();
    for Family { name, kind, labels, help, .. } in FAMILIES.iter().filter(|family| family.told_by == told_by) {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(table, "| `{name}` ({}) | {} | {help} |", kind.as_str(), labels.join(", "));
    }
    table
}

fn the_documentation_has_each_family_as_it_is() {
    let page = std::fs::read_to_string(file("docs/metrics.md")).expect("the page");
    for told_by in [Teller::Both, Teller::Server, Teller::Run] {
        let table = table(told_by);
        assert!(page.contains(&table), "docs/metrics.md lacks this table, or has another one in its place:\n{table}");
    }
    let known: BTreeSet<String> = FAMILIES.iter().map(|family| family.name.to_owned()).collect();
    let unknown: Vec<String> = names_in(&page).into_iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "nothing writes {unknown:?}");
}

fn names_and_units_follow_the_conventions() {
    use mep_batch::report::Kind;
    for Family { name, kind, help, labels, .. } in FAMILIES {
        assert!(name.starts_with("mep_batch_") && !help.is_empty(), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert_eq!(*kind == Kind::Histogram, name.ends_with("_duration_seconds"), "{name}");
        assert!(!name.contains("_ms") && !name.contains("millis"), "{name}");
        assert!(!labels.contains(&"le") && !labels.contains(&"job") && !labels.contains(&"instance"), "{name}");
    }
    let names: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), FAMILIES.len(), "no name is there twice");
}

fn promtool_finds_nothing_wrong_with_the_rules() {
    let done = promtool(&["check", "rules", sample(RULES).to_str().expect("a path")], "");
    assert_eq!(done.code, 0, "{}", done.output());
}

/// A file of the project, by its path in it.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn each_rule_has_a_test_in_which_it_fires() {
    let tests = std::fs::read_to_string(file(TESTS)).expect("the tests of the rules");
    for rule in rules().lines().filter_map(|line| line.trim().strip_prefix("- alert: ").map(str::to_owned)) {
        let fires = tests.contains(&format!("- labels: '{{alertname=\"{rule}\","));
        assert!(fires, "{rule} fires in no test of {TESTS}");
    }
    assert!(tests.contains("exp_samples: []"), "and nothing does before");
}

fn each_rule_fires_when_it_should() {
    let done = promtool(&["test", "rules", file(TESTS).to_str().expect("a path")], "");
    assert_eq!(done.code, 0, "{}", done.output());
}

fn promtool_finds_nothing_wrong_with_a_page() {
    let s = Scenario::new();
    let sim = s.simulate("--fault 12002=20% --fault 1010=20%");
    s.campaign(20).mep(&format!("run campaign.csv --endpoint {sim} --wait 0 --metrics-file page.prom"));
    let page = s.read("page.prom");
    let figures = Figures::read(&page);
    assert!(figures.of("mep_batch_database_up") > 0.0 && figures.family("mep_batch_rows").len() > 2, "{page}");
    let told = figures.families();
    let by_run = FAMILIES.iter().filter(|family| family.told_by == Teller::Run && !family.name.ends_with("per_second"));
    by_run.for_each(|family| assert!(told.contains(family.name), "{} is not told", family.name));
    let done = promtool(&["check", "metrics"], &page);
    assert_eq!((done.code, done.output().as_str()), (0, ""), "{page}");
}
