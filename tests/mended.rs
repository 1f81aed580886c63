//! The file of refused rows: written in the operator's own columns, mended, and imported without a flag more.

mod audit;
mod cluster;
mod scenario;

use std::os::unix::fs::PermissionsExt;

use scenario::{SERVICE, Scenario};

/// Good rows at lines 2 and 8; every other one is refused, each for a reason of its own.
const GUESTS: &str = "Mobile;Note;session.seat
12515550130;;7A
555;\"two
lines\";7B
12515550131;;7C;7D
12515550132;x
12515550133;\"say \"hi\"\";7E
+1 251 555 0134;;\"a;b\"
12515550130;;8A
12515550135;;#N/A
";

fn import(file: &str) -> String {
    format!("import {file} --endpoint simulator --service {SERVICE} --map Mobile=phoneNumber --ignore Note")
}

#[test]
fn the_refused_rows_are_written_as_they_came_with_line_reason_and_fix() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", GUESTS);
    let line = "check guests.csv --map Mobile=phoneNumber --ignore Note --rejected mended.csv";
    let done = scenario.mep(line);
    assert_eq!(done.code, 3, "{}", done.output());
    let mended = scenario.read("mended.csv");
    let lines: Vec<_> = mended.lines().collect();
    assert_eq!(lines[0], "Mobile;Note;session.seat;_line;_reason;_fix");
    for (line, start) in [
        (1, "555;\"two"),
        (2, "lines\";7B;3;Mobile: too few digits"),
        (3, "12515550131;;7C;7D;5;the row has 4 cells"),
        (4, "12515550132;x;6;the row has 2 cells"),
        (5, "12515550133;\"say \"hi\"\";7E;7;text behind a closing quote"),
        (6, "12515550130;;8A;9;line 9 has the same phone number (1251•••0130) as line 2"),
        (7, "12515550135;;#N/A;10;session.seat: an error of the spreadsheet"),
    ] {
        assert!(lines[line].starts_with(start), "{mended}");
    }
    assert_eq!(lines.len(), 8, "{mended}");
    let mode = scenario.path("mended.csv").metadata().expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds phone numbers");
}

#[test]
fn rows_that_nobody_mended_are_refused_again_and_mended_ones_go_in() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", GUESTS);
    assert_eq!(scenario.mep(&format!("{} --rejected mended.csv", import("guests.csv"))).code, 3);
    let again = scenario.mep(&format!("{} --rejected again.csv --json", import("mended.csv"))).json();
    assert_eq!((&again["rows"], &again["ready"]), (&6.into(), &0.into()), "{again}");
    let header = scenario.read("again.csv").lines().next().map(str::to_owned);
    assert_eq!(header.as_deref(), Some("Mobile;Note;session.seat;_line;_reason;_fix"), "nothing is added twice");
    // The row that shared its number with another one stands alone now, and would text that person again.
    let third = scenario.mep(&format!("{} --json", import("again.csv"))).json();
    assert_eq!((&third["rows"], &third["ready"]), (&6.into(), &0.into()), "{third}");
    let allowed = scenario.mep(&format!("{} --again --duplicates allow --json", import("mended.csv"))).json();
    assert_eq!(allowed["ready"], 1, "{allowed}");
    let mended = scenario
        .read("mended.csv")
        .replace("555;\"two\nlines\"", "12515550136;")
        .replace("7C;7D;5;", "7C;5;")
        .replace("12515550132;x;", "12515550132;x;7F;")
        .replace("\"say \"hi\"\"", "hi")
        .replace("12515550130;;8A", "12515550137;;8A")
        .replace("#N/A", "9A");
    scenario.write("mended.csv", mended);
    let done = scenario.mep(&format!("{} --json", import("mended.csv")));
    assert_eq!((done.code, &done.json()["ready"]), (0, &6.into()), "{}", done.output());
}

#[test]
fn a_row_refused_for_something_else_does_not_text_its_person_a_second_time_once_it_is_mended() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", "phoneNumber,session.seat\n12515550130,7A\n12515550130,${x}\n12515550131,${y}\n");
    scenario.mep("check guests.csv --rejected mended.csv").exits(3);
    let mended = scenario.read("mended.csv").replace("${x}", "8A").replace("${y}", "8B");
    assert!(mended.contains("line 3 has the same phone number (1251•••0130) as line 2"), "{mended}");
    scenario.write("mended.csv", mended);
    let again = scenario.mep("check mended.csv --json").exits(3).json();
    assert_eq!((&again["ready"], &again["rejected"]), (&1.into(), &1.into()), "{again}");
}

#[test]
fn refused_json_rows_are_objects_again() {
    let scenario = Scenario::new();
    let rows = "{\"phoneNumber\": \"555\",\n \"session.seat\": \"7A\"}, {\"phoneNumber\": \"12515550130\"},\n
        {\"endUser\": {\"phoneNumber\": 12515550131}, \"variables\": {}}, 7, {\"_line\": 1, \"phoneNumber\": \"12\"}";
    scenario.write("rows.json", format!("[{rows}]"));
    scenario.write("rows.ndjson", "{\"phoneNumber\": \"555\"}\n{\"phoneNumber\" 7}\n");
    assert_eq!(scenario.mep("check rows.json --rejected mended.json").code, 3);
    let mended: serde_json::Value = serde_json::from_str(&scenario.read("mended.json")).expect("an array");
    assert_eq!(mended.as_array().map(Vec::len), Some(4));
    assert_eq!((&mended[0]["_line"], &mended[0]["session.seat"]), (&1.into(), &"7A".into()));
    assert_eq!(mended[2]["_text"], "7");
    assert_eq!(mended[3]["_line"], 5, "the line in the file that was read last");
    let again = scenario.mep("check mended.json --json").json();
    assert_eq!((&again["rows"], &again["rejected"]), (&4.into(), &4.into()), "{again}");
    let put_right = scenario.read("mended.json").replace("\"555\"", "\"12515550132\"").replace(",\"variables\":{}", "");
    scenario.write("mended.json", put_right);
    let again = scenario.mep("check mended.json --json").json();
    assert_eq!(again["ready"], 2, "{again}");
    let twice = "{\"phoneNumber\":12515550140}\n{\"phoneNumber\":12515550140,\"session.a\":\"b\"}\n";
    scenario.write("twice.ndjson", twice).mep("check twice.ndjson --rejected once.ndjson").exits(3);
    let again = scenario.mep("check once.ndjson --json").json();
    assert_eq!((&again["rows"], &again["rejected"]), (&1.into(), &1.into()), "{again}");
    assert_eq!(scenario.mep("check rows.ndjson --rejected mended.ndjson").code, 3);
    assert_eq!(scenario.read("mended.ndjson").lines().count(), 2);
}

#[test]
fn an_odd_file_gives_one_that_goes_in_by_the_same_flags() {
    let scenario = Scenario::new();
    scenario.write("odd.csv", b"phoneNumber^session.name\n12515550130^Zo\xeb\n555^M\xfcller\n");
    let flags = "--encoding windows-1252 --delimiter ^";
    scenario.mep(&format!("check odd.csv {flags} --rejected mended.csv")).exits(3);
    let mended = scenario.read("mended.csv");
    assert!(mended.starts_with("\u{feff}sep=^\nphoneNumber^session.name^_line"), "{mended}");
    scenario.write("mended.csv", mended.replace("555^", "12515550131^"));
    for flags in [flags, ""] {
        let again = scenario.mep(&format!("check mended.csv {flags} --json")).exits(0).json();
        assert_eq!((&again["ready"], &again["mapping"][1]["sample"]), (&1.into(), &"Müller".into()), "{again}");
    }
}

#[test]
fn no_file_is_overwritten_that_is_read_and_none_is_named_for_what_it_is_not() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", GUESTS);
    std::fs::hard_link(scenario.path("guests.csv"), scenario.path("other.csv")).expect("a second name");
    for path in ["guests.csv", "./guests.csv", "other.csv", "mended.xlsx", "mended.json"] {
        let done = scenario.mep(&format!("check guests.csv --map Mobile=phoneNumber --ignore Note --rejected {path}"));
        assert_eq!(done.code, 2, "{path}: {}", done.output());
    }
    assert_eq!(scenario.read("guests.csv"), GUESTS);
}

#[test]
fn a_file_with_nothing_to_refuse_leaves_a_header_alone() {
    let scenario = Scenario::new();
    scenario.campaign(3);
    for _ in 0..2 {
        scenario.mep("check campaign.csv --rejected mended.csv").exits(0);
        assert_eq!(scenario.read("mended.csv"), "serviceId,phoneNumber,session.seatLocation,_line,_reason,_fix\n");
    }
    scenario.write("bodies.ndjson", "{\"phoneNumber\":12515550130}\n");
    for _ in 0..2 {
        scenario.mep("check bodies.ndjson --rejected mended.ndjson").exits(0);
        assert_eq!(scenario.read("mended.ndjson"), "\n");
    }
    assert!(!scenario.path("mended.csv.1").exists() && !scenario.path("mended.ndjson.1").exists());
}

#[test]
fn nothing_but_an_earlier_file_of_refused_rows_gives_way_and_that_is_kept() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", GUESTS).write("opt-outs.txt", "12515550130\n").write("empty", "");
    let check = "check guests.csv --map Mobile=phoneNumber --ignore Note --rejected";
    scenario.campaign(1).mep("import campaign.csv --endpoint simulator").exits(0);
    for path in ["opt-outs.txt", "empty", "queue.db", "queue.db.lock", "/dev/null", ".", "nowhere/mended.csv"] {
        let before = std::fs::read(scenario.path(path)).ok();
        scenario.mep(&format!("{check} {path}")).exits(2).says("hint: give them a file of their own");
        assert_eq!(std::fs::read(scenario.path(path)).ok(), before, "{path}");
    }
    scenario.mep(&format!("{check} mended.csv")).exits(3);
    let half_mended = scenario.read("mended.csv").replace("555;", "12515550136;");
    scenario.write("mended.csv", &half_mended);
    let told = scenario.mep(&format!("{check} mended.csv")).exits(3);
    assert!(told.stdout.contains("note: the file that was there before is `mended.csv.1` now"), "{}", told.stdout);
    assert_eq!(scenario.read("mended.csv.1"), half_mended);
    assert_ne!(scenario.read("mended.csv"), half_mended);
}

#[test]
fn a_file_that_is_refused_for_too_many_bad_rows_has_them_written_all_the_same() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", GUESTS);
    let done = scenario.mep(&format!("{} --max-rejected 2 --rejected mended.csv", import("guests.csv")));
    assert_eq!(done.code, 7, "{}", done.output());
    assert_eq!(scenario.read("mended.csv").lines().count(), 8);
}
