//! The runs: which live, which are silent, and how the others ended.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::{Page, Rendered, Trouble, command, place};
use crate::store::{PastRun, RunView, STOPPED};
use crate::validate::without_phones;
use crate::web::events::Part;
use crate::web::layout::scroll;
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};

/// Runs that are shown of those that have ended.
const ENDED_SHOWN: u32 = 50;

pub(in crate::web) async fn runs(site: &Site) -> Rendered {
    let (parts, lacks) = tokio::join!(parts(site), super::lacks(site));
    let parts = parts?;
    let header = html! {
        p.kicker { "mep-batch, in " (theirs(&site.store.address().to_string())) }
        h1 { "Runs" }
    };
    let body = html! { @for part in &parts { (place(part)) } };
    let events = Some("/runs/events".to_owned());
    Ok(Page { title: "Runs", lacks: Some(lacks), events, header, body }.answer(site, StatusCode::OK))
}

pub(super) async fn parts(site: &Site) -> Result<Vec<Part>, Trouble> {
    let runs = site.store.open_runs().await?;
    let ended = site.store.ended_runs(ENDED_SHOWN).await?;
    let is_shared = site.store.is_shared();
    let html = html! {
        h2 { "Not ended" }
        @if runs.is_empty() {
            p { "No run at this moment." }
            p { "One is started by " (command("mep-batch run")) "." }
        } @else {
            (scroll("Runs that have not ended", &html! {
                table.cards {
                    thead {
                        tr {
                            th scope="col" { "Process" }
                            th scope="col" { "Heartbeat" }
                            th.number scope="col" { "Last sign" }
                            th.number scope="col" { "In flight" }
                            th.number scope="col" { "A second" }
                            th scope="col" { "Since, UTC" }
                        }
                    }
                    tbody { @for run in &runs { (line(run, is_shared)) } }
                }
            }))
        }
        @if !ended.is_empty() {
            h2 { "Ended" }
            (scroll("Runs that have ended", &html! {
                table.cards {
                    caption { "The last first, " (ENDED_SHOWN) " at most; times in UTC" }
                    thead {
                        tr {
                            th.number scope="col" { "Run" }
                            th scope="col" { "How it ended" }
                            th scope="col" { "From" }
                            th scope="col" { "To" }
                            th scope="col" { "Process" }
                            th scope="col" { "Who" }
                            th scope="col" { "Version" }
                        }
                    }
                    tbody { @for run in &ended { (ended_line(run)) } }
                }
            }))
        }
    };
    let words = runs.iter().map(|run| format!("{} {}: {}. ", run.host, run.pid, word(run, is_shared)));
    let told: String = words.collect();
    Ok(vec![
        Part { id: "runs", html },
        Part { id: "announced", html: html! { p.unseen role="status" { (theirs(&told)) } } },
    ])
}

/// Whether a run lives, as far as that is known.
fn word(run: &RunView, is_shared: bool) -> &'static str {
    match (run.is_alive, is_shared) {
        (true, _) => "Living",
        (false, true) => "Silent",
        (false, false) => "Dead",
    }
}

fn line(run: &RunView, is_shared: bool) -> Markup {
    let class = if run.is_alive { "is-going" } else { "is-alarming" };
    html! {
        tr {
            th scope="row" { (theirs(&run.host)) ", pid " (run.pid) }
            td data-name="heartbeat" { span.badge.(class) { (word(run, is_shared)) } }
            td.number data-name="last sign" { (words::about(run.silent)) " ago" }
            td.number data-name="in flight" { (grouped(run.sending)) }
            td.number data-name="a second" { (words::rate(run.rate)) }
            td data-name="since" { (words::time(run.started_at)) }
        }
    }
}

fn ended_line(run: &PastRun) -> Markup {
    let (ended_at, how) = run.ended.as_ref().map_or((None, ""), |(at, how)| (Some(*at), how.as_str()));
    let is_fault = how.starts_with(STOPPED) || how == "died";
    html! {
        tr {
            th.number scope="row" data-name="run" { (run.id.0) }
            td.said.alarm[is_fault] data-name="how it ended" { (theirs(&without_phones(how))) }
            td data-name="from" { (words::time(run.started_at)) }
            td data-name="to" { @if let Some(at) = ended_at { (words::time(at)) } }
            td data-name="process" { (theirs(&run.host)) ", pid " (run.pid) }
            td data-name="who" { (theirs(&run.who)) }
            td data-name="version" { (theirs(&run.version)) }
        }
    }
}
