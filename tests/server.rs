//! What a server of PostgreSQL has to be, and what its sessions are told: a commit is on the disk before a row is sent.

mod audit;
mod cluster;
mod either;
mod scenario;

use std::process::ExitCode;

use cluster::{Cluster, Database};
use either::{On, facts};
use scenario::Scenario;

fn main() -> ExitCode {
    either::run(&[(
        On::OwnPostgres,
        facts![
            a_turn_is_committed_to_the_disk_where_the_server_is_lax,
            a_server_that_does_not_write_to_its_disk_sends_nothing,
        ],
    )])
}

fn a_turn_is_committed_to_the_disk_where_the_server_is_lax(_: Database) {
    for (lax, told) in [("off", "on"), ("local", "on"), ("remote_write", "remote_write")] {
        let cluster = Cluster::own(&[("synchronous_commit", lax)], &[]);
        let s = Scenario::at(cluster.database());
        let sim = s.simulate("");
        s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
        s.execute(
            "CREATE TABLE seen (setting TEXT);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
                 AS $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
             CREATE TRIGGER see AFTER UPDATE OF turn ON run FOR EACH ROW EXECUTE FUNCTION see()",
        );
        s.mep("run campaign").exits(0);
        assert_eq!(s.query("SELECT DISTINCT setting FROM seen"), [told], "the server's is {lax}");
    }
}

fn a_server_that_does_not_write_to_its_disk_sends_nothing(_: Database) {
    let cluster = Cluster::own(&[("fsync", "off")], &[]);
    let s = Scenario::at(cluster.database());
    let sim = s.simulate("");
    s.campaign(3).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep("run campaign").exits(9).says("`fsync` off").says("hint:");
    assert_eq!((s.states().as_str(), sim.received()), ("3 pending", 0));
}
