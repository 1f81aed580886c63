//! The checker: judges a database, the receipts and the number of rows that went in, whatever happened in between.
//!
//! It knows the tables and the promise, and nothing of the engine's code. The numbers in the violations are those of
//! the invariants that the project's test programme lists.

mod evidence;
mod receipt;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use evidence::{Act, Attempt, Evidence, Row};
pub(crate) use receipt::{Receipt, receipts_of};

/// Outcomes after which the promise lets a row be sent again without an operator's word.
const REPEATABLE: [&str; 5] = ["retry", "throttled", "misconfigured", "unreached", "given-back"];

/// What is audited, and against what.
pub(crate) struct Audit {
    pub(crate) database: PathBuf,
    pub(crate) receipts: Vec<PathBuf>,
    /// Rows in all files that were imported.
    pub(crate) rows: u64,
    /// Whether no process is alive and a last `run` has ended.
    pub(crate) is_settled: bool,
    /// Unknown rows that the kills and the ambiguous answers explain.
    pub(crate) unknown_max: Option<usize>,
}

impl Audit {
    /// What is wrong, a line each; empty where the promise holds.
    pub(crate) fn violations(&self) -> Vec<String> {
        let evidence = Evidence::read(&self.database);
        let receipts: Vec<Receipt> = self.receipts.iter().flat_map(|file| receipts_of(file)).collect();
        let mut found = evidence.damage.clone();
        self.rows_are_accounted_for(&evidence, &mut found);
        counts_equal_rows(&evidence, &mut found);
        for row in &evidence.rows {
            let (attempts, acts) = (evidence.attempts_of(row), evidence.acts_of(row));
            self.state_is_final(row, &mut found);
            history_leads_to_state(row, attempts, acts, &mut found);
            unknown_has_its_cause(row, attempts, &mut found);
            skipped_is_never_sent(row, attempts, &mut found);
            if row.body.is_some() != row.has_fingerprint {
                found.push(format!("1: {row} is not found by its number"));
            }
        }
        receipts_match_attempts(&evidence, &receipts, &mut found);
        let unknown = evidence.rows.iter().filter(|row| row.state == "unknown").count();
        if self.unknown_max.is_some_and(|max| unknown > max) {
            found.push(format!("7: {unknown} rows are unknown, more than the {:?} explained", self.unknown_max));
        }
        found
    }

    fn rows_are_accounted_for(&self, evidence: &Evidence, found: &mut Vec<String>) {
        let stored: i64 = evidence.batches.iter().sum();
        if stored != self.rows.cast_signed() || evidence.rows.len() as u64 != self.rows {
            let there = evidence.rows.len();
            found.push(format!("1: {} rows went in, {stored} were counted, {there} are stored", self.rows));
        }
        for run in evidence.open_runs.iter().filter(|_| self.is_settled) {
            found.push(format!("2: run {run} has not ended"));
        }
    }

    fn state_is_final(&self, row: &Row, found: &mut Vec<String>) {
        if self.is_settled && row.state == "sending" {
            found.push(format!("2: {row} is still sending"));
        }
    }
}

fn counts_equal_rows(evidence: &Evidence, found: &mut Vec<String>) {
    let mut counted: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for row in &evidence.rows {
        *counted.entry((row.batch, row.state.clone())).or_default() += 1;
    }
    let stored: BTreeMap<_, _> = evidence.counts.iter().filter(|(_, count)| **count != 0).collect();
    if stored != counted.iter().collect() {
        found.push(format!("15: the table of counts says {stored:?}, the rows say {counted:?}"));
    }
}

/// Invariant 9, and that the records are whole: the last event of a row explains its state, and no final event is
/// followed by an attempt that no operator asked for.
fn history_leads_to_state(row: &Row, attempts: &[Attempt], acts: &[Act], found: &mut Vec<String>) {
    let recorded: Vec<i64> = attempts.iter().map(|attempt| attempt.number).collect();
    let expected: Vec<i64> = (1..=row.attempt - i64::from(row.state == "sending")).collect();
    if recorded != expected {
        found.push(format!("9: {row} had {} attempts, recorded are {recorded:?}", row.attempt));
    }
    for attempt in attempts.iter().filter(|attempt| attempt.number < row.attempt) {
        let is_asked_for = acts.iter().any(|act| act.attempt == attempt.number && act.became == "pending");
        if !REPEATABLE.contains(&attempt.outcome.as_str()) && !is_asked_for {
            let Attempt { number, outcome, .. } = attempt;
            found.push(format!("9: {row} was taken again after attempt {number}, which was {outcome}"));
        }
    }
    for act in acts {
        let may_be = match act.kind.as_str() {
            "resolve" => &["unknown"][..],
            "retry" => &["rejected", "failed", "skipped"],
            _ => &[],
        };
        if !may_be.contains(&act.was.as_str()) || act.who.is_empty() {
            found.push(format!("9: {row} was moved from {} by {} of `{}`", act.was, act.kind, act.who));
        }
    }
    let possible = possible_states(row, attempts, acts);
    if row.state != "sending" && !possible.contains(&row.state.as_str()) {
        found.push(format!("9: the history of {row} leads to {possible:?}"));
    }
    if attempts.iter().any(|attempt| attempt.outcome == "retry") && !row.possible_duplicate {
        found.push(format!("9: {row} was repeated on the vendor's word and is no possible duplicate"));
    }
}

/// The states that the last event of a row's history allows.
fn possible_states<'a>(row: &Row, attempts: &[Attempt], acts: &'a [Act]) -> Vec<&'a str> {
    let mut possible = states_after_the_last_event(row, attempts, acts);
    // A run skips what is pending to a suppressed number, without an event of the row's own.
    if possible.contains(&"pending") && row.reason.as_deref() == Some("suppressed") {
        possible.push("skipped");
    }
    possible
}

fn states_after_the_last_event<'a>(row: &Row, attempts: &[Attempt], acts: &'a [Act]) -> Vec<&'a str> {
    if let Some(last) = acts.iter().rfind(|act| act.attempt == row.attempt) {
        return vec![last.became.as_str()];
    }
    match attempts.last().map(|attempt| attempt.outcome.as_str()) {
        None if row.is_refused_by_tool => vec!["rejected"],
        None => vec!["pending", "skipped", "cancelled"],
        Some("accepted") => vec!["accepted"],
        Some("rejected") => vec!["rejected"],
        Some("failed") => vec!["failed"],
        Some("retry" | "throttled") => vec!["pending", "failed", "cancelled"],
        Some("unreached" | "misconfigured" | "given-back") => vec!["pending", "cancelled"],
        Some("unknown" | "foreign") => vec!["unknown"],
        Some("skipped") => vec!["skipped"],
        Some(_) => vec![],
    }
}

fn unknown_has_its_cause(row: &Row, attempts: &[Attempt], found: &mut Vec<String>) {
    let is_told = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let last = attempts.last();
    let is_explained = is_told(&row.message) && last.is_some_and(|last| is_told(&last.message) && last.was_sent);
    if row.state == "unknown" && !is_explained {
        found.push(format!("7: {row} has no cause: {:?}", row.message));
    }
}

/// A row that is skipped has its reason, and was on the wire only where something else came of that first.
fn skipped_is_never_sent(row: &Row, attempts: &[Attempt], found: &mut Vec<String>) {
    let is_told = row.message.as_ref().is_some_and(|text| text.starts_with("not sent: "));
    if row.state == "skipped" && (row.reason.is_none() || !is_told) {
        found.push(format!("6: {row} has no reason: {:?}", row.message));
    }
    for attempt in attempts.iter().filter(|attempt| attempt.outcome == "skipped" && attempt.was_sent) {
        found.push(format!("6: {row} was skipped by attempt {}, which was sent", attempt.number));
    }
}

/// Rows are told apart by what was sent: rows of equal service and body share their receipts.
fn receipts_match_attempts(evidence: &Evidence, receipts: &[Receipt], found: &mut Vec<String>) {
    let mut rows: HashMap<(&str, &str), Vec<&Row>> = HashMap::new();
    for row in evidence.rows.iter().filter(|row| row.endpoint != "simulator") {
        if let Some(body) = &row.body {
            rows.entry((&row.service, body)).or_default().push(row);
        }
    }
    let mut received: HashMap<(&str, &str), Vec<&Receipt>> = HashMap::new();
    for receipt in receipts {
        let key = (receipt.service_id.as_deref().unwrap_or_default(), receipt.body.as_str());
        if rows.contains_key(&key) {
            received.entry(key).or_default().push(receipt);
        } else {
            found.push(format!("10: request {} has a body that no row has: {}", receipt.n, receipt.body));
        }
    }
    for (key, rows) in &rows {
        judge_receipts(evidence, rows, received.get(key).map_or(&[], Vec::as_slice), found);
    }
}

fn judge_receipts(evidence: &Evidence, rows: &[&Row], receipts: &[&Receipt], found: &mut Vec<String>) {
    let attempts = || rows.iter().flat_map(|row| evidence.attempts_of(row));
    let acts = || rows.iter().flat_map(|row| evidence.acts_of(row));
    let in_flight = rows.iter().filter(|row| row.state == "sending").count();
    let on_wire = attempts().filter(|attempt| attempt.was_sent).count() + in_flight;
    let repeats = attempts().filter(|attempt| attempt.was_sent && REPEATABLE.contains(&attempt.outcome.as_str()));
    let asked_for = acts().filter(|act| act.became == "pending").count();
    let never_due = |row: &&&Row| row.state == "skipped" && row.attempt == 0 && evidence.acts_of(row).is_empty();
    let allowed = rows.len() - rows.iter().filter(never_due).count() + repeats.count() + asked_for;
    if receipts.len() > on_wire || receipts.len() > allowed {
        let got = receipts.len();
        found.push(format!("3: {} has {got} receipts, {on_wire} attempts on the wire, {allowed} allowed", rows[0]));
    }
    let ids: BTreeSet<&str> = attempts().filter_map(|attempt| attempt.request_id.as_deref()).collect();
    let is_open = in_flight > 0 || attempts().any(|attempt| attempt.outcome == "unknown");
    for receipt in receipts {
        if rows.iter().all(|row| Some(row.phone.to_string()) != receipt.phone_number) {
            found.push(format!("4: request {} went to another number than {}", receipt.n, rows[0]));
        }
        let Some(id) = receipt.accepted_as() else { continue };
        if !ids.contains(id) && !is_open {
            found
                .push(format!("5: request {} was answered 202 ({id}), and {} knows nothing of it", receipt.n, rows[0]));
        }
    }
    for row in rows.iter().filter(|row| row.state == "accepted") {
        let by_operator = evidence.acts_of(row).iter().rfind(|act| act.attempt == row.attempt);
        let is_proved = receipts.iter().any(|receipt| receipt.accepted_as() == row.request_id.as_deref());
        if by_operator.is_none() && (row.request_id.is_none() || !is_proved) {
            found.push(format!("4: {row} has no receipt with its request ID {:?}", row.request_id));
        }
    }
}
