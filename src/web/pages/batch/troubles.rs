//! What went wrong, grouped by what was said, and the questions that a person has to decide.

use maud::{Markup, html};

use crate::invocation::State;
use crate::report::{Known, Standings, TroubleRows};
use crate::store::{Batch, Cause};
use crate::validate::without_phones;
use crate::web::address;
use crate::web::chart::swatch;
use crate::web::layout::scroll;
use crate::web::pages::command;
use crate::web::pages::rows::address_of;
use crate::web::words::{counted, grouped, theirs};

/// Kinds of trouble that are shown, the most frequent first.
const SHOWN: usize = 25;

pub(super) fn table(batch: &Batch, known: &Known) -> Markup {
    let mut troubles: Vec<(&Cause, &TroubleRows)> = known.tally.troubles.iter().collect();
    troubles.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.rows));
    let rest: i64 = troubles.iter().skip(SHOWN).map(|(_, rows)| rows.rows).sum::<i64>() + known.tally.other_troubles;
    html! {
        @if troubles.is_empty() {
            @if known.is_complete { p { "Nothing: no row was rejected, failed, skipped, cancelled or left unknown." } }
        } @else {
            (scroll("What went wrong", &html! {
                table.cards {
                    thead {
                        tr {
                            th scope="col" { "State" }
                            th.number scope="col" { "Rows" }
                            th.number scope="col" { "Code" }
                            th scope="col" { "What was said" }
                            th scope="col" { "First lines" }
                        }
                    }
                    tbody { @for (cause, rows) in troubles.into_iter().take(SHOWN) { (line(batch, cause, rows)) } }
                }
            }))
            @if rest > 0 { p.muted { (counted(rest.unsigned_abs(), "row")) " more, of other kinds: choose a state below." } }
        }
    }
}

fn line(batch: &Batch, cause: &Cause, rows: &TroubleRows) -> Markup {
    html! {
        tr {
            th.nowrap scope="row" {
                (swatch(cause.state)) a href=(address_of(&batch.name, cause.state, cause.code)) { (cause.state) }
            }
            td.number data-name="rows" { (grouped(rows.rows)) }
            td.number data-name="code" { @if let Some(code) = cause.code { (code) } @else { "–" } }
            td data-name="said" {
                @if let Some(reason) = &cause.reason { (theirs(reason)) ": " }
                @if let Some(said) = &cause.message { (theirs(&without_phones(said))) } @else { "–" }
                @if let Some(by) = &cause.refused_by { " " span.muted { "(refused by " (theirs(by)) ")" } }
            }
            td data-name="first lines" { (lines(batch, rows)) }
        }
    }
}

fn lines(batch: &Batch, rows: &TroubleRows) -> Markup {
    html! {
        @for (place, line) in rows.lines.iter().enumerate() {
            @if place > 0 { ", " }
            a href=(address::row(&batch.name, *line)) { (line) }
        }
        @if rows.rows > i64::try_from(rows.lines.len()).unwrap_or(i64::MAX) { " …" }
    }
}

/// What nobody but a person can decide.
pub(super) fn questions(standings: &Standings, known: &Known) -> Markup {
    let (batch, unknown) = (&standings.batch, standings.counts[State::Unknown]);
    let name = &batch.name;
    html! {
        @if unknown == 0 { p { "None: of each row it is known whether it was sent." } } @else {
            p {
                (counted(unknown.unsigned_abs(), "row"))
                " may or may not have been sent. Nothing sends them again unasked. Ask the vendor by request ID or number and time, then decide."
            }
            ul.next {
                li { "What is known of each, with a text for the vendor: " (command(&format!("mep-batch resolve {name}"))) }
                li { "They were not sent: " (command(&format!("mep-batch resolve {name} --all --as not-sent --reason TEXT"))) }
                li { "Leave them: " (command(&format!("mep-batch resolve {name} --all --as abandoned --reason TEXT"))) }
                li { "Line by line: " (command(&format!("mep-batch resolve {name} --line N --as accepted --reason TEXT"))) }
            }
            @let asked = known.tally.troubles.iter().filter(|(cause, _)| cause.state == State::Unknown);
            ul {
                @for (cause, rows) in asked.take(SHOWN) {
                    li { (theirs(&without_phones(cause.message.as_deref().unwrap_or("–")))) ": " (grouped(rows.rows)) ", lines " (lines(batch, rows)) }
                }
            }
            p { a href=(address_of(name, State::Unknown, None)) { "The unknown rows" } }
        }
    }
}
