//! Progress: a bar on a terminal; elsewhere a line each 30 s and at each change.

use std::time::{Duration, Instant};

use super::about::{self, about};
use super::bar::Bar;
use super::bar_text::{self, Figures, is_done};
use super::colour::Paint;
use super::forecast::Forecast;
use super::output::{self, counted, grouped};
use super::silent_runs;
use crate::invocation::{Counts, State, UnixMillis};
use crate::run::{Ending, Event, Progress, Signal};

/// How often a line comes where nothing changes.
const EVERY: Duration = Duration::from_secs(30);

/// How often the bar is told something new at most.
const BAR_EVERY: Duration = Duration::from_millis(200);

/// How often the bar's forecast is read: one of hours does not change within a few seconds.
const FORECAST_FOR_BAR_EVERY: Duration = Duration::from_secs(3);

/// Prints what a run tells, to stderr: a bar where somebody looks, lines elsewhere.
pub(super) struct Teller {
    quiet: bool,
    bar: Option<Bar>,
    shown: Option<Instant>,
    paint: Paint,
    forecast: Forecast,
    /// Rows that the run takes at most.
    limit: Option<u64>,
    done_first: i64,
    told: Instant,
    /// The last reason to wait that was told, and when.
    waits_for: Option<(String, Instant)>,
    last: Progress,
}

impl Teller {
    pub(super) fn new(quiet: bool, limit: Option<u64>, paint: Paint, forecast: Forecast) -> Self {
        Teller {
            quiet,
            bar: Bar::put_up(quiet),
            shown: None,
            paint,
            forecast,
            limit,
            done_first: 0,
            told: Instant::now(),
            waits_for: None,
            last: Progress::default(),
        }
    }

    /// How often somebody wants to know when the last row leaves, if anybody does.
    pub(super) fn wants_forecast_every(&self) -> Option<Duration> {
        let every = if self.bar.is_some() { FORECAST_FOR_BAR_EVERY } else { EVERY / 2 };
        (!self.quiet).then_some(every)
    }

    pub(super) fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Progress(progress) => self.progress(progress),
            Event::GateClosed(endpoint, because, until) => {
                self.line(&format!("{endpoint}: {because}; nothing is sent there before {until}, then one row probes"));
            }
            Event::GateOpened(endpoint) => {
                self.line(&format!("{endpoint} answers again; sending goes on"));
                self.waits_for = None; // which is told by this
            }
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
            self.done_first = done(&progress.counts);
            let left = progress.counts.total() - self.done_first;
            if left > 0 {
                let rows = counted(left.min(self.limit()).unsigned_abs(), "row");
                let of = if self.limit() < left { format!(" of {}", grouped(left)) } else { String::new() };
                self.line(&format!("Sending {rows}{of} (Ctrl-C ends it cleanly)"));
            }
        }
        let was = std::mem::replace(&mut self.last, progress.clone());
        if self.bar.is_none() {
            self.limit_changed(&was);
        }
        if let Some((why, _)) = &progress.waiting {
            // Rows that are retried one by one are waited for one by one: that is no change. As long as one wait lasts, the line
            // of each half minute says it.
            let is_told =
                |(told, at): &(String, Instant)| told == why && (was.waiting.is_some() || at.elapsed() < EVERY);
            if !self.waits_for.as_ref().is_some_and(is_told) {
                self.waits_for = Some((why.clone(), Instant::now()));
                // The bar says it as long as it is so.
                if self.bar.is_none()
                    && let Some(waits) = self.waits()
                {
                    self.line(&waits);
                }
            }
        } else if let Some((_, None)) = was.waiting {
            // What no time ends was ended by somebody.
            self.waits_for = None;
            if self.bar.is_none() && progress.counts[State::Pending] > 0 {
                self.line("sending goes on");
            }
        }
        if self.bar.is_some() {
            self.draw();
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            self.line(&self.figures_line());
        }
    }

    /// Says at which rate it goes on, where an operator has set another one.
    fn limit_changed(&mut self, was: &Progress) {
        if was.rate_limit == self.last.rate_limit || was.counts.total() == 0 || self.last.counts[State::Pending] == 0 {
            return;
        }
        let at_most = self.last.rate_limit.map(|limit| format!("{} a second at most", about::rate(limit)));
        self.line(&format!("from now on {}", at_most.unwrap_or_else(|| "as fast as answers come".to_owned())));
    }

    /// Why nothing is sent, and until when.
    fn waits(&self) -> Option<String> {
        let (why, until) = self.last.waiting.as_ref()?;
        let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
        Some(format!("waiting{until}: {why}"))
    }

    /// The same in few columns, for somebody who looks at it: how long still comes first.
    fn waits_now(&self) -> Option<String> {
        let (why, until) = self.last.waiting.as_ref()?;
        let until = until.map(|until| {
            let left = about(until.since(UnixMillis::now()));
            format!(" {left}, until {}", about::time_of_day(&until.to_string()))
        });
        Some(format!("waiting{}: {why}", until.unwrap_or_default()))
    }

    fn draw(&mut self) {
        let Some(bar) = &self.bar else { return };
        if self.shown.is_some_and(|shown| shown.elapsed() < BAR_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        bar.show(&bar_text::lines(&self.figures(), bar.columns(), self.paint));
    }

    fn figures(&self) -> Figures {
        let Progress { counts, in_flight, rate, rate_limit, .. } = self.last;
        Figures {
            done: done(&counts),
            of: counts.total().min(self.done_first.saturating_add(self.limit())),
            counts,
            in_flight,
            rate,
            limit: rate_limit,
            left: self.left(),
            waits: self.waits_now(),
        }
    }

    /// How long it takes still; a run that is limited is done before the batch is.
    fn left(&self) -> Option<Duration> {
        let pending = self.last.counts[State::Pending] + self.last.counts[State::Sending];
        let now = UnixMillis::now();
        self.forecast.eta().filter(|eta| pending <= self.limit() && *eta > now).map(|eta| eta.since(now))
    }

    fn limit(&self) -> i64 {
        self.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX)
    }

    fn figures_line(&self) -> String {
        let Figures { done, counts, in_flight, rate, limit, left, .. } = self.figures();
        let mut line = format!("{} of {} done", grouped(done), grouped(counts.total()));
        for (state, count) in counts.iter().filter(|(state, count)| *count > 0 && is_done(*state)) {
            line.push_str(&format!(", {} {state}", grouped(count)));
        }
        let limit = limit.map(|limit| format!(" of {}", about::rate(limit))).unwrap_or_default();
        line.push_str(&format!("; {in_flight} in flight; {rate:.1}{limit} a second"));
        line.extend(left.map(|left| format!("; about {} left", about(left))));
        line.extend(self.waits().map(|waits| format!("; {waits}")));
        line
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

fn done(counts: &Counts) -> i64 {
    counts.iter().filter(|(state, _)| is_done(*state)).map(|(_, count)| count).sum()
}
