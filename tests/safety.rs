//! What must not happen: a send nobody confirmed, a secret in sight, a database that is not this program's.

mod audit;
mod cluster;
mod scenario;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use scenario::{Done, Running, SERVICE, Scenario, campaign};

/// A host that never resolves: nothing here may reach a real one.
const NOWHERE: &str = "https://mep.invalid";

/// A password that is nowhere else.
const PASSWORD: &str = "Zx9-mark-of-the-password-Qy7";

/// A batch for an endpoint that may reach people.
fn imported(endpoint: &str, rows: u32) -> Scenario {
    let s = Scenario::new();
    s.campaign(rows)
        .mep(&format!("import campaign.csv --endpoint {endpoint} --account acc --service {SERVICE}"))
        .exits(0);
    s
}

fn with_password(s: &Scenario, line: &str) -> Done {
    let mut command = s.command(line);
    command.env("MEP_PASSWORD", PASSWORD);
    Running::start(&mut command, b"").finish()
}

fn attempts(s: &Scenario) -> Vec<String> {
    s.query("SELECT count(*) FROM attempt")
}

#[test]
fn nothing_is_sent_without_a_confirmation_and_the_command_to_type_is_named() {
    let s = imported(NOWHERE, 3);
    with_password(&s, "run campaign").exits(2).says("mep-batch run campaign --confirm 3");
    for wrong in ["--confirm 2", "--confirm 4", "--confirm 0", "--confirm-at-most 2"] {
        with_password(&s, &format!("run campaign {wrong}")).exits(2).says("--confirm 3");
    }
    assert_eq!((s.states().as_str(), attempts(&s)), ("3 pending", vec!["0".to_owned()]));
    assert_eq!(s.query("SELECT count(*) FROM batch WHERE confirmed_at IS NOT NULL"), ["0"]);
    s.audit(3);
}

#[test]
fn a_wrong_number_sends_nothing_to_the_simulator_either() {
    let s = imported("simulator", 3);
    s.mep("run campaign --confirm 2").exits(2).says("would text 3 numbers and not 2").says("--confirm 3");
    assert_eq!((s.states().as_str(), attempts(&s)), ("3 pending", vec!["0".to_owned()]));
    s.mep("run campaign --confirm 3 --limit 1").exits(5);
    // It is confirmed once, as anywhere.
    s.mep("run campaign --confirm 3").exits(0);
    assert_eq!(s.states(), "3 accepted");
}

#[test]
fn a_run_that_imports_keeps_the_batch_it_may_not_send() {
    let s = Scenario::new();
    let run = format!("run campaign.csv --endpoint {NOWHERE} --account acc");
    with_password(s.campaign(3), &run).exits(2).says("mep-batch run campaign --confirm 3");
    assert_eq!((s.states().as_str(), attempts(&s)), ("3 pending", vec!["0".to_owned()]));
    s.audit(3);
}

#[test]
fn a_confirmation_is_asked_for_once() {
    for confirmed in ["--confirm 3", "--confirm-at-most 5"] {
        let s = imported(NOWHERE, 3);
        // A proxy at which nobody listens, so that nothing leaves this machine.
        let run = "run campaign --wait 0 --proxy http://127.0.0.1:1";
        with_password(&s, &format!("{run} {confirmed}")).exits(5);
        let after_first = s.query("SELECT count(*) FROM attempt WHERE outcome = 'unreached'");
        assert_ne!(after_first, ["0"], "{confirmed}");
        with_password(&s, run).exits(5);
        assert_eq!(s.states(), "3 pending");
        s.audit(3);
    }
}

#[test]
fn a_run_without_names_leaves_unconfirmed_batches_and_names_them() {
    let s = imported(NOWHERE, 3);
    let sim = s.simulate("");
    s.write("near.csv", campaign(10..12)).mep(&format!("import near.csv --endpoint {sim}")).exits(0);
    let done = with_password(&s, "run").says("mep-batch run campaign --confirm 3");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!((s.states().as_str(), sim.received()), ("2 accepted, 3 pending", 2));
    s.audit(5);
}

#[test]
fn production_needs_credentials() {
    for endpoint in ["production", "cie", NOWHERE] {
        let s = imported(endpoint, 2);
        s.mep("run campaign --confirm 2").exits(2).says("MEP_PASSWORD");
        assert_eq!(attempts(&s), ["0"], "{endpoint}");
        s.audit(2);
    }
}

#[test]
fn an_account_with_a_colon_is_refused() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let run = format!("run campaign.csv --endpoint {sim} --account a:b");
    with_password(s.campaign(2), &run).exits(2).says("`:`");
    assert_eq!(sim.received(), 0);
}

#[test]
fn a_password_file_that_others_can_read_is_refused() {
    let s = imported(NOWHERE, 2);
    let file = s.write("password", PASSWORD).path("password");
    for mode in [0o644, 0o640, 0o604, 0o666] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("a mode");
        s.mep("run campaign --confirm 2 --password-file password").exits(2).says("chmod 600");
    }
    assert_eq!(attempts(&s), ["0"]);
}

#[test]
fn there_is_no_flag_for_a_password() {
    let s = imported(NOWHERE, 2);
    s.mep(&format!("run campaign --confirm 2 --password {PASSWORD}")).exits(2);
    assert!(!s.mep("run --help").exits(0).stdout.contains("--password "));
}

#[test]
fn the_password_is_in_no_file_no_output_and_no_process_list() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 100ms --fault close=20%");
    let outside = tempfile::tempdir().expect("a folder");
    let file = outside.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("a file");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("a mode");
    let run = format!("run campaign.csv --endpoint {sim} --account acc --concurrency 2 -vv --wait 0");
    let mut by_variable = s.campaign(8).command(&run);
    let running = Running::start(by_variable.env("MEP_PASSWORD", PASSWORD), b"");
    sim.until_received(1);
    let seen = std::fs::read(format!("/proc/{}/cmdline", running.pid())).expect("the process list");
    let mut places = vec![("the process list".to_owned(), seen)];
    places.extend(s.files().into_iter().map(|(path, content)| (path.display().to_string(), content)));
    places.push(("the output".to_owned(), running.finish().output().into_bytes()));
    let by_file = format!("{run} --again --log-format json --password-file {}", file.display());
    places.push(("the output".to_owned(), s.mep(&by_file).output().into_bytes()));
    for command in
        ["status campaign --json", "show campaign 2 --json", "export campaign --attempts", "resolve campaign"]
    {
        places.push((command.to_owned(), s.mep(command).output().into_bytes()));
    }
    places.extend(s.files().into_iter().map(|(path, content)| (path.display().to_string(), content)));
    // In the header it is `acc:` and the password in Base64; these are the parts that its place there does not change.
    let encoded = "Wng5LW1hcmstb2YtdGhlLXBhc3N3b3JkLVF5Nw";
    for (place, content) in places {
        let text = String::from_utf8_lossy(&content);
        assert!(!text.contains(PASSWORD) && !text.contains(encoded), "the password is in {place}");
    }
    s.audit(16);
}

#[test]
fn the_password_is_sent_to_the_stand_in_it_was_given_for() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let run = format!("run campaign.csv --endpoint {sim} --account acc");
    with_password(s.campaign(2), &run).exits(0);
    assert_eq!(s.query("SELECT account FROM batch"), ["acc"]);
    s.audit(2);
}

#[test]
fn a_dry_run_sends_and_stores_nothing() {
    let s = Scenario::new();
    let sim = s.simulate("");
    let dry = s.campaign(3).mep(&format!("run campaign.csv --endpoint {sim} --dry-run")).exits(0);
    assert!(dry.stdout.contains("nothing was stored or sent"), "{}", dry.stdout);
    assert!(!s.database().exists());
    s.mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let before = s.query("SELECT count(*) FROM action");
    for command in
        ["run campaign --dry-run", "run campaign.csv --dry-run", "run --dry-run", "run campaign --dry-run --limit 1"]
    {
        let dry = s.mep(command).exits(0);
        assert!(dry.stdout.contains("nothing was"), "{command}: {}", dry.stdout);
    }
    assert_eq!((s.query("SELECT count(*) FROM action"), s.states().as_str()), (before, "3 pending"));
    assert_eq!(sim.received(), 0);
    s.audit(3);
}

#[test]
fn cie_is_not_for_load() {
    let s = imported("cie", 101);
    with_password(&s, "run campaign").exits(2).says("--limit 100");
    assert_eq!((s.states().as_str(), attempts(&s)), ("101 pending", vec!["0".to_owned()]));
    s.audit(101);
}

#[test]
fn cie_is_not_for_load_in_a_run_without_names_either() {
    let s = imported("cie", 101);
    // A proxy at which nobody listens, so that nothing can leave this machine.
    with_password(&s, "run --wait 0 --proxy http://127.0.0.1:9").exits(5).says("--limit");
    assert_eq!(attempts(&s), ["0"]);
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let s = Scenario::new();
    for endpoint in ["http://mep.invalid", "http://127.0.0.1.mep.invalid", "ftp://127.0.0.1", "https://a:b@mep.invalid"]
    {
        s.campaign(1).mep(&format!("import campaign.csv --endpoint {endpoint}")).exits(2);
    }
    assert!(!s.database().exists());
}

#[test]
fn no_endpoint_is_the_default() {
    let s = Scenario::new();
    s.campaign(1).mep("run campaign.csv").exits(2).says("--endpoint");
    s.mep("import campaign.csv").exits(2).says("--endpoint");
    assert_eq!(s.query("SELECT count(*) FROM batch"), ["0"]);
}

/// Every command refuses the database.
fn is_refused(s: &Scenario, words: &str) {
    for command in
        ["status", "run", "import campaign.csv --endpoint simulator", "run campaign.csv --endpoint simulator"]
    {
        s.mep(command).exits(9).says(words).says(&s.database().display().to_string());
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let s = imported("simulator", 1);
    s.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'later', 1, x'00', 0)",
    );
    is_refused(&s, "newer");
}

#[test]
fn another_programs_database_is_refused() {
    let s = Scenario::new();
    s.campaign(1).execute("CREATE TABLE recipe (id INTEGER PRIMARY KEY, name TEXT)");
    is_refused(&s, "another program's database");
}

#[test]
fn another_programs_database_is_left_as_it_is() {
    let s = Scenario::new();
    s.execute("CREATE TABLE recipe (id INTEGER PRIMARY KEY, name TEXT)");
    let before = s.files();
    s.mep("status").exits(9);
    assert!(s.files() == before, "{:?}", s.files().keys());
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let s = Scenario::new();
    s.campaign(1).write("queue.db", "name,price\nbread,3\n");
    is_refused(&s, "no SQLite database");
}

#[test]
fn a_truncated_database_is_refused() {
    let s = imported("simulator", 50);
    s.mep("status").exits(0); // folds the log into the file
    assert!(!s.path("queue.db-wal").exists());
    let content = std::fs::read(s.database()).expect("the file");
    s.write("queue.db", &content[..content.len() / 3]);
    for command in ["run", "run campaign", "status"] {
        let done = s.mep(command);
        assert!(done.code == 9 && !done.stderr.contains("panicked"), "{command}: {} {}", done.code, done.output());
    }
}

#[test]
fn a_database_behind_a_link_has_one_lock() {
    let s = Scenario::new();
    let sim = s.simulate("--latency 400ms");
    s.campaign(4).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    symlink(s.database(), s.path("link.db")).expect("a link");
    let running = s.start("run campaign --concurrency 1");
    sim.until_received(1);
    let linked =
        |line: &str| Running::start(&mut s.command_without_database(&format!("{line} --db link.db")), b"").finish();
    linked("run campaign").exits(8);
    linked("status campaign").exits(0);
    running.finish().exits(0);
    linked("run campaign").exits(0);
    assert!(!s.path("link.db.lock").exists());
    assert_eq!(sim.received(), 4);
    s.audit(4);
}

#[test]
fn a_queue_is_made_for_a_file_only_and_that_is_said() {
    let s = Scenario::new();
    for line in
        ["status", "list", "run", "run campaign", "serve --listen 127.0.0.1:0", "export a", "purge --older-than 1d"]
    {
        s.mep(line).exits(9).says("there is no queue at").says("queue.db");
    }
    s.mep("import nowhere.csv --endpoint simulator").exits(7).says("cannot be read");
    assert!(s.files().is_empty(), "{:?}", s.files().keys());
    let made = format!("a new queue was made: `{}`", s.database().display());
    s.campaign(1).mep("run campaign.csv --endpoint simulator").exits(0).says(&made);
    assert!(!s.mep("run campaign.csv --endpoint simulator").exits(0).stderr.contains("a new queue"));
}

#[test]
fn a_known_file_keeps_its_name() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(2).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let other = s.mep(&format!("run campaign.csv --endpoint {sim} --batch june")).exits(2);
    let other = other.says("is batch `campaign` already, not `june`");
    assert!(other.stderr.contains("`--again`") && sim.received() == 0, "{}", other.stderr);
    s.mep(&format!("run campaign.csv --endpoint {sim} --batch campaign")).exits(0);
    assert_eq!(s.states(), "2 accepted");
}

#[test]
fn commands_name_the_queue_where_a_flag_has_named_it() {
    let s = Scenario::new();
    s.campaign(1);
    let typed = |line: &str| {
        let mut command = s.command_without_database(line);
        command.args(["--db", "a queue.db"]);
        Running::start(&mut command, b"").finish()
    };
    let named = format!("mep-batch --db '{}/a queue.db'", s.folder().canonicalize().expect("a folder").display());
    let imported = typed("import campaign.csv --endpoint simulator").exits(0);
    assert!(imported.stdout.contains(&format!("Next: {named} run campaign\n")), "{}", imported.stdout);
    assert!(typed("status").exits(0).stdout.contains(&format!("Next, what is left to send: {named} run campaign\n")));
    typed("show campaign 99").exits(2);
    typed("run june").exits(2).says(&format!("`{named} status`"));
    // What neither is typed nor works on a queue stays as it is.
    s.mep("import campaign.csv --endpoint simulator").exits(0);
    let told = s.mep("status").exits(0).stdout;
    assert!(told.contains("mep-batch run campaign") && !told.contains("--db"), "{told}");
}

#[test]
fn a_missing_folder_is_made_for_its_owner_alone() {
    let s = Scenario::new();
    let import = "import campaign.csv --endpoint simulator --db new/deeper/queue.db";
    Running::start(&mut s.campaign(1).command_without_database(import), b"").finish().exits(0);
    let mode = |name: &str| std::fs::metadata(s.path(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode("new"), mode("new/deeper"), mode("new/deeper/queue.db")), (0o700, 0o700, 0o600));
}

#[test]
fn a_password_in_a_url_of_a_database_is_refused_and_not_repeated() {
    let s = Scenario::new();
    let line = format!("status --db postgres://user:{PASSWORD}@127.0.0.1/queue");
    let done = Running::start(&mut s.command_without_database(&line), b"").finish().exits(2);
    assert!(!done.output().contains(PASSWORD), "{}", done.output());
}

#[test]
fn expressions_need_the_operators_word() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.write("pins.csv", format!("serviceId,phoneNumber,session.pin\n{SERVICE},12005550100,${{af:generatePin(6)}}\n"));
    s.mep(&format!("run pins.csv --endpoint {sim} --batch held")).exits(3);
    assert_eq!((s.states().as_str(), sim.received()), ("1 rejected", 0));
    s.mep(&format!("run pins.csv --endpoint {sim} --again --batch meant --allow-expressions=session.pin")).exits(0);
    assert_eq!(sim.received(), 1);
    s.audit(2);
}

#[test]
fn the_environments_proxy_is_not_asked() {
    let s = Scenario::new();
    let (sim, proxy) = (s.simulate(""), s.simulate(""));
    let mut command = s.campaign(2).command(&format!("run campaign.csv --endpoint {sim}"));
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"] {
        command.env(name, proxy.to_string());
    }
    Running::start(&mut command, b"").finish().exits(0);
    assert_eq!((sim.received(), proxy.received()), (2, 0));
    assert!(Path::new(&s.database()).exists());
    s.audit(2);
}

#[test]
fn a_password_goes_only_to_the_batches_of_its_account() {
    let s = Scenario::new();
    let (mine, other) = (s.simulate(""), s.simulate(""));
    s.write("a.csv", campaign(0..2)).mep(&format!("import a.csv --endpoint {mine} --account X")).exits(0);
    s.write("b.csv", campaign(2..4)).mep(&format!("import b.csv --endpoint {other} --account Y")).exits(0);
    let mut command = s.command("run --quiet");
    command.env("MEP_PASSWORD", "secret").env("MEP_ACCOUNT", "X");
    Running::start(&mut command, b"").finish().exits(5).says("is sent by account `Y`");
    assert_eq!((mine.received(), other.received()), (2, 0));
}

#[test]
fn a_batch_goes_nowhere_but_where_it_was_imported_for() {
    let s = Scenario::new();
    let sim = s.simulate("");
    s.campaign(2).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign --endpoint simulator").exits(2).says("is for endpoint");
    s.mep("run campaign --service FFFFFFFFFFFFFFFF").exits(2).says("is for service");
    assert_eq!((s.states().as_str(), sim.received()), ("2 pending", 0));
}

#[test]
fn a_batch_without_credentials_holds_up_no_other() {
    let s = imported(NOWHERE, 2);
    s.execute("UPDATE batch SET confirmed_at = imported_at");
    let sim = s.simulate("");
    s.write("b.csv", campaign(5..8)).mep(&format!("import b.csv --endpoint {sim}")).exits(0);
    s.mep("run --wait 0").exits(5).says("needs an account and a password");
    assert_eq!((s.states().as_str(), sim.received()), ("3 accepted, 2 pending", 3));
}

#[test]
fn flags_that_read_a_known_file_otherwise_are_not_passed_over() {
    let scenario = Scenario::new();
    scenario.write("wm.csv", "Mobile,Seat,Row\n12515550130,1A,7\n12515550131,2B,8\n");
    let target = format!("--service {SERVICE} --endpoint simulator --map Mobile=phoneNumber");
    let wrong = format!("{target} --map Seat=session.row --map Row=session.seat");
    let right = format!("{target} --map Seat=session.seat --map Row=session.row");
    scenario.mep(&format!("import wm.csv {wrong}")).exits(0);
    scenario.mep(&format!("run wm.csv {right}")).exits(2).says("line 2 would be another request");
    scenario.mep(&format!("run wm.csv {target} --ignore Seat")).exits(2).says("do not take its header");
    assert_eq!(scenario.states(), "2 pending");
    scenario.mep(&format!("run wm.csv {wrong}")).exits(0).says("going on with it");
    scenario.mep("run wm.csv --endpoint simulator").exits(0).says("going on with it");
}

#[test]
fn a_file_of_which_every_row_was_refused_may_be_read_by_other_flags() {
    let scenario = Scenario::new();
    scenario.write("crm.json", "[{\"phone\": \"+1 251-555-0130\"}]");
    let target = format!("crm.json --service {SERVICE} --endpoint simulator");
    scenario.mep(&format!("import {target}")).exits(3);
    scenario.mep(&format!("import {target} --map phone=phoneNumber")).exits(0);
    scenario.mep(&format!("import {target} --map phone=phoneNumber")).exits(7);
    scenario.write("bad.csv", "phoneNumber\n555\n");
    for _ in 0..2 {
        scenario.mep(&format!("run bad.csv --service {SERVICE} --endpoint simulator")).exits(3);
    }
    assert_eq!(
        scenario.query("SELECT count(*) || '' FROM batch WHERE name LIKE 'bad%'"),
        ["1"],
        "nothing is read better"
    );
    let strict = scenario.simulate("--fault 12002=100%");
    for _ in 0..2 {
        scenario.campaign(3).mep(&format!("run campaign.csv --endpoint {strict}")).exits(3);
    }
    assert_eq!(strict.received(), 3, "what the service refused is not sent again unasked");
}
