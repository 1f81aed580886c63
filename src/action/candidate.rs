//! Rows that a `retry` may put back, by what is stored of each and by the rules of today.

use super::others::Told;
use crate::invocation::{Fingerprint, InvocationId, RefusedBy, SkipReason, State, Suppressed};
use crate::store::{Filter, InvocationView, Rebuilt};
use crate::validate::{self, Ready, Rules};

/// A row with which nothing is wrong, as far as its own batch tells.
pub(super) struct Candidate {
    pub(super) id: InvocationId,
    pub(super) was: State,
    pub(super) reason: Option<SkipReason>,
    pub(super) fingerprint: Fingerprint,
    /// What it is sent as, where it had no body.
    pub(super) rebuilt: Option<Rebuilt>,
    /// Whether its content was refused by this tool, so that it may have been mended into another batch.
    may_be_mended: bool,
}

/// What becomes of a selected row.
pub(super) enum Judged {
    /// It may go back.
    Passes(Candidate),
    /// This tool refuses it still: line and reason.
    Refused(u32, String),
    /// Its number is suppressed.
    Suppressed,
}

/// Judges a row; `None` where it is in a state out of which no `retry` leads.
pub(super) fn judge(row: &InvocationView, filter: &Filter, rules: &Rules, suppressed: &Suppressed) -> Option<Judged> {
    match row.state {
        State::Rejected | State::Failed | State::Skipped => {}
        State::Pending | State::Sending | State::Accepted | State::Unknown | State::Cancelled => return None,
    }
    if row.reason == Some(SkipReason::Suppressed) || row.phone.is_some_and(|phone| suppressed.contains(phone)) {
        return Some(Judged::Suppressed);
    }
    // Its content is right; only an operator who names the reason wants it all the same.
    if row.state == State::Rejected && row.reason.is_some() && filter.reason.is_none() {
        return Some(Judged::Refused(row.line, row.message.clone().unwrap_or_default()));
    }
    Some(match candidate_of(row, rules) {
        Ok(candidate) if suppressed.contains(candidate.fingerprint.phone) => Judged::Suppressed,
        Ok(candidate) => Judged::Passes(candidate),
        Err(reason) => Judged::Refused(row.line, reason),
    })
}

fn candidate_of(row: &InvocationView, rules: &Rules) -> Result<Candidate, String> {
    let is_refused_by_tool = row.refused_by.as_deref() == Some(RefusedBy::Tool.as_str());
    let fingerprint = |phone, body: &str| {
        let request_hash = validate::request_hash(body);
        Fingerprint { phone, request_hash, line: row.line }
    };
    let (fingerprint, rebuilt) = match (&row.body, row.phone) {
        (Some(body), Some(phone)) => {
            if is_refused_by_tool {
                validate::check_body(body, rules)?;
            }
            (fingerprint(phone, body), None)
        }
        // A refused row has its cells only: it is built anew, by the rules of today.
        (None, _) | (_, None) => {
            let built = validate::row_from_cells(&row.cells, rules).map_err(|problems| validate::refusal(&problems))?;
            let Ready { body, phone, time_zone, .. } = built;
            let fingerprint = fingerprint(phone, &body);
            (fingerprint, Some(Rebuilt { id: row.id, body, time_zone, fingerprint }))
        }
    };
    let may_be_mended = is_refused_by_tool && row.reason.is_none();
    Ok(Candidate { id: row.id, was: row.state, reason: row.reason, fingerprint, rebuilt, may_be_mended })
}

impl Candidate {
    /// Why it stays where it is after all, by what other batches have told its number.
    pub(super) fn held_back_by<'t>(&self, told: &'t Told) -> Option<&'t String> {
        // Who asks for a row that was skipped for this very reason means just that.
        if self.reason == Some(SkipReason::AlreadySent) {
            return None;
        }
        let line = &self.fingerprint.line;
        let mended = if self.may_be_mended { told.by_later_batch.get(line) } else { None };
        told.same_request.get(line).or(mended)
    }
}
