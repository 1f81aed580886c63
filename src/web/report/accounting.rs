//! The accounting: each row of the file in one state, which add up to the file; and each attempt by what came of it.

use maud::{Markup, html};

use crate::invocation::{Outcome, State};
use crate::report::Campaign;
use crate::web::chart::named;
use crate::web::layout::scroll;
use crate::web::words::{grouped, share};

/// The figures that matter most, with their shares.
pub(super) fn figures(campaign: &Campaign) -> Markup {
    let (states, rows) = (&campaign.status.states, campaign.status.rows);
    let waiting = states[State::Pending] + states[State::Sending];
    let left_out = states[State::Skipped] + states[State::Cancelled];
    html! {
        ul.figures {
            (figure("is-accepted", states[State::Accepted], "accepted", rows))
            (figure("is-rejected", states[State::Rejected], "rejected", rows))
            (figure("is-failed", states[State::Failed], "failed", rows))
            (figure("is-unknown", states[State::Unknown], "unknown", rows))
            (figure("is-waiting", waiting, "waiting", rows))
            @if left_out > 0 { (figure("is-left-out", left_out, "skipped or cancelled", rows)) }
        }
    }
}

fn figure(class: &str, count: i64, what: &str, rows: i64) -> Markup {
    html! { li class=(class) { b { (grouped(count)) } (what) " " span.muted.nowrap { (share(count, rows)) } } }
}

pub(in crate::web) fn section(campaign: &Campaign) -> Markup {
    html! {
        (rows(campaign))
        (attempts(campaign))
    }
}

fn rows(campaign: &Campaign) -> Markup {
    let status = &campaign.status;
    let total = status.states.total();
    let table = html! {
        table {
            caption { "Rows of the file by state" }
            thead { tr { th scope="col" { "State" } th.number scope="col" { "Rows" } th.number scope="col" { "Share" } th scope="col" { "What that is" } } }
            tbody {
                @for (state, count) in status.states.iter() {
                    tr {
                        th scope="row" { (named(state, state.as_str())) }
                        td.number { (grouped(count)) }
                        td.number { (share(count, status.rows)) }
                        td { (state.meaning()) }
                    }
                }
            }
            tfoot {
                tr {
                    th scope="row" { "In all" }
                    td.number { (grouped(total)) }
                    td.number { (share(total, status.rows)) }
                    @if status.adds_up {
                        td { "as many as the rows in the file" }
                    } @else {
                        td.alarm { "does not add up: the file has " (grouped(status.rows)) " rows" }
                    }
                }
            }
        }
    };
    html! {
        (scroll("Rows by state", &table))
        @if status.expired > 0 { p { (grouped(status.expired)) " of the skipped were not sent in time (" code { "--not-after" } ")." } }
    }
}

/// The attempts by what came of them; more than one may be of one row.
pub(in crate::web) fn attempts(campaign: &Campaign) -> Markup {
    let total = campaign.tally.attempt_count();
    let table = html! {
        table {
            caption { "Attempts by what came of them: a row may have several, and one that was given back was not sent" }
            thead {
                tr {
                    th scope="col" { "Outcome" } th.number scope="col" { "HTTP status" } th.number scope="col" { "Code" }
                    th.number scope="col" { "Attempts" } th.number scope="col" { "Share" }
                }
            }
            tbody {
                @for ((outcome, status, code), attempts) in &campaign.tally.attempts {
                    tr {
                        th scope="row" { (named(*outcome, outcome.as_str())) @if let Some(meaning) = meaning(*outcome) { " " span.muted { "(" (meaning) ")" } } }
                        td.number { @if let Some(status) = status { (status) } @else { "–" } }
                        td.number { @if let Some(code) = code { (code) } @else { "–" } }
                        td.number { (grouped(*attempts)) }
                        td.number { (share(*attempts, total)) }
                    }
                }
            }
            tfoot { tr { th scope="row" { "In all" } td {} td {} td.number { (grouped(total)) } td.number { (share(total, total)) } } }
        }
    };
    html! { @if total > 0 { h3 { "Attempts" } (scroll("Attempts by outcome", &table)) } }
}

/// What an outcome means, where that is not said by its word.
fn meaning(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Accepted | Outcome::Rejected | Outcome::Failed | Outcome::Unknown | Outcome::Skipped => None,
        Outcome::Retry => Some("to be repeated, by the vendor's word"),
        Outcome::Throttled => Some("asked to wait"),
        Outcome::Unreached => Some("no connection: not sent"),
        Outcome::Misconfigured => Some("refused for a fault of the configuration"),
        Outcome::Foreign => Some("unknown: not the vendor's answer"),
        Outcome::GivenBack => Some("not sent, on purpose"),
    }
}
