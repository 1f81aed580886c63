//! Purging: what is left of a batch, what is not, and what is never touched; on either database.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use rustix::process::Signal;
use scenario::sending::send;
use scenario::{Running, Scenario, Simulator, campaign, phone, until};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn main() -> ExitCode {
    either::run(&[
        (
            On::Either,
            facts![
                a_dry_run_names_each_batch_and_changes_nothing,
                the_proof_of_what_was_sent_stays,
                a_purged_row_is_still_known_as_already_sent,
                nothing_of_a_purged_batch_is_put_back,
                what_shows_rows_shows_that_they_were_purged,
                what_is_open_is_left_as_it_is,
                what_is_young_is_left_as_it_is_and_that_is_no_failure,
                a_killed_purge_is_gone_on_with,
                a_deleted_batch_leaves_a_note_of_who_deleted_it,
                a_purged_batch_is_deleted_later,
                a_killed_deletion_is_gone_on_with_whatever_is_typed,
                the_figures_are_told_as_json,
            ],
        ),
        (On::Sqlite, facts![no_byte_of_it_is_left, nobody_purges_beside_a_run_in_a_file]),
        (
            On::OwnPostgres,
            facts![no_byte_of_it_is_left, a_purge_beside_a_run_on_a_server_leaves_its_batches_and_is_finished_later,],
        ),
    ])
}

/// The screen, with days that are any.
fn shown(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_day = |at: usize| {
        let day: Option<&[char]> = chars.get(at..at + 10);
        day.is_some_and(|day| {
            day.iter()
                .zip("0000-00-00".chars())
                .all(|(c, form)| if form == '0' { c.is_ascii_digit() } else { *c == '-' })
        })
    };
    let (mut shown, mut at) = (String::new(), 0);
    while at < chars.len() {
        if is_day(at) {
            shown.push_str("2026-MM-DD");
            at += 10;
        } else {
            shown.push(chars[at]);
            at += 1;
        }
    }
    shown
}

/// Three batches: one that is done, one of which nothing was sent, and one with rows that nobody can know of.
fn three_batches(database: Database) -> Scenario {
    let s = Scenario::on(database);
    let (_sim, done) = send(&s, "", 30, "");
    done.exits(0);
    s.write("later.csv", campaign(100..103)).mep("import later.csv --endpoint simulator").exits(0);
    s.write("unsure.csv", campaign(200..202));
    let sim = s.simulate("--fault timeout=100%");
    s.mep(&format!("run unsure.csv --endpoint {sim} --timeout 100ms --max-unknown 5")).exits(4);
    s
}

fn a_dry_run_names_each_batch_and_changes_nothing(database: Database) {
    let s = three_batches(database);
    let stored =
        || s.query("SELECT COALESCE(body, '-') || COALESCE(body_sha256, '-') FROM content ORDER BY invocation_id");
    let before = stored();
    let dry = s.mep("purge --older-than 0").exits(0);
    insta::assert_snapshot!("a_dry_run", shown(&dry.stdout));
    insta::assert_snapshot!("a_dry_run_of_a_deletion", shown(&s.mep("purge --older-than 0 --delete").exits(0).stdout));
    assert_eq!(stored(), before);
    assert_eq!(s.query("SELECT CAST(count(*) AS TEXT) FROM action WHERE kind = 'purge'"), ["0"]);
    insta::assert_snapshot!("a_purge", shown(&s.mep("purge --older-than 0 --apply").exits(0).output()));
    insta::assert_snapshot!("after_a_purge", shown(&s.mep("purge --older-than 0").exits(0).output()));
    s.mep("purge").exits(2).says("--older-than");
}

fn the_proof_of_what_was_sent_stays(database: Database) {
    let s = Scenario::on(database);
    let (sim, done) = send(&s, "--fault 400=20%", 30, "");
    done.exits(3);
    s.audit(30);
    let proof = || {
        s.query(
            "SELECT i.line || ' ' || i.state || ' ' || COALESCE(i.request_id, '-') || ' ' || i.finished_at || ' ' || a.number
                || ' ' || a.outcome || ' ' || a.sent_at || ' ' || COALESCE(a.request_id, '-')
             FROM invocation AS i JOIN attempt AS a ON a.invocation_id = i.id ORDER BY i.line",
        )
    };
    let before = proof();
    s.mep_args(&["purge", "--older-than", "0", "--apply", "--reason", "as the policy says"]).exits(0);
    assert_eq!(proof(), before);
    let mut hashes: Vec<String> =
        sim.receipts().iter().map(|receipt| format!("{:x}", Sha256::digest(&receipt.body))).collect();
    hashes.sort();
    assert_eq!(s.query("SELECT body_sha256 FROM content ORDER BY body_sha256"), hashes);
    let act = s.query("SELECT who || ' ' || reason || ' ' || detail FROM action WHERE kind = 'purge'");
    let (said, detail) = act[0].split_once('{').expect("an object");
    assert_eq!(said, "operator as the policy says ");
    let detail: Value = serde_json::from_str(&format!("{{{detail}")).expect("an object");
    assert_eq!((&detail["how"], &detail["rows"], &detail["batch"]), (&json!("redact"), &json!(30), &json!("campaign")));
    assert_eq!(
        detail["states"]["accepted"].as_u64().map(|n| n.to_string()),
        s.query("SELECT CAST(count(*) AS TEXT) FROM invocation WHERE state = 'accepted'").pop()
    );
}

fn a_purged_row_is_still_known_as_already_sent(database: Database) {
    let s = Scenario::on(database);
    let (sim, done) = send(&s, "", 10, "");
    done.exits(0);
    s.mep("purge --older-than 0 --apply").exits(0);
    assert_eq!(s.query("SELECT DISTINCT CAST(phone AS TEXT) FROM fingerprint"), ["0"]);
    // Eight are the same, two are new; of one old number something else is told, which nobody can know any more.
    let other = format!("{}{},{},9Z\n", campaign(2..12), scenario::SERVICE, phone(0));
    s.write("more.csv", other);
    let told = s.mep(&format!("run more.csv --endpoint {sim}")).exits(0);
    assert!(told.output().contains("line 2, as line 4 of `campaign`"), "{}", told.output());
    assert_eq!((s.states().as_str(), sim.received()), ("13 accepted, 8 skipped", 13));
    // Purged twice over, and still known.
    s.mep("purge --older-than 0 --apply").exits(0);
    s.write("last.csv", campaign(11..14));
    s.mep(&format!("run last.csv --endpoint {sim}")).exits(0);
    assert_eq!(sim.received(), 15);
}

fn nothing_of_a_purged_batch_is_put_back(database: Database) {
    let s = Scenario::on(database);
    let (sim, done) = send(&s, "--fault 400=100%", 3, "");
    done.exits(3);
    s.mep("purge --older-than 0 --apply").exits(0);
    s.mep("retry campaign --state rejected").exits(2).says("was purged");
    s.mep("resolve campaign --all --as resend --reason x --yes").exits(0);
    s.mep("run campaign").exits(3);
    s.mep("run").exits(0);
    assert_eq!(sim.received(), 3);
    s.mep(&format!("import campaign.csv --endpoint {sim}")).exits(7).says("is batch `campaign` already");
    let set = format!("run campaign.csv --endpoint {sim} --map session.seatLocation=session.seat");
    s.mep(&set).exits(2).says("would be another request");
    s.mep(&set.replace("=session.seat", "=session.seatLocation")).exits(3);
}

fn what_shows_rows_shows_that_they_were_purged(database: Database) {
    let s = Scenario::on(database);
    s.write("mixed.csv", format!("{}{},12ab5551234567,7A\n", campaign(0..2), scenario::SERVICE));
    let sim = s.simulate("");
    s.mep(&format!("run mixed.csv --endpoint {sim}")).exits(3);
    let hash = s.mep("show mixed 2 --json").exits(0).json()["bodySha256"].clone();
    s.mep("purge --older-than 0 --apply").exits(0);
    let listed = s.mep("list mixed --json").exits(0).json_lines();
    assert!(
        listed.iter().all(|row| row["phoneNumber"] == "purged" && row["session.seatLocation"].is_null()),
        "{listed:?}"
    );
    assert_eq!(listed[0]["serviceId"], scenario::SERVICE);
    assert_eq!(s.mep("list mixed --reveal").exits(0).stdout.matches(" purged ").count(), 3);
    s.mep(&format!("list --phone {}", phone(0))).exits(0).says("those of mixed");
    let shown = s.mep("show mixed 2 --json").exits(0).json();
    assert_eq!((&shown["body"], &shown["bodySha256"]), (&Value::Null, &hash));
    assert!(shown["purgedAt"].is_string() && shown["requestId"].is_string(), "{shown}");
    assert!(s.mep("show mixed 2").exits(0).stdout.contains(hash.as_str().expect("a hash")));
    assert!(s.mep("show mixed 4").exits(0).stdout.contains("Cells: purged at "));
    s.mep("status mixed").exits(0);
    s.mep("export mixed --format ndjson --output results.ndjson").exits(0);
    assert!(s.mep("export mixed --attempts").exits(0).stdout.contains("2,purged,1,accepted"));
    let again = s.mep("import results.ndjson --endpoint simulator --again --json").exits(3).json();
    assert_eq!((&again["ready"], &again["rejected"]), (&json!(0), &json!(3)), "{again}");
}

fn what_is_open_is_left_as_it_is(database: Database) {
    let s = three_batches(database);
    s.mep("purge --older-than 0 --apply").exits(0);
    let bodies = "SELECT b.name || ' ' || COUNT(c.body) FROM batch AS b JOIN invocation AS i ON i.batch_id = b.id
        JOIN content AS c ON c.invocation_id = i.id GROUP BY b.name ORDER BY b.name";
    assert_eq!(s.query(bodies), ["campaign 0", "later 3", "unsure 2"]);
    s.mep("resolve unsure --all --as abandoned --reason late").exits(0);
    s.mep("purge --older-than 0 --apply --delete").exits(0);
    assert_eq!(s.query(bodies), ["later 3"]);
}

fn what_is_young_is_left_as_it_is_and_that_is_no_failure(database: Database) {
    let s = Scenario::on(database);
    let (_sim, done) = send(&s, "", 3, "");
    done.exits(0);
    let told = s.mep("purge --older-than 1h --apply").exits(0);
    assert!(told.stdout.contains("Nothing to purge") && told.stdout.contains("too young"), "{}", told.stdout);
    assert_eq!(s.query("SELECT name FROM batch WHERE purge_began_at IS NULL"), ["campaign"]);
    assert_eq!(s.mep("-q purge --older-than 90d --apply").exits(0).output(), "");
}

/// A batch of many rows that are done, and were never sent: what a purge does with them is the same.
fn import_done(s: &Scenario, rows: u32) {
    s.campaign(rows).mep("import campaign.csv --endpoint simulator").exits(0);
    s.execute("UPDATE invocation SET state = 'skipped', reason = 'expired', finished_at = 1");
    s.execute("DELETE FROM state_count WHERE state IN ('pending', 'skipped')");
    s.execute(&format!("INSERT INTO state_count VALUES (1, 'pending', 0), (1, 'skipped', {rows})"));
}

fn a_killed_purge_is_gone_on_with(database: Database) {
    const ROWS: u32 = 30_000;
    let s = Scenario::on(database);
    import_done(&s, ROWS);
    let purged = "SELECT CAST(count(*) AS TEXT) FROM content WHERE purged_at IS NOT NULL";
    let running = s.start("purge --older-than 0 --apply");
    until("some rows are purged", || s.query(purged) != ["0"]);
    running.kill();
    let done = s.query(purged);
    assert_ne!(done, [ROWS.to_string()], "killed too late to tell anything");
    assert_eq!(s.query("SELECT name FROM batch WHERE purge_began_at IS NOT NULL AND purged_at IS NULL"), ["campaign"]);
    s.mep("retry campaign --state failed").exits(2).says("purged");
    // Whatever its age: it has begun.
    s.mep("purge --older-than 90d --apply").exits(0);
    assert_eq!(s.query(purged), [ROWS.to_string()]);
    assert_eq!(s.query("SELECT name FROM batch WHERE purged_at IS NOT NULL"), ["campaign"]);
    assert_eq!(s.query("SELECT CAST(count(*) AS TEXT) FROM content WHERE body_sha256 IS NULL"), ["0"]);
    assert_eq!(s.query("SELECT CAST(count(*) AS TEXT) FROM fingerprint WHERE phone <> 0"), ["0"]);
    assert_eq!(s.query("SELECT CAST(count(*) AS TEXT) FROM action WHERE kind = 'purge'"), ["1"]);
}

fn a_deleted_batch_leaves_a_note_of_who_deleted_it(database: Database) {
    let s = Scenario::on(database);
    let (sim, done) = send(&s, "--fault 400=20%", 20, "");
    done.exits(3);
    s.mep("retry campaign --state rejected").exits(0);
    s.mep("run campaign");
    let received = sim.received();
    s.mep_args(&["purge", "--older-than", "0", "--delete", "--apply", "--reason", "asked to"]).exits(0);
    for table in ["batch", "invocation", "content", "attempt", "fingerprint", "state_count", "action_row"] {
        assert_eq!(s.query(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}")), ["0"], "{table}");
    }
    assert_eq!(s.query("SELECT kind || ' ' || who || ' ' || reason FROM action"), ["purge operator asked to"]);
    let told = s.mep("purge --older-than 0").exits(0);
    insta::assert_snapshot!("after_a_deletion", shown(&told.stdout));
    let deleted = s.mep("purge --older-than 0 --json").exits(0).json()["deletedBatches"][0].clone();
    assert_eq!(
        (&deleted["batch"], &deleted["rows"], &deleted["reason"]),
        (&json!("campaign"), &json!(20), &json!("asked to"))
    );
    s.mep("status campaign").exits(2);
    s.mep(&format!("run campaign.csv --endpoint {sim}"));
    assert!(sim.received() >= received + 20, "{}", sim.received());
}

fn a_purged_batch_is_deleted_later(database: Database) {
    let s = Scenario::on(database);
    let (_sim, done) = send(&s, "", 20, "");
    done.exits(0);
    s.write("kept.csv", campaign(50..55)).mep("run kept.csv --endpoint simulator").exits(0);
    s.mep("purge --older-than 0 --apply").exits(0);
    s.execute("UPDATE invocation SET finished_at = 1 WHERE batch_id = 1");
    s.execute("UPDATE action SET at = 1 WHERE batch_id = 1 AND kind <> 'purge'");
    s.execute("UPDATE batch SET imported_at = 1 WHERE id = 1");
    s.mep("purge --older-than 90d --delete --apply").exits(0);
    assert_eq!(s.query("SELECT name FROM batch"), ["kept"]);
    assert_eq!(s.query("SELECT CAST(count(*) AS TEXT) FROM fingerprint"), ["5"]);
    assert_eq!(s.query("SELECT CAST(count(*) AS TEXT) FROM action WHERE batch_id IS NULL"), ["2"]);
}

fn a_killed_deletion_is_gone_on_with_whatever_is_typed(database: Database) {
    const ROWS: u32 = 30_000;
    let s = Scenario::on(database);
    import_done(&s, ROWS);
    let left = "SELECT CAST(count(*) AS TEXT) FROM content";
    let running = s.start("purge --older-than 0 --delete --apply");
    until("some rows are deleted", || s.query(left) != [ROWS.to_string()]);
    running.kill();
    assert_eq!(s.query("SELECT name FROM batch"), ["campaign"], "killed too late to tell anything");
    let dry = s.mep("purge --older-than 90d").exits(0);
    assert!(dry.stdout.contains("deleted"), "{}", dry.stdout);
    s.mep("purge --older-than 90d --apply").exits(0);
    assert_eq!((s.query(left), s.query("SELECT name FROM batch")), (vec!["0".to_owned()], Vec::new()));
}

fn the_figures_are_told_as_json(database: Database) {
    let s = three_batches(database);
    let dry = s.mep("purge --older-than 0 --json").exits(0).json();
    let of = |told: &Value, key: &str| {
        told["batches"].as_array().expect("batches").iter().map(|batch| batch[key].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(&dry, "batch"), ["campaign", "later", "unsure"]);
    assert_eq!(of(&dry, "how"), [json!("redact"), Value::Null, Value::Null]);
    assert_eq!(of(&dry, "leftBecause"), [Value::Null, json!("3 pending"), json!("2 unknown")]);
    assert_eq!((&dry["applied"], &dry["erased"], &dry["exitCode"]), (&json!(false), &Value::Null, &json!(0)));
    let told = s.mep("purge --older-than 0 --json --apply").exits(0).json();
    assert_eq!(of(&told, "purged"), [true, false, false]);
    assert_eq!((&told["applied"], &told["erased"]), (&json!(true), &json!(true)));
}

/// The files in which the database may keep what it was told.
fn files_of(s: &Scenario, database: Database) -> Vec<PathBuf> {
    let folder = match database {
        Database::Sqlite => s.folder().to_owned(),
        Database::Postgres => {
            s.execute("CHECKPOINT"); // the files of tables that were rewritten go now
            let base = "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database
                WHERE datname = current_database()";
            PathBuf::from(&s.query(base)[0])
        }
    };
    let entries = std::fs::read_dir(folder).expect("the database's folder");
    let is_of_database = |path: &Path| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        path.is_file() && (database == Database::Postgres || name.starts_with("queue.db"))
    };
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| is_of_database(path)).collect()
}

fn holders_of(s: &Scenario, database: Database, bytes: &[u8]) -> Vec<PathBuf> {
    let mut files = files_of(s, database);
    files.retain(|file| {
        let content = std::fs::read(file).expect("a file of the database");
        content.windows(bytes.len()).any(|window| window == bytes)
    });
    files
}

fn no_byte_of_it_is_left(database: Database) {
    let s = Scenario::on(database);
    let name = "Marguerite Yourcenar";
    let (person, other) = (phone(7), phone(8));
    let text =
        format!("serviceId,phoneNumber,user.name\n{0},{person},{name}\n{0},12ab555{name},Refused\n", scenario::SERVICE);
    s.write("secret.csv", format!("{text}{0},{other},Another\n", scenario::SERVICE));
    let sim = s.simulate("--fault timeout=100%");
    s.mep(&format!("run secret.csv --endpoint {sim} --timeout 100ms --max-unknown 9")).exits(4);
    let reason = format!("the vendor says that {person} got it");
    s.mep_args(&["resolve", "secret", "--line", "2", "--as", "accepted", "--reason", &reason]).exits(0);
    s.mep("resolve secret --all --as not-sent --reason asked --yes").exits(0);
    let sim = s.simulate("");
    s.execute(&format!("UPDATE batch SET endpoint = '{sim}'"));
    s.mep("run secret").exits(3);
    s.execute(&format!(
        "UPDATE attempt SET answer = CAST('to {person}' AS {})",
        if database == Database::Sqlite { "BLOB" } else { "BYTEA" }
    ));
    let first = "invocation_id = (SELECT MIN(id) FROM invocation)";
    s.execute(&format!("UPDATE attempt SET message = 'no {name} at +{person}' WHERE {first}"));
    // What is looked for is there before; a row's number is, digit by digit, in its body.
    for bytes in [name, &person, &other] {
        assert_ne!(holders_of(&s, database, bytes.as_bytes()), Vec::<PathBuf>::new(), "{bytes}");
    }
    s.mep("purge --older-than 0 --apply").exits(0);
    assert_eq!(s.query(&format!("SELECT message FROM attempt WHERE {first}")), ["no ••• at +•••"]);
    let number: u64 = person.parse().expect("digits");
    let stored = match database {
        Database::Sqlite => number.to_be_bytes()[2..].to_vec(),
        Database::Postgres => number.to_le_bytes().to_vec(),
    };
    for bytes in [name.as_bytes(), person.as_bytes(), other.as_bytes(), b"12ab555", b"Another", &stored] {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(holders_of(&s, database, bytes), Vec::<PathBuf>::new(), "{shown}");
    }
}

/// A batch that is done, and a run that sends another one.
fn beside_a_run(s: &Scenario) -> (Simulator, Running) {
    let (_sim, done) = send(s, "", 3, "");
    done.exits(0);
    let sim = s.simulate("--latency 20ms");
    s.write("more.csv", campaign(100..2_000));
    let running = s.start(&format!("run more.csv --endpoint {sim} --concurrency 1"));
    sim.until_received(1);
    (sim, running)
}

fn nobody_purges_beside_a_run_in_a_file(database: Database) {
    let s = Scenario::on(database);
    let (_sim, running) = beside_a_run(&s);
    s.mep("purge --older-than 0 --apply").exits(8).says("another run holds");
    assert!(s.mep("purge --older-than 0").exits(0).stdout.contains("made unreadable"));
    running.send(Signal::INT);
    running.finish().exits(130);
    s.mep("purge --older-than 0 --apply").exits(0);
}

fn a_purge_beside_a_run_on_a_server_leaves_its_batches_and_is_finished_later(database: Database) {
    let s = Scenario::on(database);
    let (_sim, running) = beside_a_run(&s);
    s.mep("purge --older-than 0 --apply").exits(0).says("old bytes may be left");
    let marked =
        "SELECT name || ' ' || COALESCE(purge_how, '-') || CASE WHEN purged_at IS NULL THEN '' ELSE ' done' END
        FROM batch ORDER BY id";
    assert_eq!(s.query(marked), ["campaign redact", "more -"]);
    running.send(Signal::INT);
    running.finish().exits(130);
    s.mep("purge --older-than 90d --apply").exits(0);
    assert_eq!(s.query(marked), ["campaign redact done", "more -"]);
}
