//! What an operator reads about a file, word by word.

mod audit;
mod cluster;
mod scenario;

use scenario::{Done, Scenario, sample};

/// Runs `check` on a file of this content, and gives all that a terminal would show, and the exit code.
fn checked(name: &str, content: &str, flags: &[&str]) -> String {
    let s = Scenario::new();
    s.write(name, content);
    told(&s.mep_args(&[&["check", name], flags].concat()))
}

fn told(done: &Done) -> String {
    format!("{}exit code {}\n", done.output(), done.code)
}

/// The flags of the last line of hints, as a shell would take them apart.
fn flags_of(message: &str) -> Vec<String> {
    let line = message.lines().rev().find_map(|line| line.strip_prefix("hint: for the whole header: ")).expect("flags");
    let (mut flags, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => flags.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    flags.push(word);
    flags
}

const GUESTS: &str = "\
Mobile,Seat no.,Note,Carrier,Name
+1 (251) 555-0130,7A,,383,Ann
12515550131,8B,,383,Bob
";

const TWO_NUMBERS: &str = "\
Guest,Mobile,Landline
Ann,12515550130,+44 20 7946 0123
Bob,12515550131,020 7946 0124
";

#[test]
fn each_mistake_of_a_row_is_shown_in_its_place() {
    let s = Scenario::new();
    s.write("mistakes.csv", std::fs::read(sample("mistakes.csv")).expect("the sample"));
    insta::assert_snapshot!(told(&s.mep("check mistakes.csv")));
}

#[test]
fn a_header_of_the_operators_own_words_gets_the_flags_to_type() {
    let message = checked("guests.csv", GUESTS, &[]);
    insta::assert_snapshot!(message);
    let flags = flags_of(&message);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    insta::assert_snapshot!("the_flags_that_were_told_are_taken", checked("guests.csv", GUESTS, &flags));
}

#[test]
fn two_columns_of_numbers_are_both_named() {
    insta::assert_snapshot!(checked("guests.csv", TWO_NUMBERS, &[]));
}

#[test]
fn typing_errors_in_the_header_and_in_flags_are_told_together() {
    let content = "phoneNumer,sesion.seat,session.Ort\n12515550130,7A,x\n";
    insta::assert_snapshot!(checked("typo.csv", content, &["--map", "Mobil=phoneNumber", "--ignore", "Ort"]));
    insta::assert_snapshot!(
        "a_list_of_columns_in_one_ignore",
        checked("guests.csv", GUESTS, &["--map", "Mobile=phoneNumber", "--ignore", "Note,Name", "--ignore-unmapped"])
    );
}

#[test]
fn zones_that_are_none_are_told_with_what_was_meant() {
    let mut content = "phoneNumber,timeZone\n".to_owned();
    for (row, zone) in
        ["Europe/Berln", "UTC", "", "America/New-York", "Middle/Earth", "Tokyo", "A", "B"].iter().enumerate()
    {
        content.push_str(&format!("1251555013{row},{zone}\n"));
    }
    insta::assert_snapshot!(checked("zones.csv", &content, &[]));
}

#[test]
fn rows_of_another_length_than_the_header_are_told() {
    let content = "phoneNumber,session.name\n12515550130\n12515550131,Li, Ann\n12515550132,Bob\n12515550133,\"a\"b\n";
    insta::assert_snapshot!(checked("ragged.csv", content, &[]));
}

#[test]
fn a_file_without_a_header_is_told_from_one_with_a_bad_one() {
    insta::assert_snapshot!(checked("bare.csv", "Ann,12515550130\nBob,12515550131\n", &[]));
    insta::assert_snapshot!(
        "columns_by_number",
        checked("bare.csv", "Ann,12515550130\nBob,12515550131\n", &["--no-header", "--map", "2=phoneNumber"])
    );
}

#[test]
fn the_first_five_rows_of_a_cause_are_shown_and_the_rest_is_counted() {
    let mut content = "phoneNumber,session.text\n12515550130,hello\n12515550130,hello\n12515550130,other\n".to_owned();
    for row in 0..7 {
        content.push_str(&format!("+44 (0) 7700 90012{row},\u{6771}\u{4eac} costs {row} ${{price}}\n"));
    }
    insta::assert_snapshot!(checked("repeats.csv", &content, &[]));
}

#[test]
fn a_file_without_rows_is_told() {
    insta::assert_snapshot!(checked("empty.csv", "", &[]));
}

#[test]
fn broken_json_is_told_with_its_place() {
    let content = "[\n  {\"phoneNumber\": \"12515550130\"},\n  {\"phoneNumber\" \"12515550131\"}\n]\n";
    insta::assert_snapshot!(checked("broken.json", content, &[]));
}

#[test]
fn json_rows_show_their_properties_and_faults() {
    let content = "{\"phoneNumber\": \"+1 251 555 0130\", \"session.seat\": \"7A\"}\n{\"Mobile\": \"12515550131\"}\n";
    insta::assert_snapshot!(checked("flat.ndjson", content, &[]));
}

#[test]
fn the_object_of_a_check_holds_all_that_is_told() {
    let content = "Mobile,session.text\n12515550130,good\n1251555CALL,${x}\n";
    insta::assert_snapshot!(checked("one.csv", content, &["--map", "Mobile=phoneNumber", "--json"]));
    insta::assert_snapshot!("the_object_of_a_refused_file", checked("guests.csv", TWO_NUMBERS, &["--json"]));
}

#[test]
fn a_saved_mapping_reads_the_next_file_and_stops_at_a_new_column() {
    let s = Scenario::new();
    s.write("may.csv", GUESTS)
        .write("june.csv", GUESTS.replace("Name", "Table"))
        .write("july.csv", "Mobile\n12515550130\n");
    let may =
        "check may.csv --map Mobile=phoneNumber --map Carrier=mobileOperatorId --set session.x=y --ignore-unmapped";
    s.mep(&format!("{may} --save-mapping guests.toml")).exits(0).says("saved in `guests.toml`");
    insta::assert_snapshot!(s.read("guests.toml"));
    s.mep(&format!("{may} --save-mapping guests.toml")).exits(0);
    s.mep("check may.csv --mapping guests.toml").exits(0);
    insta::assert_snapshot!("a_new_column", told(&s.mep("check june.csv --mapping guests.toml")));
    insta::assert_snapshot!("a_column_that_is_gone", told(&s.mep("check july.csv --mapping guests.toml")));
    s.write("august.csv", GUESTS.replace("Mobile", "Mobile no"));
    insta::assert_snapshot!("a_column_of_another_name", told(&s.mep("check august.csv --mapping guests.toml")));
}

#[test]
fn a_standing_list_of_columns_to_leave_out_may_name_more_than_there_are() {
    let s = Scenario::new();
    s.write("guests.csv", "phoneNumber,Name,Table\n12515550130,Ann,7\n");
    s.write("mep-batch.toml", "ignore = [\"Name\", \"Gone\"]\nmap = [\"Table=session.table\"]\n");
    s.mep("check guests.csv --config mep-batch.toml").exits(0);
    s.mep("check guests.csv --config mep-batch.toml --ignore Name --ignore Gone").exits(7).says("no column `Gone`");
    let more = s.write("more.csv", "phoneNumber,Name,Table,Note\n12515550130,Ann,7,x\n");
    let more = more.mep("check more.csv --config mep-batch.toml").exits(7);
    more.says("for the whole header: --ignore Name --map 'Table=session.table' --ignore Note\n");
}

#[test]
fn a_mapping_file_takes_the_place_of_the_lists_in_the_configuration() {
    let s = Scenario::new();
    s.write("guests.csv", GUESTS).write("guests.toml", "map = [\"Mobile=phoneNumber\"]\nignore-unmapped = true\n");
    s.write("mep-batch.toml", "mapping = \"guests.toml\"\nmap = [\"Handset=phoneNumber\"]\n");
    let told = s.mep("check guests.csv --json --config mep-batch.toml").exits(0).json();
    assert_eq!(told["mapping"][0]["target"], "phoneNumber");
    s.write("mep-batch.toml", "save-mapping = \"x.toml\"\n");
    s.mep("check guests.csv --config mep-batch.toml").exits(2).says("on the command line");
}

#[test]
fn flags_add_to_a_mapping_file_and_win_over_it() {
    let s = Scenario::new();
    let mapping =
        "map = [\"Mobile=phoneNumber\"]\nset = [\"session.x=file\"]\nignore = [\"Note\", \"Name\", \"Gone\"]\n";
    s.write("guests.csv", GUESTS).write("guests.toml", format!("{mapping}ascii_only = true\n"));
    let check = "check guests.csv --json --mapping guests.toml --map Carrier=mobileOperatorId --map Name=session.Name";
    let told =
        s.mep_args(&[&check.split(' ').collect::<Vec<_>>()[..], &["--ignore", "Seat no."]].concat()).exits(0).json();
    let targets: Vec<_> = told["mapping"].as_array().expect("a list").iter().map(|column| &column["target"]).collect();
    assert_eq!(
        serde_json::json!(targets).to_string(),
        r#"["phoneNumber",null,null,"mobileOperatorId","session.Name"]"#
    );
}

#[test]
fn a_mapping_file_holds_nothing_else_and_replaces_nothing() {
    let s = Scenario::new();
    s.write("guests.csv", GUESTS).write("a.toml", "mapp = []\n").write("b.toml", "endpoint = \"cie\"\n");
    s.mep("check guests.csv --mapping a.toml").exits(2).says("did you mean `map`?");
    s.mep("check guests.csv --mapping b.toml").exits(2).says("says nothing of how a file is read");
    s.mep("check guests.csv --mapping none.toml").exits(2).says("cannot read the mapping file `none.toml`");
    let check = "check guests.csv --map Mobile=phoneNumber --ignore-unmapped --save-mapping";
    s.mep(&format!("{check} a.toml")).exits(2).says("holds something else");
    assert_eq!(s.read("a.toml"), "mapp = []\n");
    s.mep(&format!("{check} nowhere/a.toml")).exits(2).says("cannot write the mapping file");
    s.write("number.csv", "phoneNumber,12515550130\n12515550131,x\n");
    let refused = s.mep("check number.csv --ignore-unmapped --save-mapping c.toml").exits(2).says("1251•••0130");
    assert!(!s.path("c.toml").exists() && !refused.stderr.contains("12515550130"));
}
