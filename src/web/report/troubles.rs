//! What went wrong, by cause: how many rows, the first of them, what was said, and what to do about it.

use maud::{Markup, html};

use super::remedy;
use super::text::Text;
use crate::invocation::Outcome;
use crate::report::{Campaign, TroubleRows};
use crate::retry;
use crate::store::Cause;
use crate::web::chart::named;
use crate::web::layout::{command, scroll};
use crate::web::words::{grouped, share};

/// Causes that are told: the largest. A file of which each row is refused for another reason is read elsewhere.
const CAUSES_TOLD: usize = 100;

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    let mut causes: Vec<(&Cause, &TroubleRows)> = campaign.tally.troubles.iter().collect();
    causes.sort_by_key(|(cause, trouble)| (-trouble.rows, trouble.lines.first().copied(), (*cause).clone()));
    let told = &causes[..causes.len().min(CAUSES_TOLD)];
    let untold =
        causes[told.len()..].iter().map(|(_, trouble)| trouble.rows).sum::<i64>() + campaign.tally.other_troubles;
    html! {
        @if causes.is_empty() {
            p { "Nothing: no row was rejected, failed, left unknown, skipped or cancelled." }
        } @else {
            (scroll("What went wrong, by cause", &table(campaign, told, text)))
        }
        @if untold > 0 {
            p { (grouped(untold)) " more rows are of further causes: " (command(&format!("mep-batch export {} --state rejected,failed,unknown,skipped,cancelled -o FILE.csv", campaign.batch.name))) " has them all." }
        }
        (faults(campaign))
    }
}

fn table(campaign: &Campaign, causes: &[(&Cause, &TroubleRows)], text: Text) -> Markup {
    let batch = &campaign.batch.name;
    html! {
        table.cards {
            caption { "Rows that are not accepted, by cause; the most first" }
            thead {
                tr {
                    th scope="col" { "State" } th scope="col" { "What was said" } th.number scope="col" { "Rows" }
                    th.number scope="col" { "Share" } th scope="col" { "First lines" } th scope="col" { "What to do" }
                }
            }
            tbody {
                @for (cause, trouble) in causes {
                    tr {
                        th scope="row" { (named(cause.state, cause.state.as_str())) }
                        td.said {
                            @if let Some(answer) = answer(cause) { div.muted.small { (answer) } }
                            @if let Some(message) = &cause.message { (text.said(message)) } @else { "nothing" }
                        }
                        td.number data-name="Rows" { (grouped(trouble.rows)) }
                        td.number data-name="Share" { (share(trouble.rows, campaign.status.rows)) }
                        td data-name="First lines" { (lines(batch, trouble, text)) }
                        td.small data-name="What to do" { (remedy::of(cause, batch)) }
                    }
                }
            }
        }
    }
}

/// `HTTP 400, code 12002`.
fn answer(cause: &Cause) -> Option<String> {
    match (cause.http_status, cause.code) {
        (Some(status), Some(code)) => Some(format!("HTTP {status}, code {code}")),
        (Some(status), None) => Some(format!("HTTP {status}")),
        (None, Some(code)) => Some(format!("code {code}")),
        (None, None) => None,
    }
}

/// `17, 20, 31, …`.
fn lines(batch: &str, trouble: &TroubleRows, text: Text) -> Markup {
    let has_more = trouble.rows > i64::try_from(trouble.lines.len()).unwrap_or(i64::MAX);
    html! {
        @for (place, line) in trouble.lines.iter().enumerate() { @if place > 0 { ", " } (text.line(batch, *line)) }
        @if has_more { ", …" }
    }
}

/// What stopped runs, though no row is the worse for it.
fn faults(campaign: &Campaign) -> Markup {
    let faults = campaign.tally.attempts.iter().filter(|((outcome, _, _), _)| *outcome == Outcome::Misconfigured);
    let faults: Vec<_> =
        faults.map(|((_, status, code), attempts)| (status.unwrap_or_default(), *code, *attempts)).collect();
    html! {
        @if !faults.is_empty() {
            h3 { "What stopped runs" }
            ul {
                @for (status, code, attempts) in faults {
                    @let (what, hint) = retry::configuration_fault(status, code);
                    li {
                        (what) " (HTTP " (status) @if let Some(code) = code { ", code " (code) } "), "
                        (crate::web::words::counted(attempts.unsigned_abs(), "time")) ": " (hint) ". The rows went back unharmed."
                    }
                }
            }
        }
    }
}
