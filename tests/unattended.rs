//! Where nobody looks: exit codes, starts that overlap, the log in JSON, and the samples for cron and systemd.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::{Command, ExitCode};

use cluster::Database;
use either::{On, facts};
use rustix::process::Signal;
use scenario::sending::send;
use scenario::{Done, Running, SERVICE, Scenario, campaign, sample};
use serde_json::Value;

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                each_exit_code_means_what_is_documented,
                the_first_of_the_exit_codes_that_hold_wins,
                tonights_file_is_sent_though_yesterdays_run_goes_on,
                tonights_file_is_stored_beside_a_run_that_sends_another_by_name,
                starts_every_few_minutes_go_on_where_the_last_one_stopped,
                the_cron_lines_mail_what_a_person_has_to_see_and_nothing_else,
                stderr_is_json_lines_alone_where_that_is_asked_for,
                rows_that_are_retried_one_by_one_are_waited_for_in_one_line,
            ],
        ),
        (
            On::Sqlite,
            facts![
                a_run_beside_another_leaves_the_file_to_it,
                the_units_start_commands_that_exist,
                what_is_wrong_with_the_arguments_is_json_too
            ],
        ),
    ])
}

fn rows_that_are_retried_one_by_one_are_waited_for_in_one_line(database: Database) {
    let s = Scenario::on(database);
    let (sim, done) = send(&s, "--fault 1010=1", 2, "--concurrency 1 --vendor-retry 300ms --retry-for 2s");
    assert!(sim.received() > 6, "{}", sim.received());
    assert_eq!(done.stderr.matches("retries are scheduled").count(), 1, "{}", done.stderr);
}

fn each_exit_code_means_what_is_documented(database: Database) {
    // 0 to 5 by what came of the rows, each time told again by the next `run` and by `status --exit-code`.
    for (faults, flags, code) in [
        ("", "", 0),
        ("--fault 12002=1", "", 3),
        ("--fault 1000=1", "", 3),
        ("--fault 500=1", "--concurrency 1", 4),
        ("--fault 1010=1", "--wait 0", 5),
        ("--fault 429=1", "--wait 0", 5),
        ("", "--limit 1", 5),
    ] {
        let s = Scenario::on(database);
        let (_sim, done) = send(&s, faults, 2, flags);
        done.exits(code);
        s.mep("status --exit-code").exits(code);
        s.mep("status").exits(0);
    }
    let s = Scenario::on(database);
    s.mep("status").exits(9); // no queue yet
    s.campaign(3).mep("import campaign.csv --endpoint production --account a").exits(0);
    s.mep("run campaign").exits(2); // no password
    let mut unconfirmed = s.command("run campaign");
    unconfirmed.env("MEP_PASSWORD", "secret");
    Running::start(&mut unconfirmed, b"").finish().exits(2).says("mep-batch run campaign --confirm 3");
    s.mep("run nowhere").exits(2);
    s.mep("rum").exits(2);
    s.mep("import campaign.csv --endpoint production").exits(7); // a batch already
    s.write("bad.csv", "Mobile\n1\n").mep("check bad.csv").exits(7);
    s.write("half.csv", format!("{}{SERVICE},12,x\n", campaign(0..1))).mep("check half.csv").exits(3);
    s.mep("import half.csv --endpoint simulator --max-rejected 0").exits(7);
    s.mep("import half.csv --endpoint simulator").exits(3);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    s.mep(&format!("simulate --listen {}", taken.local_addr().expect("an address"))).exits(1);
    let (_sim, done) = send(&Scenario::on(database), "--fault 401=1", 3, "");
    done.exits(6);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let s = Scenario::on(database);
        let slow = s.simulate("--latency 300ms");
        let run = s.campaign(20).start(&format!("run campaign.csv --endpoint {slow} --concurrency 2"));
        slow.until_received(1);
        run.send(signal);
        run.finish().exits(code);
    }
}

fn the_first_of_the_exit_codes_that_hold_wins(database: Database) {
    let s = Scenario::on(database);
    // Line 2 accepted, 3 rejected, 4 failed, 5 unknown, 6 and 7 pending.
    s.campaign(6).mep("import campaign.csv --endpoint simulator").exits(0);
    s.mep("run campaign --limit 1").exits(5);
    for (state, code) in [("rejected", 5), ("failed", 5), ("unknown", 4)] {
        let (sim, done) = another(&s, state);
        done.exits(if state == "unknown" { 4 } else { 3 });
        drop(sim);
        s.mep("status --exit-code").exits(code);
    }
    // All batches: unknown (4) before pending (5) before rejected (3).
    s.mep("run --limit 1").exits(5); // speaks of the batch that it touched
    s.mep("resolve unknown --all --as abandoned --reason case").exits(0);
    s.mep("status --exit-code").exits(5);
    s.mep("run campaign").exits(0);
    s.mep("status --exit-code").exits(3);
    // Stopped (6) before unknown (4).
    let stopping = s.simulate("--fault 202-no-id=1");
    s.write("stop.csv", campaign(40..43)).mep(&format!("run stop.csv --endpoint {stopping}")).exits(6);
    s.mep("status stop --exit-code").exits(4);
}

/// One more batch, of one row, of which this comes.
fn another(s: &Scenario, state: &str) -> (scenario::Simulator, Done) {
    let (fault, person) = match state {
        "rejected" => ("12002", 10),
        "failed" => ("1000", 11),
        _ => ("500", 12),
    };
    let sim = s.simulate(&format!("--fault {fault}=1"));
    s.write(&format!("{state}.csv"), campaign(person..person + 1));
    let done = s.mep(&format!("run {state}.csv --endpoint {sim}"));
    (sim, done)
}

fn tonights_file_is_sent_though_yesterdays_run_goes_on(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 400ms");
    s.campaign(8).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let yesterdays = s.start("run --concurrency 2");
    sim.until_received(1);
    s.write("tonight.csv", campaign(50..53));
    let code = match database {
        Database::Sqlite => 8,
        Database::Postgres => 0, // several run at once
    };
    s.mep(&format!("run tonight.csv --endpoint {sim}")).exits(code);
    yesterdays.finish().exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("11 accepted", 11));
    s.audit(11);
}

fn tonights_file_is_stored_beside_a_run_that_sends_another_by_name(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 400ms");
    let yesterdays = s.campaign(8).start(&format!("run campaign.csv --endpoint {sim} --concurrency 2"));
    sim.until_received(1);
    s.write("tonight.csv", campaign(50..53));
    let tonights = s.mep(&format!("run tonight.csv --endpoint {sim} --wait 1h"));
    if database == Database::Sqlite {
        tonights.exits(8).says("the file is stored");
        yesterdays.finish().exits(0);
        assert_eq!(s.states(), "8 accepted, 3 pending");
        s.mep("run --wait 0").exits(0);
    } else {
        tonights.exits(0);
        yesterdays.finish().exits(0);
    }
    assert_eq!((s.states().as_str(), sim.received()), ("11 accepted", 11));
    s.audit(11);
}

fn a_run_beside_another_leaves_the_file_to_it(_: Database) {
    let s = Scenario::new();
    let sim = s.simulate("--latency 400ms");
    let first = s.campaign(8).start(&format!("run campaign.csv --endpoint {sim} --concurrency 2"));
    sim.until_received(1);
    for _ in 0..3 {
        s.mep("run --wait 0").exits(8).says("another run holds");
    }
    first.finish().exits(0);
    assert_eq!(sim.received(), 8);
    s.audit(8);
}

fn starts_every_few_minutes_go_on_where_the_last_one_stopped(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 1010=1");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim} --vendor-retry 1s")).exits(0);
    for _ in 0..3 {
        s.mep("run --wait 0").exits(5).says("the next row is due at");
    }
    assert!(sim.received() >= 3, "{}", sim.received());
    s.mep("run --wait 0").exits(5);
}

/// The commands of the sample, in the folder and against the stand-in, as cron hands them to a shell.
fn cron_lines(s: &Scenario, endpoint: &str) -> Vec<Command> {
    let text = std::fs::read_to_string(sample("crontab")).expect("the sample");
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (settings, lines): (Vec<&str>, Vec<&str>) =
        lines.into_iter().partition(|line| line.split_once('=').is_some_and(|(name, _)| !name.contains(' ')));
    let program =
        std::path::Path::new(env!("CARGO_BIN_EXE_mep-batch")).parent().expect("a folder").display().to_string();
    let folder = s.folder().display().to_string();
    let in_place = |text: &str| {
        text.replace("/srv/mep-batch", &folder)
            .replace("/etc/mep-batch", &folder)
            .replace("/usr/local/bin", &program)
            .replace("production", endpoint)
    };
    let command = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let command = line.split_once(words[5]).expect("five fields and a command").1;
        let command = format!("{}{command}", words[5]);
        let unescaped = command.replace("\\%", "\u{0}");
        assert!(!unescaped.contains('%'), "cron ends a command at a bare percent sign: {line}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &in_place(&unescaped.replace('\u{0}', "%"))]).env_clear().current_dir("/");
        shell.env("HOME", s.folder()).env("LOGNAME", "operator").env("SHELL", "/bin/sh");
        for setting in &settings {
            let (name, value) = setting.split_once('=').expect("a setting");
            shell.env(name, in_place(value));
        }
        shell
    };
    lines.into_iter().map(command).collect()
}

fn mailed(command: &mut Command) -> String {
    Running::start(command, b"").finish().output()
}

fn the_cron_lines_mail_what_a_person_has_to_see_and_nothing_else(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 100ms");
    s.write("mep-batch.toml", format!("db = \"{}\"\nconcurrency = 2\n", s.address()));
    let [mut nightly, mut due]: [Command; 2] = cron_lines(&s, &sim.to_string()).try_into().expect("two lines");
    // A good night.
    s.write("nightly.csv", campaign(0..4));
    assert_eq!(mailed(&mut nightly), "");
    assert_eq!((mailed(&mut due), sim.received()), (String::new(), 4));
    // The same file is still there the next night.
    assert_eq!((mailed(&mut nightly), sim.received()), (String::new(), 4));
    // It did not come: somebody has to look.
    std::fs::remove_file(s.path("nightly.csv")).expect("the file is there");
    assert!(mailed(&mut nightly).contains("there is no file"));
    // Half of its rows are bad.
    let bad: String = (0..4).map(|row| format!("{SERVICE},12{row},x\n")).collect();
    s.write("nightly.csv", campaign(10..14) + &bad);
    let mail = mailed(&mut nightly);
    assert!(mail.contains("refused") && mail.contains("--max-rejected"), "{mail}");
    assert_eq!((mailed(&mut due), sim.received()), (String::new(), 4));
    // Yesterday's run goes on: the file is stored, nobody is called, and the next start sends it.
    s.write("nightly.csv", campaign(20..32));
    let yesterdays = Running::start(&mut nightly, b"");
    sim.until_received(5);
    s.write("nightly.csv", campaign(40..43));
    assert_eq!((mailed(&mut nightly), mailed(&mut due)), (String::new(), String::new()));
    assert_eq!(yesterdays.finish().output(), "");
    assert_eq!((mailed(&mut due), sim.received()), (String::new(), 4 + 12 + 3));
    s.audit(4 + 12 + 3);
    // A batch that cannot be sent for want of its list is named each time, though the code is 5.
    s.write("opt-outs.txt", "12515550199\n").write("listed.csv", campaign(50..51));
    s.mep(&format!("import listed.csv --endpoint {sim} --suppress opt-outs.txt")).exits(0);
    std::fs::remove_file(s.path("opt-outs.txt")).expect("the list is there");
    let mail = mailed(&mut due);
    assert!(mail.contains("batch `listed` is left:") && mail.lines().count() == 1, "{mail}");
    s.mep("cancel listed").exits(0);
    // More people than anybody allowed for.
    s.write("nightly.csv", campaign(100..5_101));
    let [mut nightly, mut due]: [Command; 2] = cron_lines(&s, "https://nobody.invalid").try_into().expect("two lines");
    let mail = mailed(nightly.env("MEP_ACCOUNT", "a").env("MEP_PASSWORD", "secret"));
    assert!(mail.contains("5,001") || mail.contains("5001"), "{mail}");
    assert_eq!((mailed(&mut due), s.states().as_str()), (String::new(), "19 accepted, 1 cancelled, 5001 pending"));
}

fn the_units_start_commands_that_exist(_: Database) {
    for name in ["mep-batch@.service", "mep-batch-nightly.service", "mep-batch-due.service"] {
        let text = std::fs::read_to_string(sample(name)).expect("a unit");
        let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/mep-batch ")).expect(name);
        let unescaped = line.replace("%%", "\u{0}").replace("%i", "june");
        assert!(!unescaped.contains('%'), "{name}: {line}");
        let words: Vec<String> = unescaped.replace('\u{0}', "%").split(' ').map(str::to_owned).collect();
        assert_eq!(mep_batch::cli::parses(&words), Ok(()), "{name}");
    }
    let settings = std::fs::read_to_string(sample("mep-batch.toml")).expect("a sample");
    let map_at = settings.lines().position(|line| line.starts_with("map ")).expect("a line") + 1;
    let s = Scenario::new();
    let shown = s.write("sample.toml", settings).mep("config --json --config sample.toml").exits(0);
    let is_map = |setting: &Value| setting["setting"] == "map" && setting["line"] == map_at;
    assert!(shown.json_lines().iter().any(is_map), "{shown:?}");
}

#[track_caller]
fn events(done: &Done) -> Vec<Value> {
    let event = |line| serde_json::from_str(line).unwrap_or_else(|error| unreachable!("{error} in `{line}`"));
    let events: Vec<Value> = done.stderr.lines().map(event).collect();
    for event in &events {
        assert!(event["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&event["level"].as_str().unwrap_or_default()), "{event}");
        assert!(event["fields"]["message"].as_str().is_some_and(|text| !text.trim().is_empty()), "{event}");
    }
    events
}

fn stderr_is_json_lines_alone_where_that_is_asked_for(database: Database) {
    let s = Scenario::on(database);
    let (_sim, done) = send(&s, "--fault 500=20% --fault 1010=20%", 20, "--wait 0 --log-format json -vv");
    let told = events(&done);
    assert!(told.iter().any(|event| event["level"] == "INFO"), "{done:?}");
    let nowhere = s.mep("run nowhere --log-format json").exits(2);
    let told = events(&nowhere);
    assert_eq!((&told[0]["level"], told.len()), (&"ERROR".into(), 1), "{nowhere:?}");
    assert_eq!(told[0]["fields"]["message"], "`nowhere` is neither a batch nor a file");
    let hint = told[0]["fields"]["hint"].as_str().unwrap_or_default();
    assert!(hint.starts_with("`mep-batch status` lists the batches"), "{hint}");
}

fn what_is_wrong_with_the_arguments_is_json_too(_: Database) {
    let s = Scenario::new();
    for line in [
        "status --log-format json --bogus",
        "run x --log-format=json --limit many",
        "--log-format json --config nowhere status",
    ] {
        let told = events(&s.mep(line).exits(2));
        assert_eq!((&told[0]["level"], told.len()), (&"ERROR".into(), 1), "{line}");
    }
    let mut command = s.command("status");
    command.env("MEP_BATCH_LOG_FORMAT", "json").env("MEP_BATCH_RATES", "5");
    let told = events(&Running::start(&mut command, b"").finish().exits(9));
    assert_eq!(
        (&told[0]["level"], &told[0]["fields"]["hint"]),
        (&"WARN".into(), &"did you mean MEP_BATCH_RATE?".into())
    );
}
