//! The status page, through the real program and a real socket: who may look, what is shown, and what is live.

mod audit;
mod cluster;
mod either;
mod page;
mod page_of_figures;
mod scenario;
mod visitor;

#[path = "secrets/echo.rs"]
mod echo;

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use cluster::Database;
use echo::{Echo, answer};
use either::{On, facts};
use page::Page;
use page_of_figures::Figures;
use rustix::process::Signal;
use scenario::sending::{send_behind_a_backup, send_sixty};
use scenario::{Running, SERVICE, STATES, Scenario, campaign, phone};
use visitor::{Answer, Visitor};

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                every_page_shows_what_is_stored,
                rows_are_chosen_by_state_and_code_and_turned_page_by_page,
                a_batch_that_is_being_sent_is_live,
                a_batch_that_no_living_run_sends_is_not_shown_as_sent,
                a_database_that_was_put_back_says_so_on_every_page,
                notes_that_cannot_be_read_are_told_live_and_with_what_helps,
                what_comes_to_rows_after_their_end_is_counted_again,
                a_batch_that_has_the_number_of_a_deleted_one_has_its_own_figures,
                two_open_batches_have_each_their_own_figures_rates_and_waits,
                phone_numbers_are_masked_everywhere,
                why_a_run_stopped_names_nobody,
                nothing_is_changed_by_looking,
            ],
        ),
        (
            On::Sqlite,
            facts![
                the_printed_url_alone_lets_in,
                a_foreign_host_is_refused,
                no_other_method_is_answered,
                every_answer_has_the_headers,
                what_is_not_there_is_said_with_a_way_out,
                what_others_say_is_shown_as_text,
                a_name_that_is_no_step_of_a_path_is_found,
                a_database_that_cannot_be_read_is_said,
                a_password_is_asked_for_and_let_in_by_form_and_by_header,
                other_machines_are_let_look_with_a_password_only,
                a_port_that_is_in_use_is_told,
                commands_on_a_page_name_the_queue_where_a_flag_has_named_it,
                it_ends_at_once_with_somebody_who_listens,
                few_may_listen_at_a_time,
                what_programs_watch_is_open_as_it_is_told,
                what_came_of_attempts_is_told_to_who_asks_for_figures_alone,
                open_batches_are_counted_first_where_there_are_many,
                heads_that_are_too_large_are_refused,
            ],
        ),
    ])
}

/// Sixty rows of which one in ten meets a fault.
fn sent(database: Database) -> Scenario {
    let s = Scenario::on(database);
    send_sixty(&s, "--fault 12002=10% --fault 1000=5% --fault 500=3%");
    s
}

fn batch_page(visitor: &Visitor, path: &str) -> Page {
    Page::new(visitor.page(path))
}

/// A page once all of its lines have been counted.
fn counted_page(visitor: &Visitor, path: &str) -> Page {
    scenario::until("each line is counted", || {
        let page = visitor.page(path);
        !page.contains("Counting…") && !page.contains("Being read…")
    });
    batch_page(visitor, path)
}

fn every_page_shows_what_is_stored(database: Database) {
    let s = sent(database);
    let visitor = Visitor::of(&s);
    let status = s.mep("status campaign --json").exits(0).json();
    let page = counted_page(&visitor, "/batch/campaign");
    for state in STATES {
        assert_eq!(page.figure(&[state]), status["states"][state].as_i64().expect("a count"), "{state}");
    }
    assert_eq!(page.figure(&["In all, as in the file"]), 62);
    let text = page.text();
    for said in ["imported 62 rows", "Requests over time", "mep-batch resolve campaign", "Rate"] {
        assert!(text.contains(said), "`{said}` is not in:\n{text}");
    }
    let all = Page::new(visitor.page("/")).text();
    assert!(all.contains("campaign") && all.contains("Needs a decision") && all.contains("62"), "{all}");
    let runs = Page::new(visitor.page("/runs")).text();
    assert!(runs.contains("No run at this moment") && runs.contains("operator"), "{runs}");
    let line =
        s.query("SELECT CAST(line AS TEXT) FROM invocation WHERE state = 'unknown' ORDER BY invocation.line").remove(0);
    let row = Page::new(visitor.page(&format!("/batch/campaign/{line}"))).text();
    for said in ["unknown", "session", "--as not-sent", "the number is masked"] {
        assert!(row.contains(said), "`{said}` is not in:\n{row}");
    }
    // What this tool refused it would refuse again.
    let refused = Page::new(visitor.page("/batch/campaign/62")).text();
    assert!(refused.contains("Cells, as they came") && refused.contains("mep-batch check FILE"), "{refused}");
    assert!(!refused.contains("mep-batch retry"), "{refused}");
    // An act on a row is told with the row.
    s.mep(&format!("resolve campaign --line {line} --as accepted --reason asked-the-vendor --yes")).exits(0);
    let row = Page::new(visitor.page(&format!("/batch/campaign/{line}"))).text();
    assert!(row.contains("resolve as accepted") && row.contains("asked-the-vendor"), "{row}");
    // A state that does not add up is told in red.
    s.execute("UPDATE state_count SET invocations = invocations + 1 WHERE state = 'accepted'");
    let damaged = visitor.page("/batch/campaign");
    assert!(damaged.contains("The states add up to 63"), "{damaged}");
    assert!(visitor.page("/").contains("Does not add up"));
}

fn rows_are_chosen_by_state_and_code_and_turned_page_by_page(database: Database) {
    let s = sent(database);
    let visitor = Visitor::of(&s);
    let lines = |page: &Page| -> Vec<u64> {
        let rows = page.rows().into_iter().filter_map(|row| row.first()?.strip_prefix("Line ")?.parse().ok());
        rows.collect()
    };
    let stored = |condition: &str| -> Vec<u64> {
        let sql = format!("SELECT CAST(line AS TEXT) FROM invocation WHERE {condition} ORDER BY invocation.line");
        s.query(&sql).iter().map(|line| line.parse().expect("a line")).collect()
    };
    counted_page(&visitor, "/batch/campaign");
    for (query, condition) in [
        ("state=rejected", "state = 'rejected'"),
        ("state=rejected&state=unknown", "state IN ('rejected', 'unknown')"),
        ("code=12002", "code = 12002"),
        ("state=unknown&code=12002", "state = 'unknown' AND code = 12002"),
        ("state=rejected&state=&code=&line=", "state = 'rejected'"),
        ("line=7", "line = 7"),
        ("after=60", "line > 60"),
    ] {
        let page = batch_page(&visitor, &format!("/batch/campaign?{query}"));
        assert_eq!(lines(&page), stored(condition), "{query}");
    }
    let first = visitor.page("/batch/campaign");
    assert_eq!(lines(&Page::new(first.clone())), (2..=51).collect::<Vec<_>>());
    let next = first.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a next page");
    let next = next.split('#').next().expect("a path").replace("&amp;", "&");
    assert_eq!(lines(&batch_page(&visitor, &next)), (52..=63).collect::<Vec<_>>());
    let wrong = visitor.page("/batch/campaign?state=lost&code=x");
    assert!(wrong.contains("`lost` is no state") && wrong.contains("`x` is no code"), "{wrong}");
}

fn a_batch_that_is_being_sent_is_live(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    // Slow until each page has told of it.
    s.campaign(30).mep(&format!("import campaign.csv --endpoint {sim} --rate 1")).exits(0);
    let visitor = Visitor::of(&s);
    let mut all = visitor.listen("/events");
    let mut one = visitor.listen("/batch/campaign/events");
    let mut runs = visitor.listen("/runs/events");
    assert_eq!(one.head.header("content-type"), Some("text/event-stream"), "{:?}", one.head);
    one.until_part_says("standing", "Nobody sends it");
    let run = s.start("run campaign");
    one.until_part_says("standing", "Being sent");
    runs.until_part_says("runs", "Living");
    all.until_part_says("batches", "Being sent");
    // It has been seen, however slow this machine is: now it may end.
    s.mep("throttle campaign --rate 1000").exits(0);
    run.finish().exits(0);
    one.until_part_says("standing", ">Complete<");
    one.until_part_says("course", "30 requests in all");
    all.until_part_says("batches", "Nothing is left to send");
    runs.until_part_says("runs", "No run at this moment");
    s.mep_args(&["pause", "campaign", "--reason", "seen live"]).exits(0);
    one.until_part_says("acts", "seen live");
}

fn a_batch_that_no_living_run_sends_is_not_shown_as_sent(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 60s");
    s.campaign(3);
    let run = s.start(&format!("run campaign.csv --endpoint {sim} --concurrency 1"));
    sim.until_received(1);
    s.write("other.csv", campaign(10..12)).mep(&format!("import other.csv --endpoint {sim}")).exits(0);
    let visitor = Visitor::of(&s);
    let text = |path: &str| batch_page(&visitor, path).text();
    let (sent, other) = (text("/batch/campaign"), text("/batch/other"));
    assert!(sent.contains("Being sent") && !sent.contains("Nobody sends it"), "{sent}");
    assert!(other.contains("Nobody sends it") && other.contains("mep-batch run other"), "{other}");
    assert!(!other.contains("Being sent") && text("/").contains("Nobody sends it"), "{other}");
    let told = s.mep("status other").exits(0).stdout;
    assert!(told.contains("Next, what is left to send: mep-batch run other") && !told.contains("Rate:"), "{told}");
    let status = s.mep("status other --json").exits(0).json();
    assert_eq!((&status["runs"][0]["alive"], &status["runs"][0]["sends"]), (&true.into(), &false.into()));
    run.kill();
}

fn a_database_that_was_put_back_says_so_on_every_page(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    send_behind_a_backup(&s, &sim, 3);
    let visitor = Visitor::of(&s);
    for path in ["/", "/runs", "/batch/campaign", "/batch/campaign/2"] {
        let text = batch_page(&visitor, path).text();
        assert!(
            text.contains("Do not rely on these figures: this database is older than what was sent"),
            "{path}: {text}"
        );
        assert!(!text.contains("mep-batch run campaign"), "{path}: {text}");
    }
}

fn two_open_batches_have_each_their_own_figures_rates_and_waits(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 1010=100%");
    s.write("slow.csv", campaign(0..3)).mep(&format!("import slow.csv --endpoint {sim} --rate 7")).exits(0);
    s.write("quick.csv", campaign(3..8)).mep(&format!("import quick.csv --endpoint {sim} --rate 50")).exits(0);
    s.mep("run quick --wait 0").exits(5);
    s.mep("pause slow").exits(0);
    let visitor = Visitor::of(&s);
    let mut told = String::new();
    scenario::until("both are counted", || {
        told = visitor.page("/metrics");
        ["slow", "quick"].iter().all(|batch| told.contains(&format!("duration_seconds_count{{batch=\"{batch}\"}}")))
    });
    let told = Figures::read(&told);
    let expected =
        |figures: &[(&str, f64)]| figures.iter().map(|(labels, figure)| ((*labels).to_owned(), *figure)).collect();
    for (family, figures) in [
        ("rows", &[("slow pending", 3.0), ("quick pending", 5.0)][..]),
        ("rate_limit_per_second", &[("slow", 7.0), ("quick", 50.0)]),
        ("waiting", &[("slow paused", 1.0), ("quick retry", 1.0)]),
        ("attempts_total", &[("quick retry 1010", 5.0)]),
    ] {
        assert!(told.families().contains(&format!("mep_batch_{family}")));
        assert_eq!(told.family(&format!("mep_batch_{family}")), expected(figures), "{family}");
    }
    let paused = "3 rows wait because an operator paused the batch";
    let retried = "for a retry";
    for (batch, rows, limit, says, says_not) in
        [("slow", 3, "7 requests a second", paused, retried), ("quick", 5, "50 requests a second", retried, paused)]
    {
        let page = counted_page(&visitor, &format!("/batch/{batch}"));
        assert_eq!(page.figure(&["pending"]), rows, "{batch}");
        let text = page.text();
        assert!(text.contains(limit) && text.contains(says) && !text.contains(says_not), "{batch}:\n{text}");
    }
    let all = Page::new(visitor.page("/")).text();
    assert!(all.contains(paused) && all.contains(retried), "{all}");
}

fn notes_that_cannot_be_read_are_told_live_and_with_what_helps(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign --limit 1 --wait 0").exits(5);
    let visitor = Visitor::of(&s);
    let mut all = visitor.listen("/events");
    let is_note = |file: &std::path::PathBuf| file.starts_with(s.path(".local/state"));
    let note = s.files().into_keys().find(is_note).expect("a note");
    std::fs::rename(&note, s.path("kept")).expect("a note");
    // Not even root can follow it.
    std::os::unix::fs::symlink(&note, &note).expect("a link");
    all.until_part_says("lacks", "Do not rely on these figures");
    let text = batch_page(&visitor, "/batch/campaign").text();
    assert!(text.contains("see that this user can read what is there"), "{text}");
    assert!(!text.contains("hint:") && !text.contains("--rolled-back"), "{text}");
    let lacks = s.mep("status campaign --json").exits(0).json()["lacks"].as_str().map(str::to_owned);
    assert!(lacks.is_some_and(|lacks| lacks.contains("cannot be read") && !lacks.contains('\n')));
}

/// Waits until the causes of a batch's page are told with these rows each.
fn until_causes(visitor: &Visitor, batch: &str, causes: &[(&str, &str)]) {
    scenario::until(&format!("{causes:?}"), || {
        let rows = Page::new(visitor.page(&format!("/batch/{batch}"))).rows();
        let told = rows.iter().filter(|row| row.len() == 6 && STATES.contains(&row[0].as_str()));
        told.map(|row| (row[0].as_str(), row[2].as_str())).eq(causes.iter().copied())
    });
}

fn what_comes_to_rows_after_their_end_is_counted_again(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 12002=100%");
    s.campaign(5).mep(&format!("run campaign.csv --endpoint {sim} --limit 3 --wait 0"));
    let visitor = Visitor::of(&s);
    until_causes(&visitor, "campaign", &[("rejected", "3")]);
    // An operator's act on rows at their end, and one on rows that nobody attempted.
    s.mep("retry campaign --state rejected --line 2").exits(0);
    until_causes(&visitor, "campaign", &[("rejected", "2")]);
    s.mep("cancel campaign --yes").exits(0);
    until_causes(&visitor, "campaign", &[("cancelled", "3"), ("rejected", "2")]);
    // What no act tells of, which the counts alone know.
    s.execute("UPDATE invocation SET state = 'rejected', message = 'x', refused_by = 'service' WHERE line = 6");
    s.execute("UPDATE state_count SET invocations = 3 WHERE state = 'rejected'");
    s.execute("UPDATE state_count SET invocations = 2 WHERE state = 'cancelled'");
    until_causes(&visitor, "campaign", &[("cancelled", "2"), ("rejected", "2"), ("rejected", "1")]);
}

fn a_batch_that_has_the_number_of_a_deleted_one_has_its_own_figures(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 12002=100%");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim} --wait 0")).exits(3);
    let visitor = Visitor::of(&s);
    until_causes(&visitor, "campaign", &[("rejected", "3")]);
    s.mep("purge --older-than 0s --delete --apply").exits(0);
    s.campaign(5).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("cancel campaign --yes").exits(0);
    until_causes(&visitor, "campaign", &[("cancelled", "5")]);
}

fn phone_numbers_are_masked_everywhere(database: Database) {
    let s = sent(database);
    s.mep_args(&["pause", "campaign", "--reason", &format!("{} called", phone(3))]).exits(0);
    let visitor = Visitor::of(&s);
    counted_page(&visitor, "/batch/campaign");
    let mut pages = vec!["/".to_owned(), "/runs".to_owned(), "/batch/campaign".to_owned()];
    pages.push("/batch/campaign?after=50".to_owned());
    pages.extend((2..=63).map(|line| format!("/batch/campaign/{line}")));
    for path in pages {
        let page = visitor.page(&path);
        let full = (0..60).map(phone).find(|number| page.contains(number));
        assert_eq!(full, None, "{path}");
    }
    assert!(visitor.page("/batch/campaign").contains("1200•••0101"));
}

fn why_a_run_stopped_names_nobody(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim} --limit 1 --wait 0")).exits(5);
    s.execute(&format!("UPDATE run SET ended_how = 'stopped: {} is refused'", phone(1)));
    let visitor = Visitor::of(&s);
    counted_page(&visitor, "/batch/campaign");
    s.mep("report campaign -o report.html").exits(0);
    for page in [visitor.page("/"), visitor.page("/batch/campaign"), visitor.page("/runs"), s.read("report.html")] {
        let text = Page::new(page).text();
        assert!(text.contains("1200•••0101 is refused") && !text.contains(&phone(1)), "{text}");
    }
    s.mep("report campaign -o report.html --reveal").exits(0);
    assert!(Page::new(s.read("report.html")).text().contains(&format!("The last run stopped: {}", phone(1))));
}

fn nothing_is_changed_by_looking(database: Database) {
    let s = sent(database);
    let sum = || {
        let counts = ["invocation", "attempt", "action", "action_row", "run", "gate", "state_count"]
            .map(|table| s.query(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).remove(0));
        (counts, s.states())
    };
    let before = sum();
    let visitor = Visitor::of(&s);
    for path in ["/", "/runs", "/batch/campaign", "/batch/campaign/7", "/metrics", "/healthz"] {
        visitor.page(path);
    }
    for path in ["/batch/campaign", "/batch/campaign/7", "/"] {
        let cookie = format!("Cookie: {}\r\n", visitor.cookie);
        assert_eq!(visitor.ask("POST", path, &cookie, "state=pending").status, 405);
    }
    assert_eq!(sum(), before);
}

fn visited() -> (Scenario, Visitor) {
    let s = Scenario::new();
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    let visitor = Visitor::of(&s);
    (s, visitor)
}

fn the_printed_url_alone_lets_in(_: Database) {
    let (s, visitor) = visited();
    let token = visitor.token.clone();
    assert!(token.len() >= 32 && !visitor.cookie.contains(&token), "{token}");
    for path in ["/", "/batch/campaign", "/batch/nowhere", "/events", "/runs", "/?token=", "/?token=0", "/nothing"] {
        let closed = visitor.ask("GET", path, "", "");
        assert_eq!(closed.status, 403, "{path}");
        assert_eq!(closed.header("set-cookie"), None);
        let text = Page::new(closed.body).text();
        assert!(text.contains("mep-batch serve") && !text.contains("campaign.csv"), "{text}");
    }
    let wrong = format!("Cookie: {}0\r\n", visitor.cookie);
    assert_eq!(visitor.ask("GET", "/", &wrong, "").status, 403);
    let entered = visitor.ask("GET", &format!("/batch/campaign?state=pending&token={token}"), "", "");
    assert_eq!((entered.status, entered.header("location")), (303, Some("/batch/campaign?state=pending")));
    let cookie = entered.header("set-cookie").expect("a cookie");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let elsewhere = visitor.ask("GET", &format!("//evil.example/?token={token}"), "", "");
    assert_eq!(elsewhere.header("location"), Some("/evil.example/"));
    assert_eq!(visitor.get("/").status, 200);
    let other = Visitor::of(&s);
    assert_ne!((&other.token, &other.cookie), (&visitor.token, &visitor.cookie));
    // Neither what is logged nor what is kept says it.
    visitor.server.send(Signal::TERM);
    let done = visitor.server.finish().exits(0);
    assert!(!done.stderr.contains(&token), "{}", done.stderr);
    assert!(s.files().values().all(|content| !String::from_utf8_lossy(content).contains(&token)));
}

fn a_foreign_host_is_refused(_: Database) {
    let (_s, visitor) = visited();
    let port = visitor.host.rsplit_once(':').expect("a port").1;
    let cookie = format!("Cookie: {}\r\n", visitor.cookie);
    for name in [format!("localhost:{port}"), format!("[::1]:{port}"), format!("LocalHost:{port}")] {
        assert_eq!(visitor.ask_by(&name, "GET", "/", &cookie, "").status, 200, "{name}");
    }
    for name in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("10.0.0.1:{port}"),
    ] {
        for path in ["/", "/healthz", "/metrics", &format!("/?token={}", visitor.token)] {
            let refused = visitor.ask_by(&name, "GET", path, &cookie, "");
            assert_eq!(refused.status, 421, "{name} {path}");
            assert!(!refused.body.contains("campaign") && refused.header("set-cookie").is_none());
        }
    }
    let twice = visitor.ask("GET", "/", &format!("Host: evil.example\r\n{cookie}"), "");
    assert_eq!(twice.status, 421);
    let whole = visitor.ask("GET", &format!("http://evil.example:{port}/"), &cookie, "");
    assert_eq!(whole.status, 421);
    let nameless = visitor.ask_by("", "GET", "/", &cookie, "");
    assert!([400, 421].contains(&nameless.status), "{nameless:?}");
}

fn no_other_method_is_answered(_: Database) {
    let (_s, visitor) = visited();
    let cookie = format!("Cookie: {}\r\n", visitor.cookie);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "WHATEVER"] {
        let refused = visitor.ask(method, "/batch/campaign", &cookie, "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let head = visitor.ask("HEAD", "/batch/campaign", &cookie, "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

/// The headers that each answer has.
fn assert_headers(what: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for directive in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(directive), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
    let kept = answer.header("cache-control").unwrap_or_default();
    assert_eq!(kept.contains("immutable"), what.starts_with("/assets/"), "{what}: {kept}");
    assert_eq!(kept == "no-store", !what.starts_with("/assets/"), "{what}: {kept}");
}

fn every_answer_has_the_headers(_: Database) {
    let (_s, visitor) = visited();
    let page = visitor.page("/");
    let assets: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(assets.len(), 2, "{page}");
    for path in
        ["/", "/batch/campaign", "/batch/campaign/2", "/batch/none", "/nothing", "/runs", "/metrics", "/healthz"]
    {
        assert_headers(path, &visitor.get(path));
    }
    for asset in &assets {
        let got = visitor.get(asset);
        assert_eq!(got.status, 200);
        assert_headers(asset, &got);
    }
    assert_eq!(visitor.get("/assets/style-0.css").status, 404);
    assert_headers("closed", &visitor.ask("GET", "/", "", ""));
    assert_headers("method", &visitor.ask("PUT", "/", "", ""));
    assert_headers("host", &visitor.ask_by("evil.example", "GET", "/", "", ""));
    assert_headers("redirect", &visitor.ask("GET", &format!("/?token={}", visitor.token), "", ""));
    assert_headers("events", &visitor.listen("/events").head);
    // Nothing comes from elsewhere, and nothing is within that the policy forbids.
    for path in ["/", "/batch/campaign", "/batch/campaign/2", "/runs"] {
        let page = Page::new(visitor.page(path));
        assert!(!page.tags().iter().any(|tag| tag.name == "style"), "{path}");
        for reference in page.references() {
            let led_to = reference.split_once("=\"").map_or("", |(_, value)| value);
            let is_ours = led_to.starts_with('/') && !led_to.starts_with("//") && !reference.contains(" on");
            let is_nothing = led_to.starts_with("data:,\"");
            assert!(
                is_ours || is_nothing || ["<script>", "<link>", "<form>"].contains(&reference.as_str()),
                "{path}: {reference}"
            );
        }
    }
}

fn what_is_not_there_is_said_with_a_way_out(_: Database) {
    let (_s, visitor) = visited();
    for path in ["/batch/none", "/batch/campaign/99", "/batch/campaign/x", "/batch/none/events", "/nothing", "/login"] {
        let missing = visitor.get(path);
        assert_eq!(missing.status, 404, "{path}");
        assert!(missing.body.contains("href=\"/\""), "{}", missing.body);
    }
    assert!(visitor.get("/batch/none").body.contains("named <code>none</code>."));
    // Where the token lets in, there is no password to send.
    assert_eq!(visitor.ask("POST", "/login", "", "password=wrong&page=%2F").status, 404);
    let hostile = visitor.get("/batch/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert_eq!(hostile.status, 404);
    assert!(!hostile.body.contains("<script>alert") && hostile.body.contains("&lt;script&gt;"), "{}", hostile.body);
}

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u{202e}";

fn evil(number: usize, _: &str) -> Option<String> {
    let text = serde_json::to_string(HOSTILE).expect("JSON");
    Some(match number {
        0 => answer("400 Bad Request", "", &format!(r#"{{"error":{{"code":12002,"description":{text}}}}}"#)),
        1 => answer("500 Internal Server Error", "X-Request-Id: <b>7</b>\r\n", HOSTILE),
        _ => answer("202 Accepted", "X-Request-Id: <script>alert(3)</script>\r\n", HOSTILE),
    })
}

fn what_others_say_is_shown_as_text(_: Database) {
    let s = Scenario::new();
    let server = Echo::start(evil);
    let name = "a<script>alert(4)<b>&\"'.csv";
    let rows =
        (0..4).map(|person| format!("{},\"{}\"\n", phone(person), HOSTILE.replace('"', "\"\""))).collect::<String>();
    s.write(name, format!("phoneNumber,session.a\n{rows}\"{}\",x\n", HOSTILE.replace('"', "\"\"")));
    let does = |arguments: &[&str]| {
        let mut command = s.command("");
        command.args(arguments).env("USER", HOSTILE);
        Running::start(&mut command, b"").finish()
    };
    does(&["import", name, "--endpoint", &server.url(), "--service", SERVICE, "--batch", "b"]).exits(3);
    does(&["pause", "b", "--reason", HOSTILE]).exits(0);
    does(&["resume", "b"]).exits(0);
    does(&["run", "b", "--concurrency", "1", "--limit", "3"]);
    assert!(server.requests().len() >= 3);
    s.execute("UPDATE run SET ended_how = 'stopped: <script>alert(6)</script>', host = '<script>alert(7)</script>'");
    s.execute("UPDATE batch SET source_sha256 = '<script>alert(8)</script>', account = '<script>alert(9)'");
    let visitor = Visitor::of(&s);
    counted_page(&visitor, "/batch/b");
    let mut paths = vec!["/".to_owned(), "/runs".to_owned(), "/batch/b".to_owned()];
    paths.push(format!("/batch/b?state={}", "%3Cscript%3Ealert(1)%3C/script%3E"));
    paths.extend((2..=6).map(|line| format!("/batch/b/{line}")));
    let mut said = String::new();
    for path in paths {
        let page = Page::new(visitor.page(&path));
        for tag in page.tags() {
            let ours = tag.name == "script" && tag.attributes.iter().any(|(_, value)| value.starts_with("/assets/"));
            assert!(ours || !["script", "img"].contains(&tag.name.as_str()), "{path}: {tag:?}");
        }
        assert!(!page.html().contains('\u{202e}'), "{path}");
        said += &page.text();
    }
    for number in [1, 2, 3, 4, 6, 7, 8, 9] {
        assert!(said.contains(&format!("alert({number})")), "alert({number})");
    }
}

fn a_name_that_is_no_step_of_a_path_is_found(_: Database) {
    let (s, visitor) = visited();
    for (name, step) in [("a/b", "a%2Fb"), ("50 % \"x\"", "50%20%25%20%22x%22"), ("..", "~.."), ("a?b#c", "a%3Fb%23c")]
    {
        s.execute(&format!("UPDATE batch SET name = '{name}'"));
        assert!(visitor.page("/").contains(&format!("href=\"/batch/{step}\"")), "{name}");
        assert!(visitor.page(&format!("/batch/{step}")).contains("Accounting"), "{name}");
        assert!(visitor.page(&format!("/batch/{step}/2")).contains("Line 2"), "{name}");
        assert_eq!(visitor.listen(&format!("/batch/{step}/events")).head.status, 200, "{name}");
    }
}

fn a_database_that_cannot_be_read_is_said(_: Database) {
    let (s, visitor) = visited();
    s.execute("ALTER TABLE batch RENAME TO elsewhere");
    for path in ["/", "/batch/campaign", "/batch/campaign/2"] {
        let answer = visitor.get(path);
        assert_eq!(answer.status, 503, "{path}");
        let text = Page::new(answer.body).text();
        assert!(text.contains("cannot") && text.contains("mep-batch doctor"), "{text}");
    }
    let mut events = visitor.listen("/events");
    while events.line().expect("it goes on") != "event: trouble" {}
    s.execute("ALTER TABLE elsewhere RENAME TO batch");
    events.until_part_says("batches", "campaign");
}

fn password_file(s: &Scenario, mode: u32) {
    s.write("page.password", "open sesame\n");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(s.path("page.password"), permissions).expect("a file of ours");
}

fn a_password_is_asked_for_and_let_in_by_form_and_by_header(_: Database) {
    let s = Scenario::new();
    s.campaign(3).mep("import campaign.csv --endpoint simulator").exits(0);
    password_file(&s, 0o640);
    s.mep("serve --listen 127.0.0.1:0 --password-file page.password").exits(2).says("can be read by others");
    password_file(&s, 0o600);
    let server = s.start("serve --listen 127.0.0.1:0 --password-file page.password --json");
    let first: serde_json::Value = serde_json::from_str(&server.first_line()).expect("a line of JSON");
    let url = first["url"].as_str().expect("a URL").to_owned();
    let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    assert!(!url.contains("token") && !url.contains("sesame"), "{url}");
    let mut visitor = Visitor { server, host, token: String::new(), cookie: String::new() };
    let asked = visitor.get("/batch/campaign?state=pending");
    assert_eq!(asked.status, 403);
    assert!(asked.body.contains("type=\"password\"") && !asked.body.contains("campaign.csv"), "{}", asked.body);
    assert!(asked.body.contains("value=\"/batch/campaign?state=pending\""), "{}", asked.body);
    assert_eq!(visitor.ask("POST", "/login", "", "password=wrong&page=%2F").status, 403);
    assert_eq!(visitor.ask("POST", "/login", "", &"x".repeat(10_000)).status, 403);
    let entered = visitor.ask("POST", "/login", "", "password=open+sesame&page=%2F%2Fevil.example%2F");
    assert_eq!((entered.status, entered.header("location")), (303, Some("/evil.example/")));
    let entered = visitor.ask("POST", "/login", "", "page=%2Fbatch%2Fcampaign&password=open+sesame");
    assert_eq!((entered.status, entered.header("location")), (303, Some("/batch/campaign")));
    assert!(entered.header("set-cookie").is_some_and(|cookie| !cookie.contains("Secure")), "{entered:?}");
    let proxied = visitor.ask("POST", "/login", "X-Forwarded-Proto: https\r\n", "password=open+sesame&page=%2F");
    assert!(proxied.header("set-cookie").is_some_and(|cookie| cookie.ends_with("; Secure")), "{proxied:?}");
    visitor.cookie =
        entered.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    assert!(!visitor.cookie.contains("sesame"));
    assert!(visitor.page("/batch/campaign").contains("campaign.csv"));
    // `anybody:open sesame`, and a wrong one.
    for (basic, status) in [("YW55Ym9keTpvcGVuIHNlc2FtZQ==", 200), ("YW55Ym9keTp3cm9uZw==", 403), ("%", 403)] {
        for path in ["/metrics", "/"] {
            let answer = visitor.ask("GET", path, &format!("Authorization: Basic {basic}\r\n"), "");
            assert_eq!(answer.status, status, "{basic} {path}");
        }
    }
    assert_eq!(visitor.ask("GET", "/metrics", "", "").status, 403);
    assert_eq!(visitor.ask("GET", "/healthz", "", "").status, 200);
}

fn other_machines_are_let_look_with_a_password_only(_: Database) {
    let (s, _visitor) = visited();
    for address in ["0.0.0.0:0", "[::]:0", "10.1.2.3:0"] {
        s.mep(&format!("serve --listen {address}")).exits(2).says("--password-file");
    }
    password_file(&s, 0o600);
    // The account's password is not the page's.
    s.write("settings.toml", "password-file = \"page.password\"\n");
    s.mep("serve --listen 0.0.0.0:0 --config settings.toml").exits(2).says("--password-file");
    s.write("empty.password", "\n");
    std::fs::set_permissions(s.path("empty.password"), std::fs::Permissions::from_mode(0o600)).expect("ours");
    s.mep("serve --password-file empty.password").exits(2).says("is empty");
}

fn a_port_that_is_in_use_is_told(_: Database) {
    let (s, visitor) = visited();
    let again = s.mep(&format!("serve --listen {}", visitor.host)).exits(1);
    assert!(
        again.stderr.contains("the port is in use") && again.stderr.contains("--listen 127.0.0.1:0"),
        "{}",
        again.stderr
    );
}

fn commands_on_a_page_name_the_queue_where_a_flag_has_named_it(_: Database) {
    let s = sent(Database::Sqlite);
    let visitor = Visitor::with(&s, "--db queue.db");
    let file = s.folder().canonicalize().expect("a folder").join("queue.db").display().to_string();
    for (path, commands) in [
        ("/batch/campaign", ["export campaign", "report campaign"]),
        ("/batch/campaign/62", ["show campaign 62", "show campaign 62"]),
        ("/runs", ["run.", "run."]),
        ("/batch/none", ["purge --delete", "purge --delete"]),
    ] {
        let text = Page::new(visitor.get(path).body).text();
        for command in commands {
            let named = format!("mep-batch --db {file} {command}");
            assert!(text.contains(&named), "`{named}` is not on {path}:\n{text}");
        }
    }
    // What is live says the same, or the page would lose it.
    let mut events = visitor.listen("/runs/events");
    events.until_part_says("runs", &file);
    assert!(!Page::new(visited().1.page("/batch/campaign")).text().contains("--db"));
}

fn it_ends_at_once_with_somebody_who_listens(_: Database) {
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 0)] {
        let (_s, visitor) = visited();
        let mut events = visitor.listen("/batch/campaign/events");
        events.until_part_says("standing", "Nobody sends it");
        visitor.server.send(signal);
        visitor.server.finish().exits(code);
        while events.line().is_some() {}
    }
}

fn few_may_listen_at_a_time(_: Database) {
    let (_s, visitor) = visited();
    let mut listening: Vec<_> = (0..32).map(|_| visitor.listen("/events")).collect();
    listening.iter_mut().for_each(|events| events.until_part_says("batches", "campaign"));
    let refused = visitor.get("/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("10")));
    // The pages themselves go on, and who leaves makes room.
    assert!(visitor.page("/").contains("campaign"));
    drop(listening);
    scenario::until("a place to listen", || visitor.listen("/events").head.status == 200);
}

fn what_programs_watch_is_open_as_it_is_told(_: Database) {
    let (_s, visitor) = visited();
    for path in ["/healthz", "/metrics"] {
        assert_eq!(visitor.ask("GET", path, "", "").status, 200, "{path}");
        assert_eq!(visitor.ask_by("evil.example", "GET", path, "", "").status, 421, "{path}");
    }
    let bearer = format!("Authorization: Bearer {}\r\n", visitor.token);
    assert_eq!(visitor.ask("GET", "/", &bearer, "").status, 200);
    assert_eq!(visitor.ask("GET", "/", "Authorization: Bearer wrong\r\n", "").status, 403);
}

fn what_came_of_attempts_is_told_to_who_asks_for_figures_alone(_: Database) {
    let s = sent(Database::Sqlite);
    let visitor = Visitor::of(&s);
    scenario::until("the batch is counted", || visitor.page("/metrics").contains("mep_batch_attempts_total{"));
}

fn open_batches_are_counted_first_where_there_are_many(_: Database) {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim} --limit 2 --wait 0")).exits(5);
    // Forty newer ones without rows.
    s.execute(
        "WITH RECURSIVE newer(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM newer WHERE n < 40)
         INSERT INTO batch (id, name, service_id, endpoint, account, source_name, source_sha256, columns, settings, findings,
             row_count, imported_at, confirmed_at)
         SELECT id + n, 'newer-' || n, service_id, endpoint, account, source_name, source_sha256, columns, settings, findings,
             0, imported_at, imported_at FROM batch, newer",
    );
    let visitor = Visitor::of(&s);
    let mut told = String::new();
    scenario::until("the open one is counted", || {
        told = visitor.page("/metrics");
        told.contains("mep_batch_attempts_total{batch=\"campaign\"")
    });
    let told = Figures::read(&told);
    assert_eq!(told.of("mep_batch_attempts_total{batch=\"campaign\",outcome=\"accepted\",code=\"none\"}"), 2.0);
    assert_eq!(
        told.of("mep_batch_rows{batch=\"newer-40\",state=\"pending\"}"),
        0.0,
        "what costs nothing is told of all"
    );
    let all = Page::new(visitor.page("/")).text();
    assert!(all.find("Nobody sends it") < all.find("newer-40"), "what is open stands first:\n{all}");
}

fn heads_that_are_too_large_are_refused(_: Database) {
    let (_s, visitor) = visited();
    let many: String = (0..200).map(|number| format!("X-{number}: 1\r\n")).collect();
    assert_eq!(visitor.ask("GET", "/", &many, "").status, 431);
    assert_eq!(visitor.ask("GET", "/", &format!("X-Long: {}\r\n", "x".repeat(100_000)), "").status, 431);
    assert!(visitor.page("/").contains("campaign"));
}
