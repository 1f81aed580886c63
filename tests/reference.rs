//! `docs/reference.md` and the program agree: what the reference says is made of the program's own flags, codes and states, and of
//! what its commands print with `--json`.
//!
//! `UPDATE_REFERENCE=1 cargo test --test reference` writes it anew.

mod audit;
mod cluster;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use scenario::{SERVICE, Scenario, sample};
use serde_json::Value;

const FILE: &str = "docs/reference.md";

const HEAD: &str = "\
# Reference

Commands, settings, exit codes, states and JSON, as this version of the program has them. It is written by the program's own tests
(`UPDATE_REFERENCE=1 cargo test --test reference`), which fail where it and the program disagree. What things are for is told in
the [README](../README.md), [A first campaign](first-campaign.md) and [How to](how-to.md).

";

const JSON_HEAD: &str = "\
## JSON fields

With `--json` a command prints one object, or one a line where it lists, on stdout; the last line is always an object. Times are RFC
3339 in UTC, what is absent is null, and `a[]` is a list. Any command that fails ends with `error` and `exitCode`. A later version may
add fields; these keep their names and meanings.

";

/// Commands that print for people and shells alone.
const WITHOUT_JSON: [&str; 2] = ["completions", "man"];

/// The fields of what a command prints, by their paths, each with the kinds of its values.
type Fields = BTreeMap<String, BTreeSet<&'static str>>;

/// A heading, and the fields of all objects that were seen below it.
#[derive(Default)]
struct Samples(Vec<(String, Fields)>);

impl Samples {
    fn add(&mut self, heading: &str, objects: &[Value]) {
        let place = self.0.iter().position(|(other, _)| other == heading);
        let place = place.unwrap_or_else(|| {
            self.0.push((heading.to_owned(), Fields::new()));
            self.0.len() - 1
        });
        objects.iter().for_each(|object| collect("", object, &mut self.0[place].1));
    }
}

fn collect(path: &str, value: &Value, fields: &mut Fields) {
    let kind = match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(&path, member, fields);
            }
            return;
        }
        Value::Array(items) => {
            let path = format!("{path}[]");
            fields.entry(path.clone()).or_default();
            items.iter().for_each(|item| collect(&path, item, fields));
            return;
        }
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
    };
    fields.entry(path.to_owned()).or_default().insert(kind);
}

/// What each command prints with `--json`, seen in a small campaign in which everything happens.
fn samples() -> Samples {
    let mut samples = Samples::default();
    let s = Scenario::new();
    of_files(&s, &mut samples);
    of_a_run(&s, &mut samples);
    of_rows(&s, &mut samples);
    of_a_backup(&mut samples);
    let settings = s.mep("config --json").exits(0);
    samples.add("config", &settings.json_lines());
    samples.add("run --dry-run", &s.mep("run third --dry-run --json").exits(0).json_lines());
    samples.add("doctor", &s.mep("doctor --json").json_lines());
    samples.add("purge", &s.mep("purge --older-than 0 --json").exits(0).json_lines());
    samples.add("any command that fails", &[s.mep("status nowhere --json").exits(2).json()]);
    samples
}

fn of_files(s: &Scenario, samples: &mut Samples) {
    let rows = std::fs::read(sample("mistakes.csv")).expect("a sample");
    s.write("mistakes.csv", rows).write("opt-outs.txt", "12515550130\n");
    s.write("guests.csv", "Mobile,Seat\n12515550130,7A\n");
    s.write(
        "told.csv",
        format!("serviceId,phoneNumber,session.seat\n{SERVICE},12515550130,7A\n{SERVICE},12515550130,7A\n"),
    );
    for line in
        ["check mistakes.csv --suppress opt-outs.txt --json", "check guests.csv --json", "check told.csv --json"]
    {
        samples.add("check, import", &[s.mep(line).json()]);
    }
    let done = s.mep("import mistakes.csv --endpoint simulator --json").exits(3);
    samples.add("check, import", &[done.json()]);
    s.mep("import told.csv --endpoint simulator --batch first").exits(0);
    samples.add("check, import", &[s.mep("import told.csv --endpoint simulator --batch second --again --json").json()]);
}

/// A run that is killed on the way, and one with every fault.
fn of_a_run(s: &Scenario, samples: &mut Samples) {
    let slow = s.simulate("--latency 60s");
    s.campaign(4);
    let run = s.start(&format!("run campaign.csv --endpoint {slow} --concurrency 2"));
    slow.until_received(2);
    samples.add("status", &[s.mep("status campaign --json").exits(0).json()]);
    run.kill();
    samples.add("resolve, which lists", &s.mep("resolve campaign --json").json_lines());
    let line =
        s.query("SELECT CAST(id & 4294967295 AS TEXT) FROM invocation WHERE state = 'unknown' ORDER BY id").remove(0);
    let decided = s.mep(&format!("resolve campaign --line {line} --as accepted --reason case --json")).exits(0);
    samples.add("resolve, which decides", &[decided.json()]);

    let faulty = s.simulate("--fault 1010=100%");
    let run = s.start(&format!("run told.csv --again --batch third --endpoint {faulty}"));
    faulty.until_received(1);
    run.until_it_says("waiting");
    run.send(Signal::INT);
    run.finish().exits(130);
    samples.add("status", &[s.mep("status third --json").exits(0).json()]);
    for line in ["pause third", "resume third", "throttle third --rate 2", "cancel third"] {
        samples.add("pause, resume, throttle, cancel", &[s.mep(&format!("{line} --json")).exits(0).json()]);
    }
    let done = s.mep("run first mistakes --json");
    samples.add("run", &done.json_lines());
}

/// A backup that was put back: of one batch rows were sent since, and another one is not in it.
fn of_a_backup(samples: &mut Samples) {
    let s = Scenario::new();
    s.campaign(4).mep("import campaign.csv --endpoint simulator").exits(0);
    let backup = s.back_up();
    s.write("other.csv", scenario::campaign(5..7));
    s.mep("run campaign --limit 2 --wait 0").exits(5);
    s.mep("run other.csv --endpoint simulator").exits(0);
    s.put_back(backup);
    samples.add("resolve --rolled-back", &[s.mep("resolve --rolled-back --json").exits(0).json()]);
}

fn of_rows(s: &Scenario, samples: &mut Samples) {
    samples.add("list, export --format ndjson", &s.mep("list --json").exits(0).json_lines());
    samples.add("list, export --format ndjson", &s.mep("export first --format ndjson").exits(0).json_lines());
    samples.add(
        "export --attempts --format ndjson",
        &s.mep("export first --attempts --format ndjson").exits(0).json_lines(),
    );
    samples.add("report", &[s.mep("report campaign -o report.html --json").exits(0).json()]);
    for line in ["show first 2 --json", "show mistakes 5 --json", "show campaign 2 --json"] {
        samples.add("show", &[s.mep(line).exits(0).json()]);
    }
    samples.add("retry", &[s.mep("retry mistakes --state rejected --json").json()]);
    samples.add("retry", &[s.mep("retry second --state skipped --json").json()]);
    for (heading, line) in [("simulate", "simulate --listen 127.0.0.1:0"), ("serve", "serve --listen 127.0.0.1:0")] {
        samples.add(heading, &until_interrupted(s, line));
    }
}

/// What a command says that goes on until it is interrupted.
fn until_interrupted(s: &Scenario, line: &str) -> Vec<Value> {
    let running = s.start(&format!("{line} --json"));
    running.first_line();
    running.send(Signal::INT);
    running.finish().exits(0).json_lines()
}

/// What the sources say of a field, by its name in JSON: the first sentence above it, where all say the same.
fn docs_of_fields() -> BTreeMap<String, String> {
    let mut docs: BTreeMap<String, Option<String>> = BTreeMap::new();
    for file in ["src/report/status.rs", "src/report/row.rs", "src/report/export.rs"] {
        let text = std::fs::read_to_string(root().join(file)).expect("a source");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let mut said = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(more) = line.strip_prefix("/// ") {
                let _ = write!(said, "{}{more}", if said.is_empty() { "" } else { " " });
            } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")) {
                let first =
                    said.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.').to_owned();
                let known = docs.entry(camel_case(name)).or_insert_with(|| Some(first.clone()));
                if known.as_ref() != Some(&first) {
                    *known = None;
                }
                said.clear();
            } else if !line.starts_with("#[") {
                said.clear();
            }
        }
    }
    docs.into_iter().filter_map(|(name, said)| Some((name, said?))).collect()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| all + &word[..1].to_uppercase() + &word[1..])
}

fn json_section(samples: &Samples) -> String {
    let docs = docs_of_fields();
    let mut text = JSON_HEAD.to_owned();
    for (heading, fields) in &samples.0 {
        let _ = writeln!(text, "### {heading}\n");
        for (path, kinds) in fields {
            let name = path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]");
            let kinds: Vec<&str> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
            let kinds = if kinds.is_empty() { String::new() } else { format!(", {}", kinds.join(" or ")) };
            let said = docs
                .get(name)
                .filter(|_| ["status", "run", "pause, resume, throttle, cancel"].contains(&heading.as_str()));
            let said = said.map(|said| format!(": {said}")).unwrap_or_default();
            let _ = writeln!(text, "- `{path}`{kinds}{said}");
        }
        text.push('\n');
    }
    text
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn the_reference_is_what_the_program_does() {
    let made = format!("{HEAD}{}{}", mep_batch::cli::reference(), json_section(&samples()));
    let made = format!("{}\n", made.trim_end());
    let file = root().join(FILE);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&file, made).expect("the reference can be written");
        return;
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = there.lines().zip(made.lines()).position(|(there, made)| there != made);
    let line = differs.unwrap_or_else(|| there.lines().count().min(made.lines().count()));
    assert!(
        there == made,
        "{FILE} and the program disagree at line {}\n   the file: {}\nthe program: {}\n\
         hint: UPDATE_REFERENCE=1 cargo test --test reference, and look at what changes",
        line + 1,
        there.lines().nth(line).unwrap_or("(its end)"),
        made.lines().nth(line).unwrap_or("(its end)"),
    );
}

#[test]
fn each_command_has_a_sample_of_its_json() {
    let samples = samples();
    let seen: Vec<&str> = samples.0.iter().flat_map(|(heading, _)| heading.split(", ")).collect();
    let reference = mep_batch::cli::reference();
    let commands = reference.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    for command in commands.filter(|command| !WITHOUT_JSON.contains(command)) {
        let has_one = seen.iter().any(|heading| heading.split(' ').next() == Some(command));
        assert!(has_one, "`{command}` prints JSON that tests/reference.rs does not look at: add it to `samples`");
    }
}
