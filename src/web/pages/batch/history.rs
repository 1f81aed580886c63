//! What operators did to a batch, and how it is sent.

use maud::{Markup, html};

use crate::report::Standings;
use crate::store::{ActionRecord, Batch};
use crate::validate::without_phones;
use crate::web::layout::scroll;
use crate::web::pages::Trouble;
use crate::web::site::Site;
use crate::web::words::{self, theirs};

/// Acts that are shown, the last ones.
const ACTS_SHOWN: usize = 100;

pub(super) async fn acts(site: &Site, standings: &Standings) -> Result<Markup, Trouble> {
    let acts = site.store.batch_actions(standings.batch.id).await?;
    let earlier = acts.len().saturating_sub(ACTS_SHOWN);
    Ok(html! {
        @if earlier > 0 { p.muted { "The last " (ACTS_SHOWN) " of " (acts.len()) " acts." } }
        (scroll("Who did what", &html! {
            table.cards {
                thead {
                    tr {
                        th scope="col" { "Act" }
                        th scope="col" { "When, UTC" }
                        th scope="col" { "Who" }
                        th scope="col" { "Why" }
                    }
                }
                tbody { @for act in acts.iter().skip(earlier).rev() { (line(act)) } }
            }
        }))
    })
}

fn line(act: &ActionRecord) -> Markup {
    html! {
        tr {
            th scope="row" { (theirs(&act.kind)) }
            td data-name="when" { (words::time(act.at)) }
            td data-name="who" { (theirs(&act.actor.who)) " on " (theirs(&act.actor.host)) }
            td data-name="why" { @if let Some(why) = &act.reason { (theirs(&without_phones(why))) } }
        }
    }
}

/// How the batch is sent, and from what file it came.
pub(super) fn settings(batch: &Batch) -> Markup {
    let settings = &batch.settings;
    let schedule = &settings.schedule;
    let about = |duration| words::about(duration);
    html! {
        dl {
            dt { "Rate" }
            dd { @if let Some(rate) = settings.rate { (words::rate(rate)) " a second at most" } @else { "as fast as answers come" } }
            @if let Some(window) = &schedule.window { dt { "Window" } dd { (window) } }
            @if let Some(zone) = &schedule.time_zone { dt { "Time zone" } dd { (theirs(zone)) } }
            @if let Some(at) = schedule.not_before { dt { "Not before" } dd { (words::moment(at)) } }
            @if let Some(at) = schedule.not_after { dt { "Not after" } dd { (words::moment(at)) } }
            dt { "Retries" }
            dd { "from " (about(settings.retry_initial)) " to " (about(settings.retry_max)) " apart, for " (about(settings.retry_for)) }
            dt { "After 1010" }
            dd { @if let Some(every) = settings.vendor_retry { "again every " (about(every)) } @else { "never again: held as unknown" } }
            dt { "First probe" }
            dd { (about(settings.probe_after)) " after the gate closed" }
            dt { "Unknown rows at most" }
            dd { (words::grouped(settings.unknown_limit(batch.rows))) }
            @if let Some(list) = &settings.suppress { dt { "Suppression list" } dd { (theirs(&list.display().to_string())) } }
            dt { "File" }
            dd { (theirs(&batch.source_name)) ", imported " (words::moment(batch.imported_at)) }
            dt { "SHA-256 of the file" }
            dd { code { (theirs(&batch.source_sha256)) } }
        }
    }
}
