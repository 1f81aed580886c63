//! Plain progress: a line each 30 s and at each change.

use std::time::{Duration, Instant};

use super::output::{self, counted, grouped};
use super::silent_runs;
use crate::invocation::{Counts, State};
use crate::run::{Ending, Event, Progress, Signal};

/// How often a line comes where nothing changes.
const EVERY: Duration = Duration::from_secs(30);

/// Prints what a run tells, to stderr.
pub(super) struct Teller {
    quiet: bool,
    told: Instant,
    done_then: i64,
    waits_for: Option<String>,
    last: Progress,
}

impl Teller {
    pub(super) fn new(quiet: bool) -> Self {
        Teller { quiet, told: Instant::now(), done_then: 0, waits_for: None, last: Progress::default() }
    }

    pub(super) fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Progress(progress) => self.progress(progress),
            Event::GateClosed(endpoint, because, until) => {
                self.line(&format!("{endpoint}: {because}; nothing is sent there before {until}, then one row probes"));
            }
            Event::GateOpened(endpoint) => self.line(&format!("{endpoint} answers again; sending goes on")),
            Event::Ending(ending) => self.ending(ending),
            Event::StoreTrouble(error, grace) => {
                let grace = humantime::format_duration(grace);
                self.line(&format!(
                    "error: {error}\nNothing more is sent; what was answered is tried again for {grace}."
                ));
            }
            Event::StoreBack => self.line("the database is back, and has all that was answered; sending goes on"),
            Event::Settled(settled) => {
                let who = settled.who.as_deref().unwrap_or("some machine");
                let mut text = format!("the run on {who} showed no sign of life for 30 s and is judged dead");
                if settled.unknown > 0 {
                    text.push_str(&format!(
                        "; {} that it had in flight: unknown now\nhint: {} lists them",
                        counted(settled.unknown, "row"),
                        silent_runs::commands(settled)
                    ));
                }
                self.line(&text);
            }
            Event::Joined(batch) => self.line(&format!("batch `{batch}` has been imported meanwhile and is sent too")),
            Event::Left(why) => self.line(why),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if self.last.counts.total() == 0 && progress.counts.total() > 0 {
            self.done_then = done(&progress.counts);
            let left = progress.counts.total() - self.done_then;
            if left > 0 {
                self.line(&format!("Sending {} (Ctrl-C ends it cleanly)", counted(left.unsigned_abs(), "row")));
            }
        }
        self.last = progress.clone();
        let waits_for = progress.waiting.as_ref().map(|(why, _)| why.clone());
        if waits_for != self.waits_for {
            self.waits_for = waits_for;
            if let Some((why, until)) = &progress.waiting {
                let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
                self.line(&format!("waiting{until}: {why}"));
            }
        }
        if self.told.elapsed() >= EVERY {
            self.figures();
        }
    }

    fn figures(&mut self) {
        let counts = &self.last.counts;
        let done_now = done(counts);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (done_now - self.done_then) as f64 / self.told.elapsed().as_secs_f64();
        let mut line = format!("{} of {} done", grouped(done_now), grouped(counts.total()));
        for (state, count) in counts.iter().filter(|(state, count)| *count > 0 && is_done(*state)) {
            line.push_str(&format!(", {} {state}", grouped(count)));
        }
        line.push_str(&format!("; {} in flight; {rate:.1} a second", self.last.in_flight));
        if let Some((why, until)) = &self.last.waiting {
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            line.push_str(&format!("; waiting{until}: {why}"));
        }
        self.done_then = done_now;
        self.told = Instant::now();
        self.line(&line);
    }

    fn ending(&mut self, ending: &Ending) {
        match ending {
            Ending::Interrupted(signal, _) => {
                let again = match signal {
                    Signal::Int => "Ctrl-C once more abandons them",
                    Signal::Term => "a second TERM abandons them",
                };
                self.line(&match self.last.in_flight {
                    0 => "no more is taken; nothing is in flight".to_owned(),
                    n => format!(
                        "no more is taken; finishing the {n} requests in flight\n({again}; they become unknown)"
                    ),
                });
            }
            Ending::Stopped(_) => {
                let in_flight = self.last.in_flight;
                self.line(&format!("stopping: no more is taken; finishing what is in flight ({in_flight} requests)"));
            }
            Ending::Done | Ending::Waiting(_) | Ending::LimitReached | Ending::StoreFailed(..) => {}
        }
    }

    fn line(&mut self, text: &str) {
        if !self.quiet {
            output::stderr(&format!("{text}\n"));
        }
    }
}

fn is_done(state: State) -> bool {
    match state {
        State::Pending | State::Sending => false,
        State::Accepted | State::Rejected | State::Failed | State::Unknown | State::Skipped | State::Cancelled => true,
    }
}

fn done(counts: &Counts) -> i64 {
    counts.iter().filter(|(state, _)| is_done(*state)).map(|(_, count)| count).sum()
}
