//! What a person reads beside the verdict: the figures, who was sent to twice and why, and what nobody knows and why.

use std::collections::BTreeMap;

use super::Audit;
use super::evidence::{Evidence, Row};
use super::origin::unread_rows;

impl Audit {
    /// The figures of the database and the receipts, a line each.
    pub(crate) fn summary(&self) -> Vec<String> {
        let evidence = Evidence::read(&self.database);
        let receipts = self.receipts_now();
        let states = tally(evidence.rows.iter().map(|row| row.state.clone()));
        let mut told = vec![format!("{} rows: {}", evidence.rows.len(), listed(&states))];
        told.extend(self.left_out(&evidence));
        let attempts = || evidence.rows.iter().flat_map(|row| evidence.attempts_of(row));
        told.push(format!(
            "{} attempts, {} of them sent, {} judged by another run, {} of those with a late outcome",
            attempts().count(),
            attempts().filter(|attempt| attempt.was_sent).count(),
            attempts().filter(|attempt| attempt.judged).count(),
            attempts().filter(|attempt| attempt.late).count(),
        ));
        let requests = tally(receipts.iter().map(|receipt| (receipt.service_id.clone(), receipt.body.clone())));
        let repeated: Vec<_> = requests.iter().filter(|(_, count)| **count > 1).collect();
        told.push(format!("{} receipts; {} requests came more than once", receipts.len(), repeated.len()));
        let key = |row: &Row| (Some(row.service.clone()), row.body.clone().unwrap_or_default());
        for row in &evidence.rows {
            if let Some(count) = requests.get(&key(row)).filter(|count| **count > 1) {
                told.push(format!("  {row}: {count} receipts, for {}", history(&evidence, row)));
            }
        }
        let unknown = evidence.rows.iter().filter(|row| row.state == "unknown");
        for (cause, count) in tally(unknown.map(|row| row.message.clone().unwrap_or_default())) {
            told.push(format!("  {count} unknown: {cause}"));
        }
        told
    }
}

impl Audit {
    /// What is not judged, for want of something to hold it against.
    fn left_out(&self, evidence: &Evidence) -> Vec<String> {
        let mut told = Vec::new();
        let unread = unread_rows(evidence, &self.files);
        if unread > 0 {
            told.push(format!("{unread} rows were held against no file"));
        }
        if unread > 0 && self.rows.is_none() {
            told.push("nobody said how many rows went in: they are as many as the importer counted".to_owned());
        }
        let is_judged = |row: &Row| self.receipts.is_some() && row.has_receipts() && row.body.is_some();
        let was_sent = |row: &Row| evidence.attempts_of(row).iter().any(|attempt| attempt.was_sent);
        let unproved = evidence.rows.iter().filter(|row| was_sent(row) && !is_judged(row)).count();
        if unproved > 0 {
            told.push(format!("{unproved} rows that were sent were held against no receipt"));
        }
        told
    }
}

/// What came of each attempt of a row, and what operators did about it.
fn history(evidence: &Evidence, row: &Row) -> String {
    let attempts = evidence.attempts_of(row).iter().map(|attempt| attempt.outcome.clone());
    let acts = evidence.acts_of(row).iter().map(|act| format!("{} by `{}`", act.kind, act.who));
    attempts.chain(acts).collect::<Vec<_>>().join(", ")
}

fn tally<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

fn listed(counts: &BTreeMap<String, usize>) -> String {
    counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
