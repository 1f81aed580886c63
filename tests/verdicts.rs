//! Unknown rows: what is told of them, how operators decide them, and what an auditor finds later; on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use scenario::{Done, Running, Scenario, Simulator, campaign, phone};
use serde_json::json;

fn main() -> ExitCode {
    either::run(&[
        (On::Postgres, facts![a_decision_waits_for_a_cancel_that_is_under_way]),
        (On::Sqlite, facts![a_row_of_a_dead_run_left_from_then_on_or_never]),
        (
            On::Either,
            facts![
                unknown_rows_are_listed_with_a_text_for_the_vendor,
                a_long_list_is_cut_and_told_in_full_on_demand,
                lines_and_ranges_are_decided_together,
                a_request_id_is_of_one_accepted_row,
                a_resend_is_warned_of_and_counted,
                a_file_is_told_first_and_then_done_whole,
                a_file_that_is_not_understood_decides_nothing,
                a_line_that_is_not_unknown_holds_up_the_file,
                rows_that_have_not_rested_hold_up_the_file,
                a_request_id_and_a_verdict_that_contradict_each_other_are_refused,
                a_verdict_on_an_earlier_attempt_or_on_somebody_else_is_refused,
                a_sheet_of_another_make_is_read_from_stdin,
                in_a_cancelled_batch_nothing_goes_back,
                an_auditor_finds_a_person_in_every_batch,
            ],
        ),
    ])
}

/// A batch of so many rows that are unknown, and a stand-in that has closed each connection.
fn unknown_rows(s: &Scenario, rows: u32) -> Simulator {
    let sim = s.simulate("--fault close=1");
    let run = format!("run campaign.csv --endpoint {sim} --concurrency {rows} --wait 0 --probe-after 1ms");
    s.campaign(rows).mep(&run).exits(4);
    assert_eq!(s.states(), format!("{rows} unknown"));
    sim
}

/// A quarter of an hour passes.
fn rest(s: &Scenario) {
    s.execute("UPDATE attempt SET sent_at = sent_at - 901000, finished_at = finished_at - 901000, taken_at = taken_at - 901000");
    s.execute("UPDATE invocation SET finished_at = finished_at - 901000, taken_at = taken_at - 901000");
}

fn resolve(s: &Scenario, flags: &str) -> Done {
    s.mep(&format!("resolve campaign {flags}"))
}

/// All that a screen shows, without times, processes, places and sides that differ from one time to the next.
fn screen(done: &Done, sim: &Simulator) -> String {
    let mut text =
        format!("{}exit code {}\n", done.output(), done.code).replace(&sim.to_string(), "http://127.0.0.1:PORT");
    for (pattern, shown) in [
        ("dddd-dd-ddTdd:dd:dd.dddZ", "YYYY-MM-DDTHH:MM:SS.mmmZ"),
        ("pid dddddd", "pid NNNNN"),
        ("pid ddddd", "pid NNNNN"),
        ("pid dddd", "pid NNNNN"),
        ("pid ddd", "pid NNNNN"),
    ] {
        text = replaced(&text, pattern, shown);
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    text.replace(&format!(" on {host}"), " on HOST")
}

/// The text with all that looks like the pattern shown otherwise; a `d` in it is a digit, wherever a digit stands in the text.
fn replaced(text: &str, pattern: &str, shown: &str) -> String {
    let fits = |at: usize| {
        let found = text.as_bytes().get(at..at + pattern.len());
        let is_alike = |(c, p): (&u8, u8)| if p == b'd' { c.is_ascii_digit() || *c == b'd' } else { *c == p };
        found.is_some_and(|found| found.iter().zip(pattern.bytes()).all(is_alike))
    };
    let (mut result, mut at) = (String::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        if fits(at) {
            result.push_str(shown);
            at += pattern.len();
        } else {
            result.push(c);
            at += c.len_utf8();
        }
    }
    result
}

fn unknown_rows_are_listed_with_a_text_for_the_vendor(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 3);
    s.execute("UPDATE batch SET account = 'acme'");
    s.execute("UPDATE attempt SET finished_at = finished_at - 901000 WHERE invocation_id % 4294967296 = 3");
    s.execute("UPDATE attempt SET request_id = '7EYYG-EF3XM-5LSQ5-ILR73' WHERE invocation_id % 4294967296 = 4");
    insta::assert_snapshot!(
        "unknown_rows_are_listed_with_a_text_for_the_vendor",
        screen(&resolve(&s, "").exits(0), &sim)
    );
    let revealed = resolve(&s, "--reveal --line 2").exits(0).stdout;
    assert!(
        revealed.contains(&phone(0)) && !revealed.contains("--reveal") && !revealed.contains("line 3"),
        "{revealed}"
    );
    let rows = resolve(&s, "--json").exits(0).json_lines();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[2]["requestId"], &rows[2]["runDied"]), (&"7EYYG-EF3XM-5LSQ5-ILR73".into(), &false.into()));
    for row in rows {
        assert!(row["mayBeSentFrom"].as_str() > row["lastOnWireAt"].as_str(), "{row}");
        assert!(row["lastOnWireAt"].is_string() && row["sentAt"].is_string(), "{row}");
    }
}

fn a_row_of_a_dead_run_left_from_then_on_or_never(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault timeout=1");
    let running = s.campaign(1).start(&format!("run campaign.csv --endpoint {sim} --concurrency 1"));
    sim.until_received(1);
    running.kill();
    insta::assert_snapshot!("a_row_of_a_dead_run_left_from_then_on_or_never", screen(&resolve(&s, "").exits(0), &sim));
    s.audit_unknown(1, 1);
}

fn a_long_list_is_cut_and_told_in_full_on_demand(database: Database) {
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 60);
    let told = resolve(&s, "").exits(0).stdout;
    assert_eq!(told.matches("\n  line ").count(), 50, "{told}");
    for words in
        ["60 rows of batch", "and 10 rows more: `mep-batch resolve campaign --all`", "and 10 more requests, in"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let told = resolve(&s, "--all").exits(0).stdout;
    assert_eq!(told.matches("\n  line ").count(), 60, "{told}");
    assert!(!told.contains("more"), "{told}");
    assert_eq!(resolve(&s, "--json").exits(0).json_lines().len(), 60);
}

fn lines_and_ranges_are_decided_together(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 9);
    rest(&s);
    let done = resolve(&s, "--line 2,4-6,9-200 --as not-sent --reason asked").exits(0);
    insta::assert_snapshot!("lines_and_ranges_are_decided_together", screen(&done, &sim));
    assert_eq!(s.states(), "6 pending, 3 unknown");
    let pending = s.query("SELECT CAST(line AS text) FROM invocation WHERE state = 'pending' ORDER BY id");
    assert_eq!(pending, ["2", "4", "5", "6", "9", "10"]);
    resolve(&s, "--line 4-6 --as abandoned --reason no").exits(2).says("no line of 4-6 of batch `campaign` is unknown");
    resolve(&s, "--line 3,4 --as abandoned --reason no").exits(2).says("line 4 of batch `campaign` is not unknown");
    resolve(&s, "--line 6-4 --as abandoned --reason no").exits(2).says("`30-45`");
    let told = resolve(&s, "--all --as abandoned --reason no --json").exits(0).json();
    assert_eq!((&told["resolved"], &told["state"], &told["unknown"]), (&3.into(), &"cancelled".into(), &0.into()));
    resolve(&s, "--all --as abandoned --reason no").exits(0);
    assert_eq!(s.states(), "3 cancelled, 6 pending");
    assert_eq!(s.query("SELECT CAST(count(*) AS text) FROM action WHERE kind = 'resolve'"), ["2"]);
    s.audit(9);
}

fn a_request_id_is_of_one_accepted_row(database: Database) {
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 2);
    for flags in ["--all --as accepted", "--line 2 --as abandoned"] {
        resolve(&s, &format!("{flags} --reason x --request-id A-B")).exits(2).says("names one row");
    }
    for flags in [["--request-id", "A B"], ["--reason", " "]] {
        let line = ["resolve", "campaign", "--line", "2", "--as", "accepted", "--reason", "x"];
        s.mep_args(&[&line[..6], &flags].concat()).exits(2);
    }
    assert_eq!(s.states(), "2 unknown");
    resolve(&s, "--line 2 --as accepted --reason x --request-id A-B").exits(0);
    assert_eq!(s.query("SELECT request_id FROM invocation WHERE state = 'accepted'"), ["A-B"]);
    s.audit(2);
}

fn a_resend_is_warned_of_and_counted(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 3);
    rest(&s);
    insta::assert_snapshot!(
        "a_resend_is_warned_of_and_counted",
        screen(&resolve(&s, "--line 2-3 --as resend --reason urgent").exits(0), &sim)
    );
    assert_eq!(s.query("SELECT CAST(sum(possible_duplicate) AS text) FROM invocation"), ["2"]);
    let told = resolve(&s, "--line 4 --as not-sent --reason asked").exits(0).output();
    assert!(!told.contains("twice"), "{told}");
    s.audit(3);
}

const VERDICTS: &str = "\
line,As,requestId,reason,who asked
2,accepted,7EYYG-EF3XM-5LSQ5-ILR73,,Ann
3,accepted,7EYYG-EF3XM-5LSQ5-ILR74,,Ann
4,Not sent,,,
5,resend,,the gate has changed,
6,abandoned,,,
7,,,,
";

fn a_file_is_told_first_and_then_done_whole(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 7);
    rest(&s);
    s.write("verdicts.csv", VERDICTS);
    insta::assert_snapshot!(
        "a_file_is_told_first_and_then_done_whole",
        screen(&resolve(&s, "--from verdicts.csv --reason case-4711").exits(0), &sim)
    );
    assert_eq!(s.states(), "7 unknown");
    let apply = "--from verdicts.csv --reason case-4711 --apply";
    insta::assert_snapshot!("a_file_is_done", screen(&resolve(&s, apply).exits(0), &sim));
    assert_eq!(s.states(), "2 accepted, 1 cancelled, 2 pending, 2 unknown");
    let decided = s.query(
        "SELECT line || ' ' || state || ' ' || coalesce(request_id, '-') || ' ' || possible_duplicate
         FROM invocation ORDER BY line",
    );
    assert_eq!(decided[..2], ["2 accepted 7EYYG-EF3XM-5LSQ5-ILR73 0", "3 accepted 7EYYG-EF3XM-5LSQ5-ILR74 0"]);
    assert_eq!(decided[2..5], ["4 pending - 0", "5 pending - 1", "6 cancelled - 1"]);
    let row = s.mep("show campaign 5 --json").exits(0).json();
    let act = &row["actions"][0];
    assert_eq!((&act["as"], &act["reason"]), (&"resend".into(), &"the gate has changed".into()));
    // The same file again, and by a program: what it says is so, and nothing is done twice.
    let again = resolve(&s, &format!("{apply} --json")).exits(0).json();
    let told = (&again["applied"], &again["resolved"], &again["alreadySo"], &again["undecided"], &again["unknown"]);
    assert_eq!(told, (&false.into(), &0.into(), &5.into(), &1.into(), &2.into()));
    assert_eq!(s.query("SELECT CAST(count(*) AS text) FROM action WHERE kind = 'resolve'"), ["4"]);
    s.audit(7);
}

fn a_file_that_is_not_understood_decides_nothing(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 6);
    s.write(
        "bad.csv",
        "line,as,requestId,reason\n2,accepted,A-B,sure\n3,sent,,sure\n2,abandoned,,sure\nx,accepted,,sure\n\
         4,accepted,,\n5,accepted,A B,sure\n6,accepted,A-B,sure\n12005550103,abandoned,,sure\n",
    );
    insta::assert_snapshot!(
        "a_file_that_is_not_understood_decides_nothing",
        screen(&resolve(&s, "--from bad.csv --apply").exits(2), &sim)
    );
    for (name, content, words) in [
        ("none.csv", "line,reason\n2,x\n", "line 1: found a header without `as`"),
        ("two.csv", "line,as,verdict\n2,accepted,accepted\n", "two columns for `as`"),
        ("rows.json", "[{\"line\":2,\"as\":\"accepted\"}]", "found JSON"),
        ("empty.csv", "", "an empty file"),
    ] {
        s.write(name, content);
        let done = resolve(&s, &format!("--from {name} --reason x --apply --json")).exits(2);
        assert!(done.stderr.contains(words) && done.stderr.contains("hint: "), "{words}: {}", done.stderr);
        assert_eq!(done.json()["exitCode"], 2);
    }
    resolve(&s, "--from nowhere.csv --apply").exits(2).says("`nowhere.csv` is refused: it cannot be read");
    let many: String = (2..40).map(|line| format!("{line},perhaps,x\n")).collect();
    let told = s.write("many.csv", format!("line,as,reason\n{many}")).mep("resolve campaign --from many.csv").exits(2);
    assert_eq!(told.stderr.matches("found `perhaps`").count(), 10, "{}", told.stderr);
    resolve(&s, "--apply").exits(2).says("--from");
    resolve(&s, "--apply --all").exits(2).says("--all");
    resolve(&s, "--from bad.csv --all").exits(2).says("--all");
    assert_eq!(s.states(), "6 unknown");
    s.audit(6);
}

fn a_line_that_is_not_unknown_holds_up_the_file(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 3);
    resolve(&s, "--line 2 --as accepted --reason sure --request-id A-B").exits(0);
    s.write("verdicts.csv", "line,as,reason,requestId\n2,abandoned,x,\n3,accepted,x,\n99,accepted,x,\n");
    for flags in ["", "--apply"] {
        let done = resolve(&s, &format!("--from verdicts.csv {flags}")).exits(2);
        insta::assert_snapshot!("a_line_that_is_not_unknown_holds_up_the_file", screen(&done, &sim));
    }
    assert_eq!(s.states(), "1 accepted, 2 unknown");
    s.write("verdicts.csv", "line,as,reason,requestId\n2,accepted,x,C-D\n3,accepted,x,\n");
    resolve(&s, "--from verdicts.csv --apply").exits(2).says("line 2 was accepted by another request ID");
    s.write("verdicts.csv", "line,as,reason,requestId\n2,accepted,x,A-B\n3,accepted,x,\n");
    resolve(&s, "--from verdicts.csv --apply").exits(0);
    assert_eq!(s.states(), "2 accepted, 1 unknown");
    s.audit(3);
}

fn rows_that_have_not_rested_hold_up_the_file(database: Database) {
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 3);
    s.write("verdicts.csv", "line,as\n2,not-sent\n3,accepted\n");
    let file = "--from verdicts.csv --reason case-4711";
    resolve(&s, file).exits(2).says("1 row may still be on the wire");
    let told = resolve(&s, &format!("{file} --apply --json")).exits(2).json();
    assert_eq!((&told["applied"], &told["tooEarly"]["rows"]), (&false.into(), &1.into()));
    assert_eq!(s.states(), "3 unknown");
    resolve(&s, &format!("{file} --apply --yes")).exits(0);
    assert_eq!(s.states(), "1 accepted, 1 pending, 1 unknown");
}

fn a_request_id_and_a_verdict_that_contradict_each_other_are_refused(database: Database) {
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 2);
    rest(&s);
    s.execute("UPDATE attempt SET request_id = 'A-B' WHERE invocation_id % 4294967296 = 2");
    s.execute("UPDATE invocation SET request_id = 'A-B' WHERE line = 2");
    s.write("verdicts.csv", "line,as,requestId\n2,not-sent,C-D\n");
    resolve(&s, "--from verdicts.csv --reason x --apply").exits(2).says("verdicts.csv:2: line 2 has a request ID");
    // An export has the row's own, which is nobody's word.
    s.mep("export campaign --state unknown -o unknown.csv").exits(0);
    let exported = s.read("unknown.csv");
    let mut lines = exported.lines();
    let mut sheet = format!("{},as\n", lines.next().unwrap_or_default());
    lines.for_each(|line| sheet.push_str(&format!("{line},not-sent\n")));
    assert!(sheet.contains("A-B"), "{sheet}");
    let done = s.write("unknown.csv", sheet).mep("resolve campaign --from unknown.csv --reason x --apply").exits(0);
    assert!(!done.stderr.contains("not read"), "{}", done.stderr);
    assert_eq!(s.states(), "2 pending");
    s.audit(2);
}

fn a_verdict_on_an_earlier_attempt_or_on_somebody_else_is_refused(database: Database) {
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 3);
    rest(&s);
    s.mep("export campaign --state unknown -o unknown.csv").exits(0);
    let exported = s.read("unknown.csv");
    let with_verdicts = |text: &str| {
        let lines = text.lines().enumerate();
        lines
            .map(|(place, line)| format!("{line},{}\n", if place == 0 { "as" } else { "accepted" }))
            .collect::<String>()
    };
    let apply = "resolve campaign --from sheet.csv --reason x --apply";
    s.write("sheet.csv", with_verdicts(&exported.replace(&phone(0), &phone(1))));
    s.mep(apply).exits(2).says("sheet.csv:2: line 2 is for another phone number than the file says");
    // Sent once more, and unknown once more: what the vendor said of the first request says nothing of the second.
    resolve(&s, "--line 3 --as not-sent --reason asked").exits(0);
    s.execute("UPDATE gate SET closed_until = NULL, closed_because = NULL");
    s.mep("run campaign --wait 0").exits(4);
    assert_eq!(s.states(), "3 unknown");
    s.write("sheet.csv", with_verdicts(&exported));
    s.mep(apply).exits(2).says("sheet.csv:3: line 3 is unknown by attempt 2; the file speaks of another");
    s.mep("export campaign --state unknown -o unknown.csv").exits(0);
    s.write("sheet.csv", with_verdicts(&s.read("unknown.csv"))).mep(apply).exits(0);
    assert_eq!(s.states(), "3 accepted");
    s.audit(3);
}

fn a_sheet_of_another_make_is_read_from_stdin(database: Database) {
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 2);
    let text = "Line;Verdict;Reason\r\n2;Accepted;gesagt, am Telefon\r\n3;abandoned;über\r\n";
    let utf_16: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    Running::start(&mut s.command("resolve campaign --from - --apply"), &utf_16).finish().exits(0);
    let reasons = s.query("SELECT reason FROM action WHERE kind = 'resolve' ORDER BY id");
    assert_eq!(reasons, ["gesagt, am Telefon", "über"]);
    s.audit(2);
}

fn in_a_cancelled_batch_nothing_goes_back(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 4);
    rest(&s);
    s.execute("UPDATE batch SET cancelled_at = 1");
    s.write("verdicts.csv", "line,as\n3,not-sent\n4,resend\n5,accepted\n");
    insta::assert_snapshot!(
        "in_a_cancelled_batch_nothing_goes_back",
        screen(&resolve(&s, "--from verdicts.csv --reason x").exits(0), &sim)
    );
    insta::assert_snapshot!(
        "a_resend_in_a_cancelled_batch",
        screen(&resolve(&s, "--line 2 --as resend --reason x").exits(0), &sim)
    );
    resolve(&s, "--from verdicts.csv --reason x --apply").exits(0);
    assert_eq!(s.states(), "1 accepted, 3 cancelled");
    // Those of which nobody says that they were not sent.
    let perhaps = "SELECT CAST(line AS TEXT) FROM invocation WHERE possible_duplicate = 1 ORDER BY line";
    assert_eq!(s.query(perhaps), ["2", "4"]);
    assert_eq!(sim.received(), 4);
    s.audit(4);
}

fn a_decision_waits_for_a_cancel_that_is_under_way(database: Database) {
    /// Cancels, and commits once somebody waits for it.
    const CANCEL: &str = "DO $$ BEGIN
        UPDATE batch SET cancelled_at = 1;
        FOR i IN 1..4000 LOOP
            PERFORM pg_stat_clear_snapshot();
            EXIT WHEN EXISTS (SELECT 1 FROM pg_stat_activity
                              WHERE datname = current_database() AND wait_event_type = 'Lock');
            PERFORM pg_sleep(0.005);
        END LOOP;
    END $$";
    const UNDER_WAY: &str = "SELECT CAST(count(*) AS text) FROM pg_locks
        WHERE relation = 'batch'::regclass AND mode = 'RowExclusiveLock'";
    let s = Scenario::on(database);
    let _sim = unknown_rows(&s, 2);
    rest(&s);
    let url = s.address();
    let cancelling = std::thread::spawn(move || cluster::connection::execute(&url, CANCEL));
    s.until_stored(UNDER_WAY, "1");
    resolve(&s, "--all --as not-sent --reason asked").exits(0);
    cancelling.join().expect("it was cancelled");
    assert_eq!(s.states(), "2 cancelled");
    s.audit(2);
}

fn an_auditor_finds_a_person_in_every_batch(database: Database) {
    let s = Scenario::on(database);
    let sim = unknown_rows(&s, 2);
    let port = sim.to_string();
    rest(&s);
    resolve(&s, "--line 2 --as resend --reason urgent").exits(0);
    drop(sim);
    s.execute("UPDATE gate SET closed_until = NULL, closed_because = NULL");
    let sim = s.simulate_at(&port, "");
    s.mep("run campaign").exits(4);
    s.write("july.csv", campaign(0..3)).mep(&format!("run july.csv --endpoint {sim} --again")).exits(0);
    let listed = s.mep_args(&["list", "--phone", "+1 (200) 555-0100"]).exits(0);
    let (first, second) = listed.stdout.split_once("Batch july").expect("both batches");
    for (part, state) in [(first, "accepted"), (second, "accepted")] {
        assert!(part.contains("sentAt") && part.contains(state) && part.contains("1200•••0100"), "{}", listed.stdout);
    }
    assert!(!listed.stdout.contains("0101"), "{}", listed.stdout);
    let rows = s.mep(&format!("list --phone {} --json", phone(0))).exits(0).json_lines();
    let told: Vec<_> =
        rows.iter().map(|row| json!([row["batch"], row["line"], row["state"], row["attempts"]])).collect();
    assert_eq!(told, [json!(["campaign", 2, "accepted", 2]), json!(["july", 2, "accepted", 1])]);
    assert!(rows.iter().all(|row| row["sentAt"].is_string() && row["requestId"].is_string()), "{rows:?}");
    assert_eq!(s.mep(&format!("list july --phone {}", phone(1))).exits(0).stdout.lines().count(), 3);
    s.mep(&format!("list --phone {}", phone(7))).exits(0).says("no rows");
    let mut shown = screen(&s.mep("show campaign 2").exits(0), &sim);
    for attempt in s.query("SELECT request_id FROM attempt WHERE request_id IS NOT NULL") {
        shown = shown.replace(&attempt, "REQUEST-ID");
    }
    insta::assert_snapshot!("an_auditor_finds_a_person_in_every_batch", shown);
    let row = s.mep("show campaign 2 --json").exits(0).json();
    assert_eq!((&row["attempts"][1]["who"], &row["batchActions"][0]["action"]), (&"operator".into(), &"import".into()));
    s.audit(5);
}
