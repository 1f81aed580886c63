//! Where a setting comes from: a flag beats its variable beats the file.

mod audit;
mod cluster;
mod scenario;

use scenario::{Done, Running, SERVICE, Scenario};

const ONE: &str = "Mobile,Seat,Note\n12515550130,aisle 7,x\n";
const FILE: &str = "config/mep-batch/mep-batch.toml";

/// A folder with a file of settings in the usual place.
fn with_settings(settings: &str) -> Scenario {
    let s = Scenario::new();
    std::fs::create_dir_all(s.path("config/mep-batch")).expect("a folder");
    s.write(FILE, settings).write("one.csv", ONE);
    s
}

fn with_variable(s: &Scenario, line: &str, name: &str, value: &str) -> Done {
    let mut command = s.command(line);
    command.env(name, value);
    Running::start(&mut command, b"").finish()
}

fn rate(s: &Scenario) -> String {
    s.query("SELECT settings ->> 'rate' FROM batch ORDER BY id DESC LIMIT 1").remove(0)
}

#[test]
fn a_flag_beats_its_variable_and_that_beats_the_file() {
    let s = with_settings(&format!(
        "service = \"{SERVICE}\"\nmap = [\"Mobile=phoneNumber\", \"Seat=session.seat\"]\nignore_unmapped = true\nrate = 3\n"
    ));
    let import = "import one.csv --endpoint simulator --again";
    s.mep(import).exits(0);
    assert_eq!(rate(&s), "3.0");
    with_variable(&s, import, "MEP_BATCH_RATE", "4").exits(0);
    assert_eq!(rate(&s), "4.0");
    with_variable(&s, &format!("{import} --rate 5"), "MEP_BATCH_RATE", "4").exits(0);
    assert_eq!(rate(&s), "5.0");
    with_variable(&s, import, "MEP_ACCOUNT", "acc").exits(0);
    assert_eq!(s.query("SELECT account FROM batch ORDER BY id DESC LIMIT 1"), ["acc"]);
}

#[test]
fn a_global_flag_has_its_variable_and_its_key_too() {
    let s = with_settings("json = true\n");
    assert_eq!(s.campaign(1).mep("check campaign.csv").exits(0).json()["rows"], 1);
    s.write(FILE, "");
    assert_eq!(with_variable(&s, "check campaign.csv", "MEP_BATCH_JSON", "true").exits(0).json()["rows"], 1);
    let elsewhere = with_variable(&s, "check campaign.csv", "MEP_BATCH_CONFIG", "nowhere.toml");
    elsewhere.exits(2).says("nowhere.toml");
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    let s = with_settings("rat = 5\n");
    s.mep("check one.csv").exits(2).says("`rat`").says("did you mean `rate`");
    s.write(FILE, "rate = \n").mep("check one.csv").exits(2).says("no TOML");
    s.write(FILE, "rate = \"fast\"\n").mep("import one.csv").exits(2).says("unlimited");
}

#[test]
fn what_is_said_of_one_batch_at_one_time_has_no_place_in_the_file() {
    for key in ["confirm = 3", "confirm-at-most = 100000", "confirm_at_most = 100000", "again = true", "yes = true"] {
        with_settings(key).mep("check one.csv").exits(2).says("on the command line");
    }
}

#[test]
fn the_contracts_unconfirmed_bounds_are_settings() {
    let check =
        format!("check one.csv --service {SERVICE} --map Mobile=phoneNumber --map Seat=session.seat --ignore Note");
    let s = with_settings("[contract]\nvalue_length_max = 6\n");
    let refused = s.mep(&check).exits(3);
    assert!(refused.stdout.contains("longer than 6 characters"), "{refused:?}");
    s.write(FILE, "[contract]\nvalue_length_max = \"off\"\n").mep(&check).exits(0);
    s.write(FILE, "[contract]\nkey_length_max = 3\n").mep(&check).exits(7);
    s.write(FILE, "[contract]\nvalue_length = 6\n").mep(&check).exits(2).says("value-length");
}

#[test]
fn a_phone_number_is_a_number_or_a_string_as_the_settings_say() {
    for (how, written) in [("number", "12515550130"), ("string", "\"12515550130\"")] {
        let s = with_settings(&format!("[contract]\nphone_number_json = \"{how}\"\n"));
        s.write("bare.csv", "phoneNumber\n12515550130\n");
        let sim = s.simulate("");
        s.mep(&format!("run bare.csv --service {SERVICE} --endpoint {sim}")).exits(0);
        assert_eq!(sim.receipts()[0].body, format!("{{\"endUser\":{{\"phoneNumber\":{written}}}}}"));
    }
}
