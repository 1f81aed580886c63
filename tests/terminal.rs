//! What an operator sees and types on a terminal, on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use scenario::{Scenario, Terminal, phone};

/// The operator's own handset.
const OWN: &str = "12515550199";

fn main() -> ExitCode {
    either::run(&[(
        On::Either,
        facts![
            the_plan_is_shown_before_the_number_is_asked_for,
            a_canary_goes_to_the_operator_alone_and_the_rest_follows_once_it_arrived,
            a_canary_that_does_not_arrive_stops_the_send,
            a_canary_that_is_refused_stops_the_send,
            a_canary_that_is_broken_off_stays_open,
            a_canary_is_refused_where_nobody_can_say_whether_it_arrived,
            ctrl_c_drains_and_says_so,
            ctrl_c_twice_abandons_and_says_how_much,
            a_bar_fits_on_the_terminal_and_is_gone_in_the_end,
            a_watched_status_is_drawn_until_nothing_runs,
        ],
    )])
}

/// The screen with its figures and folders masked.
fn masked(screen: &str) -> String {
    let mut masked = String::new();
    for line in screen.lines() {
        let line = line.split("(in ").next().unwrap_or(line);
        let mut in_number = false;
        for c in line.trim_end().chars() {
            if !c.is_ascii_digit() {
                masked.push(c);
            } else if !in_number {
                masked.push('#');
            }
            in_number = c.is_ascii_digit();
        }
        masked.push('\n');
    }
    masked
}

fn canary(s: &Scenario, endpoint: &str) -> Terminal {
    s.campaign(3).terminal(&format!("run campaign.csv --endpoint {endpoint} --canary +{OWN} --concurrency 1"))
}

fn the_plan_is_shown_before_the_number_is_asked_for(database: Database) {
    let s = Scenario::on(database);
    s.write("secret", "s3cret");
    rustix::fs::chmod(s.path("secret"), rustix::fs::Mode::RUSR).expect("a file of ours");
    let run = "run campaign.csv --endpoint production --account acme --password-file secret --rate 5 --limit 40";
    let mut terminal = s.campaign(48).terminal(run);
    terminal.until_it_shows("Type that number to go on:");
    terminal.types("47\n");
    let (code, screen) = terminal.finish();
    assert_eq!((code, s.states().as_str()), (2, "48 pending"), "{screen}");
    for words in ["48 people through production,", "48  can leave at once", "8  are more than `--limit`", "1200•••0100"]
    {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains(&phone(0)), "{screen}");
    // That is said of a file, and not of a server.
    let plan: String = screen.split_inclusive('\n').filter(|line| !line.starts_with("a new queue was made")).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("terminal_plan", masked(&plan));
    });
    let dry = s.mep("run campaign --dry-run --json --limit 40").exits(0).json();
    assert_eq!((&dry["wouldSend"], &dry["plan"]["people"], &dry["plan"]["now"]), (&40.into(), &48.into(), &48.into()));
    assert_eq!(dry["plan"]["notToday"][0]["reason"], "limit");
    assert_eq!((&dry["plan"]["rate"], &dry["plan"]["durationMs"]), (&5.0.into(), &8_000.into()));
}

fn a_canary_goes_to_the_operator_alone_and_the_rest_follows_once_it_arrived(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let mut terminal = canary(&s, &sim.to_string());
    terminal.until_it_shows("[y/N]");
    let receipts = sim.receipts();
    assert_eq!(receipts.len(), 1);
    assert_eq!(
        receipts[0].body,
        format!(r#"{{"endUser":{{"phoneNumber":{OWN}}},"variables":{{"session":{{"seatLocation":"0A"}}}}}}"#)
    );
    assert_eq!(s.states(), "3 pending");
    assert_eq!(s.query("SELECT count(*) FROM attempt"), ["0"]);
    terminal.types("y\n");
    let (code, screen) = terminal.finish();
    assert_eq!((code, s.states().as_str(), sim.received()), (0, "3 accepted", 4), "{screen}");
    assert!(!screen.contains(OWN) && screen.contains("1251•••0199"), "{screen}");
    s.audit(3);
    let status = s.mep("status campaign --json").exits(0).json();
    let told = &status["canaries"][0];
    assert_eq!((&told["state"], &told["arrived"], &told["line"]), (&"accepted".into(), &true.into(), &2.into()));
    assert_eq!(told["phoneNumber"], "1251•••0199");
}

fn a_canary_that_does_not_arrive_stops_the_send(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let mut terminal = canary(&s, &sim.to_string());
    terminal.until_it_shows("[y/N]");
    terminal.types("n\n");
    let (code, screen) = terminal.finish();
    assert_eq!((code, s.states().as_str(), sim.received()), (2, "3 pending", 1), "{screen}");
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        let end = screen.split("Canary:").nth(1).unwrap_or_default().replace(&sim.to_string(), "SIMULATOR");
        let request = end.split("as request ").nth(1).and_then(|rest| rest.split('.').next()).unwrap_or_default();
        insta::assert_snapshot!("terminal_canary", end.replace(request, "REQUEST"));
    });
    assert!(s.mep("status campaign").exits(0).stdout.contains("accepted, and did not arrive"));
    s.mep("run campaign").exits(0);
    assert_eq!(s.states(), "3 accepted");
}

fn a_canary_that_is_refused_stops_the_send(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 401=1");
    let (code, screen) = canary(&s, &sim.to_string()).finish();
    assert_eq!((code, s.states().as_str(), sim.received()), (6, "3 pending", 1), "{screen}");
    assert!(screen.contains("the canary was not accepted but misconfigured (HTTP 401)"), "{screen}");
}

fn a_canary_that_is_broken_off_stays_open(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault timeout=1");
    let mut terminal = canary(&s, &sim.to_string());
    sim.until_received(1);
    terminal.kill();
    let _ = terminal.finish();
    assert!(s.mep("status campaign").exits(0).stdout.contains("broken off: it may have left"));
    assert_eq!(s.states(), "3 pending");
}

fn a_canary_is_refused_where_nobody_can_say_whether_it_arrived(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim} --canary {OWN}")).exits(2).says("no terminal");
    let (code, screen) = canary(&s, "cie").finish();
    assert!(code == 2 && screen.contains("no handset rings"), "{code} {screen}");
    s.mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.write("mep-batch.toml", format!("canary = \"{OWN}\"\n"));
    s.mep("run campaign --config mep-batch.toml").exits(2).says("said anew each time");
    let (code, screen) = s.terminal("run campaign --canary 12").finish();
    assert!(code == 2 && screen.contains("`--canary`: too few"), "{code} {screen}");
    assert_eq!(sim.received(), 0);
}

fn ctrl_c_drains_and_says_so(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 300ms");
    let mut terminal = s.campaign(40).terminal(&format!("run campaign.csv --endpoint {sim} --concurrency 4"));
    sim.until_received(4);
    terminal.interrupts();
    let (code, screen) = terminal.finish();
    assert_eq!((code, s.states().as_str()), (130, "4 accepted, 36 pending"), "{screen}");
    pin_end("terminal_ctrl_c", &screen, &sim.to_string());
    s.audit(40);
}

fn ctrl_c_twice_abandons_and_says_how_much(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault timeout=1");
    let mut terminal = s.campaign(10).terminal(&format!("run campaign.csv --endpoint {sim} --concurrency 3"));
    sim.until_received(3);
    terminal.interrupts();
    terminal.until_it_shows("no more is taken");
    terminal.interrupts();
    let (code, screen) = terminal.finish();
    assert_eq!((code, s.states().as_str()), (130, "7 pending, 3 unknown"), "{screen}");
    pin_end("terminal_ctrl_c_twice", &screen, &sim.to_string());
    s.audit_unknown(10, 3);
}

/// Pins what the screen shows from the first row that is sent on.
fn pin_end(name: &str, screen: &str, endpoint: &str) {
    let end = screen.split_once("Sending ").map_or(screen, |(_, end)| end).replace("^C", "");
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, masked(&end.replace(endpoint, "SIMULATOR")));
    });
}

fn a_bar_fits_on_the_terminal_and_is_gone_in_the_end(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 20ms");
    let run = format!("run campaign.csv --endpoint {sim} --concurrency 2 --rate 30 -v");
    let terminal = s.campaign(150).terminal(&run);
    terminal.until_it_shows("/30 a second");
    terminal.until_it_shows(" left");
    terminal.until_it_shows("sending a batch"); // the log, above it
    let screen = terminal.screen();
    let bar: Vec<&str> = screen.lines().rev().take(2).collect();
    assert!(bar[1].contains("/150") && bar.iter().all(|line| line.chars().count() <= 80), "{screen}");
    scenario::until("accepted in green", || terminal.colours().contains("\x1b[32m"));
    terminal.resize(40);
    scenario::until("a narrow bar", || {
        let screen = terminal.screen();
        screen.lines().rev().take(2).any(|line| line.contains("/150")) && !screen.contains(" left")
    });
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("/150") && !screen.contains(" a second"), "{screen}");
    let plain = s.write("more.csv", scenario::campaign(200..203)).mep(&format!("run more.csv --endpoint {sim}"));
    assert!(!plain.exits(0).output().contains('\x1b'));
}

fn a_watched_status_is_drawn_until_nothing_runs(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 100ms");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim} --rate 20")).exits(0);
    let running = s.start("run campaign --concurrency 2");
    sim.until_received(1);
    let terminal = s.terminal("status campaign --watch");
    let watching = s.start("status campaign --watch --json");
    terminal.until_it_shows("of 20 at most");
    running.finish().exits(0);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("60  accepted") && screen.matches("Batch campaign").count() == 1, "{screen}");
    let told = watching.finish().exits(0).json_lines();
    assert!(told.len() >= 2, "{told:?}");
    let last = &told[told.len() - 1];
    assert_eq!((&last["states"]["accepted"], &last["eta"]), (&60.into(), &serde_json::Value::Null));
    assert!(told.iter().any(|status| status["rate"].as_f64() > Some(0.0) && status["rateLimit"] == 20.0), "{told:?}");
}
