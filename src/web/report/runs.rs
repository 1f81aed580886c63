//! The runs that worked on a batch: who started them, where, when, and how they ended.

use maud::{Markup, html};

use super::text::Text;
use crate::report::{Campaign, CampaignRun};
use crate::web::layout::scroll;
use crate::web::words::{self, grouped};

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    html! {
        @if campaign.runs.is_empty() { p { "None has attempted any row." } } @else { (scroll("Runs", &table(campaign, text))) }
    }
}

fn table(campaign: &Campaign, text: Text) -> Markup {
    html! {
        table.cards {
            caption {
                "Runs that attempted rows of the batch, oldest first; times in UTC"
                @if campaign.earlier_runs > 0 { "; " (campaign.earlier_runs) " earlier ones are left out" }
            }
            thead {
                tr {
                    th.number scope="col" { "Run" } th scope="col" { "Who, where" } th scope="col" { "Started" }
                    th scope="col" { "Ended" } th scope="col" { "How" } th.number scope="col" { "Attempts" }
                }
            }
            tbody { @for run in &campaign.runs { (row(run, text)) } }
        }
    }
}

fn row(CampaignRun { run, is_alive, attempts }: &CampaignRun, text: Text) -> Markup {
    html! {
        tr {
            th.number scope="row" data-name="Run" { (run.id.0) }
            td data-name="Who" {
                (words::theirs(&run.who)) " on " (words::theirs(&run.host))
                span.muted { " (pid " (run.pid) ", mep-batch " (words::theirs(&run.version)) ")" }
            }
            td data-name="Started" { (words::time(run.started_at)) }
            td data-name="Ended" { @match &run.ended { Some((at, _)) => { (words::time(*at)) } None => { "–" } } }
            td.said data-name="How" {
                @match &run.ended {
                    Some((_, how)) => { (text.said(how)) }
                    None if *is_alive => { "goes on" }
                    None => { "silent: the next run finds out what became of it" }
                }
            }
            td.number data-name="Attempts" { (grouped(*attempts)) }
        }
    }
}
