//! The help of each command, and what each says to an operator, word for word.

mod audit;
mod cluster;
mod scenario;

use std::fmt::Write;

use scenario::{Done, Running, SERVICE, Scenario};

/// What a command says, below the line that was typed, with what differs from run to run left out.
fn screen(s: &Scenario, lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        // With the queue in its usual place: what names another one is told in each usage.
        let done = Running::start(s.command_without_database("").args(words(line)), b"").finish();
        let Done { code, stdout, stderr } = &done;
        let _ = write!(text, "$ mep-batch {line}\n{stdout}{stderr}[exit code {code}]\n\n");
    }
    steady(s, &text)
}

/// The words of a line; those between quotes are one.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(place, part)| if place % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .collect()
}

fn steady(s: &Scenario, text: &str) -> String {
    let folder = s.folder().to_str().expect("a name of text");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = text.replace(folder, "FOLDER").replace(&format!(" on {host},"), " on HOST,");
    let mut steady = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let is_time = |word: &str| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            word.len() >= 16 && word.starts_with("20") && word.as_bytes()[10] == b'T' && word.ends_with('Z')
        };
        if is_time(word) {
            let start = word.find("20").unwrap_or(0);
            let end = word.rfind('Z').map_or(word.len(), |end| end + 1);
            steady.push_str(&format!("{}TIME{}", &word[..start], &word[end..]));
        } else {
            steady.push_str(word);
        }
    }
    steady
}

fn helped(command: &str) -> String {
    let s = Scenario::new();
    let mut asked = s.command_without_database(command);
    let done = asked.env("COLUMNS", "80").arg("--help").output().expect("it runs");
    assert!(done.status.success());
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn each_command_explains_itself() {
    let overview = helped("");
    insta::assert_snapshot!("help", overview);
    let commands = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 19, "{names:?}");
    for name in names {
        insta::assert_snapshot!(format!("help_{name}"), helped(name));
    }
}

#[test]
fn what_an_operator_says_of_a_batch_is_answered() {
    let s = Scenario::new();
    s.campaign(3);
    let lines = [
        "import campaign.csv --endpoint simulator --rate 10",
        "pause campaign --reason 'wrong gate'",
        "pause campaign",
        "status campaign",
        "run campaign",
        "run",
        "resume campaign",
        "resume campaign",
        "throttle campaign --rate 2.5 --reason 'call centre full'",
        "throttle campaign --clear",
        "throttle campaign",
        "cancel campaign --reason 'the event is off'",
        "cancel campaign",
        "resume campaign",
        "run campaign",
        "show campaign 2",
        "status",
    ];
    insta::assert_snapshot!("control", screen(&s, &lines));
}

#[test]
fn what_is_wrong_is_told_with_the_way_out() {
    let s = Scenario::new();
    s.write("campaign.csv", format!("serviceId,phoneNumber\n{SERVICE},12515550130\n{SERVICE},12515550131\n"));
    let lines = [
        "status",
        "run nowhere.csv",
        "import campaign.csv",
        "import campaign.csv --endpoint https://localhost:9 --account 000-1 --batch june",
        "import campaign.csv --endpoint https://localhost:9 --batch july",
        "run june --password-file campaign.csv",
        "run july --endpoint cie",
        "status july",
        "show june 99",
        "list june --state sent",
        "retry june --state unknown",
        "resolve june --line 2 --as accepted --reason case",
        "resolve june --all --as accepted",
        "run june --window 9-20",
        "run june --window 09:00-20:00",
        "run june --time-zone Europe/Berln",
        "run june --not-after yesterday",
        "run june --canary 12515550199",
        "completions tcsh",
        "purge",
        "throttle june --rate fast",
        "rnu june",
    ];
    insta::assert_snapshot!("errors", screen(&s, &lines));
}
