//! What is exported and imported again: the same bodies, byte for byte, and nobody that was refused.

mod audit;
mod cluster;
mod scenario;

use fastrand::Rng;
use serde_json::{Value, json};

use scenario::{SERVICE, Scenario};

const BODIES: &str = "SELECT i.line || ' ' || c.body || ' ' || coalesce(c.time_zone, '') FROM batch b
    JOIN invocation i ON i.batch_id = b.id JOIN content c ON c.invocation_id = i.id
    WHERE b.name = 'first' AND c.body IS NOT NULL ORDER BY i.line";
const BODIES_AGAIN: &str = "SELECT i.line || ' ' || c.body || ' ' || coalesce(c.time_zone, '') FROM batch b
    JOIN invocation i ON i.batch_id = b.id JOIN content c ON c.invocation_id = i.id
    WHERE b.name = 'again' AND c.body IS NOT NULL ORDER BY i.line";

/// Imports a file, exports the batch and imports that; how many bodies there are, all of which are the same.
#[track_caller]
fn round_trip(scenario: &Scenario, file: &str, flags: &str, flags_again: &str) -> usize {
    let import = |file: &str, batch: &str, flags: &str| {
        let line = format!("import {file} --batch {batch} --again --service {SERVICE} --endpoint simulator {flags}");
        let done = scenario.mep(&line);
        assert!(matches!(done.code, 0 | 3), "{}", done.output());
    };
    import(file, "first", flags);
    scenario.mep("export first --format ndjson -o export.ndjson").exits(0);
    import("export.ndjson", "again", flags_again);
    let (first, again) = (scenario.query(BODIES), scenario.query(BODIES_AGAIN));
    let texts = |rows: &[String]| -> Vec<String> {
        // The rows of the export stand on the lines behind one another.
        rows.iter().filter_map(|row| row.split_once(' ')).map(|(_, text)| text.to_owned()).collect()
    };
    let (first, again) = (texts(&first), texts(&again));
    let other = first.iter().zip(&again).find(|(one, two)| one != two);
    assert!(other.is_none(), "{other:#?}");
    assert_eq!(first.len(), again.len());
    first.len()
}

#[test]
fn a_table_makes_the_same_bodies_again() {
    let scenario = Scenario::new();
    scenario.write(
        "guests.csv",
        "user.a,serviceId,phoneNumber,timeZone,mobileOperatorId,session.n:number,user.b,session.t\n\
         x,0123456789ABCDEF,+1 251 555 0130,Europe/Berlin,383,1.10,y,49\n\
         ,0123456789ABCDEF,12515550131,,,12345678901234567890123,y,\" =1+1 \"\n\
         x,0123456789ABCDEF,12515550132,,,,,null\n\
         x,0123456789ABCDEF,12515550132,,,,,null\n\
         x,0123456789ABCDEF,12515550133,,,-0,,\"a\nb\"\n\
         x,0123456789ABCDEF,555,,,1,,z\n\
         x,0123456789ABCDEF,12515550134,,,1,z\n",
    );
    assert_eq!(round_trip(&scenario, "guests.csv", "--set user.c=z", ""), 5);
}

#[test]
fn rows_that_were_refused_are_refused_again_and_the_rest_of_the_results_is_left_out() {
    let scenario = Scenario::new();
    scenario.write("guests.csv", "phoneNumber,session.n:number\n12515550130,1\n12515550131,1,5\n12515550132,1e5\n");
    assert_eq!(round_trip(&scenario, "guests.csv", "", ""), 1);
    let check = scenario.mep("check export.ndjson --json").exits(3).json();
    assert_eq!((&check["rows"], &check["ready"], &check["rejected"]), (&json!(3), &json!(1), &json!(2)), "{check}");
    let reasons: Vec<_> =
        check["problems"].as_array().into_iter().flatten().map(|problem| &problem["reason"]).collect();
    assert_eq!(reasons[0], "refused when it was first imported: the row has 3 cells, and the header has 2");
    assert_eq!(check["columns"], json!(["phoneNumber", "session.n"]));
    assert_eq!(check["notes"][0]["text"], "rows of an export: what came of them, `line` to `finishedAt`, is left out");
}

#[test]
fn the_results_of_a_sent_batch_are_an_input_too() {
    let scenario = Scenario::new();
    scenario.campaign(5).mep("run campaign.csv --endpoint simulator --batch first").exits(0);
    for format in ["ndjson", "json"] {
        scenario.mep(&format!("export first --format {format} -o export.{format}")).exits(0);
        let check = scenario.mep(&format!("check export.{format} --json")).exits(0).json();
        assert_eq!((&check["ready"], &check["serviceId"]), (&json!(5), &json!(SERVICE)), "{check}");
    }
    // Nobody is texted twice by it.
    let again = scenario.mep("import export.ndjson --endpoint simulator --json").exits(0).json();
    assert_eq!((&again["ready"], &again["skipped"]), (&json!(0), &json!(5)), "{again}");
}

#[test]
fn a_table_of_results_is_refused_with_the_way_to_import_them() {
    let scenario = Scenario::new();
    scenario.campaign(2).mep("run campaign.csv --endpoint simulator --batch first").exits(0);
    scenario.mep("export first -o export.csv").exits(0);
    let done = scenario.mep("check export.csv").exits(7);
    assert!(done.stderr.contains("export BATCH --format ndjson"), "{}", done.stderr);
    scenario.mep("check export.csv --ignore-unmapped").exits(0);
}

/// Rows of each kind that are made by chance.
const ROWS: usize = 400;

#[test]
fn any_body_makes_the_same_body_again() {
    let scenario = Scenario::new();
    let rows: String = (0..ROWS as u64).map(|seed| format!("{}\n", body(seed, &mut Rng::with_seed(seed)))).collect();
    scenario.write("bodies.ndjson", rows);
    assert_eq!(round_trip(&scenario, "bodies.ndjson", "--allow-expressions", "--allow-expressions"), ROWS);
}

#[test]
fn any_flat_object_makes_the_same_body_again() {
    let scenario = Scenario::new();
    let rows: String = (0..ROWS as u64).map(|seed| format!("{}\n", flat(seed, &mut Rng::with_seed(seed)))).collect();
    scenario.write("rows.ndjson", rows);
    assert_eq!(round_trip(&scenario, "rows.ndjson", "--allow-expressions", "--allow-expressions"), ROWS);
}

fn phone(seed: u64) -> u64 {
    12_515_550_000 + seed
}

/// A body as the API takes it, with its scopes and variables in any order and any case.
fn body(seed: u64, rng: &mut Rng) -> String {
    let mut end_user = format!("\"phoneNumber\":{}", phone(seed));
    if rng.bool() {
        end_user.push_str(&format!(",\"mobileOperatorId\":{}", rng.u32(1..)));
    }
    let mut body = format!("{{\"endUser\":{{{end_user}}}");
    let mut scopes = ["request", "session", "User", "userservice", "userserviceColl"];
    rng.shuffle(&mut scopes);
    let scopes: Vec<_> = scopes[..rng.usize(0..=5)]
        .iter()
        .map(|scope| {
            let members: Vec<_> = keys(rng).iter().map(|key| format!("\"{key}\":{}", value(rng))).collect();
            format!("\"{scope}\":{{{}}}", members.join(","))
        })
        .collect();
    if !scopes.is_empty() {
        body.push_str(&format!(",\"variables\":{{{}}}", scopes.join(",")));
    }
    if rng.bool() {
        body.push_str(",\"timeZone\":\"America/New_York\"");
    }
    body.push('}');
    body
}

/// A flat object with a CSV's names.
fn flat(seed: u64, rng: &mut Rng) -> String {
    let mut members = vec![format!("\"phoneNumber\":\"+{}\"", phone(seed))];
    for scope in ["session", "variables.user"] {
        members.extend(keys(rng).iter().map(|key| format!("\"{scope}.{key}\":{}", value(rng))));
    }
    rng.shuffle(&mut members);
    format!("{{{}}}", members.join(","))
}

/// Names of variables in any order, each once.
fn keys(rng: &mut Rng) -> Vec<&'static str> {
    let mut keys = ["a", if rng.bool() { "seatClass" } else { "SeatClass" }, "x.y", "quiz1", "_-"];
    rng.shuffle(&mut keys);
    keys[..rng.usize(1..=keys.len())].to_vec()
}

/// The JSON of any value that the rules allow.
fn value(rng: &mut Rng) -> String {
    const PIECES: &[&str] = &[
        "a", " ", "\"", "\\", "\n", "\r\n", "\t", "é", "👋🏽", "\u{2028}", "\u{feff}", "\u{200f}", "${x}", "$", "'",
        "=1+1", "@", ",", ";", "null", "true", "0", "1.10", "1e5", "#N/A", "\u{fffd}", "{", "[", "/", "<b>",
    ];
    match rng.u8(0..6) {
        0 => rng.bool().to_string(),
        1 => rng.i64(..).to_string(),
        2 => format!("{}{}.{:03}", if rng.bool() { "-" } else { "" }, rng.u32(..), rng.u32(..1000)),
        3 => "123456789".repeat(rng.usize(1..20)),
        _ => {
            let text: String = (0..rng.usize(0..30)).map(|_| PIECES[rng.usize(0..PIECES.len())]).collect();
            Value::from(text).to_string()
        }
    }
}
