//! Campaigns that are sent: at once with little patience, to their end whatever comes, or in part before a loss.

use super::{Done, SERVICE, Scenario, Simulator, phone};

/// Quick retries and probes, and a short time-out; what a test gives itself takes the place of these.
const QUICK: [(&str, &str); 5] = [
    ("--concurrency", "3"),
    ("--timeout", "400ms"),
    ("--connect-timeout", "2s"),
    ("--probe-after", "50ms"),
    ("--retry-initial", "20ms"),
];

/// Sends a campaign to a stand-in that shows these faults.
pub(crate) fn send(s: &Scenario, faults: &str, rows: u32, flags: &str) -> (Simulator, Done) {
    let sim = s.simulate(faults);
    let mut command = format!("run campaign.csv --endpoint {sim} {flags}");
    for (flag, value) in QUICK.iter().filter(|(flag, _)| !flags.contains(flag)) {
        command.push_str(&format!(" {flag} {value}"));
    }
    let done = s.campaign(rows).mep(&command);
    (sim, done)
}

/// Sends a campaign to its end, to a stand-in that shows these faults: sixty rows, one that is refused and one that repeats another.
pub(crate) fn send_sixty(s: &Scenario, faults: &str) {
    let sim = s.simulate(faults);
    let more = s.campaign(60).read("campaign.csv") + &format!("{SERVICE},17,A\n{SERVICE},{},0A\n", phone(0));
    s.write("campaign.csv", more);
    s.mep(&format!("import campaign.csv --endpoint {sim} --max-unknown 60")).exits(3);
    let mut code = 5;
    while code == 5 {
        // The gate may close on the way.
        code = s.mep("run campaign --concurrency 1 --probe-after 1ms").code;
    }
}

/// A campaign of which so many rows were sent when it was backed up, and so many by the time of its loss.
pub(crate) fn send_since(s: &Scenario, sim: &Simulator, rows: u32, before: u32, since: u32) {
    s.campaign(rows).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    s.mep(&format!("run campaign --limit {before} --wait 0")).exits(5);
    let backup = s.back_up();
    s.mep(&format!("run campaign --limit {since} --wait 0")).exits(5);
    s.put_back(backup);
}

/// A campaign that was backed up before its first run, and put back after it.
pub(crate) fn send_behind_a_backup(s: &Scenario, sim: &Simulator, rows: u32) {
    s.campaign(rows).mep(&format!("import campaign.csv --endpoint {sim}")).exits(0);
    let backup = s.back_up();
    s.mep("run campaign").exits(0);
    s.put_back(backup);
}
