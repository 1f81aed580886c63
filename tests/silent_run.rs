//! What an operator sees and does of a run that died on another machine: no lock tells, and no other run is there to judge.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use scenario::Scenario;

fn main() -> ExitCode {
    either::run(&[(On::Postgres, facts![a_silent_run_is_told_judged_by_resolve_and_who_was_texted_twice_is_told])])
}

fn a_silent_run_is_told_judged_by_resolve_and_who_was_texted_twice_is_told(database: Database) {
    let s = Scenario::on(database);
    let slow = s.simulate("--latency 1h");
    s.campaign(1).mep(&format!("import campaign.csv --endpoint {slow}")).exits(0);
    let run = s.start("run campaign");
    s.until_stored("SELECT count(*) FROM invocation WHERE state = 'sending'", "1");
    let alive = s.mep("status campaign --json").exits(0).json();
    assert_eq!((&alive["runs"][0]["alive"], &alive["runs"][0]["inFlight"]), (&true.into(), &1.into()), "{alive}");
    s.mep("run campaign --account other").exits(8).says("another run holds");
    run.kill();
    s.execute("UPDATE run SET turned_at = turned_at - 60000, beat_at = beat_at - 60000");
    let silent = s.mep("status campaign --json").exits(0).json();
    assert_eq!((&silent["runs"][0]["alive"], &silent["orphaned"]), (&false.into(), &1.into()), "{silent}");
    let told = s.mep("status campaign").exits(0).stdout;
    assert!(told.contains("silent") && told.contains("mep-batch resolve campaign"), "{told}");
    s.mep("resolve campaign").exits(0).says("watching for 30 s").says("is dead: 1 row unknown now");
    s.mep("resolve campaign --all --as resend --yes --reason x").exits(0);
    drop(slow);
    let sim = s.simulate("");
    s.execute(&format!("UPDATE batch SET endpoint = '{sim}'"));
    s.mep("run campaign").exits(0);
    s.execute("UPDATE attempt SET outcome = 'accepted', late = 1 WHERE number = 1");
    let twice = s.mep("status campaign --json").exits(0).json();
    assert_eq!((&twice["textedTwice"], &twice["possibleDuplicates"]), (&1.into(), &1.into()), "{twice}");
    let shown = s.mep("show campaign 2").exits(0).stdout;
    assert!(shown.contains("texted twice") && shown.contains("late: "), "{shown}");
}
