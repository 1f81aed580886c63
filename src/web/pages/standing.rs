//! How a batch stands, in a word or two and in a sentence: what is read out when it changes.

use maud::{Markup, html};

use crate::invocation::State;
use crate::report::{BatchStatus, Standings, next_steps};
use crate::validate;
use crate::web::chart::named;
use crate::web::words::{self, grouped, share};

use super::command;

/// What a batch is at: each has a word, and a class that its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    DoesNotAddUp,
    Paused,
    Unconfirmed,
    BeingSent,
    Waiting,
    BeingRead,
    Unsent,
    Undecided,
    Cancelled,
    Imperfect,
    Complete,
}

impl Standing {
    pub(super) fn of(standings: &Standings) -> Standing {
        let Standings { batch, counts, status } = standings;
        let status = status.as_deref();
        if !standings.adds_up() {
            return Standing::DoesNotAddUp;
        }
        if standings.is_open() {
            return Standing::of_open(standings, status);
        }
        if counts[State::Unknown] > 0 {
            Standing::Undecided
        } else if batch.cancelled_at.is_some() {
            Standing::Cancelled
        } else if counts[State::Rejected] + counts[State::Failed] + counts[State::Cancelled] > 0
            || status.is_some_and(|status| status.expired > 0)
        {
            Standing::Imperfect
        } else {
            Standing::Complete
        }
    }

    fn of_open(standings: &Standings, status: Option<&BatchStatus>) -> Standing {
        let waiting: i64 = status.map_or(0, |status| {
            let rows = |waiting: &crate::report::WaitingFor| waiting.rows;
            status.waiting_for.iter().map(rows).max().unwrap_or_default()
        });
        if standings.batch.paused_at.is_some() {
            Standing::Paused
        } else if status.is_some_and(|status| status.waits_for("confirmation")) {
            Standing::Unconfirmed
        } else if status.is_none() {
            Standing::BeingRead
        } else if !status.is_some_and(BatchStatus::has_sender) {
            Standing::Unsent
        } else if waiting >= standings.counts[State::Pending] && standings.counts[State::Sending] == 0 {
            Standing::Waiting
        } else {
            Standing::BeingSent
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Standing::DoesNotAddUp => "Does not add up",
            Standing::Paused => "Paused",
            Standing::Unconfirmed => "To be confirmed",
            Standing::BeingSent => "Being sent",
            Standing::Waiting => "Waiting",
            Standing::BeingRead => "Being read",
            Standing::Unsent => "Nobody sends it",
            Standing::Undecided => "Needs a decision",
            Standing::Cancelled => "Cancelled",
            Standing::Imperfect => "Complete, not all accepted",
            Standing::Complete => "Complete",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Standing::DoesNotAddUp | Standing::Undecided => "is-alarming",
            Standing::Paused | Standing::Unconfirmed | Standing::Waiting | Standing::BeingRead | Standing::Unsent => {
                "is-held"
            }
            Standing::BeingSent => "is-going",
            Standing::Cancelled | Standing::Imperfect | Standing::Complete => "is-over",
        }
    }

    /// The word in its colour.
    pub(super) fn badge(self) -> Markup {
        html! { span.badge.(self.class()) { (self.word()) } }
    }
}

/// How far a batch is: a bar of its states, with the words for it.
pub(super) fn progress(standings: &Standings) -> Markup {
    let counts = &standings.counts;
    let rows = standings.batch.rows;
    let left = counts[State::Pending] + counts[State::Sending];
    let done = rows - left;
    html! {
        p.progress {
            b { (share(done, rows)) } " done: " (grouped(done)) " of " (grouped(rows)) " rows"
            @if left > 0 { ", " (grouped(left)) " left" }
        }
        (bar(standings))
    }
}

/// The states side by side, each as wide as its share. What is there is seen, however little it is.
fn bar(standings: &Standings) -> Markup {
    const WIDTH: f64 = 1_000.0;
    const SEEN: f64 = 3.0;
    let total = standings.counts.total().max(1);
    let mut x = 0.0;
    let mut parts = Vec::new();
    for (state, count) in order(standings) {
        let width = (count as f64 / total as f64 * WIDTH).max(SEEN).min(WIDTH - x);
        parts.push((state, x, width));
        x += width;
    }
    let told: Vec<String> = order(standings).map(|(state, count)| format!("{} {state}", grouped(count))).collect();
    html! {
        svg.states viewBox="0 0 1000 14" preserveAspectRatio="none" role="img" aria-label=(told.join(", ")) {
            @for (state, x, width) in parts {
                rect class={ "fill-" (state) } x=(format!("{x:.1}")) y="0" width=(format!("{width:.1}")) height="14" {}
            }
        }
    }
}

/// The states that rows are in, in the order of the bar: what is at its end first.
fn order(standings: &Standings) -> impl Iterator<Item = (State, i64)> + '_ {
    const ORDER: [State; 8] = [
        State::Accepted,
        State::Rejected,
        State::Failed,
        State::Unknown,
        State::Skipped,
        State::Cancelled,
        State::Sending,
        State::Pending,
    ];
    ORDER.into_iter().map(|state| (state, standings.counts[state])).filter(|(_, count)| *count > 0)
}

/// The states with their counts, in a line.
pub(super) fn legend(standings: &Standings) -> Markup {
    html! {
        ul.legend {
            @for (state, count) in order(standings) { li { (named(state, &format!("{} {state}", grouped(count)))) } }
        }
    }
}

/// How fast it goes, what it waits for, and what to type next.
pub(super) fn now(standings: &Standings) -> Markup {
    let Some(status) = standings.status.as_deref() else {
        return html! { p.muted { "What it waits for is being counted…" } };
    };
    html! {
        @if standings.is_open() && status.is_being_sent() && (status.rate > 0.0 || status.eta.is_some()) {
            p {
                @if status.rate > 0.0 {
                    b { (words::rate(status.rate)) } " a second"
                    @if let Some(limit) = status.rate_limit { " of " (words::rate(limit)) " at most" }
                    @if status.throttle.is_some() { ", as an operator throttled it" }
                } @else { "Nothing leaves at this moment" }
                @if let Some(eta) = &status.eta { "; done by about " b.nowrap { (minute(eta)) } }
                "."
            }
        } @else if let Some(throttle) = status.throttle.filter(|_| standings.is_open()) {
            p { "Throttled by an operator to " (words::rate(throttle)) " a second." }
        }
        @if !status.waiting_for.is_empty() {
            ul.waits {
                @for waiting in &status.waiting_for {
                    li {
                        (grouped(waiting.rows)) @if waiting.rows == 1 { " row waits" } @else { " rows wait" }
                        @if let Some(until) = &waiting.until { " until " b.nowrap { (minute(until)) } }
                        " " (with_code(waiting.why())) "."
                    }
                }
            }
        }
        @if let Some(why) = status.last_stop.as_ref().filter(|_| status.states[State::Pending] > 0) {
            p.alarm { "The last run stopped: " (words::theirs(&validate::without_phones(why))) }
        }
        @if status.orphaned > 0 {
            p.alarm {
                (words::counted(status.orphaned.unsigned_abs(), "row"))
                " in flight in a run that is silent or dead: " (command("mep-batch run")) " or "
                (command(&format!("mep-batch resolve {}", status.batch))) " makes them unknown."
            }
        }
        @let steps = next_steps(status);
        @if !steps.is_empty() {
            ul.next { @for step in steps { li { "Next, " (step.what) ": " (command(&step.command)) } } }
        }
    }
}

/// A stored moment to the minute.
pub(super) fn minute(rfc_3339: &str) -> String {
    match rfc_3339.get(..16) {
        Some(minute) => format!("{} UTC", minute.replace('T', " ")),
        None => rfc_3339.to_owned(),
    }
}

/// A text of the program's with its commands set apart.
pub(super) fn with_code(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}
