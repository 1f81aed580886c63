//! What a person reads beside the verdict: the figures, who was sent to twice and why, and what nobody knows and why.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Row};
use super::origin::unread_rows;
use super::{Audit, Receipt, receipts_of};

impl Audit {
    /// The figures of the database and the receipts, a line each.
    pub(crate) fn summary(&self) -> Vec<String> {
        let evidence = Evidence::read(&self.database);
        let receipts: Vec<Receipt> = self.receipts.iter().flat_map(|file| receipts_of(file)).collect();
        let states = tally(evidence.rows.iter().map(|row| row.state.clone()));
        let mut told = vec![format!("{} rows: {}", evidence.rows.len(), listed(&states))];
        match unread_rows(&evidence, &self.files) {
            0 => {}
            count => told.push(format!("{count} rows were held against no file")),
        }
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
