//! Who was told already, and who is never to be: rows of other batches, and the suppression list.

mod audit;
mod cluster;
mod scenario;

use scenario::{SERVICE, Scenario, Simulator, campaign, phone};
use serde_json::{Value, json};

/// A list of these people, as an operator keeps one.
fn list(people: impl IntoIterator<Item = u32>) -> String {
    let numbers: Vec<String> = people.into_iter().map(|person| format!("+{}\n", phone(person))).collect();
    format!("# opt-outs, from the CRM\n\n{}", numbers.concat())
}

/// A file of these people, who are told this.
fn telling(people: std::ops::Range<u32>, seat: &str) -> String {
    let rows: Vec<String> = people.map(|person| format!("{},{seat}\n", phone(person))).collect();
    format!("phoneNumber,session.seat\n{}", rows.concat())
}

/// A campaign that was saved once more: the same rows in other bytes.
fn saved_again(people: std::ops::Range<u32>) -> String {
    campaign(people) + "\n"
}

#[track_caller]
fn nobody_was_texted(sim: &Simulator, people: impl IntoIterator<Item = u32>) {
    let receipts = sim.receipts();
    for person in people {
        assert!(receipts.iter().all(|receipt| receipt.phone_number != Some(phone(person))), "person {person}");
    }
}

#[test]
fn a_row_that_another_batch_has_sent_is_skipped() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(4).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.write("more.csv", campaign(2..6));
    let told = s.mep(&format!("run more.csv --endpoint {sim}")).exits(0);
    for words in ["2  skipped: another batch has sent it", "line 2, as line 4 of `campaign`", "`--again`"] {
        assert!(told.output().contains(words), "{words}: {}", told.output());
    }
    assert_eq!((s.states().as_str(), sim.received()), ("6 accepted, 2 skipped", 6));
    s.audit(8);
}

#[test]
fn the_same_request_in_another_order_is_sent_once() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let run = |file: &str| s.mep(&format!("run {file} --endpoint {sim} --service {SERVICE}"));
    let person = phone(0);
    s.write("a.csv", format!("phoneNumber,session.seat,user.name,session.row:number\n{person},A,Zoë,7\n"));
    run("a.csv").exits(0);
    let sent = s.query("SELECT body FROM content");
    s.write("b.csv", format!("user.NAME,session.row:number,session.Seat,phoneNumber\nZoë,7,A,{person}\n"));
    run("b.csv").exits(0);
    let variables = "{\"user\":{\"name\":\"Zo\\u00eb\"},\"session\":{\"row\":7,\"seat\":\"A\"}}";
    s.write("c.ndjson", format!("{{\"variables\":{variables},\"endUser\":{{\"phoneNumber\":\"{person}\"}}}}\n"));
    run("c.ndjson").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("1 accepted, 2 skipped", 1));
    assert_eq!(s.query("SELECT reason FROM invocation WHERE state = 'skipped'"), ["already-sent", "already-sent"]);
    assert_eq!(
        sent,
        [format!(
            "{{\"endUser\":{{\"phoneNumber\":{person}}},\"variables\":{{\"session\":{{\"seat\":\"A\",\"row\":7}},\"user\":{{\"name\":\"Zoë\"}}}}}}"
        )]
    );
    s.audit(3);
}

#[test]
fn within_a_file_too_another_order_makes_no_other_request() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let person = phone(0);
    let rows = format!(
        "{{\"phoneNumber\":{person},\"session.a\":\"1\",\"user.b\":\"2\"}}\n{{\"user.B\":\"2\",\"session.a\":\"1\",\"phoneNumber\":{person}}}\n"
    );
    s.write("twice.ndjson", rows);
    s.mep(&format!("run twice.ndjson --endpoint {sim} --service {SERVICE}")).exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("1 accepted, 1 skipped", 1));
    s.audit(2);
}

#[test]
fn what_another_batch_is_about_to_send_is_skipped_too() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(4).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.write("more.csv", campaign(2..6)).mep(&format!("import more.csv --endpoint {sim}")).exits(0);
    let row = s.mep("show more 2 --json").exits(0).json();
    assert_eq!(row["message"], "not sent: the same request as line 4 of batch `campaign`, which is pending");
    s.mep("run").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("6 accepted, 2 skipped", 6));
    s.audit(8);
}

#[test]
fn an_accepted_row_is_named_before_a_pending_one() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(1).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.write("later.csv", saved_again(0..1));
    s.mep(&format!("import later.csv --endpoint {sim} --again")).exits(0);
    s.write("third.csv", saved_again(0..1) + "\n");
    let told = s.mep(&format!("import third.csv --endpoint {sim} --json")).exits(0).json();
    assert_eq!(told["alreadySent"][0]["batch"], "campaign");
    s.audit(3);
}

#[test]
fn another_endpoint_or_service_or_value_is_not_the_same_request() {
    let s = Scenario::new();
    let (sim, other) = (s.simulate(""), s.simulate(""));
    s.write("a.csv", telling(0..3, "aisle")).mep(&format!("run a.csv --endpoint {sim} --service {SERVICE}")).exits(0);
    for command in [
        format!("import a.csv --endpoint {other} --service {SERVICE} --json"),
        format!("import a.csv --endpoint {sim} --service FFFF --json"),
    ] {
        let told = s.mep(&command).exits(0).json();
        assert_eq!((&told["ready"], &told["alreadySent"], &told["toldBefore"]), (&3.into(), &json!([]), &0.into()));
    }
    s.write("b.csv", telling(0..3, "window"));
    let told = s.mep(&format!("import b.csv --endpoint {sim} --service {SERVICE} --json")).exits(0).json();
    assert_eq!((&told["ready"], &told["toldBefore"]), (&3.into(), &3.into()));
    s.audit(12);
}

#[test]
fn again_and_a_time_of_0_look_at_no_other_batch() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.write("more.csv", campaign(0..4));
    for flag in ["--again", "--seen-within 0"] {
        let told = s.mep(&format!("import more.csv --endpoint {sim} --json --batch {} {flag}", flag.len()));
        assert_eq!(told.exits(0).json()["ready"], 4, "{flag}");
        s.execute("UPDATE batch SET source_sha256 = id");
    }
    s.audit(11);
}

#[test]
fn a_row_counts_for_as_long_as_is_asked() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim} --limit 2 --concurrency 1")).exits(5);
    s.execute("UPDATE invocation SET finished_at = finished_at - 172800000 WHERE state = 'accepted'");
    s.write("more.csv", saved_again(0..3));
    let ready = |within: &str| {
        let told = s.mep(&format!("import more.csv --endpoint {sim} --json {within}")).exits(0).json();
        s.execute("UPDATE batch SET source_sha256 = id, endpoint = 'simulator' WHERE name <> 'campaign'");
        told["ready"].as_i64()
    };
    assert_eq!(ready("--seen-within 1d"), Some(2), "the pending row counts however old it is");
    assert_eq!(ready("--seen-within 3d"), Some(0));
    assert_eq!(ready(""), Some(0));
}

#[test]
fn what_was_never_sent_keeps_nobody_from_being_told() {
    let s = Scenario::new();
    let sim = s.simulate("--fault 400=1");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim}")).exits(3);
    s.write("more.csv", saved_again(0..3));
    let told = s.mep(&format!("import more.csv --endpoint {sim} --json")).exits(0).json();
    assert_eq!((&told["ready"], &told["skipped"], &told["toldBefore"]), (&3.into(), &0.into(), &0.into()));
    s.audit(6);
}

#[test]
fn an_unknown_row_counts_and_an_abandoned_one_does_not() {
    let s = Scenario::new();
    let sim = s.simulate("--fault close=1");
    s.campaign(2).mep(&format!("run campaign.csv --endpoint {sim} --concurrency 2 --wait 0")).exits(4);
    s.mep("resolve campaign --line 2 --as abandoned --reason over").exits(0);
    s.write("more.csv", saved_again(0..2));
    let told = s.mep(&format!("import more.csv --endpoint {sim} --json")).exits(0).json();
    assert_eq!(told["alreadySent"][0]["first"], json!([{ "line": 3, "earlierLine": 3 }]));
    s.audit(4);
}

#[test]
fn a_row_that_a_retry_built_anew_counts() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let pin = format!("serviceId,phoneNumber,session.pin\n{SERVICE},{},${{x}}\n{SERVICE},{},1\n", phone(0), phone(1));
    s.write("a.csv", &pin).mep(&format!("run a.csv --endpoint {sim}")).exits(3);
    s.execute("UPDATE batch SET settings = json_set(settings, '$.expressions', 'allowed')");
    s.mep("retry a --state rejected").exits(0);
    s.mep("run a").exits(0);
    s.write("b.csv", format!("{pin}\n"));
    let told = s.mep(&format!("import b.csv --endpoint {sim} --json --allow-expressions")).exits(0).json();
    assert_eq!((&told["ready"], &told["alreadySent"][0]["count"]), (&0.into(), &2.into()));
    s.audit(4);
}

#[test]
fn that_people_were_told_something_else_is_said_and_louder_where_they_are_most() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let import = format!("--endpoint {sim} --service {SERVICE}");
    s.write("june.csv", telling(0..10, "aisle")).mep(&format!("run june.csv {import}")).exits(0);
    s.write("july.csv", telling(5..20, "window"));
    let july = s.mep(&format!("import july.csv {import}")).exits(0);
    let words = "5 numbers were sent other content within the last 30 days, or will be, last by batch `june`";
    assert!(july.stdout.contains(words) && !july.stdout.contains("warning: 5"), "{}", july.stdout);
    s.write("august.csv", telling(0..12, "front"));
    let august = s.mep(&format!("import august.csv {import}")).exits(0);
    assert!(august.stdout.contains("warning: 12 numbers were sent other content"), "{}", august.stdout);
    assert!(august.stdout.contains("last by batch `july`"), "{}", august.stdout);
    s.audit(37);
}

#[test]
fn a_skipped_row_is_retried_with_a_warning_and_a_suppressed_one_never() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim}")).exits(0);
    s.write("more.csv", campaign(0..5)).write("out.txt", list([0, 4]));
    s.mep(&format!("import more.csv --endpoint {sim} --suppress out.txt")).exits(0);
    assert_eq!(
        s.query("SELECT line || ' ' || reason FROM invocation WHERE state = 'skipped' ORDER BY line"),
        ["2 suppressed", "3 already-sent", "4 already-sent", "6 suppressed"]
    );
    let retried = s.mep("retry more --state skipped --json").exits(0).json();
    let figures = ["pending", "repeats", "suppressed"].map(|name| retried[name].as_i64());
    assert_eq!(figures, [Some(2), Some(2), Some(2)]);
    s.mep("run more").exits(0);
    nobody_was_texted(&sim, [4]);
    assert_eq!(sim.received(), 6);
    s.audit(8);
}

#[test]
fn a_refused_row_that_was_mended_into_another_batch_is_not_retried() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let pins = |pin: &str, people: std::ops::Range<u32>| {
        let rows = people.map(|person| format!("{SERVICE},{},{pin}\n", phone(person)));
        format!("serviceId,phoneNumber,session.pin\n{}", rows.collect::<String>())
    };
    s.write("old.csv", pins("1", 1..2)).mep(&format!("run old.csv --endpoint {sim}")).exits(0);
    s.write("a.csv", pins("${x}", 0..2)).mep(&format!("run a.csv --endpoint {sim}")).exits(3);
    s.write("m.csv", pins("2", 0..1)).mep(&format!("run m.csv --endpoint {sim}")).exits(0);
    s.execute("UPDATE batch SET settings = json_set(settings, '$.expressions', 'allowed')");
    let told = s.mep("retry a --state rejected --json").exits(0).json();
    assert_eq!(told["pending"], 1, "what an older batch told says nothing of the row");
    let mended = "not sent: line 2 of batch `m`, which was imported later, has the same phone number";
    assert_eq!(told["heldBack"], json!([{ "line": 2, "message": mended }]));
    s.mep("run a").exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 1 rejected", 3));
    s.audit(4);
}

#[test]
fn a_rebuilt_row_is_not_sent_beside_another_to_the_same_person() {
    let s = Scenario::new();
    let sim = s.simulate("--fault 12002=100%");
    let port = sim.to_string();
    let pins = format!("phoneNumber,session.pin\n{0},1\n{0},${{x}}\n{0},${{y}}\n", phone(0));
    s.write("a.csv", pins).mep(&format!("run a.csv --endpoint {sim} --service {SERVICE}")).exits(3);
    drop(sim);
    let sim = s.simulate_at(&port, "");
    s.execute("UPDATE batch SET settings = json_set(settings, '$.expressions', 'allowed')");
    let told = s.mep("retry a --state rejected --json").exits(0).json();
    assert_eq!((&told["pending"], &told["stillRefused"][1]["line"]), (&1.into(), &4.into()));
    s.mep("run a").exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("1 accepted, 2 rejected", 1));
    s.audit(3);
}

#[test]
fn a_repeat_within_the_file_is_one_before_anything_else() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let twice = format!("{}{}", campaign(0..2), campaign(0..2).split_once('\n').expect("a header").1);
    s.write("twice.csv", &twice).write("out.txt", list([0]));
    let told = s.mep(&format!("run twice.csv --endpoint {sim} --suppress out.txt --json"));
    told.exits(0);
    assert_eq!(
        s.query("SELECT line || ' ' || reason FROM invocation WHERE state = 'skipped' ORDER BY line"),
        ["2 suppressed", "4 duplicate", "5 duplicate"]
    );
    nobody_was_texted(&sim, [0]);
    s.audit(4);
}

#[test]
fn nobody_on_the_list_is_texted_whatever_the_list_looks_like() {
    let numbers = [phone(1), phone(3)];
    let [one, three] = &numbers;
    for (name, content) in [
        ("out.txt", format!("# 2 people\n\n+{one}\n  # and\n{}\n", three)),
        ("out.csv", format!("Name,phoneNumber\nAda,{one}\n\"Bob, \"\"the\"\" man\",00{three}\n")),
        ("mapped.csv", format!("Mobile;Since\n{one};June\n{three};July\n")),
        ("bare.csv", format!("{one},Ada\n{three},Bob\n")),
        ("dated.csv", format!("{one},2026-07-01\n{three},2026-07-02 09:30\n")),
        ("one-column.csv", format!("Opt-outs\n{one}\n{three}\n")),
        ("out.ndjson", format!("{{\"phoneNumber\":{one},\"name\":\"Ada\"}}\n{{\"phoneNumber\":\"{three}\"}}\n")),
        ("out.json", format!("[{{\"phoneNumber\":{one}}},{{\"phoneNumber\":\"{three}\"}}]")),
    ] {
        let s = Scenario::new();
        let sim = s.simulate("");
        s.campaign(5).write(name, content);
        let flags = format!("--suppress {name} --map Mobile=phoneNumber");
        // The campaign has no such column: the map is for the list.
        s.write("campaign.csv", campaign(0..5).replacen("phoneNumber", "Mobile", 1));
        let checked = s.mep(&format!("check campaign.csv --json {flags}")).exits(0).json();
        assert_eq!(checked["suppressed"], json!({ "count": 2, "first": [{ "line": 3 }, { "line": 5 }] }), "{name}");
        let ran = s.mep(&format!("run campaign.csv --endpoint {sim} {flags}")).exits(0);
        assert!(ran.output().contains("2  skipped: on the suppression list"), "{name}: {}", ran.output());
        assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 2 skipped", 3), "{name}");
        nobody_was_texted(&sim, [1, 3]);
        s.audit(5);
    }
}

#[test]
fn a_list_with_a_line_that_is_no_number_is_refused_as_a_whole() {
    for (content, line, found) in [
        ("12015550101\n1201555\u{661}102\n", "line 2", "another script"),
        ("# x\n\n+44 (0) 7700 900123\n", "line 3", "`(0)`"),
        ("1.25155E+10\n", "line 1", "scientific"),
        ("#N/A\n", "line 1", "no part of a number"),
        ("12015550101\nunknown\n", "line 2", "letters"),
        ("Name,phoneNumber\nAda,\n", "line 2", "no phone number"),
        ("Name,Number\nAda,12015550101\n", "line 1", "no column for the phone number"),
        ("12015550100,12015550101,12015550102\n", "line 1", "one number a line"),
        ("900113,12015550101\n", "line 1", "one number a line"),
        ("900113,07700900123\n", "line 1", "one number a line"),
        ("phone\n12015550100;12015550101\n", "line 2", "one number a line"),
        ("", "no numbers", "leave out `--suppress`"),
        ("phoneNumber\n", "no numbers", "leave out `--suppress`"),
        ("# nobody\n\n", "no numbers", "leave out `--suppress`"),
        ("[]", "no numbers", "leave out `--suppress`"),
    ] {
        let s = Scenario::new();
        let sim = s.simulate("");
        s.campaign(3).write("out.txt", content);
        for command in ["check campaign.csv".to_owned(), format!("run campaign.csv --endpoint {sim}")] {
            let told = s.mep(&format!("{command} --suppress out.txt")).exits(2).says("out.txt");
            assert!(told.stderr.contains(line) && told.stderr.contains(found), "{content}: {}", told.stderr);
            assert!(!told.stderr.contains("--map"), "{}", told.stderr);
            assert!(!told.stderr.contains("900123") && !told.stderr.contains("12015550101"), "{}", told.stderr);
        }
        assert_eq!(sim.received(), 0);
    }
}

#[test]
fn what_numbers_a_list_has_is_said_once() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).write("out.txt", "251 555 0130\n2515550131\n2515550131\n");
    let read = "out.txt`: 2 numbers of 10 digits that begin with 251\n";
    let run = format!("run campaign.csv --endpoint {sim} --suppress out.txt");
    for command in
        ["check campaign.csv --suppress out.txt", run.as_str(), "run campaign", "retry campaign --state skipped"]
    {
        let told = s.mep(command).exits(0);
        assert_eq!(told.stderr.matches(read).count(), 1, "{command}: {}", told.stderr);
    }
    assert_eq!(s.mep("-q check campaign.csv --suppress out.txt").exits(0).output(), "");
}

#[test]
fn a_check_counts_no_number_that_is_on_the_list() {
    let s = Scenario::new();
    s.campaign(3).write("out.txt", list([1]));
    let checked = s.mep("check campaign.csv --suppress out.txt --json").exits(0).json();
    assert_eq!(checked["numbers"], json!([{ "digits": 11, "callingCode": "1", "rows": 2 }]));
}

#[test]
fn a_batch_is_given_a_list_later_and_the_change_is_recorded() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(4).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.write("out.txt", list([1])).mep("run campaign --suppress out.txt").exits(0);
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 1 skipped", 3));
    let stored = s.query("SELECT detail ->> '$.is.settings.suppress' FROM action WHERE kind = 'settings'");
    assert_eq!(stored, [s.path("out.txt").display().to_string()]);
    nobody_was_texted(&sim, [1]);
    s.audit(4);
}

#[test]
fn without_its_list_nothing_of_a_batch_is_sent() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).write("out.txt", list([1]));
    s.mep(&format!("import campaign.csv --endpoint {sim} --suppress out.txt")).exits(0);
    s.write("free.csv", campaign(10..12)).mep(&format!("import free.csv --endpoint {sim}")).exits(0);
    std::fs::remove_file(s.path("out.txt")).expect("removed");
    s.mep("run campaign").exits(2).says("out.txt").says("--suppress FILE");
    s.mep("retry campaign --state skipped").exits(2).says("out.txt");
    assert_eq!(sim.received(), 0);
    s.mep("run").exits(5).says("batch `campaign` is left").says("out.txt");
    assert_eq!((s.states().as_str(), sim.received()), ("2 accepted, 2 pending, 1 skipped", 2));
    s.write("out.txt", list([1])).mep("run").exits(0);
    nobody_was_texted(&sim, [1]);
    s.audit(5);
}

#[test]
fn the_confirmation_asks_for_those_who_are_left() {
    let s = Scenario::new();
    s.campaign(5).mep("import campaign.csv --endpoint https://mep.invalid --account acc").exits(0);
    s.write("out.txt", list([1, 2]));
    let mut command = s.command("run campaign --suppress out.txt");
    command.env("MEP_PASSWORD", "x");
    scenario::Running::start(&mut command, b"").finish().exits(2).says("mep-batch run campaign --confirm 3");
    s.audit(5);
}

#[test]
fn a_row_that_comes_back_while_a_run_is_alive_is_held_against_the_list() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 100ms --fault close=1");
    let port = sim.to_string();
    s.campaign(2).mep(&format!("run campaign.csv --endpoint {sim} --concurrency 2 --wait 0")).exits(4);
    drop(sim);
    let sim = s.simulate_at(&port, "--latency 100ms");
    s.write("long.csv", campaign(10..60)).write("out.txt", list([0]));
    s.mep(&format!("import long.csv --endpoint {sim}")).exits(0);
    s.execute("UPDATE gate SET closed_until = NULL, closed_because = NULL, recent = 0");
    let running = s.start("run campaign long --concurrency 1 --suppress out.txt");
    sim.until_received(3);
    s.mep("resolve campaign --all --as not-sent --reason asked --yes").exits(0);
    running.finish().exits(0);
    nobody_was_texted(&sim, [0]);
    assert_eq!(s.states(), "51 accepted, 1 skipped");
    let attempts = s.query("SELECT outcome || coalesce(sent_at, ' unsent') FROM attempt WHERE outcome = 'skipped'");
    assert_eq!(attempts, ["skipped unsent"]);
    let row: Value = s.mep("show campaign 2 --json").exits(0).json();
    assert_eq!((&row["state"], &row["reason"]), (&"skipped".into(), &"suppressed".into()));
    s.audit(52);
}

#[test]
fn a_run_that_is_alive_takes_over_a_new_list() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 50ms");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let running = s.start("run --concurrency 1");
    sim.until_received(2);
    s.write("out.txt", list([59, 58])).mep("run campaign --suppress out.txt").exits(8);
    running.finish().exits(0);
    assert_eq!(s.states(), "58 accepted, 2 skipped");
    nobody_was_texted(&sim, [58, 59]);
    s.audit(60);
}

#[test]
fn a_batch_whose_list_is_lost_while_it_is_sent_is_left() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 50ms");
    s.campaign(60).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let running = s.start("run --concurrency 1");
    sim.until_received(2);
    s.execute("UPDATE batch SET settings = json_set(settings, '$.suppress', '/nowhere/out.txt')");
    running.finish().exits(5).says("batch `campaign` is left").says("/nowhere/out.txt");
    assert!(sim.received() < 60, "{}", sim.received());
    s.audit(60);
}

#[test]
fn a_killed_import_leaves_nothing_that_counts() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    // As a kill right before the last commit leaves it.
    s.execute(
        "UPDATE batch SET name = NULL, imported_at = NULL, row_count = NULL, source_sha256 = ''; DELETE FROM state_count;
         DELETE FROM action",
    );
    let told = s.mep(&format!("import campaign.csv --endpoint {sim} --json")).exits(0).json();
    assert_eq!((&told["ready"], &told["alreadySent"]), (&3.into(), &json!([])));
    assert_eq!(s.query("SELECT count(*) FROM fingerprint"), ["3"]);
    s.audit(3);
}

#[test]
fn a_dry_run_counts_nobody_who_is_on_the_list() {
    let s = Scenario::new();
    s.campaign(10).write("stop.txt", format!("{}\n{}\n", phone(1), phone(2)));
    s.mep("import campaign.csv --endpoint simulator").exits(0);
    let told = s.mep("run campaign --dry-run --suppress stop.txt").exits(0);
    assert!(told.stdout.contains("Would send 8 requests"), "{}", told.stdout);
    assert_eq!(s.states(), "10 pending");
}
