//! The report of a batch: one page that needs nothing else, to be read, printed and handed in.

pub(super) mod accounting;
pub(super) mod acts;
pub(super) mod course;
pub(super) mod identity;
pub(super) mod questions;
mod remedy;
pub(super) mod runs;
pub(super) mod settings;
pub(super) mod text;
pub(super) mod troubles;
mod verdict;

use maud::{Markup, html};

use super::layout::{self, Style};
use super::{typed, words};
use crate::report::{Campaign, Disagreement};
use crate::store::PurgeHow;

use text::{Pages, Text};

/// The sections, in their order.
const SECTIONS: [(&str, &str); 8] = [
    ("accounting", "Accounting"),
    ("course", "Over time"),
    ("troubles", "What went wrong"),
    ("questions", "Open questions"),
    ("acts", "What operators did"),
    ("runs", "Runs"),
    ("settings", "Settings in force"),
    ("identity", "What was sent, and where"),
];

/// The whole page. With `reveal`, phone numbers are in full; `database`, a word for a shell, is put into each command.
#[must_use]
pub fn report(campaign: &Campaign, reveal: bool, database: Option<&str>) -> Markup {
    let text = Text { reveal, pages: Pages::None };
    let section = |number: usize, content: &Markup| {
        let (id, heading) = SECTIONS[number];
        let label = format!("{id}-heading");
        html! { section aria-labelledby=(label) { div id=(id) { h2 id=(label) { (heading) } } (content) } }
    };
    let body = html! {
        (section(0, &accounting::section(campaign)))
        (section(1, &course::section(campaign, text)))
        (section(2, &troubles::section(campaign, text)))
        (section(3, &questions::section(campaign, text)))
        (section(4, &acts::section(campaign, text)))
        (section(5, &runs::section(campaign, text)))
        (section(6, &settings::section(campaign)))
        (section(7, &identity::section(campaign, text)))
        footer {
            p {
                "Made by mep-batch " (env!("CARGO_PKG_VERSION")) " at " (words::moment(campaign.at)) " from "
                (words::theirs(&campaign.database)) ". All times are in UTC. "
                @if reveal { "Phone numbers are in full: keep it as you keep them." } @else { "The middle of phone numbers is hidden." }
            }
        }
    };
    let title = format!("{}: {}", campaign.batch.name, verdict::sentence(campaign));
    let page = layout::page(&title, Style::Within, &html! {}, &head(campaign), &body);
    typed::whole(page, database)
}

/// The verdict, what it is about, and whatever must not be overlooked.
fn head(campaign: &Campaign) -> Markup {
    let batch = &campaign.batch;
    html! {
        p.kicker { "Report of batch " strong { (words::theirs(&batch.name)) } ", " (words::moment(campaign.at)) }
        h1 { (verdict::headline(campaign)) }
        p.lede {
            (words::theirs(&batch.source_name)) ", " (words::counted(batch.rows.unsigned_abs(), "row")) ", to "
            (words::theirs(&batch.endpoint.to_string())) ", service " span.nowrap { (words::theirs(batch.service.as_str())) } ". "
            (course::when(campaign))
        }
        (warnings(campaign))
        (accounting::figures(campaign))
        (layout::contents(&SECTIONS))
    }
}

fn warnings(campaign: &Campaign) -> Markup {
    let batch = &campaign.batch;
    let disagreements = campaign.disagreements();
    html! {
        @if !disagreements.is_empty() {
            div.alarm role="alert" {
                p { "The figures do not add up. This is a defect of mep-batch, or somebody has changed its database: please report it; "
                    code { "mep-batch doctor" } " counts once more." }
                ul { @for disagreement in &disagreements { li { (disagreement_told(*disagreement)) } } }
            }
        }
        @if let Some(lacks) = &campaign.status.lacks {
            (layout::unreliable("this report", lacks))
        }
        @if campaign.is_being_sent() {
            p.note { "The batch was being sent when this was made: its figures are of moments that lie a little apart, and a later report has others." }
        }
        @if let Some(purge) = batch.purge {
            p.note {
                @match (purge.how, purge.finished_at) {
                    (PurgeHow::Redact, Some(at)) => { "The batch was purged at " (words::moment(at)) ": its phone numbers and texts are not readable any more. What came of its rows is." }
                    (PurgeHow::Redact, None) => { "The batch is being purged since " (words::moment(purge.began_at)) ": its phone numbers and texts become unreadable." }
                    (PurgeHow::Delete, _) => { "The batch is being deleted since " (words::moment(purge.began_at)) ": what is left of it is told here." }
                }
            }
        }
        @if let Some(at) = batch.cancelled_at { p.note { "An operator cancelled the batch at " (words::moment(at)) ": nothing more of it is ever sent." } }
        @if let (Some(at), None) = (batch.paused_at, batch.cancelled_at) {
            p.note { "An operator paused the batch at " (words::moment(at)) "; " code { "mep-batch resume " (batch.name) } " lets it go on." }
        }
    }
}

fn disagreement_told(disagreement: Disagreement) -> String {
    match disagreement {
        Disagreement::File { states, rows } => {
            format!(
                "all states together have {} rows, and the file has {}",
                words::grouped(states),
                words::grouped(rows)
            )
        }
        Disagreement::State { state, kept, counted } => {
            format!("{state}: {} are kept count of, and {} are there", words::grouped(kept), words::grouped(counted))
        }
    }
}
