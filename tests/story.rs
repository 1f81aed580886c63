//! A workbook as people have it, from the first look at it to an accounting that adds up, and then its mended rows.

mod audit;
mod cluster;
mod scenario;
#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod workbook;

use std::collections::HashMap;

use scenario::{SERVICE, Scenario, phone};
use workbook::{Cell, Style, Workbook, texts};

/// Guests, beside rows that are not: a title, blank rows and totals.
const GUESTS: u32 = 48_000;
/// Guests whose number has no country code.
const NATIONAL: u32 = 300;
/// The sheet's row of the first guest: a title, a blank row and the header stand above.
const FIRST_ROW: u32 = 4;

/// A guest's row; numbers are texts for some and numbers for others, as in any sheet that several people filled.
fn guest(number: u32) -> Vec<Cell> {
    let whole = phone(number);
    let mobile = match number % 3 {
        _ if number < NATIONAL => Cell::Number(whole[1..].to_owned()),
        0 => Cell::Text(whole),
        1 => Cell::Text(format!("+{} {} {}", &whole[..1], &whole[1..4], &whole[4..])),
        _ => Cell::Number(whole),
    };
    let seat = Cell::TextFormula(format!("B{}&\"A\"", number + FIRST_ROW), format!("{number}A"));
    let departs = Cell::Styled(format!("{}", 46_204 + number % 3), Style::Date);
    vec![mobile, format!("Guest {number}").into(), seat, departs, "on time".into()]
}

/// The sheet, with everything that makes an operator's day long.
fn guests() -> Vec<Vec<Cell>> {
    let mut rows = vec![
        texts(["Flight change of July"]),
        Vec::new(),
        texts(["Mobile", "Name", "Seat", "Departs", "session.note"]),
    ];
    rows.extend((0..GUESTS).map(guest));
    let first = FIRST_ROW as usize - 1;
    let mut spoil = |guest: usize, column: usize, cell: Cell| rows[first + guest][column] = cell;
    spoil(1_000, 0, Cell::Number("1251555013012340".to_owned()));
    spoil(1_001, 0, "1.25155E+10".into());
    spoil(1_002, 0, "+44 (0) 7700 900123".into());
    spoil(1_003, 4, "${af:generatePin(6,true)}".into());
    for repeat in 0..6 {
        let (equal, other) = (2_000 + 10 * repeat, 3_000 + 10 * repeat);
        rows[first + equal] = rows[first + equal - 5].clone();
        rows[first + other][0] = rows[first + other - 5][0].clone();
    }
    rows.insert(first + 20_000, Vec::new());
    rows.insert(first + 40_000, Vec::new());
    let mut totals = texts(["Total"]);
    totals.push(Cell::Formula("COUNTA(A4:A48003)".to_owned(), Some(GUESTS.to_string())));
    rows.push(totals);
    rows
}

/// Puts right what can be, and leaves out who has another row already.
fn mended(rejected: &str) -> String {
    let rows = rejected.lines().filter(|line| !line.contains("has the same phone number"));
    let mend = |line: &str| {
        line.replacen("#VALUE!", "+1 999 555 0100", 1)
            .replacen("1.25155E+10", "19995550101", 1)
            .replacen("+44 (0) 7700", "+44 7700", 1)
            .replacen("${af:generatePin(6,true)}", "on time", 1)
            + "\n"
    };
    rows.map(mend).collect()
}

#[test]
fn a_workbook_goes_from_the_first_look_to_an_accounting_that_adds_up_and_its_mended_rows_go_in() {
    let scenario = Scenario::new();
    let staff = vec![texts(["Mobile"]), texts(["19995550199"])];
    Workbook::new().sheet("Guests", guests()).sheet("Staff", staff).save(scenario.path("guests.xlsx"));
    let api = scenario.simulate("");

    // What is needed is said, one step after another.
    scenario.mep("check guests.xlsx").exits(7).says("--sheet 'Guests'");
    scenario.mep("check guests.xlsx --sheet Guests").exits(7).says("--map 'Mobile=phoneNumber'");
    let mapped =
        "--sheet Guests --map Mobile=phoneNumber --ignore Name --map Seat=session.seat --map Departs=session.departs";
    let first = scenario.mep(&format!("check guests.xlsx {mapped}")).exits(3);
    for said in [
        "note: line 1: `Flight change of July` stands above the header and is no row",
        "note: line 48006: `Total` begins a row of totals, which is nobody's",
        "note: dates are read in ISO form, as `2026-07-01`: 48,000 cells in column `D`",
        "formulas are read as the values that were saved with them",
        "--country-code 1 --national-length 10",
        "48,000  in the file",
    ] {
        assert!(first.stdout.contains(said), "{said}:\n{}", first.stdout);
    }
    let how = format!("{mapped} --country-code 1 --national-length 10");
    let checked = scenario.mep(&format!("check guests.xlsx {how} --rejected mended.csv --json")).exits(3).json();
    let counts = |object: &serde_json::Value| {
        ["rows", "ready", "rejected", "skipped", "completed"].map(|key| object[key].as_u64().unwrap_or(u64::MAX))
    };
    assert_eq!(counts(&checked), [48_000, 47_984, 10, 6, 300]);

    // All that is right is sent, once.
    let target = format!("--service {SERVICE} --endpoint {api}");
    scenario.mep(&format!("import guests.xlsx {how} {target}")).exits(3);
    let accounting = scenario.mep("run guests --concurrency 64 --json").exits(3).json();
    assert_eq!(accounting["rows"], 48_000);
    let states = accounting["states"].as_object().expect("the counts by state");
    assert_eq!(states.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 48_000);
    assert_eq!(
        ["accepted", "rejected", "skipped"].map(|state| states[state].as_u64()),
        [Some(47_984), Some(10), Some(6)]
    );

    // The refused rows go in by the flags of the workbook, and nobody is texted twice.
    scenario.write("mended.csv", mended(&scenario.read("mended.csv")));
    let again = scenario.mep(&format!("run mended.csv {how} {target} --json")).exits(0).json();
    assert_eq!((&again["rows"], &again["states"]["accepted"]), (&4.into(), &4.into()), "{again}");
    let mut texted: HashMap<String, u32> = HashMap::new();
    for phone in api.receipts().into_iter().filter_map(|receipt| receipt.phone_number) {
        *texted.entry(phone).or_default() += 1;
    }
    assert_eq!(texted.len(), 47_988);
    assert!(texted.values().all(|count| *count == 1), "somebody was texted twice");
    scenario.audit(48_004);
}
