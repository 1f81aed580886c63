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
    let no_toml = s.write(FILE, "db = \"postgres://mep:hunter2@host/mep\n").mep("check one.csv").exits(2);
    let no_toml = no_toml.says("no TOML: `").says("line 1, column");
    assert!(!no_toml.output().contains("hunter2"), "the line itself may hold a password: {}", no_toml.stderr);
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

/// What is said of a file of settings, with the folder's name taken out.
fn said_of(settings: &str) -> String {
    let s = with_settings(settings);
    let done = s.mep("import one.csv --endpoint simulator").exits(2);
    format!("{settings}\n{}\n", done.stderr.replace(s.folder().to_str().expect("text"), "~"))
}

#[test]
fn what_cannot_be_used_names_its_file_line_and_column() {
    let files = [
        "json = false\nraet = 5\n",
        "# how we send\nrate = \"fast\"\n",
        "retry_max = \"soon\"\n",
        "retry_max = \"5m\"\nretry-max = \"6m\"\n",
        "color = \"blue\"\n",
        "ignore_unmapped = \"yes\"\n",
        "xyzzy = 1\n",
        "confirm-at-most = 100\n",
        "[sending]\nrate = 5\n",
        "[contract]\nrate = 5\n",
        "[contract]\nkey_length = 5\n",
        "not_before = 2026-11-27\n",
        "map = [\"Mobile\"]\n",
        "rate = \n",
    ];
    insta::assert_snapshot!(files.map(said_of).concat());
}

#[test]
fn what_cannot_be_used_names_its_variable() {
    let s = with_settings("rate = 3\n");
    let import = "import one.csv --endpoint simulator";
    with_variable(&s, import, "MEP_BATCH_RATE", "fast")
        .exits(2)
        .says("`rate` is `fast` in the variable MEP_BATCH_RATE");
    let quiet = with_variable(&s, import, "MEP_BATCH_QUIET", "1").exits(2);
    quiet.says("`quiet` is `1` in the variable MEP_BATCH_QUIET: expected one of true, false");
    let both = with_variable(&s, "run x --confirm-at-most 5", "MEP_BATCH_CONFIRM", "4").exits(2);
    both.says("hint: `--confirm` is set by the variable MEP_BATCH_CONFIRM");
    let typed = with_variable(&s, &format!("{import} --rate slow"), "MEP_BATCH_RATE", "fast").exits(2);
    assert!(!typed.stderr.contains("MEP_BATCH_RATE"), "{typed:?}");
}

#[test]
fn a_variable_that_is_no_setting_is_told_once_and_not_to_a_quiet_one() {
    let s = Scenario::new();
    let check = "check campaign.csv";
    s.campaign(1);
    for (name, near) in [
        ("MEP_BATCH_RATES", "MEP_BATCH_RATE?"),
        ("MEP_BATCH_PASSWORD", "MEP_PASSWORD?"),
        ("MEP_PASWORD", "MEP_PASSWORD?"),
        ("MEP_BATCH_ACCOUNT", "MEP_ACCOUNT?"),
    ] {
        let told =
            with_variable(&s, check, name, "5").exits(0).says(name).says(&format!("hint: did you mean {near}\n"));
        assert_eq!(told.stderr.matches("warning: ").count(), 1, "{told:?}");
    }
    assert_eq!(with_variable(&s, "check -q campaign.csv", "MEP_BATCH_RATES", "5").exits(0).output(), "");
    for others in ["MEP_SOMETHING_ELSE", "MEP_BATCH_TEST_POSTGRES", "MEP_BATCH_RATE"] {
        assert!(!with_variable(&s, check, others, "5").exits(0).stderr.contains("variable"), "{others}");
    }
}

#[test]
fn config_shows_each_setting_and_where_it_came_from() {
    let s = with_settings(
        "service = \"0123456789ABCDEF\"\nmap = [\n    \"Mobile=phoneNumber\",\n    \"Seat=session.seat\",\n]\nrate = 3\n\n\
         [contract]\nvalue_length_max = \"off\"\n",
    );
    let mut command = s.command("config -v");
    command.env("MEP_BATCH_RATE", "4").env("MEP_BATCH_PROXY", "http://ann:geheim@proxy:3128");
    command.env("MEP_ACCOUNT", "000-000").env("MEP_PASSWORD", "geheim");
    let done = Running::start(&mut command, b"").finish().exits(0);
    assert!(!done.output().contains("geheim"), "{done:?}");
    assert!(!s.path("queue.db").exists());
    insta::assert_snapshot!(done.stdout.replace(s.folder().to_str().expect("text"), "~"));
}

#[test]
fn the_object_of_a_setting_says_where_it_came_from() {
    let s = with_settings("rate = 3\n");
    let of = |line: &str, setting: &str| {
        let done = with_variable(&s, line, "MEP_BATCH_DB", "postgres://ann:geheim@db.example/mep").exits(0);
        assert!(!done.output().contains("geheim"), "{done:?}");
        done.json_lines().into_iter().find(|object| object["setting"] == setting).expect("the setting")
    };
    let rate = of("config --json", "rate");
    assert_eq!((&rate["value"], &rate["source"], &rate["line"]), (&"3".into(), &"file".into(), &1.into()));
    assert!(rate["file"].as_str().expect("a path").ends_with(FILE));
    assert_eq!(of("config --json", "password")["value"], "not set");
    assert_eq!(of("config --json", "retry-max")["source"], "default");
    assert_eq!(of("config --json", "json")["source"], "flag");
    let mut command = s.command_without_database("config --json");
    command.env("MEP_BATCH_DB", "postgres://ann:geheim@db.example/mep");
    let done = Running::start(&mut command, b"").finish().exits(0);
    let db = done.json_lines().into_iter().find(|object| object["setting"] == "db").expect("the setting");
    assert_eq!((&db["value"], &db["source"]), (&"postgres://ann@db.example:5432/mep".into(), &"variable".into()));
    assert!(!done.output().contains("geheim"), "{done:?}");
}

#[test]
fn config_shows_what_cannot_be_used_beside_all_else() {
    let s = with_settings("rate = \"fast\"\n");
    let done = s.mep("config").exits(2).says("error: `rate` is `fast` in ").says("mep-batch.toml:1: expected requests");
    assert!(done.stdout.contains("^ expected requests a second"), "{done:?}");
    assert!(done.stdout.contains("\n  retry-max "), "{done:?}");
}
