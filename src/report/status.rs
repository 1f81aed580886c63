//! How a batch stands.

use serde::Serialize;

use super::forecast::{self, Eta};
use super::hours;
use super::lacks::Lacks;
use crate::invocation::{BatchId, Counts, State, UnixMillis, mask_phone};
use crate::store::{self, Batch, CanaryView, Confirmation, RunView, Store, Waiting};

/// A batch's figures, by the names of the documented JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchStatus {
    /// Its name.
    pub batch: String,
    /// Where it is sent.
    pub endpoint: String,
    /// The service that it invokes.
    pub service_id: String,
    /// Whose credentials; null where none was named yet.
    pub account: Option<String>,
    /// The file as the operator named it.
    pub source: String,
    /// Rows in the file, as the importer counted them.
    pub rows: i64,
    /// Rows by state: all eight.
    pub states: Counts,
    /// Whether the states add up to the rows in the file.
    pub adds_up: bool,
    /// Rows that a run had in flight when it died: they are unknown, and become so at the next `run` or `resolve`. Where the
    /// queue is shared: when it fell silent, and a `run` or `resolve` has to see for itself that it stays so.
    pub orphaned: i64,
    /// That the database does not know all that was sent from it, in a sentence; null where nobody noted that it lacks something.
    /// Its figures are those of an earlier time then, and rows that wait may have been sent.
    pub lacks: Option<Lacks>,
    /// Why the last run stopped, where it stopped for a fault.
    pub last_stop: Option<String>,
    /// Accepted rows of which an earlier attempt may have got through too; those of which it did among them.
    pub possible_duplicates: i64,
    /// Accepted rows of which an earlier attempt did get through: its run was thought dead, and told so late.
    pub texted_twice: i64,
    /// Rows that ended as neither accepted nor unknown and may have been texted all the same: abandoned when they were unknown,
    /// or an earlier attempt may have got through.
    pub perhaps_texted: i64,
    /// Skipped rows whose time had passed.
    pub expired: i64,
    /// When it was imported.
    pub imported_at: String,
    /// When an operator confirmed its number; null where none did.
    pub confirmed_at: Option<String>,
    /// Since when nothing more of it is taken; null where no operator paused it.
    pub paused_at: Option<String>,
    /// When an operator withdrew it; null where none did.
    pub cancelled_at: Option<String>,
    /// The requests a second that an operator holds it to; null where its settings say.
    pub throttle: Option<f64>,
    /// The requests a second at which it may be sent; null: as fast as answers come.
    pub rate_limit: Option<f64>,
    /// The outcomes a second of late of the living runs that send it, whatever else they send.
    pub rate: f64,
    /// When the last row leaves; null where nobody sends it, or nobody can tell.
    pub eta: Option<String>,
    /// When the next pending row is due; null where none is pending but rows that are held for their zone.
    pub next_due_at: Option<String>,
    /// The runs that have not ended.
    pub runs: Vec<RunStatus>,
    /// The texts that operators sent to handsets of their own first.
    pub canaries: Vec<CanaryStatus>,
    /// Why pending rows are not being sent.
    pub waiting_for: Vec<WaitingFor>,
}

impl BatchStatus {
    /// Whether a living run sends it, once it has something to send.
    #[must_use]
    pub fn has_sender(&self) -> bool {
        self.runs.iter().any(|run| run.alive && run.sends)
    }

    /// Whether some of it waits for that reason.
    #[must_use]
    pub fn waits_for(&self, reason: &str) -> bool {
        self.waiting_for.iter().any(|waiting| waiting.reason == reason)
    }

    /// Whether a living run sends it now: something of it is in flight, or pending and not withheld by an operator.
    #[must_use]
    pub fn is_being_sent(&self) -> bool {
        let is_withheld = self.waits_for("paused") || self.waits_for("confirmation");
        self.has_sender() && (self.states[State::Sending] > 0 || (self.states[State::Pending] > 0 && !is_withheld))
    }
}

/// A run that has not ended, as far as the database tells.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// Since when.
    pub started_at: String,
    /// Whether it lives; if not, the rows that it had in flight become unknown at the next `run` or `resolve`. Where the queue is
    /// shared: whether it has shown lately that it does.
    pub alive: bool,
    /// Whether it was started for this batch too, by name or for all.
    pub sends: bool,
    /// Its last sign of life: a turn comes at least once a second, a heartbeat every five.
    pub last_seen_at: String,
    /// How long ago that was, by the database's clock.
    pub silent_for_ms: u64,
    /// Rows that it has in flight.
    pub in_flight: i64,
}

/// A text to an operator's own handset.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    /// When it was to leave.
    pub at: String,
    /// Who sent it.
    pub who: String,
    /// The number, masked.
    pub phone_number: String,
    /// The line of the row whose text it was.
    pub line: u32,
    /// `sending` until it is known what came of it, and for ever where that was broken off; then the outcome.
    pub state: String,
    /// The service's name for the request.
    pub request_id: Option<String>,
    /// Whether it arrived, as the operator says.
    pub arrived: Option<bool>,
}

/// A reason for which pending rows wait.
#[derive(Debug, Clone, Serialize)]
pub struct WaitingFor {
    /// Why: `paused`, `confirmation`, `retry`, `window`, `not-before`, `time-zone`, `throttled`, `unreachable`, `ambiguous` or
    /// `max-unknown`.
    pub reason: &'static str,
    /// Until when, where a time ends it.
    pub until: Option<String>,
    /// How many rows.
    pub rows: i64,
}

impl WaitingFor {
    /// Why, in words that follow `wait`.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match self.reason {
            "paused" => "because an operator paused the batch (`mep-batch resume` lets it go on)",
            "confirmation" => "for an operator's confirmation (`mep-batch run` says how)",
            "max-unknown" => "because too many rows are unknown (`mep-batch resolve`)",
            "throttled" => "because the service asked to wait (429)",
            "unreachable" => "because the endpoint could not be reached",
            "ambiguous" => "because three of the last twenty answers left open whether a text was sent",
            "retry" => "for a retry",
            "window" => "for their window to open",
            "not-before" => "because nothing is sent earlier (`--not-before`)",
            "time-zone" => "because their time zone is not known",
            other => other,
        }
    }
}

/// What an operator may type next, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// What it is for: goes on from 'next'.
    pub what: &'static str,
    /// The command.
    pub command: String,
}

/// What an operator may type next.
#[must_use]
pub fn next_steps(status: &BatchStatus) -> Vec<NextStep> {
    if let Some(lacks) = &status.lacks {
        let command = "mep-batch resolve --rolled-back".to_owned();
        let step = NextStep { what: "what may have been sent and is not known here", command };
        return if lacks.is_known { vec![step] } else { Vec::new() };
    }
    let name = &status.batch;
    let is_paused = status.paused_at.is_some();
    let pending = match is_paused {
        true => (State::Pending, "to end the pause", format!("mep-batch resume {name}")),
        false => (State::Pending, "what is left to send", format!("mep-batch run {name}")),
    };
    let steps = [
        (State::Unknown, "what nobody can know", format!("mep-batch resolve {name}")),
        (State::Rejected, "what was refused", format!("mep-batch list {name} --state rejected")),
        (State::Failed, "what failed", format!("mep-batch list {name} --state failed")),
        pending,
    ];
    let is_being_sent = !is_paused && status.has_sender();
    // A run would end at once: the unknown rows are decided first.
    let is_held_back = !is_paused && has_too_many_unknown(status);
    let is_next = |state: State| match state {
        State::Pending => status.states[state] > held_rows(status) && !is_being_sent && !is_held_back,
        State::Sending | State::Accepted | State::Rejected | State::Failed | State::Unknown => status.states[state] > 0,
        State::Skipped | State::Cancelled => false,
    };
    let next = steps.into_iter().filter(|(state, _, _)| is_next(*state));
    next.map(|(_, what, command)| NextStep { what, command }).collect()
}

/// Whether more rows are unknown than its settings allow, so that nothing of it is sent before some are decided.
#[must_use]
pub fn has_too_many_unknown(status: &BatchStatus) -> bool {
    status.waits_for("max-unknown")
}

/// How many rows are held because their zone is not known.
#[must_use]
pub fn held_rows(status: &BatchStatus) -> i64 {
    status.waiting_for.iter().filter(|waiting| waiting.reason == "time-zone").map(|waiting| waiting.rows).sum()
}

/// What the counts of a batch say, worst first: the order in which exit codes win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Some rows are unknown: a person must decide.
    Undecided,
    /// Some rows are still to be sent.
    Incomplete,
    /// Some rows are rejected, failed or expired.
    Imperfect,
    /// Nothing is left to do and nothing went wrong.
    Complete,
}

/// What a batch's figures say.
#[must_use]
pub fn standing(status: &BatchStatus) -> Standing {
    let standing = standing_of(&status.states);
    if status.orphaned > 0 {
        Standing::Undecided
    } else if status.expired > 0 {
        standing.min(Standing::Imperfect)
    } else {
        standing
    }
}

fn standing_of(counts: &Counts) -> Standing {
    if counts[State::Unknown] > 0 {
        Standing::Undecided
    } else if counts[State::Pending] + counts[State::Sending] > 0 {
        Standing::Incomplete
    } else if counts[State::Rejected] + counts[State::Failed] > 0 {
        Standing::Imperfect
    } else {
        Standing::Complete
    }
}

/// How a batch stands now, as far as the database knows: what it [lacks](fn@super::lacks::lacks) is for who has its user's notes to say.
pub async fn status(store: &Store, batch: &Batch, now: UnixMillis) -> store::Result<BatchStatus> {
    let counts = store.counts_of(batch.id).await?;
    let next_due = store.next_due(batch.id).await?.map(|next| hours::next_due(batch, next.at, now));
    let runs = store.open_runs().await?;
    let alive: Vec<_> = runs.iter().filter(|run| run.is_alive).map(|run| run.id).collect();
    let senders = runs.iter().filter(|run| run.is_alive && run.sends(batch.id));
    let (is_sent, rate) = (senders.clone().next().is_some(), senders.fold(0.0, |sum, run| sum + run.rate));
    // Read once: of a batch that waits for its hours that is most of it.
    let put_off = if counts[State::Pending] > 0 { store.waiting(batch.id, now).await? } else { Vec::new() };
    let eta = match is_sent {
        true => Some(forecast::eta_of(store, batch, &counts, &put_off, rate, now).await?),
        false => None,
    };
    Ok(BatchStatus {
        orphaned: if counts[State::Sending] > 0 { store.orphaned(batch.id, &alive).await? } else { 0 },
        lacks: None,
        last_stop: store.last_stop(batch.id).await?,
        batch: batch.name.clone(),
        endpoint: batch.endpoint.to_string(),
        service_id: batch.service.to_string(),
        account: Some(batch.account.clone()).filter(|account| !account.is_empty()),
        source: batch.source_name.clone(),
        rows: batch.rows,
        states: counts,
        adds_up: counts.total() == batch.rows,
        possible_duplicates: store.possible_duplicates(batch.id).await?,
        texted_twice: store.texted_twice(batch.id).await?,
        perhaps_texted: store.perhaps_texted(batch.id).await?,
        expired: if counts[State::Skipped] > 0 { store.expired(batch.id).await? } else { 0 },
        imported_at: batch.imported_at.to_string(),
        confirmed_at: batch.confirmed_at.map(|at| at.to_string()),
        paused_at: batch.paused_at.map(|at| at.to_string()),
        cancelled_at: batch.cancelled_at.map(|at| at.to_string()),
        throttle: batch.throttle,
        rate_limit: batch.rate(),
        rate: (rate * 10.0).round() / 10.0,
        eta: eta.and_then(Eta::told),
        next_due_at: next_due.map(|due| due.max(batch.imported_at).to_string()),
        runs: runs.iter().map(|run| run_status(run, batch.id)).collect(),
        canaries: store.canaries(batch.id).await?.into_iter().map(canary_status).collect(),
        waiting_for: waiting_for(store, batch, &counts, &put_off, now).await?,
    })
}

async fn waiting_for(
    store: &Store,
    batch: &Batch,
    counts: &Counts,
    put_off: &[Waiting],
    now: UnixMillis,
) -> store::Result<Vec<WaitingFor>> {
    let pending = counts[State::Pending];
    let mut reasons = Vec::new();
    if pending == 0 {
        return Ok(reasons);
    }
    if batch.paused_at.is_some() {
        reasons.push(WaitingFor { reason: "paused", until: None, rows: pending });
    }
    if batch.confirmation(pending) != Confirmation::Given {
        reasons.push(WaitingFor { reason: "confirmation", until: None, rows: pending });
    }
    if counts[State::Unknown] > batch.settings.unknown_limit(batch.rows) {
        reasons.push(WaitingFor { reason: "max-unknown", until: None, rows: pending });
    }
    let due = pending - put_off.iter().map(|waiting| waiting.rows).sum::<i64>();
    let gate = store.find_gate(&batch.endpoint, &batch.account).await?;
    if let Some((until, because)) = gate.and_then(|gate| gate.closed)
        && due > 0
    {
        reasons.push(WaitingFor { reason: because.as_str(), until: Some(until.to_string()), rows: due });
    }
    reasons.extend(hours::waiting_for(batch, due, put_off, now));
    Ok(reasons)
}

fn canary_status(CanaryView { at, who, canary }: CanaryView) -> CanaryStatus {
    CanaryStatus {
        at: at.to_string(),
        who,
        phone_number: mask_phone(&canary.phone_number.to_string()),
        line: canary.line,
        state: canary.state,
        request_id: canary.request_id,
        arrived: canary.arrived,
    }
}

fn run_status(run: &RunView, batch: BatchId) -> RunStatus {
    RunStatus {
        alive: run.is_alive,
        sends: run.sends(batch),
        host: run.host.clone(),
        pid: run.pid,
        started_at: run.started_at.to_string(),
        last_seen_at: run.seen_at.to_string(),
        silent_for_ms: u64::try_from(run.silent.as_millis()).unwrap_or(u64::MAX),
        in_flight: run.sending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_a_batch_is_its_verdict() {
        let counts = |states: &[State]| {
            let mut counts = Counts::default();
            for state in states {
                counts[*state] += 1;
            }
            standing_of(&counts)
        };
        assert_eq!(counts(&[State::Accepted, State::Skipped, State::Cancelled]), Standing::Complete);
        assert_eq!(counts(&[State::Accepted, State::Rejected]), Standing::Imperfect);
        assert_eq!(counts(&[State::Failed]), Standing::Imperfect);
        assert_eq!(counts(&[State::Failed, State::Pending]), Standing::Incomplete);
        assert_eq!(counts(&[State::Sending]), Standing::Incomplete);
        assert_eq!(counts(&[State::Pending, State::Unknown]), Standing::Undecided);
    }
}
