//! Hostile texts: what a file, a name, an answer or another operator says is shown for what it is, and obeyed by nobody.

mod audit;
mod cluster;
mod scenario;

#[path = "secrets/echo.rs"]
mod echo;

use std::process::Command;

use echo::{Echo, answer};
use scenario::{Done, Running, SERVICE, Scenario, phone};
use serde_json::Value;

/// Sets the title, clears the screen, goes back over what was said, moves by C1's one-character sequence, and turns the
/// direction of what follows.
const STEERING: &str = "\u{1b}]0;evil\u{7}\u{1b}[2J\u{1b}[1Aover\rwritten\u{8}\u{9b}31m\u{7f}\u{202e}vsc.x\u{2066}";

/// Asserts that a terminal would obey nothing of a text.
#[track_caller]
fn steers_nothing(what: &str, text: &str) {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let at = text.find(steers);
    assert!(at.is_none(), "`{what}` says {:?}", &text[text.floor_char_boundary(at.unwrap_or(0).saturating_sub(40))..]);
}

#[track_caller]
fn is_plain(what: &str, done: Done) -> Done {
    steers_nothing(what, &done.stdout);
    steers_nothing(what, &done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    done
}

/// Refuses the first three rows, each in another way, and leaves one unknown.
fn evil(number: usize, _: &str) -> Option<String> {
    let text = serde_json::to_string(STEERING).expect("JSON");
    Some(match number {
        0 => answer("400 Bad Request", "", &format!(r#"{{"error":{{"code":12002,"description":{text}}}}}"#)),
        1 => answer("400 Bad Request", "X-Request-Id: a\u{1b}[2J\r\n", STEERING),
        2 => answer("500 Internal Server Error", "X-Request-Id: ID-\u{e9}\u{202e}\r\n", STEERING),
        3 => answer("202 Accepted", "X-Request-Id: ID\t7\r\n", STEERING),
        _ => answer("202 Accepted", &format!("X-Request-Id: ID-{number}\r\n"), ""),
    })
}

/// What every command shows of a batch of so many lines.
fn looks(s: &Scenario, batch: &str, lines: std::ops::RangeInclusive<u32>) {
    let mut commands: Vec<String> =
        ["status", "status --json", "resolve BATCH", "resolve BATCH --json", "list", "doctor"]
            .map(|line| line.replace("BATCH", batch))
            .to_vec();
    for line in lines {
        commands.push(format!("show {batch} {line} --reveal"));
        commands.push(format!("show {batch} {line} --json --reveal"));
    }
    for command in commands {
        is_plain(&command, s.mep(&command));
    }
}

#[test]
fn what_an_answer_says_steers_no_terminal() {
    let s = Scenario::new();
    let server = Echo::start(evil);
    for flags in ["-vv", "-vv --log-format json --again --batch second", "--json --again --batch third"] {
        let line = format!("run campaign.csv --endpoint {} --concurrency 1 {flags}", server.url());
        is_plain(&line, s.campaign(5).mep(&line));
    }
    assert_eq!(server.requests().len(), 15);
    looks(&s, "campaign", 2..=6);
    let shown = s.mep("show campaign 2").stdout;
    assert!(shown.contains("evil") && shown.contains("over written"), "{shown}");
    // The answer itself is kept as it came.
    let answers = s.query("SELECT hex(answer) FROM attempt WHERE answer IS NOT NULL AND length(answer) > 0");
    assert!(answers.iter().any(|answer| answer.contains("1B5D303B6576696C07")), "{answers:?}");
}

#[test]
fn what_a_file_holds_steers_no_terminal() {
    let s = Scenario::new();
    let quoted = STEERING.replace('\r', " ");
    s.write(
        "cells.csv",
        format!(
            "phoneNumber,session.a,timeZone\n\"{quoted}\",x,\n{0},\"{quoted}\",\n{0},x,\"{quoted}\"\n{0},x,\n",
            phone(1)
        ),
    );
    s.write("header.csv", format!("phoneNumber,\"session.{quoted}\",\"{quoted}\"\n{},1,2\n", phone(2)));
    let key = serde_json::to_string(STEERING).expect("JSON");
    s.write("keys.ndjson", format!("{{\"phoneNumber\":{},{key}:{key},\"session.a\":{key}}}\n", phone(3)));
    s.write("service.csv", format!("serviceId,phoneNumber\n\"{quoted}\",{}\n", phone(4)));
    s.write("syntax.ndjson", format!("{{{STEERING}\n"));
    for file in ["cells.csv", "header.csv", "keys.ndjson", "service.csv", "syntax.ndjson"] {
        for line in [
            format!("check {file} --rejected {file}.rejected"),
            format!("check {file} --json"),
            format!("import {file} --service {SERVICE} --endpoint simulator --ignore-unmapped"),
            format!("import {file} --endpoint simulator --again --log-format json -vv"),
        ] {
            is_plain(&line, s.mep(&line));
        }
    }
    assert_eq!(s.query("SELECT count(*) FROM batch WHERE name = 'cells'"), ["1"]);
    looks(&s, "cells", 2..=5);
    // On a terminal even what is asked for as data; to a program it goes as it is.
    let csv = "export cells --format csv";
    assert!(s.mep(csv).stdout.contains('\u{9b}'), "the data is whole");
    for line in [csv, "export cells --format json", "list --json --reveal"] {
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--command"]).current_dir(s.folder());
        let program = env!("CARGO_BIN_EXE_mep-batch");
        terminal.arg(format!("{program} --db queue.db {line}")).arg("/dev/null");
        let done = Running::start(&mut terminal, b"").finish().exits(0);
        let seen = done.stdout.replace("\r\n", "\n");
        steers_nothing(line, &seen);
        assert!(seen.contains("1b}]0;evil") || seen.contains("1b]0;evil"), "{seen}");
    }
}

#[test]
fn a_files_name_and_another_operators_words_steer_no_terminal() {
    let s = Scenario::new();
    let name = format!("{}\nerror: x.csv", STEERING.replace('/', "_"));
    s.write(&name, scenario::campaign(0..2));
    let does = |arguments: &[&str]| {
        let mut command = s.command("");
        command.args(arguments).env("USER", STEERING);
        is_plain(&format!("{arguments:?}"), Running::start(&mut command, b"").finish())
    };
    does(&["check", &name]).exits(0);
    does(&["check", &format!("{name}.missing")]).exits(7);
    does(&["check", &name, "--rejected", &format!("nowhere/{name}")]).exits(2);
    does(&["import", &name, "--endpoint", "simulator", "--batch", "named"]).exits(0);
    does(&["import", &name, "--endpoint", "simulator"]).exits(7);
    does(&["pause", "named", "--reason", STEERING]).exits(0);
    does(&["resume", "named"]).exits(0);
    does(&["export", "named", "-o", &name.replace(".csv", ".out")]).exits(0);
    does(&["run", STEERING]).exits(2);
    does(&["show", STEERING, "2"]).exits(2);
    does(&[STEERING]).exits(2);
    does(&["list", "--state", STEERING]).exits(2);
    does(&["list", "--limit", STEERING, "--json"]).exits(2);
    does(&["status", "--config", STEERING]).exits(2);
    looks(&s, "named", 2..=3);
    let first = s.mep("status named").stdout.lines().next().unwrap_or_default().to_owned();
    assert!(first.ends_with(&format!("service {SERVICE}")), "a line end in a name begins no line: {first:?}");
}

#[test]
fn who_holds_the_lock_steers_no_terminal() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 400ms");
    s.campaign(4).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let running = s.start("run campaign --concurrency 1");
    sim.until_received(1);
    s.write("queue.db.lock", STEERING);
    is_plain("run", s.mep("run campaign")).exits(8).says("evil");
    is_plain("doctor", s.mep("doctor"));
    running.finish().exits(0);
    s.audit(4);
}

#[test]
fn a_batchs_name_and_a_services_id_lead_out_of_no_folder() {
    let s = Scenario::new();
    std::fs::create_dir(s.path("here")).expect("a folder");
    s.campaign(1);
    let files =
        |s: &Scenario| s.files().into_keys().filter(|path| !path.starts_with(s.path("here"))).collect::<Vec<_>>();
    let before = files(&s);
    let long = "x".repeat(65);
    let does = |arguments: &[&str]| {
        let mut command = s.command_without_database("--db queue.db");
        command.args(arguments).current_dir(s.path("here"));
        is_plain(&format!("{arguments:?}"), Running::start(&mut command, b"").finish())
    };
    let hostile = [
        "../x",
        "a/b",
        "/etc/x",
        "a\"b",
        "a'b",
        "a\nb",
        "a b",
        "",
        "\u{202e}x",
        "é",
        "a\\b",
        "a;b",
        "$(id)",
        "a%2Fb",
        "a?b",
        &long,
    ];
    for name in hostile {
        does(&["import", "../campaign.csv", "--endpoint", "simulator", "--batch", name]).exits(2);
        does(&["import", "../campaign.csv", "--endpoint", "simulator", "--service", name]).exits(2);
        does(&["run", name, "--dry-run"]);
        does(&["status", name]);
    }
    for name in [".", "..", "-x", &long[..64]] {
        let flag = format!("--batch={name}");
        let done = does(&["import", "../campaign.csv", "--endpoint", "simulator", "--again", &flag]);
        assert!(matches!(done.code, 0 | 2), "{}", done.output());
    }
    assert_eq!(files(&s), before, "nothing is outside the folder");
    // In the file an ID is part of no address either.
    let server = Echo::start(evil);
    for id in hostile.iter().filter(|id| !id.is_empty()) {
        let cell = format!("\"{}\"", id.replace('"', "\"\""));
        s.write("ids.csv", format!("serviceId,phoneNumber\n{cell},{}\n", phone(1)));
        let line = format!("run ids.csv --endpoint {} --again", server.url());
        let done = is_plain(&line, s.mep(&line));
        assert!(matches!(done.code, 3 | 7), "{id}: {}", done.output());
    }
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[test]
fn a_formula_in_a_row_is_inert_in_a_spreadsheet_and_whole_for_a_program() {
    let s = Scenario::new();
    let server = Echo::start(|_, _| {
        Some(answer("400 Bad Request", "", r#"{"error":{"code":12002,"description":"=cmd|' /C calc'!A0"}}"#))
    });
    let formulas = [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        " =1",
        "x;=1",
        "x;\"=1\"",
        "x\n=cmd|' /C calc'!A0\n",
        "=cmd|' /C calc'!A0",
    ];
    let rows: String = formulas
        .iter()
        .enumerate()
        .map(|(person, text)| {
            let text = serde_json::to_string(text).expect("JSON");
            format!("{{\"phoneNumber\":\"+{}\",\"session.a\":{text}}}\n", phone(u32::try_from(person).expect("few")))
        })
        .collect();
    s.write("rows.ndjson", rows);
    let line = format!("run rows.ndjson --service {SERVICE} --endpoint {}", server.url());
    assert_ne!(s.mep(&line).code, 0);
    let csv = s.mep("export rows").exits(0).stdout;
    // However a spreadsheet parts them, no cell is a formula.
    let starts = |cell: &str| {
        let cell = cell.trim_start_matches([' ', '"', '\t', '\r', '\0']);
        cell.starts_with(['=', '+', '@', '＝']) || cell.starts_with("-1")
    };
    let cells: Vec<&str> = csv.split([',', ';', '\t', '\n', '\r']).filter(|cell| starts(cell)).collect();
    assert_eq!(cells, Vec::<&str>::new(), "{csv}");
    assert!(csv.matches("'=cmd|").count() > formulas.len(), "each row tells what the service said: {csv}");
    let exported = s.mep("export rows --format ndjson").exits(0).json_lines();
    let values: Vec<&str> = exported.iter().filter_map(|row| row["session.a"].as_str()).collect();
    assert_eq!(values, formulas);
    assert!(exported.iter().all(|row| row["message"] == "=cmd|' /C calc'!A0" || row["message"] == Value::Null));
}
