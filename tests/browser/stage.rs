//! What the pages show: a campaign in which something of everything has happened, and the program that serves it.

use std::time::Duration;

use serde_json::Value;

use super::scenario::{Running, SERVICE, Scenario, Simulator, campaign, phone};

/// The program while it serves the status page.
pub(crate) struct Serving<'a> {
    scenario: &'a Scenario,
    _running: Running,
    /// The address that it printed, with the token.
    pub(crate) entrance: String,
}

impl Serving<'_> {
    pub(crate) fn start(scenario: &Scenario) -> Serving<'_> {
        let running = scenario.start("serve --listen 127.0.0.1:0 --json");
        let first: Value = serde_json::from_str(&running.first_line()).expect("a line of JSON");
        let entrance = first["url"].as_str().expect("its address").to_owned();
        Serving { scenario, _running: running, entrance }
    }

    /// The address of a page, without the token.
    pub(crate) fn page(&self, path: &str) -> String {
        let (origin, _) = self.entrance.split_once("/?").expect("an origin and a token");
        format!("{origin}{path}")
    }

    /// One page of each kind.
    pub(crate) fn pages(&self) -> Vec<String> {
        ["/", "/batch/flights", "/batch/flights/2", "/runs", "/batch/nothing"].map(|path| self.page(path)).to_vec()
    }

    /// The address of a report of the same batch.
    pub(crate) fn report(&self) -> String {
        let file = self.scenario.path("report.html");
        if !file.exists() {
            self.scenario.mep("report flights -o report.html").exits(0);
        }
        format!("file://{}", file.display())
    }
}

/// A batch `flights` of which some rows are accepted, some refused by this tool and by the service, some unknown, and some
/// still to be sent; operators have acted, and two runs have ended.
pub(crate) fn played() -> Scenario {
    let s = Scenario::new();
    let mut file = "serviceId,phoneNumber,session.seatLocation\n".to_owned();
    file.extend((0..120).map(|person| format!("{SERVICE},{},{person}A\n", phone(person))));
    file.push_str(&format!("{SERVICE},12,<b>short</b>\n"));
    let sim = s.simulate("--latency 5ms --fault 12002=10% --fault timeout=3%");
    s.write("flights.csv", file);
    s.mep(&format!("import flights.csv --endpoint {sim} --batch flights")).exits(3);
    s.mep("run flights --limit 60 --timeout 1s");
    s.mep("pause flights --reason lunch").exits(0);
    s.mep("resume flights").exits(0);
    s.mep("run flights --limit 40 --timeout 1s");
    s
}

/// Likewise, of some thousand rows within a minute, and with a second batch that is being sent, through the simulator that is returned: for people to
/// look at.
pub(crate) fn played_long() -> (Scenario, Running, Simulator) {
    let s = Scenario::new();
    let mut file = "serviceId,phoneNumber,session.seatLocation\n".to_owned();
    file.extend((0..3_000).map(|person| format!("{SERVICE},{},{person}A\n", phone(person))));
    file.push_str(&format!("{SERVICE},12,short\n{SERVICE},1.25155E+10,spoilt\n"));
    s.write("flights.csv", file);
    s.write("gates.csv", campaign(3_000..6_000));
    let sim =
        s.simulate("--latency 20ms..220ms --fault 12002=2% --fault timeout=0.3% --fault 1010=1% --fault 429=0.03%");
    s.mep(&format!("import flights.csv --endpoint {sim} --batch flights --rate 90 --vendor-retry 5s")).exits(3);
    s.mep("run flights --limit 1400 --timeout 2s --concurrency 24");
    s.mep("pause flights --reason lunch").exits(0);
    std::thread::sleep(Duration::from_secs(6));
    s.mep("resume flights").exits(0);
    s.mep("run flights --timeout 2s --concurrency 24 --wait 20s");
    s.mep(&format!("import gates.csv --endpoint {sim} --batch gate-changes --rate 20")).exits(0);
    let run = s.start("run gate-changes --timeout 2s");
    s.until_stored("SELECT CASE WHEN COUNT(*) > 300 THEN 1 ELSE 0 END FROM attempt WHERE taken_at > (SELECT imported_at FROM batch WHERE name = 'gate-changes')", "1");
    (s, run, sim)
}

/// The text but for the times of the day in it.
pub(crate) fn without_times(text: &Value) -> String {
    let text = text.as_str().expect("text");
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}
