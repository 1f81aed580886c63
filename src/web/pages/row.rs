//! One row with all that is known of it: its request, each attempt, each operator's act; phone numbers masked.

use axum::http::StatusCode;
use maud::{Markup, html};

use super::{Page, Rendered, Trouble, command, find, rows};
use crate::invocation::{Hold, RefusedBy, SkipReason, State};
use crate::report::{is_texted_twice, masked_body};
use crate::store::{ActionRecord, AttemptView, Batch, Filter, InvocationView, RowAction};
use crate::validate::{mask_cell, without_phones};
use crate::web::address;
use crate::web::chart::named;
use crate::web::layout::scroll;
use crate::web::site::Site;
use crate::web::words::{self, grouped, theirs};

pub(in crate::web) async fn row(site: &Site, name: &str, line: &str) -> Rendered {
    let batch = find(site, name).await?;
    let no_row = || Trouble::NotFound(format!("batch `{name}` has no row at line {line}"));
    let line: u32 = line.parse().map_err(|_| no_row())?;
    let at_line = Filter { lines: vec![line], ..Filter::default() };
    let Some(row) = site.store.page(batch.id, &at_line, line.saturating_sub(1), 1).await?.pop() else {
        return Err(no_row());
    };
    let attempts = site.store.attempts(&[row.id]).await?;
    let acts = site.store.row_actions(row.id).await?;
    let title = format!("Line {line} of {name}");
    let header = html! {
        p.kicker { "Batch " a href=(address::batch(name)) { (theirs(name)) } }
        h1 { "Line " (grouped(i64::from(line))) }
        p.lede { b { (named(row.state, row.state.as_str())) } @if let Some(said) = &row.message { ": " (theirs(&without_phones(said))) } }
    };
    let body = html! {
        (facts(&batch, &row, &attempts))
        (request(&batch, &row))
        (attempts_table(&attempts))
        (acts_table(&acts))
        (commands(&batch, &row))
    };
    Ok(Page { title: &title, lacks: Some(super::lacks(site).await), events: None, header, body }
        .answer(site, StatusCode::OK))
}

fn facts(batch: &Batch, row: &InvocationView, attempts: &[AttemptView]) -> Markup {
    html! {
        dl {
            dt { "Phone number" } dd { (theirs(&rows::phone(batch, row))) }
            @if let Some(code) = row.code { dt { "Code" } dd { (code) } }
            @if let Some(status) = row.http_status { dt { "HTTP status" } dd { (status) } }
            @if let Some(id) = &row.request_id { dt { "Request ID" } dd { code { (theirs(id)) } } }
            @if let Some(by) = &row.refused_by { dt { "Refused by" } dd { (theirs(by)) } }
            @if let Some(reason) = row.reason { dt { "Reason" } dd { (reason.as_str()) } }
            @if let Some(zone) = &row.time_zone { dt { "Time zone" } dd { (theirs(zone)) } }
            @match row.hold {
                Some(Hold::TimeZone) => { dt { "Held" } dd { "its time zone is not known" } }
                Some(Hold::Window) => { dt { "Waits until" } dd { (words::moment(row.due_at)) ", for its hours" } }
                None if row.state == State::Pending && row.due_at.0 > 0 => { dt { "Due" } dd { (words::moment(row.due_at)) } }
                None => {}
            }
            @if let Some(at) = row.finished_at { dt { "Known since" } dd { (words::moment(at)) } }
        }
        @if is_texted_twice(row, attempts) {
            p.alarm { "Texted twice: an earlier attempt was accepted too, which was known too late." }
        } @else if row.possible_duplicate {
            p.alarm {
                @if row.state == State::Cancelled { "It was given up as unknown: it may have texted the person." }
                @else { "An earlier attempt may have texted the person already." }
            }
        }
    }
}

fn request(batch: &Batch, row: &InvocationView) -> Markup {
    html! {
        h2 { @if row.body.is_none() && row.purged_at.is_none() { "Cells, as they came" } @else { "Request" } }
        @if let Some(body) = &row.body {
            p.muted { "To " (theirs(&batch.endpoint.to_string())) ", service " (theirs(batch.service.as_str())) "; the number is masked." }
            pre { (words::shown(&masked_body(body))) }
            // No hash of it here: with all but three digits known, it would tell them.
        } @else if let Some(at) = row.purged_at {
            p { "Purged at " (words::moment(at)) "." }
            p.small.muted { "The SHA-256 of what was sent: " (command(&format!("mep-batch show {} {}", batch.name, row.line))) }
        } @else {
            dl {
                @for cell in &row.cells {
                    @let is_phone = cell.column == "phoneNumber";
                    dt { (theirs(&cell.column)) }
                    dd { (theirs(&if is_phone { mask_cell(&cell.text) } else { without_phones(&cell.text) })) }
                }
            }
        }
    }
}

fn attempts_table(attempts: &[AttemptView]) -> Markup {
    html! {
        h2 { "Attempts" }
        @if attempts.is_empty() { p { "None yet." } } @else {
            (scroll("Attempts", &html! {
                table.cards {
                    thead {
                        tr {
                            th scope="col" { "Attempt" }
                            th scope="col" { "Outcome" }
                            th scope="col" { "Sent, UTC" }
                            th scope="col" { "Known, UTC" }
                            th scope="col" { "Answer" }
                            th scope="col" { "Run" }
                        }
                    }
                    tbody { @for attempt in attempts { (attempt_line(attempt)) } }
                }
            }))
        }
    }
}

fn attempt_line(attempt: &AttemptView) -> Markup {
    let answer = without_phones(&String::from_utf8_lossy(&attempt.answer));
    html! {
        tr {
            th scope="row" { (attempt.number) }
            td data-name="outcome" { (theirs(&attempt.outcome)) @if attempt.is_late { ", late" } }
            td data-name="sent" {
                @match attempt.sent_at {
                    Some(at) if attempt.is_judged => { "from " (words::time(at)) " on, or never" }
                    Some(at) => { (words::time(at)) }
                    None => { "not sent" }
                }
            }
            td data-name="known" { (words::time(attempt.finished_at)) }
            td data-name="answer" {
                @if let Some(status) = attempt.http_status { "HTTP " (status) }
                @if let Some(code) = attempt.code { ", code " (code) }
                @if let Some(id) = &attempt.request_id { ", ID " (theirs(id)) }
                @if let Some(said) = &attempt.message { div { (theirs(&without_phones(said))) } }
                @if !answer.is_empty() { details { summary { "As it came" } pre { (words::shown(&answer)) } } }
            }
            td data-name="run" { (theirs(&attempt.who)) " on " (theirs(&attempt.run)) }
        }
    }
}

fn acts_table(acts: &[RowAction]) -> Markup {
    html! {
        h2 { "Operators' acts" }
        @if acts.is_empty() { p { "None on this row." } } @else {
            (scroll("Operators' acts", &html! {
                table.cards {
                    thead {
                        tr {
                            th scope="col" { "Act" }
                            th scope="col" { "When, UTC" }
                            th scope="col" { "Change" }
                            th scope="col" { "Who" }
                            th scope="col" { "Why" }
                        }
                    }
                    tbody {
                        @for RowAction { action, was, became } in acts {
                            tr {
                                th scope="row" { (theirs(&action.kind)) @if let Some(word) = word_of(action) { " as " (theirs(&word)) } }
                                td data-name="when" { (words::time(action.at)) }
                                td data-name="change" { (theirs(was)) " to " (theirs(became)) }
                                td data-name="who" { (theirs(&action.actor.who)) " on " (theirs(&action.actor.host)) }
                                td.said data-name="why" { @if let Some(why) = &action.reason { (theirs(&without_phones(why))) } }
                            }
                        }
                    }
                }
            }))
        }
    }
}

/// The verdict of a `resolve`.
fn word_of(action: &ActionRecord) -> Option<String> {
    let detail: serde_json::Value = serde_json::from_str(&action.detail).ok()?;
    detail["as"].as_str().map(str::to_owned)
}

fn commands(batch: &Batch, row: &InvocationView) -> Markup {
    let (name, line) = (&batch.name, row.line);
    html! {
        h2 { "To type" }
        ul.next {
            li { "All of it, with the number in full: " (command(&format!("mep-batch show {name} {line} --reveal"))) }
            @match row.state {
                State::Unknown => {
                    li { "It was not sent, send it: " (command(&format!("mep-batch resolve {name} --line {line} --as not-sent --reason TEXT"))) }
                    li { "It was accepted: " (command(&format!("mep-batch resolve {name} --line {line} --as accepted --reason TEXT"))) }
                    li { "Leave it: " (command(&format!("mep-batch resolve {name} --line {line} --as abandoned --reason TEXT"))) }
                }
                State::Rejected | State::Failed | State::Skipped => (back_to_pending(batch, row)),
                State::Pending | State::Sending | State::Accepted | State::Cancelled => {}
            }
        }
    }
}

/// What sends a row that is at its end; nothing where nothing can.
fn back_to_pending(batch: &Batch, row: &InvocationView) -> Markup {
    let (name, line, state) = (&batch.name, row.line, row.state);
    let is_refused_here = row.refused_by.as_deref() == Some(RefusedBy::Tool.as_str());
    let retry = match row.reason {
        _ if batch.purge.is_some() || batch.cancelled_at.is_some() => None,
        Some(SkipReason::Suppressed) => None,
        // Its content is right: whoever names the reason wants it all the same.
        Some(reason) if state == State::Rejected => Some(format!(" --reason-is {}", reason.as_str())),
        Some(_) => Some(String::new()),
        None if is_refused_here => {
            return html! {
                li { "It would be refused again. These rows with the fix of each, to be mended and imported: "
                    (command("mep-batch check FILE --rejected mended.csv")) }
            };
        }
        None => Some(String::new()),
    };
    html! {
        @if let Some(because) = retry {
            li { "Back to pending: " (command(&format!("mep-batch retry {name} --state {state} --line {line}{because}"))) }
        }
    }
}
