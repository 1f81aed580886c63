//! A campaign that is sent at once, with little patience.

use super::{Done, Scenario, Simulator};

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
