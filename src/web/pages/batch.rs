//! One batch: the accounting, what goes on now, the charts, what went wrong, what is open, who did what, and its rows.

use std::sync::Arc;

use axum::http::StatusCode;
use maud::{Markup, html};

use super::standing::{Standing, legend, now, progress};
use super::{Page, Rendered, Trouble, accounting, command, find, place, rows};
use crate::report::{Campaign, Known};
use crate::store::Batch;
use crate::web::events::Part;
use crate::web::report::text::{Pages, Text};
use crate::web::report::{acts, course, identity, questions, runs, settings, troubles};
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};
use crate::web::{address, layout};

/// The places of the page.
const PLACES: [(&str, &str); 9] = [
    ("accounting-of", "Accounting"),
    ("course-of", "Over time"),
    ("troubles-of", "What went wrong"),
    ("questions-of", "Open questions"),
    ("acts-of", "What operators did"),
    ("runs-of", "Runs"),
    ("settings-of", "Settings in force"),
    ("identity-of", "What is sent, and where"),
    ("rows", "Rows"),
];

/// Numbers are masked, and lines lead to their pages.
const TEXT: Text = Text { reveal: false, pages: Pages::Rows };

pub(in crate::web) async fn batch(site: &Site, name: &str, query: &[(String, String)]) -> Rendered {
    let batch = find(site, name).await?;
    let (parts, lacks) = tokio::join!(parts_and_known(site, &batch), super::lacks(site));
    let (parts, known) = parts?;
    let wanted = rows::Wanted::of(query);
    let found = rows::find(site, &batch, &wanted, &known).await?;
    let header = html! {
        p.kicker { "Batch, in " (theirs(&site.store.address().to_string())) }
        h1 { (theirs(name)) }
        p.lede {
            (theirs(&batch.source_name)) ", " (words::counted(batch.rows.unsigned_abs(), "row")) ", to "
            (theirs(&batch.endpoint.to_string())) ", service " span.nowrap { (theirs(batch.service.as_str())) }
            @if !batch.account.is_empty() { ", account " (theirs(&batch.account)) }
        }
        (layout::contents(&PLACES))
    };
    let body = html! {
        @for (number, part) in parts.iter().enumerate() {
            // The first stands by itself above the places.
            @if let Some((id, heading)) = number.checked_sub(1).and_then(|number| PLACES.get(number)) {
                h2 id=(id) { (heading) }
            }
            (place(part))
        }
        (rows::section(&batch, &wanted, &found))
        p.muted { "All rows, for a spreadsheet: " (command(&format!("mep-batch export {name}"))) "; this page as a file: "
            (command(&format!("mep-batch report {name} -o {name}.html"))) }
    };
    let events = Some(format!("{}/events", address::batch(name)));
    Ok(Page { title: name, lacks: Some(lacks), events, header, body }.answer(site, StatusCode::OK))
}

/// What is live: one part for each of the places before the rows, after the one above them.
pub(super) async fn parts(site: &Site, batch: &Batch) -> Result<Vec<Part>, Trouble> {
    Ok(parts_and_known(site, batch).await?.0)
}

/// The parts, and what was known of the rows when they were made.
async fn parts_and_known(site: &Site, batch: &Batch) -> Result<(Vec<Part>, Arc<Known>), Trouble> {
    // Each may be waited for, and a page has 0.3 s in all.
    let (standings, known) = tokio::join!(site.figures.one(batch.clone()), site.figures.known(batch));
    let standings = standings?;
    let campaign = site.figures.campaign(&standings, &known).await?;
    let first = html! {
        p.standing role="status" { (Standing::of(&standings).badge()) }
        (progress(&standings))
        (legend(&standings))
        (now(&standings))
    };
    let of_campaign = |section: &dyn Fn(&Campaign) -> Markup| match &campaign {
        Some(campaign) => section(campaign),
        None => html! { p.note { "Being read…" } },
    };
    let counted = |section: &dyn Fn(&Campaign) -> Markup| {
        html! {
            (counting(&known))
            @if known.is_complete || known.tally.attempt_count() > 0 { (of_campaign(section)) }
        }
    };
    let parts = vec![
        Part { id: "standing", html: first },
        Part { id: "accounting", html: accounting::table(&standings) },
        Part { id: "course", html: counted(&|campaign| course::section(campaign, TEXT)) },
        Part { id: "troubles", html: counted(&|campaign| troubles::section(campaign, TEXT)) },
        Part { id: "questions", html: of_campaign(&|campaign| questions::section(campaign, TEXT)) },
        Part { id: "acts", html: of_campaign(&|campaign| acts::section(campaign, TEXT)) },
        Part { id: "runs", html: counted(&|campaign| runs::section(campaign, TEXT)) },
        Part { id: "settings", html: of_campaign(&settings::section) },
        Part { id: "identity", html: of_campaign(&|campaign| identity::section(campaign, TEXT)) },
    ];
    Ok((parts, known))
}

/// How far the counting is, until each line has been counted once.
fn counting(known: &Known) -> Markup {
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
