//! The checker: judges a database by the receipts and the files that went in, whatever happened in between.
//!
//! It knows the tables and the promise, and nothing of the engine's code. The numbers in the violations are those of the
//! invariants that CONTRIBUTING.md lists, where it says too where those are judged that no single look can judge.

mod evidence;
mod input;
mod origin;
mod pace;
mod receipt;
mod received;
mod summary;
mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use evidence::{Act, Attempt, Evidence, Row};
pub(crate) use input::Input;
use origin::{files_without_batch, rows_are_those_of_the_files};
use pace::keeps_rate_and_hours;
pub(crate) use receipt::{Receipt, receipts_of};
use received::{accepted_is_proved, receipts_match_attempts, without_canaries};

/// Outcomes after which the promise lets a row be sent again without an operator's word; that the receiver said so, or received
/// nothing, is judged by its receipts.
const REPEATABLE: [&str; 5] = ["retry", "throttled", "misconfigured", "unreached", "given-back"];

/// What is audited, and against what.
pub(crate) struct Audit {
    /// A path, or a URL of PostgreSQL.
    pub(crate) database: String,
    /// `None`: what was received is not at hand.
    pub(crate) receipts: Option<Vec<PathBuf>>,
    /// The files that batches may have been made of, as they were then.
    pub(crate) files: Vec<Input>,
    /// Whether each of them was imported, and its batch is still there.
    pub(crate) are_all_imported: bool,
    /// Rows in all files that were imported; `None`: as many as the importer counted.
    pub(crate) rows: Option<u64>,
    /// Whether no process is alive and a last `run` has ended.
    pub(crate) is_settled: bool,
    /// Whether the receiver's clock is the one by which rows were sent.
    pub(crate) is_one_clock: bool,
    /// Unknown rows that the kills and the ambiguous answers explain.
    pub(crate) unknown_max: Option<usize>,
}

impl Audit {
    /// Of a database that nothing is alive on any more, against nothing yet.
    pub(crate) fn of(database: String) -> Audit {
        Audit {
            database,
            receipts: None,
            files: Vec::new(),
            are_all_imported: false,
            rows: None,
            is_settled: true,
            is_one_clock: true,
            unknown_max: None,
        }
    }

    /// What is wrong, a line each; empty where the promise holds.
    pub(crate) fn violations(&self) -> Vec<String> {
        // A run may be alive: what was received before the database is read is known there, and what is accepted there
        // was received before the receipts are read again.
        let before = self.receipts_now();
        let evidence = Evidence::read(&self.database);
        let after = self.receipts_now();
        let mut found = evidence.damage.clone();
        self.rows_are_accounted_for(&evidence, &mut found);
        rows_are_those_of_the_files(&evidence, &self.files, &mut found);
        if self.are_all_imported {
            files_without_batch(&evidence, &self.files, &mut found);
        }
        counts_equal_rows(&evidence, &mut found);
        for row in &evidence.rows {
            let (attempts, acts) = (evidence.attempts_of(row), evidence.acts_of(row));
            self.state_is_final(row, &mut found);
            history_leads_to_state(row, attempts, acts, &mut found);
            late_outcomes_were_judged_first(row, attempts, &mut found);
            unknown_has_its_cause(row, attempts, &mut found);
            skipped_is_never_sent(row, attempts, &mut found);
            if row.body.is_some() != row.has_fingerprint {
                found.push(format!("1: {row} is not found by its number"));
            }
        }
        if self.receipts.is_some() {
            let before = without_canaries(&evidence, before);
            receipts_match_attempts(&evidence, &before, &after, &mut found);
            accepted_is_proved(&evidence, &after, &mut found);
            if self.is_one_clock {
                keeps_rate_and_hours(&evidence, &before, &mut found);
            }
        }
        let unknown = evidence.rows.iter().filter(|row| row.state == "unknown").count();
        if self.unknown_max.is_some_and(|max| unknown > max) {
            found.push(format!("7: {unknown} rows are unknown, more than the {:?} explained", self.unknown_max));
        }
        found
    }

    fn receipts_now(&self) -> Vec<Receipt> {
        self.receipts.iter().flatten().flat_map(|file| receipts_of(file)).collect()
    }

    fn rows_are_accounted_for(&self, evidence: &Evidence, found: &mut Vec<String>) {
        let counted = evidence.batches.iter().map(|batch| batch.row_count).sum::<i64>().cast_unsigned();
        let rows = self.rows.unwrap_or(counted);
        if counted != rows || evidence.rows.len() as u64 != rows {
            let there = evidence.rows.len();
            found.push(format!("1: {rows} rows went in, {counted} were counted, {there} are stored"));
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
            "cancel" | "rolled-back" => &["pending"],
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
    let was_put_back = |attempt: &Attempt| acts.iter().any(|act| act.attempt == attempt.number);
    // A late outcome of a row that an operator had put back asks for no repetition any more.
    let mut repetitions = attempts.iter().filter(|attempt| !(attempt.late && was_put_back(attempt)));
    if repetitions.any(|attempt| attempt.outcome == "retry") && !row.possible_duplicate {
        found.push(format!("9: {row} was repeated on the vendor's word and is no possible duplicate"));
    }
}

/// The states that the last event of a row's history allows.
fn possible_states<'a>(row: &Row, attempts: &[Attempt], acts: &'a [Act]) -> Vec<&'a str> {
    let mut possible = states_after_the_last_event(row, attempts, acts);
    // A run skips what is pending to a suppressed number, or past its time, without an event of the row's own.
    if possible.contains(&"pending") && matches!(row.reason.as_deref(), Some("suppressed" | "expired")) {
        possible.push("skipped");
    }
    possible
}

fn states_after_the_last_event<'a>(row: &Row, attempts: &[Attempt], acts: &'a [Act]) -> Vec<&'a str> {
    let last = attempts.last();
    let Some(act) = acts.iter().rfind(|act| act.attempt == row.attempt) else { return states_by_outcome(row, last) };
    let mut possible = vec![act.became.as_str()];
    // What came of it after all settles a row that was put back and not taken since.
    if act.became == "pending" && last.is_some_and(|last| last.late) {
        possible.extend(states_by_outcome(row, last));
    }
    possible
}

fn states_by_outcome(row: &Row, last: Option<&Attempt>) -> Vec<&'static str> {
    match last.map(|attempt| attempt.outcome.as_str()) {
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

/// Who ends another run writes its rows' attempts as unknown, and only such an attempt has a late outcome.
fn late_outcomes_were_judged_first(row: &Row, attempts: &[Attempt], found: &mut Vec<String>) {
    for Attempt { number, outcome, judged, late, .. } in attempts {
        if *late && !judged {
            found.push(format!("9: attempt {number} of {row} is late, and nobody had judged it"));
        }
        if *judged && !late && outcome != "unknown" {
            found.push(format!("9: attempt {number} of {row} was judged to be {outcome} by another than its run"));
        }
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
