//! Open questions: what a person has to find out and decide, and the commands for it.

use maud::{Markup, html};

use super::text::Text;
use crate::action;
use crate::invocation::{State, Verdict};
use crate::report::{Campaign, ROWS_TOLD, WaitingFor, has_too_many_unknown};
use crate::store::UnknownView;
use crate::web::layout::{command, scroll};
use crate::web::words::{self, counted, grouped};

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    let status = &campaign.status;
    let waiting = status.states[State::Pending] + status.states[State::Sending];
    let parts = [
        (status.states[State::Unknown] > 0, unknown(campaign, text)),
        (status.orphaned > 0, orphaned(campaign)),
        (status.possible_duplicates > 0, twice(campaign)),
        (status.perhaps_texted > 0, perhaps(campaign)),
        (campaign.repeated_request_ids > 0, repeated(campaign)),
        (waiting > 0, unsent(campaign, text)),
    ];
    let open: Vec<Markup> = parts.into_iter().filter_map(|(is_open, part)| is_open.then_some(part)).collect();
    html! {
        @if open.is_empty() { p { "None: it is known of everybody whether they were texted, nobody may have been twice, and nothing is left to send." } }
        @for part in open { (part) }
    }
}

fn unknown(campaign: &Campaign, text: Text) -> Markup {
    let (name, unknown) = (&campaign.batch.name, campaign.status.states[State::Unknown]);
    let listed = i64::try_from(campaign.unknown.len()).unwrap_or(i64::MAX);
    html! {
        h3 { (counted(unknown.unsigned_abs(), "unknown row")) }
        p {
            "A request may have left, and no answer says what became of it: the person may have been texted, or not. Nobody sends "
            "them again unasked. Ask the vendor's support, with the times, numbers and request IDs below, then say what is true."
        }
        (scroll("Unknown rows", &unknown_table(campaign, text)))
        @if unknown > listed {
            p { "And " (grouped(unknown - listed)) " more: " (command(&format!("mep-batch resolve {name} --all"))) " lists all." }
        }
        @if let Some(first) = campaign.unknown.first() { (commands(name, first)) }
    }
}

fn unknown_table(campaign: &Campaign, text: Text) -> Markup {
    let (rows, now, batch) = (&campaign.unknown, campaign.at, &campaign.batch.name);
    html! {
        table.cards {
            caption { "Unknown rows, the first " (ROWS_TOLD) " at most; times in UTC" }
            thead {
                tr {
                    th.number scope="col" { "Line" } th scope="col" { "Number" } th scope="col" { "Why" }
                    th scope="col" { "Last on the wire" } th scope="col" { "Request ID" } th scope="col" { "May be sent from" }
                }
            }
            tbody {
                @for row in rows {
                    @let rested = action::rested_at(row);
                    tr {
                        th.number scope="row" data-name="Line" { (text.line(batch, row.id.line())) }
                        td.nowrap data-name="Number" { (text.phone(row.phone)) }
                        td.said data-name="Why" {
                            @if let Some(status) = row.http_status.filter(|_| !row.message.starts_with("HTTP ")) { "HTTP " (status) ": " }
                            (text.said(&row.message))
                        }
                        td data-name="Last on the wire" { (words::time(row.last_on_wire)) }
                        td data-name="Request ID" { @match &row.request_id { Some(id) => { (words::theirs(id)) } None => { "–" } } }
                        td data-name="May be sent from" { @if rested > now { (words::time(rested)) } @else { "now" } }
                    }
                }
            }
        }
    }
}

fn commands(name: &str, first: &UnknownView) -> Markup {
    let line = first.id.line();
    let ways = Verdict::ALL.map(|verdict| {
        let what = match verdict {
            Verdict::Accepted => "it was accepted",
            Verdict::NotSent => "it was not: send it",
            Verdict::Resend => "send it again in any case, which may text somebody twice",
            Verdict::Abandoned => "leave it, for good",
        };
        let command =
            format!("mep-batch resolve {name} --line {line} --as {} --reason 'how you know'", verdict.as_str());
        html! { "# " (what) "\n" span.typed { (command) } "\n" }
    });
    let sheet = format!("mep-batch resolve {name} --from unknown.csv --reason 'how you know'");
    html! {
        div.keep {
            p { "For the first of them, one of these; " (command("--line 17,20-31")) " names several, and " (command("--all")) " all:" }
            pre { @for way in ways { (way) } }
        }
        p { "Or in a sheet, to which you add a column " code { "as" } ":" }
        pre {
            span.typed { "mep-batch export " (name) " --state unknown -o unknown.csv" } "\n"
            span.typed { (sheet) } "\n" span.typed { (sheet) " --apply" }
        }
    }
}

fn orphaned(campaign: &Campaign) -> Markup {
    let (name, rows) = (&campaign.batch.name, counted(campaign.status.orphaned.unsigned_abs(), "row"));
    html! {
        h3 { (rows) " in flight of a run that is gone" }
        p {
            "They may have been sent. " (command(&format!("mep-batch run {name}"))) " or " (command(&format!("mep-batch resolve {name}")))
            " finds out whether that run lives, and makes them unknown where it does not."
        }
    }
}

fn twice(campaign: &Campaign) -> Markup {
    let status = &campaign.status;
    let (name, may) = (&campaign.batch.name, status.possible_duplicates - status.texted_twice);
    let lines: Vec<String> = campaign.possible_duplicates.iter().map(ToString::to_string).collect();
    let is_all = status.possible_duplicates <= i64::try_from(lines.len()).unwrap_or(i64::MAX);
    html! {
        h3 { "Texted twice, or perhaps" }
        @if status.texted_twice > 0 {
            p { strong { (counted(status.texted_twice.unsigned_abs(), "row")) } " were accepted twice: an earlier attempt was accepted too, which was known too late." }
        }
        @if may > 0 {
            p { strong { (counted(may.unsigned_abs(), "row")) } " may have been: an earlier attempt's fate is not known." }
        }
        p { "At line " (lines.join(", ")) @if !is_all { ", …" } ". " (command(&format!("mep-batch show {name} LINE"))) " tells each attempt." }
    }
}

fn perhaps(campaign: &Campaign) -> Markup {
    let rows = campaign.status.perhaps_texted;
    html! {
        h3 { "Not accepted, and perhaps texted" }
        p {
            strong { (counted(rows.unsigned_abs(), "row")) }
            " ended as rejected, failed, skipped or cancelled, and may have been texted all the same: an operator gave them up when "
            "they were unknown, or the fate of an earlier attempt is not known. "
            (command(&format!("mep-batch show {} LINE", campaign.batch.name))) " tells each attempt."
        }
    }
}

fn repeated(campaign: &Campaign) -> Markup {
    html! {
        h3 { (counted(campaign.repeated_request_ids.unsigned_abs(), "repeated request ID")) }
        p {
            "Among the last requests, the service gave more than one row the same name. Ask the vendor's support which request each is of; "
            (command(&format!("mep-batch list {} --request-id ID", campaign.batch.name))) " shows the rows."
        }
    }
}

/// What is left to send, and what it waits for.
fn unsent(campaign: &Campaign, text: Text) -> Markup {
    let (name, status) = (&campaign.batch.name, &campaign.status);
    let waiting = status.states[State::Pending] + status.states[State::Sending];
    html! {
        h3 { (counted(waiting.unsigned_abs(), "row")) " not sent yet" }
        @if !status.waiting_for.is_empty() {
            ul { @for waiting in &status.waiting_for { li { (waiting_told(waiting)) } } }
        }
        @if let Some(why) = &status.last_stop { p { "The last run stopped: " (text.said(why)) } }
        @if !campaign.is_being_sent() {
            p {
                @if let Some(lacks) = &status.lacks { @if lacks.is_known { "Before they are sent: " (command("mep-batch resolve --rolled-back")) } }
                @else if status.paused_at.is_some() { "To end the pause: " (command(&format!("mep-batch resume {name}"))) }
                @else if has_too_many_unknown(status) { "To send them, first decide the unknown rows: " (command(&format!("mep-batch resolve {name}"))) }
                @else { "To send them: " (command(&format!("mep-batch run {name}"))) }
            }
        }
    }
}

fn waiting_told(waiting: &WaitingFor) -> String {
    let until = waiting.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    format!("{} wait{until} {}", grouped(waiting.rows), waiting.why())
}
