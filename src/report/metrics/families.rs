//! The families: names and units by Prometheus's conventions. `docs/metrics.md` has the same.

use crate::report::exposition::{Family, Kind, Teller};

macro_rules! families {
    ($($constant:ident: $kind:ident, $told_by:ident, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(pub(super) static $constant: Family = Family {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            told_by: Teller::$told_by,
            help: $help,
        };)+

        /// Every family, in the order in which they are told.
        pub static FAMILIES: &[&Family] = &[$(&$constant),+];
    };
}

families! {
    BUILD_INFO: Gauge, Both, "mep_batch_build_info", ["version", "database"],
        "1: the version of the program, and what keeps its queue.";
    DATABASE_UP: Gauge, Both, "mep_batch_database_up", [],
        "1 where the database could be read; with 0 all figures that come from it are left out.";
    FIGURES_AT: Gauge, Both, "mep_batch_figures_timestamp_seconds", [],
        "When these figures were written.";
    ROWS: Gauge, Both, "mep_batch_rows", ["batch", "state"],
        "Rows of the batch in the state.";
    UNKNOWN: Gauge, Both, "mep_batch_unknown_rows", ["batch"],
        "Rows of which nobody can know whether they were sent: unknown ones, and those that a dead run left in flight.";
    DUPLICATES: Gauge, Both, "mep_batch_possible_duplicate_rows", ["batch"],
        "Accepted rows of which an earlier attempt may have got through too; left out while they are being counted.";
    OLDEST_DUE: Gauge, Both, "mep_batch_oldest_due_timestamp_seconds", ["batch"],
        "Since when the pending row is due that has been for longest; left out where none is due.";
    LAST_ACCEPTED: Gauge, Both, "mep_batch_last_accepted_timestamp_seconds", ["batch"],
        "When a request was accepted last; left out where none was, or where that is not counted yet.";
    RATE_LIMIT: Gauge, Both, "mep_batch_rate_limit_per_second", ["batch"],
        "Requests a second at which the batch may be sent; left out where there is no limit.";
    PAUSED: Gauge, Both, "mep_batch_paused", ["batch"],
        "1 while an operator has paused the batch.";
    CANCELLED: Gauge, Both, "mep_batch_cancelled", ["batch"],
        "1 where an operator has cancelled the batch.";
    WAITING: Gauge, Both, "mep_batch_waiting", ["batch", "reason"],
        "1 where pending rows are not sent for that reason now; told of batches with pending rows.";
    GATE_CLOSED: Gauge, Both, "mep_batch_gate_closed", ["endpoint", "reason"],
        "1 while nothing but probes is sent there for that reason and a batch has rows pending or in flight.";
    RUNS_ALIVE: Gauge, Both, "mep_batch_runs_alive", [],
        "Runs that send from this database and live.";
    OPEN_RUN_SILENT: Gauge, Both, "mep_batch_open_run_silent_seconds", ["run", "host"],
        "Seconds since the last sign of life of a run that has not ended, by the database's clock.";
    OPEN_RUN_IN_FLIGHT: Gauge, Both, "mep_batch_open_run_in_flight", ["run", "host"],
        "Rows that a run has in flight that has not ended.";
    OPEN_RUN_RATE: Gauge, Both, "mep_batch_open_run_outcomes_per_second", ["run", "host"],
        "Outcomes a second of late of a run that has not ended, as it counts them.";
    ATTEMPTS: Counter, Server, "mep_batch_attempts_total", ["batch", "outcome", "code"],
        "Attempts that are stored, by what was told of them first; left out for a batch that is not counted yet.";
    REQUEST_DURATION: Histogram, Server, "mep_batch_request_duration_seconds", ["batch"],
        "From the start of a request to its outcome, of attempts that were answered; left out for a batch that is not counted yet.";
    RUN_ACTIVE: Gauge, Run, "mep_batch_run_active", [],
        "1 while the run goes on, 0 once it has ended by itself.";
    RUN_STARTED: Gauge, Run, "mep_batch_run_start_timestamp_seconds", [],
        "When the run started.";
    RUN_WAITING: Gauge, Run, "mep_batch_run_waiting", [],
        "1 while the run can send nothing; mep_batch_waiting says why.";
    RUN_IN_FLIGHT: Gauge, Run, "mep_batch_run_in_flight", [],
        "Rows that the run has in flight.";
    RUN_RATE: Gauge, Run, "mep_batch_run_outcomes_per_second", [],
        "Outcomes a second of late.";
    RUN_RATE_LIMIT: Gauge, Run, "mep_batch_run_rate_limit_per_second", [],
        "Requests a second that the run may send; left out where there is no limit.";
    RUN_ATTEMPTS: Counter, Run, "mep_batch_run_attempts_total", ["outcome", "code"],
        "Attempts of the run that are stored.";
    RUN_REQUEST_DURATION: Histogram, Run, "mep_batch_run_request_duration_seconds", [],
        "From the start of a request of the run to its outcome, of attempts that were answered.";
    RUN_COMMIT_DURATION: Histogram, Run, "mep_batch_run_commit_duration_seconds", [],
        "From the order of a turn to its confirmed commit: what the database takes, and the wait for other processes.";
    RUN_COMMIT_FAILURES: Counter, Run, "mep_batch_run_commit_failures_total", [],
        "Turns of the run of which the commit was not confirmed.";
}
