//! What was sent, and where: the file, the service, and where all of this is kept.

use maud::{Markup, html};

use super::text::Text;
use crate::report::Campaign;
use crate::web::words;

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    let batch = &campaign.batch;
    let account = if batch.account.is_empty() { "none named" } else { batch.account.as_str() };
    html! {
        dl {
            dt { "Batch" } dd { (words::theirs(&batch.name)) }
            dt { "File" } dd { (words::theirs(&batch.source_name)) }
            dt { "SHA-256 of its content" } dd { code { (words::theirs(&batch.source_sha256)) } }
            dt { "Rows" } dd { (words::grouped(batch.rows)) }
            dt { "Columns" }
            dd { @for (place, column) in batch.columns.iter().enumerate() { @if place > 0 { ", " } code { (text.said(column)) } } }
            dt { "Service" } dd { code { (words::theirs(batch.service.as_str())) } }
            dt { "Endpoint" }
            dd {
                (words::theirs(&batch.endpoint.to_string()))
                @if let Some(url) = batch.endpoint.base_url().filter(|url| *url != batch.endpoint.to_string()) { " (" (words::theirs(url)) ")" }
            }
            dt { "Account" } dd { (words::theirs(account)) }
            dt { "Imported" } dd { (words::moment(batch.imported_at)) }
            dt { "Confirmed" }
            dd {
                @match batch.confirmed_at {
                    Some(at) => { (words::moment(at)) }
                    None if batch.endpoint.needs_confirmation() => { "not yet: nothing is sent before" }
                    None => { "not needed: the endpoint reaches nobody" }
                }
            }
            dt { "Database" } dd { (words::theirs(&campaign.database)) }
            dt { "This report" } dd { "made by mep-batch " (env!("CARGO_PKG_VERSION")) " at " (words::moment(campaign.at)) }
        }
    }
}
