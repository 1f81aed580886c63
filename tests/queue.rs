//! What is promised of the queue, on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::{Command, ExitCode};
use std::time::Instant;

use cluster::Database;
use either::{On, facts};
use rustix::process::Signal;
use scenario::sending::send;
use scenario::{RESULTS, Running, STATES, Scenario, campaign, environment, phone, sample};
use serde_json::{Value, json};

fn main() -> ExitCode {
    either::run(&[
        (On::Postgres, facts![another_programs_tables_are_left_alone, a_server_reads_the_rows_of_a_turn_and_no_others]),
        (
            On::Either,
            facts![
                the_same_command_again_sends_nothing,
                the_sample_of_mistakes_adds_up,
                the_same_content_is_imported_twice_only_on_demand,
                list_show_and_export_agree_with_the_database,
                a_mended_file_sends_only_what_is_new,
                a_row_that_another_batch_has_sent_meanwhile_is_not_retried,
                the_list_is_read_again_at_each_start,
                a_limit_takes_so_many_rows_and_no_more,
                the_plan_tells_who_may_leave_when_and_why,
                a_rate_holds_from_the_first_second_and_over_restarts,
                int_drains_what_is_in_flight,
                a_second_int_abandons_what_is_in_flight_and_says_how_much,
                a_closed_terminal_drains_however_often_it_is_said_and_under_nohup_does_nothing,
                a_file_is_imported_beside_a_run_and_sent_by_one_without_names,
                a_killed_import_leaves_no_batch_and_the_next_sweeps_what_it_left,
                two_imports_of_one_file_at_the_same_time_make_one_batch,
                a_row_that_is_sent_again_unsure_is_a_possible_duplicate_and_a_sure_one_is_none,
                rejected_and_failed_rows_go_back_on_demand_and_unknown_ones_never,
                a_row_that_this_tool_refused_stays_refused,
                a_429_has_all_rows_wait_and_loses_none,
                a_closed_gate_stays_closed_for_the_next_run,
                a_stopped_run_goes_on_once_its_cause_is_mended,
                the_vendors_1010_is_repeated_and_counted_as_a_possible_duplicate,
                a_mixed_day_adds_up,
            ],
        ),
    ])
}

fn another_programs_tables_are_left_alone(database: Database) {
    let s = Scenario::on(database);
    s.mep("status").exits(9).says("there is no queue");
    s.execute("CREATE TABLE batch (id INT)");
    s.campaign(1).mep("import campaign.csv --endpoint simulator").exits(9).says("another program's tables");
    assert_eq!(s.query("SELECT count(*)::text FROM batch"), ["0"]);
}

/// Whatever the planner knows of the tables: what a turn reads does not grow with what is in flight, nor with the batch.
fn a_server_reads_the_rows_of_a_turn_and_no_others(database: Database) {
    const ROWS: u32 = 3_000;
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(ROWS).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let reads = |what: &str| -> u32 {
        s.query("SELECT pg_stat_clear_snapshot()::text");
        s.query(&format!("SELECT ({what})::text"))[0].parse().expect("a number")
    };
    let whole = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'invocation'";
    let in_flight = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'invocation_sending'";
    let done = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'attempt'";
    let before = reads(whole);
    s.mep("run campaign --concurrency 256").exits(0);
    scenario::until("the server has told what was read", || reads(done) == ROWS);
    let (read, looked_through) = (reads(whole) - before, reads(in_flight));
    assert!(read <= 5 * ROWS, "{read} rows were read to send {ROWS}");
    assert!(looked_through <= ROWS, "{looked_through} rows in flight were looked through to send {ROWS}");
}

/// A suppression list of these people.
fn listed(people: std::ops::Range<u32>) -> String {
    people.map(|person| phone(person) + "\n").collect()
}

fn the_same_command_again_sends_nothing(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let command = format!("run campaign.csv --endpoint {sim}");
    s.campaign(50).mep(&command).exits(0);
    let before = s.read("receipts-0.ndjson");
    s.mep(&command).exits(0).says("is batch `campaign` already");
    s.mep("run campaign").exits(0);
    s.mep("run").exits(0);
    assert_eq!(s.read("receipts-0.ndjson"), before);
    assert_eq!(sim.received(), 50);
    s.audit(50);
}

fn the_sample_of_mistakes_adds_up(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let told = s.mep(&format!("--json run {} --endpoint {sim}", sample("mistakes.csv").display())).exits(3).json();
    let states = told["states"].as_object().expect("the states");
    assert_eq!(states.keys().collect::<Vec<_>>(), STATES);
    let sum: i64 = states.values().filter_map(Value::as_i64).sum();
    assert_eq!((told["rows"].as_i64(), told["exitCode"].as_i64()), (Some(sum), Some(3)));
    let rejected = s.mep("export mistakes --format ndjson --state rejected").exits(0).json_lines();
    assert_eq!(Some(rejected.len() as u64), states["rejected"].as_u64());
    for row in rejected {
        assert_eq!((&row["code"], &row["refusedBy"]), (&12002.into(), &"mep-batch".into()), "{row}");
        assert!(row["message"].as_str().is_some_and(|text| text.starts_with("not sent:")), "{row}");
    }
    s.audit(sum.cast_unsigned());
}

fn the_same_content_is_imported_twice_only_on_demand(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let import = format!("import campaign.csv --endpoint {sim}");
    s.campaign(3).mep(&import).exits(0);
    s.mep(&import).exits(7).says("is batch `campaign` already");
    s.audit(3);
    let again = s.mep(&format!("{import} --again --json")).exits(0).says("`mep-batch cancel campaign` withdraws them");
    assert_eq!(again.json()["batch"], "campaign-2");
    s.mep("run").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("6 accepted", 6));
    s.audit(6);
}

fn list_show_and_export_agree_with_the_database(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 400=30%");
    s.campaign(30).mep(&format!("run campaign.csv --endpoint {sim}")).exits(3);
    let stored: Vec<(String, String)> = s
        .query("SELECT line || ' ' || state || ' ' || coalesce(request_id, '-') FROM invocation ORDER BY line")
        .into_iter()
        .map(|row| row.split_once(' ').map(|(line, rest)| (line.to_owned(), rest.to_owned())).expect("a line"))
        .collect();
    let told = |rows: Vec<Value>| -> Vec<(String, String)> {
        let text = |row: &Value| row["requestId"].as_str().unwrap_or("-").to_owned();
        rows.iter()
            .map(|row| (row["line"].to_string(), format!("{} {}", row["state"].as_str().unwrap_or(""), text(row))))
            .collect()
    };
    assert_eq!(told(s.mep("list campaign --json").exits(0).json_lines()), stored);
    assert_eq!(told(s.mep("export campaign --format ndjson").exits(0).json_lines()), stored);
    let json: Vec<Value> = serde_json::from_str(&s.mep("export campaign --format json").exits(0).stdout).expect("JSON");
    assert_eq!(told(json), stored);
    s.mep("export campaign -o results.csv").exits(0);
    let csv = s.read("results.csv");
    assert!(csv.lines().next().is_some_and(|header| header.ends_with(&RESULTS.join(","))), "{csv}");
    assert_eq!(csv.lines().count(), 31);
    let attempts = s.mep("export campaign --attempts --format ndjson").exits(0).json_lines();
    assert_eq!(vec![attempts.len().to_string()], s.query("SELECT count(*) FROM attempt"));
    for (line, rest) in stored {
        let shown = s.mep(&format!("show campaign {line} --json")).exits(0).json();
        assert_eq!(shown["state"].as_str(), rest.split(' ').next(), "{line}");
        assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(1), "{line}");
    }
    s.audit(30);
}

fn a_mended_file_sends_only_what_is_new(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let broken = campaign(0..10).replace(&phone(3), "12");
    s.write("june.csv", broken).mep(&format!("run june.csv --endpoint {sim}")).exits(3);
    s.write("mended.csv", campaign(0..12));
    let told = s.mep(&format!("import mended.csv --endpoint {sim} --json")).exits(0).json();
    assert_eq!((&told["ready"], &told["skipped"], &told["rejected"]), (&3.into(), &9.into(), &0.into()));
    let group = &told["alreadySent"][0];
    assert_eq!((&group["batch"], &group["count"]), (&"june".into(), &9.into()));
    assert_eq!(group["first"][0], json!({ "line": 2, "earlierLine": 2 }));
    assert_eq!(group["first"].as_array().map(Vec::len), Some(5));
    let row = s.mep("show mended 2 --json").exits(0).json();
    assert_eq!((&row["state"], &row["reason"]), (&"skipped".into(), &"already-sent".into()));
    assert_eq!(row["message"], "not sent: the same request as line 2 of batch `june`, which is accepted");
    s.mep("run mended").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("12 accepted, 1 rejected, 9 skipped", 12));
    s.audit(22);
}

fn a_row_that_another_batch_has_sent_meanwhile_is_not_retried(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 12002=100%");
    let port = sim.to_string();
    s.write("a.csv", campaign(0..3)).mep(&format!("run a.csv --endpoint {sim}")).exits(3);
    drop(sim);
    let sim = s.simulate_at(&port, "");
    s.write("b.csv", campaign(0..1) + "\n").mep(&format!("run b.csv --endpoint {sim}")).exits(0);
    s.write("c.csv", campaign(1..2) + "\n").mep(&format!("import c.csv --endpoint {sim}")).exits(0);
    s.execute("UPDATE invocation SET finished_at = 0 WHERE state = 'accepted'");
    let told = s.mep("retry a --state rejected --line 2").exits(0);
    for words in ["1 row not put back", "line 2 of batch `b`, which is accepted", "`mep-batch import FILE --again`"] {
        assert!(told.output().contains(words), "{words}: {}", told.output());
    }
    let told = s.mep("retry a --state rejected --json").exits(0).json();
    assert_eq!((&told["pending"], &told["stillRefused"]), (&1.into(), &json!([])));
    let pending = "not sent: the same request as line 2 of batch `c`, which is pending";
    assert_eq!(told["heldBack"][1], json!({ "line": 3, "message": pending }));
    s.mep("run").exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 2 rejected", 3));
    s.audit(5);
}

fn the_list_is_read_again_at_each_start(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(6).write("out.txt", listed(0..1));
    s.mep(&format!("import campaign.csv --endpoint {sim} --suppress out.txt")).exits(0);
    s.mep("run campaign --limit 1 --concurrency 1").exits(5);
    s.write("out.txt", listed(0..4));
    s.mep("run").exits(0).says("2 rows of batch `campaign` skipped: on the suppression list");
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 3 skipped", 3));
    assert!(sim.receipts().iter().all(|receipt| receipt.phone_number != Some(phone(3))));
    s.audit(6);
}

fn a_limit_takes_so_many_rows_and_no_more(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.campaign(10)
        .mep(&format!("run campaign.csv --endpoint {sim} --limit 4 --concurrency 8"))
        .exits(5)
        .says("Sending 4 rows of 10")
        .says("--limit");
    assert_eq!((s.states().as_str(), sim.received()), ("4 accepted, 6 pending", 4));
    s.mep("run --limit 4").exits(5);
    assert_eq!(sim.received(), 8);
    s.mep("run campaign --limit 4").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("10 accepted", 10));
    s.audit(10);
}

fn the_plan_tells_who_may_leave_when_and_why(database: Database) {
    let s = Scenario::on(database);
    let zones = ["UTC", "UTC", "UTC", "UTC", "Etc/GMT-2", "Etc/GMT-2", ""];
    let row = |(person, zone): (u32, &&str)| format!("{},{},{zone}\n", scenario::SERVICE, phone(person));
    let rows: String = (0..).zip(&zones).map(row).collect();
    s.write("zones.csv", format!("serviceId,phoneNumber,timeZone\n{rows}"));
    s.mep("import zones.csv --endpoint simulator --rate 1").exits(0);
    // Closed in UTC for an hour at least, and open for as long two hours to the east of it.
    let hour = i64::try_from(now_ms() / 3_600_000).expect("a number") % 24;
    let window = format!(r#""window":"{:02}:00-{:02}:00""#, (hour + 2) % 24, (hour + 4) % 24);
    s.execute(&format!(r#"UPDATE batch SET settings = replace(settings, '"window":null', '{window}')"#));
    let later = now_ms() + 7_200_000;
    s.execute(&format!("UPDATE invocation SET due_at = {later}, hold = 'window' WHERE line = 2"));
    s.execute(&format!("UPDATE invocation SET due_at = {later} WHERE line = 3"));
    let plan = s.mep("run zones --dry-run --json").exits(0).json()["plan"].clone();
    assert_eq!((&plan["people"], &plan["now"], &plan["expired"]), (&7.into(), &2.into(), &0.into()), "{plan}");
    let later: Vec<String> = plan["later"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|wait| {
            format!("{} {} {}", wait["rows"], wait["reason"].as_str().unwrap_or_default(), wait["until"].is_string())
        })
        .collect();
    assert_eq!(later, ["3 window true", "1 retry true", "1 time-zone false"], "{plan}");
    assert!(
        plan["eta"].is_string() && (7_000_000..8_000_000).contains(&plan["durationMs"].as_u64().unwrap_or(0)),
        "{plan}"
    );
    let text = s.mep("run zones --dry-run").exits(0).stdout;
    assert!(text.contains("2  can leave at once") && text.contains("1  wait: nobody knows their time zone"), "{text}");
    assert_eq!(s.states(), "7 pending");
}

/// The wall clock.
fn now_ms() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis()
}

fn a_rate_holds_from_the_first_second_and_over_restarts(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    let began = Instant::now();
    s.campaign(45).mep(&format!("run campaign.csv --endpoint {sim} --rate 20 --limit 30")).exits(5);
    s.mep("run campaign").exits(0);
    // 45 rows at 20 a second, but for one second's worth.
    assert!(began.elapsed().as_millis() >= 1_250, "{:?}", began.elapsed());
    assert_eq!(sim.received(), 45);
    s.audit(45);
}

fn int_drains_what_is_in_flight(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 300ms");
    let running = s.campaign(40).start(&format!("run campaign.csv --endpoint {sim} --concurrency 4"));
    sim.until_received(4);
    running.send(Signal::INT);
    running.finish().exits(130).says("everything in flight was finished");
    assert_eq!(s.states(), "4 accepted, 36 pending");
    s.mep("run campaign --concurrency 40").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("40 accepted", 40));
    s.audit(40);
}

fn a_closed_terminal_drains_however_often_it_is_said_and_under_nohup_does_nothing(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 300ms");
    let running = s.campaign(20).start(&format!("run campaign.csv --endpoint {sim} --concurrency 4"));
    sim.until_received(4);
    running.send(Signal::HUP);
    running.until_it_says("no more is taken");
    running.send(Signal::HUP);
    running.finish().exits(143).says("everything in flight was finished");
    assert_eq!(s.states(), "4 accepted, 16 pending");
    let command = s.command("run campaign --concurrency 4");
    let mut nohup = Command::new("nohup");
    nohup.arg(command.get_program()).args(command.get_args()).current_dir(s.folder()).env_clear();
    nohup.envs(environment(&command));
    let running = Running::start(&mut nohup, b"");
    sim.until_received(8);
    running.send(Signal::HUP);
    running.finish().exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("20 accepted", 20));
    s.audit(20);
}

fn a_second_int_abandons_what_is_in_flight_and_says_how_much(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault timeout=1");
    let running = s.campaign(10).start(&format!("run campaign.csv --endpoint {sim} --concurrency 3"));
    sim.until_received(3);
    running.send(Signal::INT);
    running.until_it_says("no more is taken; finishing the 3 requests in flight");
    running.send(Signal::INT);
    running.finish().exits(130).says("3 rows abandoned in flight and unknown now");
    assert_eq!(s.states(), "7 pending, 3 unknown");
    s.audit_unknown(10, 3);
}

fn a_file_is_imported_beside_a_run_and_sent_by_one_without_names(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--latency 400ms");
    s.campaign(6).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let running = s.start("run --concurrency 2");
    sim.until_received(1);
    s.write("more.csv", campaign(50..53)).mep(&format!("import more.csv --endpoint {sim}")).exits(0);
    running.finish().exits(0).says("batch `more` has been imported meanwhile and is sent too");
    assert_eq!((s.states().as_str(), sim.received()), ("9 accepted", 9));
    s.audit(9);
}

fn a_killed_import_leaves_no_batch_and_the_next_sweeps_what_it_left(database: Database) {
    let s = Scenario::on(database);
    s.campaign(1).mep("import campaign.csv --endpoint simulator --batch first").exits(0);
    s.write("big.csv", campaign(0..60_000));
    let importing = s.start("import big.csv --endpoint simulator");
    s.until_stored("SELECT count(*) > 1 FROM invocation", "1");
    importing.kill();
    assert_eq!(s.query("SELECT name FROM batch WHERE name IS NOT NULL"), ["first"]);
    assert_eq!(s.mep("status --json").exits(0).json_lines().len(), 1);
    s.audit(1);
    s.write("small.csv", campaign(10..13)).mep("import small.csv --endpoint simulator").exits(0);
    assert_eq!(s.query("SELECT count(*) || ' ' || (SELECT count(*) FROM batch) FROM invocation"), ["4 2"]);
    s.mep("run").exits(0);
    s.audit(4);
}

fn two_imports_of_one_file_at_the_same_time_make_one_batch(database: Database) {
    let s = Scenario::on(database);
    s.campaign(3_000);
    let both =
        [s.start("import campaign.csv --endpoint simulator"), s.start("import campaign.csv --endpoint simulator")];
    let done = both.map(Running::finish);
    let mut codes = done.each_ref().map(|import| import.code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 7], "{done:?}");
    assert_eq!(s.query("SELECT count(*) FROM batch"), ["1"]);
}

fn a_row_that_is_sent_again_unsure_is_a_possible_duplicate_and_a_sure_one_is_none(database: Database) {
    let s = Scenario::on(database);
    let broken = s.simulate("--fault timeout=1");
    let port = broken.to_string();
    s.campaign(3)
        .mep(&format!("run campaign.csv --endpoint {broken} --concurrency 3 --wait 0 --timeout 200ms"))
        .exits(4);
    s.mep("resolve campaign --line 2 --as not-sent --reason asked --yes").exits(0);
    s.mep("resolve campaign --line 3 --as resend --reason urgent --yes").exits(0);
    s.mep("resolve campaign --line 4 --as abandoned --reason late").exits(0);
    assert_eq!(s.states(), "1 cancelled, 2 pending");
    drop(broken);
    let _sim = s.simulate_at(&port, "");
    s.execute("UPDATE gate SET closed_until = NULL, closed_because = NULL");
    let told = s.mep("run campaign --json").exits(0).json();
    assert_eq!(s.states(), "2 accepted, 1 cancelled");
    assert_eq!(told["possibleDuplicates"], 1);
    let marked = s.query("SELECT line || ' ' || possible_duplicate FROM invocation ORDER BY line");
    assert_eq!(marked[..2], ["2 0", "3 1"]);
    for (line, became) in [(2, "pending"), (3, "pending"), (4, "cancelled")] {
        let row = s.mep(&format!("show campaign {line} --json")).exits(0).json();
        assert_eq!(row["actions"][0]["became"], became, "line {line}");
    }
    s.audit(3);
}

fn rejected_and_failed_rows_go_back_on_demand_and_unknown_ones_never(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault 400=35% --fault 1000=30%");
    s.campaign(12).mep(&format!("run campaign.csv --endpoint {sim}")).exits(3);
    s.mep("retry campaign --state unknown").exits(2).says("resolve");
    s.mep("retry campaign --state accepted").exits(2);
    let failed = s.query("SELECT count(*) FROM invocation WHERE state = 'failed'");
    let told = s.mep("retry campaign --state failed --json").exits(0).json();
    assert_eq!(told["pending"].to_string(), failed[0]);
    s.mep("retry campaign --state rejected").exits(0);
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE state IN ('failed', 'rejected')"), ["0"]);
    s.mep("run campaign");
    s.audit(12);
}

fn a_row_that_this_tool_refused_stays_refused(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("");
    s.write("campaign.csv", format!("{}{},12,x\n", campaign(0..2), scenario::SERVICE));
    s.mep(&format!("run campaign.csv --endpoint {sim}")).exits(3);
    let told = s.mep("retry campaign --state rejected --json").exits(0).json();
    assert_eq!((&told["pending"], &told["stillRefused"][0]["line"]), (&0.into(), &4.into()));
    s.mep("run campaign").exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("2 accepted, 1 rejected", 2));
    s.audit(3);
}

fn a_429_has_all_rows_wait_and_loses_none(database: Database) {
    for fault in ["429", "429-date", "429-bare"] {
        let s = Scenario::on(database);
        let (sim, done) = send(&s, &format!("--fault {fault}=25%"), 6, "--retry-initial 100ms");
        done.exits(0).says("nothing is sent there before");
        assert_eq!(s.states(), "6 accepted", "{fault}");
        let throttled = s.query("SELECT count(*) FROM attempt WHERE outcome = 'throttled'");
        assert_eq!((6 + throttled[0].parse::<usize>().expect("a number")), sim.received(), "{fault}");
        assert_eq!(s.query("SELECT max(possible_duplicate) FROM invocation"), ["0"], "{fault}");
        s.audit(6);
    }
}

fn a_closed_gate_stays_closed_for_the_next_run(database: Database) {
    let s = Scenario::on(database);
    let sim = s.simulate("--fault close=1");
    let run = format!("run campaign.csv --endpoint {sim} --concurrency 3 --wait 0");
    s.campaign(12).mep(&run).exits(4);
    let received = sim.received();
    assert!((3..=5).contains(&received), "{received}");
    for command in ["run --wait 0", "run campaign --wait 0", "run campaign.csv --wait 0"] {
        s.mep(command).exits(4);
        assert_eq!(sim.received(), received, "{command}");
    }
    s.audit_unknown(12, 5);
}

fn a_stopped_run_goes_on_once_its_cause_is_mended(database: Database) {
    let s = Scenario::on(database);
    let (broken, done) = send(&s, "--fault 401=1", 6, "");
    done.exits(6).says("case-sensitive");
    s.audit(6);
    let (address, refused) = (broken.to_string(), broken.received());
    drop(broken);
    let mended = s.simulate_at(&address, "");
    s.mep("run campaign").exits(0);
    assert_eq!((s.states().as_str(), mended.received()), ("6 accepted", 6));
    let misconfigured = s.query("SELECT count(*) FROM attempt WHERE outcome = 'misconfigured'");
    assert_eq!(misconfigured, [refused.to_string()]);
    s.audit(6);
}

fn the_vendors_1010_is_repeated_and_counted_as_a_possible_duplicate(database: Database) {
    for fault in ["1010", "1010-503"] {
        let s = Scenario::on(database);
        let (sim, done) = send(&s, &format!("--fault {fault}=50%"), 6, "--vendor-retry 150ms --json");
        let told = done.exits(0).json();
        let repeated = s.query("SELECT count(DISTINCT invocation_id) FROM attempt WHERE outcome = 'retry'");
        assert_eq!(s.states(), "6 accepted", "{fault}");
        assert_eq!(told["possibleDuplicates"].to_string(), repeated[0], "{fault}");
        assert!(sim.received() > 6, "{fault}: {} requests", sim.received());
        s.audit(6);
    }
}

fn a_mixed_day_adds_up(database: Database) {
    let s = Scenario::on(database);
    let faults =
        "--fault 12002=10% --fault 1000=5% --fault 1010=5% --fault 429-bare=3% --fault close=2% --fault 502=2%";
    let (_sim, done) = send(&s, faults, 200, "--vendor-retry 100ms --max-unknown 200");
    assert!([3, 4].contains(&done.code), "{}", done.output());
    assert_eq!(s.query("SELECT count(*) FROM invocation WHERE state IN ('pending', 'sending')"), ["0"]);
    s.audit(200);
}
