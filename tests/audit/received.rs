//! Invariants 3, 4, 5 and 10: what was received, by the receiver's own word, against the attempts that are recorded.
//!
//! Each receipt is explained by an attempt of its own, and each answer that an attempt is said to have had by a receipt of that
//! answer. So what the program notes as leave to repeat counts only where the receiver gave it; that no row is taken again without
//! such leave or an operator's act is invariant 9. Nothing explains a receipt where an attempt is said not to have left.

use std::collections::{HashMap, HashSet};

use super::evidence::{Attempt, Evidence, Row};
use super::receipt::{Leave, Receipt, Word};

/// Rows are told apart by what was sent: rows of equal service and body share their receipts.
struct Group<'a> {
    rows: Vec<&'a Row>,
    attempts: Vec<&'a Attempt>,
    leave: Leave,
}

/// What a request says, and to which service.
type Key<'a> = (&'a str, &'a str);

/// Holds the receipts that were read before the database against it, and then it against those that were read after it.
pub(super) fn receipts_match_attempts(
    evidence: &Evidence,
    before: &[Receipt],
    after: &[Receipt],
    found: &mut Vec<String>,
) {
    let groups = groups_of(evidence);
    let received = by_key(before);
    for (key, receipts) in &received {
        match groups.get(key) {
            Some(group) => group.explain(receipts, found),
            None => {
                let told = |receipt: &&Receipt| {
                    format!("10: request {} has a body that no row has: {}", receipt.n, receipt.body)
                };
                found.extend(receipts.iter().map(told));
            }
        }
    }
    let received = by_key(after);
    for (key, group) in &groups {
        group.is_vouched_for(received.get(key).map_or(&[], Vec::as_slice), found);
    }
}

fn groups_of(evidence: &Evidence) -> HashMap<Key<'_>, Group<'_>> {
    let mut groups: HashMap<Key, Group> = HashMap::new();
    for row in evidence.rows.iter().filter(|row| row.has_receipts()) {
        let Some(body) = &row.body else { continue };
        let empty = || Group { rows: Vec::new(), attempts: Vec::new(), leave: Leave::default() };
        let group = groups.entry((&row.service, body)).or_insert_with(empty);
        group.rows.push(row);
        group.attempts.extend(evidence.attempts_of(row).iter().filter(|attempt| attempt.was_sent));
        group.leave.extend(evidence.settings_of(row.batch));
    }
    groups
}

fn by_key(receipts: &[Receipt]) -> HashMap<Key<'_>, Vec<&Receipt>> {
    let mut received: HashMap<Key, Vec<&Receipt>> = HashMap::new();
    for receipt in receipts {
        let key = (receipt.service_id.as_deref().unwrap_or_default(), receipt.body.as_str());
        received.entry(key).or_default().push(receipt);
    }
    received
}

impl<'a> Group<'a> {
    /// Finds an attempt for each receipt: one that is said to have had that answer, or else one of which nothing is known.
    fn explain(&self, receipts: &[&Receipt], found: &mut Vec<String>) {
        let (rest, _) = self.pair(receipts);
        let in_flight = self.rows.iter().filter(|row| row.state == "sending").count();
        let unknown = self.attempts.iter().filter(|attempt| attempt.outcome == "unknown").count();
        // The receiver's answer of which nobody knows comes first: it is the worse one to be left over.
        let (refused, accepted): (Vec<&Receipt>, Vec<&Receipt>) =
            rest.into_iter().partition(|receipt| receipt.accepted_as().is_none());
        for receipt in refused.into_iter().chain(accepted).skip(in_flight + unknown) {
            let row = self.rows[0];
            let is_known = |id: &str| self.attempts.iter().any(|attempt| attempt.request_id.as_deref() == Some(id));
            found.push(match receipt.accepted_as() {
                Some(id) if !is_known(id) => {
                    format!("5: request {} was answered 202 ({id}), and {row} knows nothing of it", receipt.n)
                }
                _ => {
                    let said = receipt.said();
                    format!(
                        "3: request {} of {row}, to which the receiver said {said}, belongs to no attempt",
                        receipt.n
                    )
                }
            });
        }
        for receipt in receipts {
            if self.rows.iter().all(|row| Some(row.phone.to_string()) != receipt.phone_number) {
                found.push(format!("4: request {} went to another number than {}", receipt.n, self.rows[0]));
            }
        }
    }

    /// Finds a receipt for each attempt that is said to have been answered.
    fn is_vouched_for(&self, receipts: &[&Receipt], found: &mut Vec<String>) {
        for Attempt { number, outcome, .. } in self.pair(receipts).1 {
            let row = self.rows[0];
            match outcome.as_str() {
                "retry" | "throttled" | "misconfigured" => {
                    found.push(format!("3: attempt {number} of {row} is {outcome}, and the receiver did not say so"));
                }
                "rejected" | "failed" | "foreign" => {
                    found.push(format!("5: attempt {number} of {row} is {outcome}, and the receiver did not say so"));
                }
                _ => {} // accepted: invariant 4, row by row; else nothing was answered
            }
        }
    }

    /// Pairs receipts with the attempts that are said to have had just that answer; what is left of either.
    fn pair<'r>(&self, receipts: &[&'r Receipt]) -> (Vec<&'r Receipt>, Vec<&'a Attempt>) {
        let (mut left, mut open) = (Vec::new(), self.attempts.clone());
        for receipt in receipts {
            match open.iter().position(|attempt| self.had(attempt, receipt)) {
                Some(place) => drop(open.remove(place)),
                None => left.push(*receipt),
            }
        }
        (left, open)
    }

    /// Whether the answer that an attempt is said to have had is the one that the receiver gave.
    fn had(&self, attempt: &Attempt, receipt: &Receipt) -> bool {
        let is_its_status = attempt.http_status.is_none() || attempt.http_status == receipt.status;
        let word = receipt.word(&self.leave);
        match attempt.outcome.as_str() {
            "accepted" => receipt.accepted_as().is_some() && receipt.accepted_as() == attempt.request_id.as_deref(),
            "retry" => is_its_status && word == Word::Repeat,
            "throttled" => is_its_status && word == Word::Wait,
            "misconfigured" => is_its_status && word == Word::Refused,
            "rejected" | "failed" => {
                is_its_status && word == Word::Other && receipt.status.is_some_and(|status| status >= 400)
            }
            "foreign" => is_its_status && receipt.status.is_some(),
            _ => false,
        }
    }
}

/// What is accepted, and not by an operator's word, was answered so: the receipt of that very request has its ID.
pub(super) fn accepted_is_proved(evidence: &Evidence, receipts: &[Receipt], found: &mut Vec<String>) {
    let answered: HashSet<(&str, &str, &str)> = receipts
        .iter()
        .filter_map(|receipt| Some((receipt.service_id.as_deref()?, receipt.body.as_str(), receipt.accepted_as()?)))
        .collect();
    for row in evidence.rows.iter().filter(|row| row.state == "accepted" && row.has_receipts()) {
        let by_operator = evidence.acts_of(row).iter().rfind(|act| act.attempt == row.attempt);
        let key = |id| (row.service.as_str(), row.body.as_deref().unwrap_or_default(), id);
        let is_proved = row.request_id.as_deref().is_some_and(|id| answered.contains(&key(id)));
        if by_operator.is_none() && !is_proved {
            found.push(format!("4: {row} has no receipt with its request ID {:?}", row.request_id));
        }
    }
}

/// What was received of rows: of each canary at most one request, to its number, is taken out.
pub(super) fn without_canaries(evidence: &Evidence, mut receipts: Vec<Receipt>) -> Vec<Receipt> {
    for canary in &evidence.canaries {
        let phone = canary.phone_number.to_string();
        let is_its_own = |receipt: &Receipt| match &canary.request_id {
            Some(id) => receipt.accepted_as() == Some(id) && receipt.phone_number.as_ref() == Some(&phone),
            None => receipt.phone_number.as_ref() == Some(&phone),
        };
        if let Some(place) = receipts.iter().position(is_its_own) {
            receipts.remove(place);
        }
    }
    receipts
}
