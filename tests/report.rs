//! The report: its figures are the export's, it needs nothing but itself, and what others say in it is text.

mod audit;
mod cluster;
mod either;
mod page;
mod scenario;

#[expect(dead_code, reason = "each file of tests uses a part of it")]
#[path = "secrets/echo.rs"]
mod echo;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use cluster::Database;
use echo::{Echo, answer, header};
use either::{On, facts};
use page::Page;
use scenario::sending::{send_behind_a_backup, send_sixty};
use scenario::{Running, SERVICE, STATES, Scenario, campaign, phone};

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                the_figures_are_those_of_the_export,
                the_runs_the_pauses_and_the_operators_words_are_told,
                figures_that_do_not_add_up_are_told_in_red,
                a_batch_without_rows_and_one_that_was_never_sent_have_a_report,
                a_batch_that_is_being_sent_says_so,
                who_may_have_been_texted_and_is_not_accepted_is_told,
                a_purged_batch_says_so,
                a_batch_that_is_withheld_from_a_run_of_all_is_not_being_sent,
                who_was_not_sent_to_by_an_operators_word_may_not_have_been_texted,
                a_late_answer_before_a_refusal_is_no_second_text,
                a_database_that_was_put_back_says_so,
            ],
        ),
        (
            On::Sqlite,
            facts![
                the_commands_of_a_report_name_the_queue_that_a_flag_named,
                what_others_say_is_shown_as_text,
                phone_numbers_are_in_full_only_where_that_is_asked_for,
                the_file_is_its_owners_alone_and_takes_its_place_as_a_whole,
                nothing_is_written_in_the_place_of_a_database,
                the_page_reads_so,
            ],
        ),
    ])
}

#[track_caller]
fn report(s: &Scenario, line: &str) -> Page {
    s.mep(&format!("report {line} -o report.html")).exits(0);
    Page::new(s.read("report.html"))
}

/// Sends sixty rows of which one in ten meets a fault.
fn sent(database: Database) -> Scenario {
    let s = Scenario::on(database);
    send_sixty(&s, "--fault 12002=10% --fault 1000=5% --fault reset=4% --fault 500=3%");
    s
}

fn the_figures_are_those_of_the_export(database: Database) {
    let s = sent(database);
    let page = report(&s, "campaign");
    let counted = |lines: &str, field: &str| {
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for object in s.mep(&format!("export campaign --format ndjson {lines}")).exits(0).json_lines() {
            *counts.entry(object[field].as_str().expect("a word").to_owned()).or_default() += 1;
        }
        counts
    };
    let states = counted("", "state");
    assert!(states.len() > 3, "{states:?}");
    for state in STATES {
        assert_eq!(page.figure(&[state]), states.get(state).copied().unwrap_or(0), "{state}");
    }
    assert_eq!(page.figure(&["In all"]), 62);
    let outcomes = counted("--attempts", "outcome");
    let of_outcome = |outcome: &str| {
        let rows = page.rows().into_iter().filter(|row| row.len() == 5 && row[0] == outcome);
        rows.map(|row| row[3].replace(',', "").parse::<i64>().expect("a figure")).sum::<i64>()
    };
    for (outcome, attempts) in &outcomes {
        assert_eq!(of_outcome(outcome), *attempts, "{outcome}");
    }
    let attempts: i64 = outcomes.values().sum();
    assert!(page.text().contains(&format!("{attempts} attempts in all")), "{}", page.text());
    // Each kind of trouble, with its rows.
    let troubles = page.rows().into_iter().filter(|row| row.len() == 6 && STATES.contains(&row[0].as_str()));
    let troubled: i64 = troubles.map(|row| row[2].parse::<i64>().expect("a figure")).sum();
    assert_eq!(troubled, 62 - states["accepted"]);
    let told = s.mep("report campaign -o report.html --json").exits(0).json();
    assert_eq!((&told["rows"], &told["addsUp"], &told["attempts"]), (&62.into(), &true.into(), &attempts.into()));
    assert_eq!(page.references(), [""; 0]);
}

fn the_runs_the_pauses_and_the_operators_words_are_told(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 5ms");
    s.campaign(40).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign --limit 10 --wait 0").exits(5);
    s.mep_args(&["pause", "campaign", "--reason", "hotline is full"]).exits(0);
    s.mep("resume campaign").exits(0);
    s.mep("throttle campaign --rate 500").exits(0);
    s.mep("run campaign").exits(0);
    let text = report(&s, "campaign").text();
    for said in [
        "Complete: 40 accepted of 40",
        "hotline is full",
        "throttled to 500 a second",
        "limit reached",
        "500 requests a second at most, as an operator throttled it",
        "paused: by operator (hotline is full) from ",
        "None: it is known of everybody whether they were texted, nobody may have been twice, and nothing is left to send.",
        &format!("SHA-256 of its content\n{}", s.query("SELECT source_sha256 FROM batch")[0]),
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    assert_eq!(text.matches("operator on ").count(), 6, "two runs and four acts:\n{text}");
}

fn figures_that_do_not_add_up_are_told_in_red(database: Database) {
    let s = sent(database);
    s.execute("UPDATE state_count SET invocations = invocations + 1 WHERE state = 'accepted'");
    let page = report(&s, "campaign");
    assert!(page.text().contains("The figures do not add up: "), "{}", page.text());
    assert!(page.text().contains("all states together have 63 rows, and the file has 62"));
    assert!(page.html().contains("<td class=\"alarm\">does not add up: the file has 62 rows</td>"));
    assert_eq!(s.mep("report campaign -o report.html --json").exits(0).json()["addsUp"], false);
    // Counts that agree with the file and not with the rows.
    s.execute("UPDATE state_count SET invocations = invocations - 1 WHERE state = 'rejected'");
    assert!(report(&s, "campaign").text().contains("are kept count of"));
}

fn a_batch_without_rows_and_one_that_was_never_sent_have_a_report(database: Database) {
    let s = Scenario::on(database);
    s.write("empty.csv", "serviceId,phoneNumber\n");
    s.mep(&format!("import empty.csv --endpoint simulator --service {SERVICE} --allow-empty")).exits(0);
    let page = report(&s, "empty");
    assert!(
        page.text().contains("Nothing to send: the file has no rows")
            && page.text().contains("No request has been sent yet.")
    );
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    let page = report(&s, "campaign");
    for said in [
        "Not sent yet: 0 accepted of 3; 3 waiting",
        "3 rows not sent yet",
        "mep-batch run campaign",
        "No answer has come yet.",
    ] {
        assert!(page.text().replace('\u{a0}', " ").contains(said), "{said}:\n{}", page.text());
    }
    assert!(!page.html().contains("<svg class=\"chart\""));
    s.mep("report nowhere -o report.html").exits(2).says("there is no batch named");
}

fn a_batch_that_is_being_sent_says_so(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 60s");
    s.campaign(3);
    let run = s.start(&format!("run campaign.csv --endpoint {sim} --concurrency 2"));
    sim.until_received(2);
    let page = report(&s, "campaign");
    assert!(
        page.text().contains("Being sent: 0 accepted of 3")
            && page.text().contains("The batch was being sent when this was made")
    );
    // What is kept count of and what is counted are of two moments then.
    s.execute("UPDATE state_count SET invocations = invocations + 1 WHERE state = 'pending'");
    s.execute("UPDATE state_count SET invocations = invocations - 1 WHERE state = 'sending'");
    assert!(!report(&s, "campaign").text().contains("add up:"));
    // A run lives, and sends another one.
    s.write("other.csv", campaign(10..12)).mep(&format!("import other.csv --endpoint {sim}")).exits(0);
    assert!(report(&s, "other").text().contains("Not sent yet: 0 accepted of 2"));
    run.kill();
    assert!(!report(&s, "campaign").text().contains("was being sent") || database == Database::Postgres);
}

fn a_batch_that_is_withheld_from_a_run_of_all_is_not_being_sent(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 60s");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.write("other.csv", campaign(10..12)).mep(&format!("import other.csv --endpoint {sim}")).exits(0);
    s.mep("pause other").exits(0);
    let run = s.start("run --concurrency 1");
    sim.until_received(1);
    let page = report(&s, "other").text();
    assert!(!page.contains("eing sent") && page.contains("To end the pause: mep-batch resume other"), "{page}");
    assert!(!s.mep("status other").exits(0).stdout.contains("Rate:"));
    run.kill();
}

fn who_was_not_sent_to_by_an_operators_word_may_not_have_been_texted(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault close=100%");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign").exits(4);
    s.mep("cancel campaign --yes").exits(0);
    s.mep_args(&["resolve", "campaign", "--all", "--as", "not-sent", "--reason", "case 2", "--yes"]).exits(0);
    assert_eq!(s.mep("status campaign --json").exits(0).json()["perhapsTexted"], 0);
    assert!(!report(&s, "campaign").text().contains("perhaps texted"));
}

fn a_late_answer_before_a_refusal_is_no_second_text(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(1).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign").exits(0);
    // As it is where a run that was thought dead tells that the first attempt was accepted while the second is refused.
    s.execute("UPDATE attempt SET judged = 1, late = 1");
    s.execute(
        "INSERT INTO attempt (invocation_id, number, run_id, taken_at, sent_at, finished_at, outcome, http_status, code)
         SELECT invocation_id, 2, run_id, taken_at, sent_at, finished_at, 'retry', 500, 1010 FROM attempt",
    );
    s.execute("UPDATE invocation SET attempt = 2");
    let status = s.mep("status campaign --json").exits(0).json();
    assert_eq!(status["textedTwice"], 0);
    assert_eq!(s.mep("show campaign 2 --json").exits(0).json()["textedTwice"], false);
    assert!(!report(&s, "campaign").text().contains("texted twice"));
}

fn the_commands_of_a_report_name_the_queue_that_a_flag_named(_: Database) {
    let s = Scenario::on(Database::Sqlite);
    s.campaign(3).mep("--db own.db import campaign.csv --endpoint simulator").exits(0);
    s.mep("--db own.db report campaign -o report.html").exits(0);
    let page = Page::new(s.read("report.html")).text();
    let whole = format!("mep-batch --db {} run campaign", s.path("own.db").display());
    assert!(page.contains(&whole), "{whole}: {page}");
}

fn a_database_that_was_put_back_says_so(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_behind_a_backup(&s, &sim, 3);
    s.mep("report campaign -o report.html").exits(0).says("this database is older than what was sent from it");
    let page = Page::new(s.read("report.html"));
    assert!(page.text().contains("Do not rely on this report: this database is older than what was sent from it"));
}

fn who_may_have_been_texted_and_is_not_accepted_is_told(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault close=100%");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign").exits(4);
    s.mep_args(&["resolve", "campaign", "--line", "2,3", "--as", "abandoned", "--reason", "too late"]).exits(0);
    s.mep_args(&["resolve", "campaign", "--line", "4", "--as", "accepted", "--reason", "case 1"]).exits(0);
    let told = s.mep("status campaign").exits(0).stdout;
    assert!(told.contains("2 of those that were not accepted may have been texted all the same"), "{told}");
    assert_eq!(s.mep("status campaign --json").exits(0).json()["perhapsTexted"], 2);
    let page = report(&s, "campaign").text();
    assert!(page.contains("1 accepted of 3; 2\u{a0}cancelled; 2\u{a0}not accepted and perhaps texted"), "{page}");
    assert!(page.contains("Not accepted, and perhaps texted\n2 rows ended as"), "{page}");
}

fn a_purged_batch_says_so(database: Database) {
    let s = sent(database);
    let line = s.query("SELECT CAST(line AS TEXT) FROM invocation WHERE state = 'unknown' ORDER BY id");
    if !line.is_empty() {
        s.mep("resolve campaign --all --as accepted --reason case --yes").exits(0);
    }
    s.mep("purge --older-than 0 --apply").exits(0);
    let text = report(&s, "campaign").text();
    assert!(text.contains("The batch was purged at ") && text.contains("of 62"), "{text}");
}

/// What a browser would run, or be led astray by.
const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;\u{202e}</style></title><!--";

fn evil(number: usize, _: &str) -> Option<String> {
    let text = serde_json::to_string(HOSTILE).expect("JSON");
    Some(match number {
        0 => answer("400 Bad Request", "", &format!(r#"{{"error":{{"code":12002,"description":{text}}}}}"#)),
        1 => answer("500 Internal Server Error", "X-Request-Id: <script>alert(3)</script>\r\n", HOSTILE),
        2 => answer("401 Unauthorized", "", HOSTILE),
        _ => answer("202 Accepted", &format!("X-Request-Id: <b>{number}\r\n"), ""),
    })
}

fn what_others_say_is_shown_as_text(_: Database) {
    let s = Scenario::new();
    let server = Echo::start(evil);
    let name = "a<script>alert(4)<b>&\"'.csv";
    let rows = (0..3).map(|person| format!("{},{}\n", phone(person), "x")).collect::<String>();
    s.write(name, format!("phoneNumber,\"session.{}\"\n{rows}\"{}\",x\n", "a", HOSTILE.replace('"', "\"\"")));
    let does = |arguments: &[&str]| {
        let mut command = s.command("");
        command.args(arguments).env("USER", HOSTILE);
        Running::start(&mut command, b"").finish()
    };
    does(&["import", name, "--endpoint", &server.url(), "--service", SERVICE, "--batch", "b"]).exits(3);
    does(&["pause", "b", "--reason", HOSTILE]).exits(0);
    does(&["resume", "b"]).exits(0);
    does(&["run", "b", "--concurrency", "1"]).exits(6);
    does(&["run", "b", "--concurrency", "1"]).exits(4);
    does(&["resolve", "b", "--all", "--as", "accepted", "--reason", HOSTILE, "--yes"]).exits(0);
    s.execute("UPDATE batch SET columns = '[\"phoneNumber\",\"session.<script>alert(5)\"]', service_id = 'X1'");
    s.execute("UPDATE run SET ended_how = 'stopped: <script>alert(6)</script>' WHERE id = 1");
    s.execute("UPDATE batch SET source_sha256 = '<script>alert(7)</script>', account = '<script>alert(8)'");
    for reveal in ["", "--reveal"] {
        let page = report(&s, &format!("b {reveal}"));
        assert_eq!(page.references(), [""; 0]);
        let known = [
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "a",
            "div",
            "header",
            "main",
            "p",
            "strong",
            "bdi",
            "h1",
            "h2",
            "h3",
            "span",
            "ul",
            "li",
            "b",
            "nav",
            "section",
            "table",
            "caption",
            "thead",
            "tbody",
            "tfoot",
            "tr",
            "th",
            "td",
            "svg",
            "rect",
            "line",
            "text",
            "tspan",
            "path",
            "g",
            "desc",
            "figure",
            "figcaption",
            "details",
            "summary",
            "dl",
            "dt",
            "dd",
            "code",
            "pre",
            "time",
            "footer",
        ];
        for tag in page.tags() {
            assert!(known.contains(&tag.name.as_str()), "{tag:?}");
            let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            assert!(tag.attributes.iter().all(|(name, _)| is_plain(name)), "{tag:?}");
        }
        // All of it is there, to be read.
        let text = page.text();
        for alert in [1, 2, 4, 5, 6, 7, 8] {
            assert!(text.contains(&format!("alert({alert})")), "{alert}:\n{text}");
        }
        assert!(!page.html().contains('\u{202e}') && text.contains("\\u{202e}"), "{text}");
    }
}

/// An answer that repeats the number of its request, in a form that nobody masked on the way.
fn telltale(number: usize, request: &str) -> Option<String> {
    let phone =
        request.split("phoneNumber\":").nth(1).and_then(|rest| rest.split(['}', ',']).next()).unwrap_or_default();
    assert!(header(request, "content-type").contains("json"));
    match number {
        0 => Some(answer("400 Bad Request", "", &format!(r#"{{"code":12002,"message":"{phone} is blocked"}}"#))),
        _ => None,
    }
}

fn phone_numbers_are_in_full_only_where_that_is_asked_for(_: Database) {
    let s = Scenario::new();
    let server = Echo::start(telltale);
    s.campaign(2).mep(&format!("run campaign.csv --endpoint {} --concurrency 1", server.url())).exits(4);
    s.mep_args(&["pause", "campaign", "--reason", &format!("{} complained", phone(1))]).exits(0);
    let masked = report(&s, "campaign");
    for person in 0..2 {
        assert!(!masked.html().contains(&phone(person)), "{}", masked.text());
    }
    assert!(masked.text().contains("1200•••0101"), "{}", masked.text());
    let full = report(&s, "campaign --reveal");
    assert!(full.text().contains(&phone(1)) && full.text().contains(&format!("{} complained", phone(1))));
}

fn nothing_is_written_in_the_place_of_a_database(_: Database) {
    let s = Scenario::new();
    s.campaign(2).mep("run campaign.csv --endpoint simulator").exits(0);
    for line in ["report campaign -o queue.db", "export campaign -o queue.db", "run campaign --metrics-file queue.db"] {
        s.mep(line).exits(2).says("is a database, and would be replaced").says("hint: name another file");
    }
    assert_eq!(s.states(), "2 accepted");
}

fn the_file_is_its_owners_alone_and_takes_its_place_as_a_whole(_: Database) {
    let s = Scenario::new();
    s.campaign(2).mep("run campaign.csv --endpoint simulator").exits(0);
    s.write("kept.html", "kept");
    std::os::unix::fs::symlink(s.path("kept.html"), s.path("report.html")).expect("a link");
    report(&s, "campaign");
    let mode = std::fs::symlink_metadata(s.path("report.html")).expect("the file").permissions().mode();
    assert_eq!((mode & 0o7777, s.read("kept.html").as_str()), (0o600, "kept"));
    s.mep("report campaign -o nowhere/report.html")
        .exits(1)
        .says("cannot write into `nowhere`: there is no such folder");
    s.mep("report campaign").exits(2).says("--output <FILE>");
    let piped = s.mep("report campaign -o /dev/stdout").exits(0);
    assert!(piped.stdout.starts_with("<!DOCTYPE html>") && piped.stdout.trim_end().ends_with("</html>"));
    let left = s.files().into_keys().filter(|path| path.to_string_lossy().contains("/.tmp")).count();
    assert_eq!(left, 0, "a temporary file is left");
}

fn the_page_reads_so(_: Database) {
    let s = Scenario::new();
    let server = Echo::start(|number, _| match number {
        0 => Some(answer("400 Bad Request", "", r#"{"code":12002,"message":"no such seat"}"#)),
        1 => Some(answer("500 Internal Server Error", "X-Request-Id: ID-1\r\n", "")),
        _ => Some(answer("202 Accepted", &format!("X-Request-Id: ID-{number}\r\n"), "")),
    });
    s.campaign(4).mep(&format!("run campaign.csv --endpoint {} --concurrency 1", server.url())).exits(4);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = report(&s, "campaign").text().replace(&server.url(), "URL").replace(&host, "HOST");
    let text = text.replace(s.folder().to_str().expect("text"), "FOLDER");
    let pid = s.query("SELECT pid FROM run").remove(0);
    let text = text.replace(&format!("(pid {pid}, "), "(pid PID, ");
    insta::assert_snapshot!("the_page_reads_so", without_times(&text));
}

/// What differs from time to time, by a word for it; a chart's own marks and the figures of answer times are left out.
fn without_times(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut is_in_charts = false;
    for line in text.lines() {
        is_in_charts = (is_in_charts || line == "Over time") && line != "What went wrong";
        if is_in_charts && line != "Over time" && !line.contains("in all") {
            continue;
        }
        lines.push(line.split_inclusive(' ').map(word_without_time).collect());
    }
    lines.join("\n")
}

fn word_without_time(word: &str) -> String {
    let digits = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let shape = digits(word);
    let is_time = shape.starts_with("0000-00-00") || shape.starts_with("00:00:00");
    let word = if is_time { shape } else { word.to_owned() };
    if word.trim_end().len() == 64 && word.trim_end().chars().all(|c| c.is_ascii_hexdigit()) {
        "HASH".to_owned()
    } else {
        word
    }
}
