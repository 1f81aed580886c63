//! The runs: which live, which are silent, and how the others ended.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::{Page, Rendered, Trouble, command, place};
use crate::store::RunView;
use crate::web::events::Part;
use crate::web::layout::scroll;
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};

pub(in crate::web) async fn runs(site: &Site) -> Rendered {
    let parts = parts(site).await?;
    let header = html! {
        p.kicker { "mep-batch, in " (theirs(&site.store.address().to_string())) }
        h1 { "Runs" }
    };
    let body = html! { @for part in &parts { (place(part)) } };
    Ok(Page { title: "Runs", events: Some("/runs/events".to_owned()), header, body }.answer(StatusCode::OK))
}

pub(super) async fn parts(site: &Site) -> Result<Vec<Part>, Trouble> {
    let runs = site.store.open_runs().await?;
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
