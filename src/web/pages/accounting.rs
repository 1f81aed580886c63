//! The rows of a batch by state, which have to add up to the rows in its file.

use maud::{Markup, html};

use super::rows::address_of;
use crate::report::Standings;
use crate::web::chart::named;
use crate::web::words::{counted, grouped, share, theirs};

pub(super) fn table(standings: &Standings) -> Markup {
    let (counts, batch) = (&standings.counts, &standings.batch);
    let (total, rows) = (counts.total(), batch.rows);
    html! {
        @if !standings.adds_up() {
            p.alarm role="alert" {
                "The states add up to " (grouped(total)) ", and the file has " (grouped(rows))
                " rows: this is a defect of mep-batch, please report it."
            }
        }
        table.narrow {
            thead { tr { th scope="col" { "State" } th.number scope="col" { "Rows" } th.number scope="col" { "Share" } } }
            tbody {
                @for (state, count) in counts.iter() {
                    tr {
                        th scope="row" {
                            @if count > 0 {
                                a href=(address_of(&batch.name, state)) { (named(state, state.as_str())) }
                            } @else {
                                (named(state, state.as_str()))
                            }
                        }
                        td.number { (grouped(count)) }
                        td.number { (share(count, total)) }
                    }
                }
            }
            tfoot {
                tr {
                    th scope="row" { @if standings.adds_up() { "In all, as in the file" } @else { "In all" } }
                    td.number { (grouped(total)) }
                    td.number { @if total > 0 { (share(total, rows)) } }
                }
            }
        }
        (more(standings))
    }
}

/// What the states do not say.
fn more(standings: &Standings) -> Markup {
    let Some(status) = standings.status.as_deref() else { return html! {} };
    let may_be = status.possible_duplicates - status.texted_twice;
    let rows = |count: i64| counted(count.unsigned_abs(), "row");
    html! {
        @if status.texted_twice > 0 {
            p.alarm { (rows(status.texted_twice)) " of the accepted were texted twice: an earlier attempt was accepted too, known too late." }
        }
        @if may_be > 0 {
            p.alarm { (rows(may_be)) " of the accepted may have been texted twice: an earlier attempt's fate is not known." }
        }
        @if status.perhaps_texted > 0 {
            p.alarm { (rows(status.perhaps_texted)) " of those that were not accepted may have been texted all the same: an attempt's fate is not known." }
        }
        @if status.expired > 0 { p { (rows(status.expired)) " of the skipped were not sent in time (" code { "--not-after" } ")." } }
        @if !status.canaries.is_empty() {
            h3 { "Canaries" }
            ul {
                @for canary in &status.canaries {
                    li { "To " (theirs(&canary.phone_number)) " at " (super::standing::minute(&canary.at)) ": " (theirs(fate(&canary.state, canary.arrived))) }
                }
            }
        }
        @if let Some(purge) = standings.batch.purge {
            p.note { "Its phone numbers and texts " @if purge.finished_at.is_some() { "were purged." } @else { "are being purged." } }
        }
    }
}

fn fate(state: &str, arrived: Option<bool>) -> &str {
    match (state, arrived) {
        ("sending", _) => "broken off: it may have left",
        ("accepted", Some(true)) => "accepted, and arrived",
        ("accepted", Some(false)) => "accepted, and did not arrive",
        ("accepted", None) => "accepted; nobody said whether it arrived",
        (other, _) => other,
    }
}
