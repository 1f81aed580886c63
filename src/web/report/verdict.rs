//! The verdict on a batch in one sentence.

use maud::{Markup, html};

use crate::invocation::State;
use crate::report::Campaign;
use crate::web::words::grouped;

/// `Complete: 47,930 accepted of 48,000; 62 rejected; 8 unknown need a decision`.
pub(super) fn sentence(campaign: &Campaign) -> String {
    let (status, of) = (&campaign.status, |state: State| campaign.status.states[state]);
    let waiting = of(State::Pending) + of(State::Sending);
    let standing = if !status.adds_up {
        "The figures do not add up"
    } else if status.rows == 0 {
        return "Nothing to send: the file has no rows".to_owned();
    } else if campaign.batch.cancelled_at.is_some() {
        "Cancelled"
    } else if waiting > 0 && campaign.is_being_sent() {
        "Being sent"
    } else if waiting > 0 && campaign.tally.attempt_count() == 0 {
        "Not sent yet"
    } else if waiting > 0 {
        "Incomplete"
    } else {
        "Complete"
    };
    let mut text = format!("{standing}: {} accepted of {}", grouped(of(State::Accepted)), grouped(status.rows));
    for (rows, what) in [
        (waiting, "waiting"),
        (of(State::Rejected), "rejected"),
        (of(State::Failed), "failed"),
        (of(State::Skipped), "skipped"),
        (of(State::Cancelled), "cancelled"),
    ] {
        if rows != 0 {
            text.push_str(&format!("; {} {what}", grouped(rows)));
        }
    }
    match of(State::Unknown) {
        0 => {}
        1 => text.push_str("; 1 unknown needs a decision"),
        unknown => text.push_str(&format!("; {} unknown need a decision", grouped(unknown))),
    }
    for (rows, what) in [
        (status.texted_twice, "texted twice"),
        (status.possible_duplicates - status.texted_twice, "perhaps texted twice"),
        (status.perhaps_texted, "not accepted and perhaps texted"),
    ] {
        if rows > 0 {
            text.push_str(&format!("; {} {what}", grouped(rows)));
        }
    }
    text
}

/// The same as a headline, in which no number stands at the end of a line without what it counts.
pub(super) fn headline(campaign: &Campaign) -> Markup {
    let sentence = sentence(campaign);
    html! {
        @for (place, part) in sentence.split("; ").enumerate() {
            @if place > 0 { "; " }
            @match part.split_once(' ').filter(|_| place > 0) {
                Some((number, what)) => { (number) "\u{a0}" (what) }
                None => { (part) }
            }
        }
    }
}
