//! All batches: those that need a look with all that matters now, the others in a table.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::standing::{Standing, legend, now, progress};
use super::{Page, Rendered, Trouble, command, place};
use crate::invocation::State;
use crate::report::Standings;
use crate::web::address;
use crate::web::events::Part;
use crate::web::layout::scroll;
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};

/// Batches at their end that are shown at first.
const OVER_SHOWN: usize = 50;

pub(in crate::web) async fn batches(site: &Site, query: &[(String, String)]) -> Rendered {
    let wants_all = query.iter().any(|(name, _)| name == "all");
    let (parts, lacks) = tokio::join!(parts(site, wants_all), super::lacks(site));
    let parts = parts?;
    let place_of = site.store.address().to_string();
    let header = html! {
        p.kicker { "mep-batch, in " (theirs(&place_of)) }
        h1 { "Batches" }
    };
    let body = html! { @for part in &parts { (place(part)) } };
    // What is live is the first of them: a list of all is reloaded.
    let events = (!wants_all).then(|| "/events".to_owned());
    Ok(Page { title: "Batches", lacks: Some(lacks), events, header, body }.answer(site, StatusCode::OK))
}

pub(super) async fn parts(site: &Site, wants_all: bool) -> Result<Vec<Part>, Trouble> {
    let mut all = site.figures.all().await?;
    all.reverse();
    let is_sent = !all.iter().any(Standings::is_open);
    let (open, over): (Vec<_>, Vec<_>) = all.into_iter().partition(Standings::needs_a_look);
    let html = html! {
        @if open.is_empty() && over.is_empty() {
            p.lede { "No batches yet." }
            p { "One is made by " (command("mep-batch import FILE --endpoint E")) "." }
        } @else {
            @if is_sent { p.lede { "Nothing is left to send." } }
            @for standings in &open { (card(standings)) }
            @if !over.is_empty() { h2 { "At their end" } (table(&over, wants_all)) }
        }
    };
    let told = html! {
        // What is read out when it changes: words alone, no figures.
        @for standings in &open { (theirs(&standings.batch.name)) ": " (Standing::of(standings).word()) ". " }
    };
    Ok(vec![Part { id: "batches", html }, Part { id: "announced", html: html! { p.unseen role="status" { (told) } } }])
}

fn card(standings: &Standings) -> Markup {
    let batch = &standings.batch;
    html! {
        article.batch {
            h2 { a href=(address::batch(&batch.name)) { (theirs(&batch.name)) } " " (Standing::of(standings).badge()) }
            p.muted { (theirs(&batch.source_name)) " to " (theirs(&batch.endpoint.to_string())) }
            (progress(standings))
            (legend(standings))
            (now(standings))
        }
    }
}

fn table(over: &[Standings], wants_all: bool) -> Markup {
    let shown = if wants_all { over.len() } else { OVER_SHOWN };
    let numbers = [State::Accepted, State::Rejected, State::Failed, State::Unknown, State::Skipped, State::Cancelled];
    html! {
        (scroll("Batches at their end", &html! {
            table.cards {
                thead {
                    tr {
                        th scope="col" { "Batch" }
                        th scope="col" { "Stands" }
                        th.number scope="col" { "Rows" }
                        @for state in numbers { th.number scope="col" { (state) } }
                        th scope="col" { "Imported, UTC" }
                    }
                }
                tbody {
                    @for standings in over.iter().take(shown) {
                        tr {
                            th.name scope="row" {
                                a href=(address::batch(&standings.batch.name)) { (theirs(&standings.batch.name)) }
                            }
                            td data-name="stands" { (Standing::of(standings).badge()) }
                            td.number data-name="rows" { (grouped(standings.batch.rows)) }
                            @for state in numbers {
                                td.number data-name=(state) { (grouped(standings.counts[state])) }
                            }
                            td data-name="imported" { (words::time(standings.batch.imported_at)) }
                        }
                    }
                }
            }
        }))
        @if over.len() > shown { p { a href="/?all" { "All " (over.len()) " batches" } } }
    }
}
