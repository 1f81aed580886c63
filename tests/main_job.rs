//! The main job: a file in, every person texted once, every row told.

mod audit;
mod cluster;
mod scenario;

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use scenario::{RESULTS, Running, SERVICE, Scenario, campaign, phone, sample};
use serde_json::Value;

/// The guide's own example, as the contract has it.
const GUIDE: &str = r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":383},"variables":{"session":{"seatLocation":"aisle","seatClass":"first","flightNumber":49,"flightAirline":"AwesomeAirways"},"user":{"frequentFlyerAccountNumber":"MJHF787679"}}}"#;

#[test]
fn the_first_two_commands_of_the_readme_send_a_campaign_and_tell_its_results() {
    let s = Scenario::new();
    let sent = s.mep(&format!("run {} --endpoint simulator", sample("campaign.csv").display())).exits(0);
    assert!(sent.stdout.contains("300  accepted") && sent.stdout.contains("as many as the rows in the file"));
    assert!(sent.stdout.contains("mep-batch export campaign"), "{}", sent.stdout);
    let results = s.mep("export campaign").exits(0).stdout;
    assert_eq!((results.lines().count(), results.matches(",accepted,").count()), (301, 300));
    s.audit(300);
}

#[test]
fn a_csv_as_excel_saves_it_goes_through() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let excel = format!("\u{feff}{}", campaign(0..5).replace(',', ";").replace('\n', "\r\n"));
    s.write("excel.csv", excel).mep(&format!("run excel.csv --endpoint {sim}")).exits(0);
    assert_eq!(s.states(), "5 accepted");
    let first =
        format!(r#"{{"endUser":{{"phoneNumber":{}}},"variables":{{"session":{{"seatLocation":"0A"}}}}}}"#, phone(0));
    assert!(sim.receipts().iter().any(|receipt| receipt.body == first), "{first}");
    s.audit(5);
}

#[test]
fn every_clean_sample_goes_through_and_the_guides_example_leaves_byte_for_byte() {
    for (name, rows) in [("campaign.csv", 300), ("campaign.ndjson", 40), ("bodies.json", 20)] {
        let s = Scenario::new();
        let sim = s.simulate("");
        s.mep(&format!("run {} --endpoint {sim}", sample(name).display())).exits(0);
        assert_eq!(s.states(), format!("{rows} accepted"), "{name}");
        assert_eq!(sim.receipts().iter().filter(|receipt| receipt.body == GUIDE).count(), 1, "{name}");
        s.audit(rows);
    }
}

#[test]
fn show_prints_the_body_that_left() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.mep(&format!("run {} --endpoint {sim}", sample("campaign.csv").display())).exits(0);
    let shown = s.mep("show campaign 2 --reveal --json").exits(0).json();
    assert_eq!(shown["body"], GUIDE);
    assert_eq!(sim.receipts().iter().filter(|receipt| receipt.body == GUIDE).count(), 1);
    assert!(s.mep("show campaign 2 --reveal").exits(0).stdout.contains(GUIDE));
}

#[test]
fn stdin_is_a_file() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let import = |line: &str, content: &str| Running::start(&mut s.command(line), content.as_bytes()).finish();
    import(&format!("import - --endpoint {sim} --batch piped"), &campaign(0..7)).exits(0);
    import(&format!("run - --endpoint {sim}"), &campaign(7..9)).exits(0);
    s.mep("run piped").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("9 accepted", 9));
    s.mep("status stdin").exits(0);
    s.audit(9);
}

#[test]
fn a_run_of_stdin_creates_the_database() {
    let s = Scenario::new();
    let mut command = s.command("run - --endpoint simulator");
    Running::start(&mut command, campaign(0..2).as_bytes()).finish().exits(0);
    s.audit(2);
}

#[test]
fn an_imported_file_goes_on_by_its_name_and_by_its_batchs() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(4).mep(&format!("import campaign.csv --endpoint {sim} --batch autumn")).exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("4 pending", 0));
    s.mep("run campaign.csv --limit 1").exits(5).says("is batch `autumn` already");
    s.mep("run autumn").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("4 accepted", 4));
    s.audit(4);
}

#[test]
fn a_name_that_is_neither_a_batch_nor_a_file_is_refused() {
    let s = Scenario::new();
    s.campaign(1).mep("import campaign.csv --endpoint simulator").exits(0);
    for command in ["run nobody", "run ./nobody", "run nobody --dry-run", "status nobody", "show nobody 1"] {
        s.mep(command).exits(2).says("`");
    }
    s.mep("run nobody").exits(2).says("neither a batch nor a file");
    s.audit(1);
}

#[test]
fn without_a_database_only_a_file_makes_one() {
    let s = Scenario::new();
    let path = s.database().display().to_string();
    for command in
        ["run", "run nobody", "status", "list", "show a 1", "export a", "resolve a", "retry a --state failed"]
    {
        s.mep(command).exits(9).says(&path);
        assert!(!s.database().exists(), "{command}");
    }
}

#[test]
fn a_run_without_a_database_of_its_users_says_where_it_would_be() {
    let s = Scenario::new();
    let done = Running::start(&mut s.command_without_database("status"), b"").finish().exits(9);
    done.says(&s.path("data/mep-batch/queue.db").display().to_string());
}

#[test]
fn phone_numbers_are_masked_everywhere_but_on_demand() {
    let s = Scenario::new();
    let sim = s.simulate("--fault 12002=30% --fault close=10%");
    let mistakes = format!("{}{SERVICE},0{},x\n{SERVICE},{},y\n", campaign(0..20), &phone(90)[1..], phone(3));
    s.write("campaign.csv", mistakes);
    let mut said = s.mep(&format!("run campaign.csv --endpoint {sim} -vv --wait 0")).output();
    for format in ["--log-format json -vv", "--json", ""] {
        for command in
            ["check campaign.csv", "list campaign", "status campaign", "resolve campaign", "run campaign --wait 0"]
        {
            said.push_str(&s.mep(&format!("{command} {format}")).output());
        }
    }
    for line in 2..=23 {
        said.push_str(&s.mep(&format!("show campaign {line}")).exits(0).output());
        said.push_str(&s.mep(&format!("show campaign {line} --json")).exits(0).output());
    }
    for person in (0..20).chain([90]) {
        assert!(!said.contains(&phone(person)[1..]), "{} in\n{said}", phone(person));
    }
    assert!(said.contains("1200•••0100"));
}

#[test]
fn phone_numbers_are_shown_on_demand() {
    let s = Scenario::new();
    s.campaign(1).mep("run campaign.csv --endpoint simulator").exits(0);
    for command in ["list campaign --json --reveal", "show campaign 2 --reveal", "show campaign 2 --reveal --json"] {
        assert!(s.mep(command).exits(0).stdout.contains(&phone(0)), "{command}");
    }
}

#[test]
fn a_list_shows_phone_numbers_on_demand() {
    let s = Scenario::new();
    s.campaign(1).mep("run campaign.csv --endpoint simulator").exits(0);
    assert!(s.mep("list campaign --reveal").exits(0).stdout.contains(&phone(0)));
}

#[test]
fn files_are_their_owners_alone_whatever_the_umask() {
    let s = Scenario::new();
    s.campaign(3);
    let mep = env!("CARGO_BIN_EXE_mep-batch");
    let script = format!(
        "umask 000; {mep} --db new/queue.db run campaign.csv --endpoint simulator && {mep} --db new/queue.db export campaign -o new/results.csv"
    );
    let mut command = std::process::Command::new("/bin/sh");
    Running::start(command.args(["-c", &script]).current_dir(s.folder()), b"").finish().exits(0);
    let mode = |name: &str| std::fs::metadata(s.path(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode("new"), 0o700);
    for file in s.files().keys().filter(|file| file.starts_with(s.path("new"))) {
        let name = file.strip_prefix(s.folder()).expect("in the folder").display().to_string();
        assert_eq!(mode(&name), 0o600, "{name}");
    }
}

#[test]
fn the_json_object_has_its_keys_at_every_exit_code() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let keys = |object: &Value, names: &[&str]| {
        for name in names {
            assert!(object.get(name).is_some(), "`{name}` is not in {object}");
        }
    };
    let file_keys = ["rows", "ready", "rejected", "skipped", "cleaned", "batch", "problems"];
    let status_keys = ["batch", "endpoint", "serviceId", "rows", "states", "nextDueAt", "runs", "waitingFor"];
    let run_keys = ["batch", "endpoint", "serviceId", "rows", "states", "nextDueAt", "runs", "exitCode", "elapsedMs"];
    keys(&s.mep("status --json").exits(9).json(), &["error", "exitCode"]);
    keys(&s.campaign(3).mep("check campaign.csv --json").exits(0).json(), &file_keys);
    s.write("bad.csv", format!("{}{SERVICE},12,x\n", campaign(5..7)));
    keys(&s.mep("check bad.csv --json").exits(3).json(), &file_keys);
    s.write("none.csv", "name\nZoe\n");
    keys(&s.mep("check none.csv --json").exits(7).json(), &file_keys);
    keys(&s.mep(&format!("import campaign.csv --endpoint {sim} --json")).exits(0).json(), &file_keys);
    keys(&s.mep(&format!("import campaign.csv --endpoint {sim} --json")).exits(7).json(), &["exitCode"]);
    keys(&s.mep("status campaign --json").exits(0).json(), &status_keys);
    keys(&s.mep("run campaign --limit 1 --json").exits(5).json(), &run_keys);
    keys(&s.mep("run campaign --json").exits(0).json(), &run_keys);
    keys(&s.mep(&format!("run bad.csv --endpoint {sim} --json")).exits(3).json(), &run_keys);
    keys(&s.mep("run nobody --json").exits(2).json(), &["error", "exitCode"]);
    keys(&s.mep("run --no-such-flag --json").exits(2).json(), &["error", "exitCode"]);
    for (fault, exit) in [("401", 6), ("close", 4)] {
        let sim = s.simulate(&format!("--fault {fault}=1"));
        let run = format!("run campaign.csv --again --batch b{exit} --endpoint {sim} --wait 0 --json");
        keys(&s.mep(&run).exits(exit).json(), &run_keys);
    }
}

#[test]
fn a_dry_run_in_json_is_json() {
    let s = Scenario::new();
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    assert!(s.mep("run campaign --dry-run --json").exits(0).json().is_object());
}

#[test]
fn a_row_has_the_mapped_columns_and_what_came_of_it() {
    let s = Scenario::new();
    s.campaign(1).mep("run campaign.csv --endpoint simulator").exits(0);
    let row = s.mep("export campaign --format ndjson").exits(0).json();
    let keys: Vec<&str> = ["phoneNumber", "session.seatLocation"].into_iter().chain(RESULTS).collect();
    let text = s.mep("export campaign --format ndjson").exits(0).stdout;
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    assert_eq!((&row["code"], &row["attempts"], &row["httpStatus"]), (&Value::Null, &1.into(), &202.into()));
}

#[test]
fn a_mapped_service_column_is_in_the_results() {
    let s = Scenario::new();
    s.campaign(1).mep("run campaign.csv --endpoint simulator").exits(0);
    assert_eq!(s.mep("export campaign --format ndjson").exits(0).json()["serviceId"], SERVICE);
}

#[test]
fn a_quiet_run_speaks_only_of_trouble() {
    let s = Scenario::new();
    s.campaign(3);
    assert_eq!(s.mep("check campaign.csv -q").exits(0).output(), "");
    assert_eq!(s.mep("import campaign.csv --endpoint simulator -q").exits(0).output(), "");
    assert_eq!(s.mep("run campaign -q").exits(0).output(), "");
    assert_eq!(s.mep("run -q").exits(0).output(), "");
    s.write("bad.csv", format!("{}{SERVICE},12,x\n", campaign(5..7)));
    assert_ne!(s.mep("run bad.csv --endpoint simulator -q").exits(3).output(), "");
    assert_ne!(s.mep("run nobody -q").exits(2).output(), "");
    assert_ne!(s.mep("import campaign.csv --endpoint simulator -q").exits(7).output(), "");
}

/// Runs a command whose stdout nobody reads.
fn exits_unread(s: &Scenario, command: &str) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = s.command(command);
    let child = child.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().expect("it starts");
    let done = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!((done.status.code(), said.contains("panicked")), (Some(0), false), "{command}: {said}");
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_panic_or_to_stop() {
    let s = Scenario::new();
    s.campaign(500).mep("import campaign.csv --endpoint simulator").exits(0);
    for command in ["list campaign --limit 500", "export campaign", "show campaign 2", "status", "run campaign"] {
        exits_unread(&s, command);
    }
    assert_eq!(s.states(), "500 accepted");
    s.audit(500);
}

#[test]
fn a_reader_that_goes_away_ends_a_list_in_json() {
    let s = Scenario::new();
    s.campaign(500).mep("import campaign.csv --endpoint simulator").exits(0);
    exits_unread(&s, "list campaign --json --limit 500");
}

#[test]
fn a_number_is_exported_as_a_number() {
    let s = Scenario::new();
    s.write("one.csv", "phoneNumber,session.flight:number\n12515550130,49\n");
    s.mep(&format!("import one.csv --service {SERVICE} --endpoint simulator")).exits(0);
    assert_eq!(s.mep("export one --json").exits(0).json()["session.flight"], 49);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let s = Scenario::new();
    let sim = s.simulate("--fault timeout=10%");
    s.campaign(300).mep(&format!("run campaign.csv --endpoint {sim} --concurrency 50 --timeout 500ms --wait 0"));
    s.campaign(301);
    for (line, code) in [
        ("--help", 0),
        ("--version", 0),
        ("check campaign.csv", 0),
        ("check campaign.csv --json", 0),
        ("status", 0),
        ("status --json", 0),
        ("status --watch", 0),
        ("list", 0),
        ("list --json", 0),
        ("list --json --limit 300", 0),
        ("show campaign 2", 0),
        ("show campaign 2 --json", 0),
        ("export campaign", 0),
        ("export campaign --format json", 0),
        ("export campaign --format ndjson --attempts", 0),
        ("resolve campaign", 0),
        ("resolve campaign --json", 0),
        ("run campaign --dry-run", 0),
        ("run campaign --dry-run --json", 0),
        ("import campaign.csv --endpoint simulator --batch more --again --json", 0),
        ("run more", 0),
    ] {
        let mut child = s
            .command(line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        drop(child.stdout.take());
        let done = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{line}: {said}");
        assert!(!said.contains("pipe") && !said.contains("panicked"), "{line}: {said}");
    }
}
