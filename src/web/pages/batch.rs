//! One batch: the accounting, what goes on now, the charts, what went wrong, what is open, who did what, and its rows.

mod accounting;
mod course;
mod history;
mod troubles;

use axum::http::StatusCode;
use maud::html;

use super::standing::{Standing, legend, now, progress};
use super::{Page, Rendered, Trouble, command, find, place, rows};
use crate::report::Known;
use crate::store::Batch;
use crate::web::address;
use crate::web::events::Part;
use crate::web::layout;
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};

/// The places of the page.
const PLACES: [(&str, &str); 7] = [
    ("accounting-of", "Accounting"),
    ("charts-of", "Charts"),
    ("troubles-of", "What went wrong"),
    ("questions-of", "Open questions"),
    ("history-of", "Who did what"),
    ("settings-of", "Settings"),
    ("rows", "Rows"),
];

pub(in crate::web) async fn batch(site: &Site, name: &str, query: &[(String, String)]) -> Rendered {
    let batch = find(site, name).await?;
    let parts = parts(site, &batch).await?;
    let wanted = rows::Wanted::of(query);
    let known = site.figures.known(batch.id).await;
    let found = rows::find(site, &batch, &wanted, &known).await?;
    let header = html! {
        p.kicker { "Batch, in " (theirs(&site.store.address().to_string())) }
        h1 { (theirs(name)) }
        p.lede {
            (theirs(&batch.source_name)) ", " (grouped(batch.rows)) " rows, to " (theirs(&batch.endpoint.to_string()))
            ", service " (theirs(batch.service.as_str()))
            @if !batch.account.is_empty() { ", account " (theirs(&batch.account)) }
        }
        (layout::contents(&PLACES))
    };
    let [standing, accounting, charts, troubles, questions, history] = &parts[..] else {
        unreachable!("these are its parts")
    };
    let body = html! {
        (place(standing))
        h2 id="accounting-of" { "Accounting" }
        (place(accounting))
        h2 id="charts-of" { "Charts" }
        (place(charts))
        h2 id="troubles-of" { "What went wrong" }
        (place(troubles))
        h2 id="questions-of" { "Open questions" }
        (place(questions))
        h2 id="history-of" { "Who did what" }
        (place(history))
        h2 id="settings-of" { "Settings" }
        (history::settings(&batch))
        (rows::section(&batch, &wanted, &found))
        p.muted { "All rows, for a table: " (command(&format!("mep-batch export {name}"))) }
    };
    let events = Some(format!("{}/events", address::batch(name)));
    Ok(Page { title: name, events, header, body }.answer(StatusCode::OK))
}

pub(super) async fn parts(site: &Site, batch: &Batch) -> Result<Vec<Part>, Trouble> {
    let standings = site.figures.one(batch.clone()).await?;
    let known = site.figures.known(batch.id).await;
    let standing = Standing::of(&standings);
    let runs = site.store.open_runs().await?;
    let first = html! {
        p.standing role="status" { (standing.badge()) }
        (progress(&standings))
        (legend(&standings))
        (now(&standings))
    };
    let history = history::acts(site, &standings).await?;
    Ok(vec![
        Part { id: "standing", html: first },
        Part { id: "accounting", html: accounting::table(&standings) },
        Part { id: "charts", html: html! { (counting(&known)) (course::charts(&standings, &known, &runs)) } },
        Part { id: "troubles", html: html! { (counting(&known)) (troubles::table(batch, &known)) } },
        Part { id: "questions", html: troubles::questions(&standings, &known) },
        Part { id: "history", html: history },
    ])
}

/// How far the counting is, until each line has been counted once.
fn counting(known: &Known) -> maud::Markup {
    html! {
        @if !known.is_complete {
            p.note {
                @if known.lines == 0 { "Counting…" } @else {
                    "Counting… " (grouped(i64::from(known.lines_counted))) " of " (grouped(i64::from(known.lines))) " lines ("
                    (words::share(i64::from(known.lines_counted), i64::from(known.lines))) ")"
                }
            }
        }
    }
}
