//! Phone numbers without their country code, of several countries, and what is said of them before anything is sent.

mod audit;
mod cluster;
mod scenario;

use scenario::{Done, Running, SERVICE, Scenario};
use serde_json::{Value, json};

/// A host that never resolves: nothing here may reach a real one.
const NOWHERE: &str = "https://mep.invalid";

/// Three whole numbers and two without their country code.
const MIXED: &str =
    "phoneNumber,session.seat\n12515550100,1A\n+1 251 555 0101,2A\n12515550102,3A\n2515550103,4A\n(212) 555-0104,5A\n";

fn with(content: &str) -> Scenario {
    let s = Scenario::new();
    s.write("guests.csv", content);
    s
}

fn with_password(s: &Scenario, line: &str) -> Done {
    let mut command = s.command(line);
    command.env("MEP_PASSWORD", "x");
    Running::start(&mut command, b"").finish()
}

fn check(flags: &str) -> String {
    format!("check guests.csv --service {SERVICE} {flags}")
}

fn number_in(body: &str) -> Option<u64> {
    let body: Value = serde_json::from_str(body).expect("a body");
    body["endUser"]["phoneNumber"].as_u64()
}

#[test]
fn a_check_counts_numbers_by_length_and_country_and_warns_of_a_mixture() {
    let s = with(MIXED);
    let told = s.mep(&check("")).exits(0).stdout;
    assert!(told.contains("      11          3  1\n      10          2  212 (1), 251 (1)\n"), "{told}");
    assert!(told.contains("warning: the numbers are of several lengths or countries"), "{told}");
    assert!(
        told.contains("`--country-code 1 --national-length 10`") && told.contains("`--only-countries 1`"),
        "{told}"
    );
    let object = s.mep(&check("--json")).exits(0).json();
    let count = |digits, code: &str, rows| json!({ "digits": digits, "callingCode": code, "rows": rows });
    assert_eq!(object["numbers"], json!([count(10, "212", 1), count(10, "251", 1), count(11, "1", 3)]));
    assert_eq!((&object["cleaned"], &object["completed"]), (&json!(2), &json!(0)));
}

#[test]
fn the_country_code_is_put_before_the_numbers_that_lack_it() {
    let s = with(MIXED);
    let told = s.mep(&check("--country-code 1 --national-length 10")).exits(0).stdout;
    assert!(told.contains("2 numbers got the country code 1\n") && !told.contains("warning"), "{told}");
    let sim = s.simulate("");
    let run = format!("run guests.csv --service {SERVICE} --endpoint {sim} --country-code 1 --national-length 10");
    s.mep(&format!("{run} --only-countries 1")).exits(0);
    let mut sent: Vec<u64> = sim.receipts().iter().filter_map(|receipt| number_in(&receipt.body)).collect();
    sent.sort_unstable();
    assert_eq!(sent, [12_125_550_104, 12_515_550_100, 12_515_550_101, 12_515_550_102, 12_515_550_103]);
    s.audit(5);
}

#[test]
fn a_number_with_an_international_mark_keeps_its_own_country() {
    let s = with("");
    s.write(
        "guests.ndjson",
        "{\"phoneNumber\":2515550103}\n{\"phoneNumber\":\"+4790012345\"}\n{\"phoneNumber\":\"004790012346\"}\n\
         {\"endUser\":{\"phoneNumber\":2125550104}}\n{\"phoneNumber\":\"0251555010\"}\n",
    );
    let line = format!("check guests.ndjson --service {SERVICE} --country-code 1 --national-length 10 --json");
    let object = s.mep(&line).exits(3).json();
    let count = |digits, code: &str, rows| json!({ "digits": digits, "callingCode": code, "rows": rows });
    assert_eq!(object["numbers"], json!([count(10, "47", 2), count(11, "1", 2)]));
    assert_eq!(object["completed"], 2);
    assert_eq!(object["problems"][0]["reason"], "a leading 0: a national number");
}

#[test]
fn a_country_that_is_not_named_is_refused() {
    let s = with(MIXED);
    let object = s.mep(&check("--only-countries 1,44 --json")).exits(3).json();
    assert_eq!((&object["ready"], &object["rejected"]), (&json!(3), &json!(2)));
    let problem = &object["problems"][0];
    assert!(problem["reason"].as_str().is_some_and(|reason| reason.ends_with("begins with 1 or 44")), "{problem}");
    assert_eq!((&problem["count"], &problem["first"][0]["cell"]), (&json!(2), &json!("25••••••03")));
    for settings in ["only-countries = [1, 44]", "only-countries = \"1,44\"", "only_countries = [\"1\"]"] {
        s.write("settings.toml", settings);
        assert_eq!(s.mep(&check("--json --config settings.toml")).exits(3).json()["rejected"], 2, "{settings}");
    }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    let s = with(MIXED);
    for (flags, told) in [
        ("--country-code 1", "`--national-length"),
        ("--national-length 10", "`--country-code"),
        ("--country-code 01 --national-length 10", "1 to 3 digits"),
        ("--country-code 1 --national-length 13", "4 to 12 digits"),
        ("--only-countries 1,x", "1 to 3 digits"),
    ] {
        s.mep(&check(flags)).exits(2).says(told);
        s.mep(&format!("import guests.csv --service {SERVICE} --endpoint simulator {flags}")).exits(2).says(told);
    }
    s.write("settings.toml", "country-code = 1\n");
    s.mep(&check("--national-length 10 --config settings.toml")).exits(0);
}

#[test]
fn a_rows_repeat_is_not_counted_among_the_numbers() {
    let s = with("phoneNumber,session.seat\n12515550100,1A\n2515550100,1A\n+1 251 555 0100,2A\n12515550101,1A\n");
    let object = s.mep(&check("--country-code 1 --national-length 10 --json")).exits(3).json();
    assert_eq!((&object["ready"], &object["skipped"], &object["rejected"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(object["numbers"], json!([{ "digits": 11, "callingCode": "1", "rows": 2 }]));
}

#[test]
fn a_plan_shows_the_numbers_before_they_are_confirmed() {
    let s = with(MIXED);
    s.mep(&format!("import guests.csv --service {SERVICE} --endpoint {NOWHERE} --account acc")).exits(0);
    let words = "3 numbers of 11 digits that begin with 1; 2 of 10 digits that begin with 212, 251";
    for line in ["run guests", "run guests --confirm 4"] {
        let done = with_password(&s, line).exits(2).says(words).says("      11          3  1\n");
        assert!(done.stderr.contains("--confirm 5") && done.stderr.contains("`--again`"), "{}", done.stderr);
    }
    let plan = s.mep("run guests --dry-run").exits(0).stdout;
    assert!(plan.contains("      10          2  212 (1), 251 (1)\n") && plan.contains("warning: "), "{plan}");
    let object = s.mep("run guests --dry-run --json").exits(0).json();
    assert_eq!((&object["numbers"][2]["rows"], &object["toldBefore"]), (&json!(3), &json!(0)));
    s.execute("UPDATE batch SET findings = json_set(findings, '$.toldBefore', 3, '$.toldBy', 'june', '$.toldWithinMs', 604800000)");
    with_password(&s, "run guests")
        .exits(2)
        .says("warning: 3 numbers were sent other content within the last 7 days, or will be, last by batch `june`");
    let named =
        format!("import guests.csv --again --batch named --service {SERVICE} --endpoint {NOWHERE} --account acc");
    s.mep(&format!("{named} --only-countries 1,212,251")).exits(0);
    let done = with_password(&s, "run named").exits(2).says("      11          3  1\n");
    assert!(!done.stderr.contains("warning") && !done.stderr.contains("that begin with"), "{}", done.stderr);
    s.audit(10);
}

#[test]
fn flags_that_come_too_late_for_a_batch_are_refused() {
    let s = with(MIXED);
    let sim = s.simulate("");
    let flags = "--country-code 1 --national-length 10";
    let file = format!("guests.csv --service {SERVICE} --endpoint {sim}");
    s.mep(&format!("import {file}")).exits(0);
    for line in
        [format!("run {file} {flags}"), format!("run guests {flags}"), "run guests --only-countries 1".to_owned()]
    {
        s.mep(&line).exits(2).says("`--again`");
    }
    assert_eq!(sim.received(), 0);
    s.mep(&format!("import {file} --again --batch whole {flags}")).exits(0);
    s.mep(&format!("run whole {flags}")).exits(0);
    s.mep("run whole").exits(0);
    assert_eq!(sim.received(), 5);
    s.audit(10);
}

#[test]
fn a_retried_row_is_read_by_the_rules_of_its_batch() {
    let s = with("phoneNumber,session.seat\n2515550103,window\n+4790012345,window\n");
    s.write("tight.toml", "[contract]\nvalue_length_max = 3\n");
    let sim = s.simulate("");
    let import = format!("import guests.csv --service {SERVICE} --endpoint {sim}");
    let flags = "--country-code 1 --national-length 10 --only-countries 1,353";
    s.mep(&format!("{import} {flags} --config tight.toml")).exits(3);
    assert_eq!(s.states(), "2 rejected");
    let retried = s.mep("retry guests --state rejected --json").exits(0).json();
    assert_eq!((&retried["pending"], &retried["stillRefused"][0]["line"]), (&json!(1), &json!(3)));
    s.mep("run guests").exits(3);
    let sent: Vec<_> = sim.receipts().iter().map(|receipt| number_in(&receipt.body)).collect();
    assert_eq!(sent, [Some(12_515_550_103)]);
    s.audit(2);
}

#[test]
fn a_stored_number_is_held_against_the_countries_right_before_it_is_sent() {
    let s = with("phoneNumber\n12515550103\n447700900123\n");
    let sim = s.simulate("");
    s.mep(&format!("import guests.csv --service {SERVICE} --endpoint {sim} --only-countries 1,44")).exits(0);
    s.execute("UPDATE batch SET settings = json_set(settings, '$.phones.onlyCountries', json('[\"1\"]'))");
    s.mep("run guests").exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("1 accepted, 1 rejected", 1));
    s.audit(2);
}
