//! What operators did: who, when, what, and why.

use maud::{Markup, html};
use serde_json::Value;

use super::text::Text;
use crate::report::{ACTIONS_TOLD, Campaign};
use crate::store::PastAction;
use crate::web::layout::scroll;
use crate::web::words::{self, counted};

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    let acts = &campaign.actions;
    let table = html! {
        table.cards {
            caption { "Acts on the batch and its rows, oldest first; times in UTC" }
            thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Who, where" } th scope="col" { "Why" } } }
            tbody {
                @for past in acts {
                    tr {
                        td data-name="When" { (words::time(past.action.at)) }
                        th scope="row" { (what(past, text)) }
                        td data-name="Who" { (words::theirs(&past.action.actor.who)) " on " (words::theirs(&past.action.actor.host)) }
                        td.said data-name="Why" { @match &past.action.reason { Some(why) => { (text.said(why)) } None => { "–" } } }
                    }
                }
            }
        }
    };
    html! {
        @if acts.is_empty() { p { "Nothing." } } @else { (scroll("What operators did", &table)) }
        @if acts.len() >= ACTIONS_TOLD as usize { p { "These are the first " (ACTIONS_TOLD) "; there may be more." } }
    }
}

/// An act in words, with what its detail says.
fn what(past: &PastAction, text: Text) -> Markup {
    let detail: Value = serde_json::from_str(&past.action.detail).unwrap_or_default();
    let rows = |rows: i64| counted(rows.unsigned_abs(), "row");
    let words = match past.action.kind.as_str() {
        "import" => format!("imported {}", rows(detail["rows"].as_i64().unwrap_or_default())),
        "confirm" => format!("confirmed {}", rows(detail["invocations"].as_i64().unwrap_or_default())),
        "canary" => format!("sent a canary: {}", canary(&detail)),
        "settings" => format!("changed {}", changed(&detail)),
        "pause" => "paused".to_owned(),
        "resume" => "resumed".to_owned(),
        "cancel" => "cancelled what was left".to_owned(),
        "throttle" => match detail["rate"].as_f64() {
            Some(rate) => format!("throttled to {} a second", words::rate(rate)),
            None => "ended the throttle".to_owned(),
        },
        "retry" => format!("put {} back to be sent", rows(past.rows)),
        "resolve" => format!("resolved {} as {}", rows(past.rows), detail["as"].as_str().unwrap_or("several")),
        "rolled-back" => format!("made {} unknown after a backup was put back", rows(past.rows)),
        "purge" => "purged".to_owned(),
        other => other.to_owned(),
    };
    text.said(&words)
}

fn canary(detail: &Value) -> String {
    let state = detail["state"].as_str().unwrap_or("not known");
    match detail["arrived"].as_bool() {
        Some(true) => format!("{state}, and arrived"),
        Some(false) => format!("{state}, and did not arrive"),
        None => state.to_owned(),
    }
}

/// The settings that were changed: `rate from 10 to 5`.
fn changed(detail: &Value) -> String {
    let mut found = Vec::new();
    differences("", &detail["was"], &detail["is"], &mut found);
    if found.is_empty() { "the settings".to_owned() } else { found.join(", ") }
}

fn differences(name: &str, was: &Value, is: &Value, found: &mut Vec<String>) {
    match (was, is) {
        (was, is) if was == is => {}
        (Value::Object(was), Value::Object(is)) => {
            let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let of = |map: &serde_json::Map<String, Value>, name: &String| map.get(name).cloned().unwrap_or_default();
            names.into_iter().for_each(|name| differences(name, &of(was, name), &of(is, name), found));
        }
        (was, is) => found.push(format!("{name} from {} to {}", told(was), told(is))),
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        // Without the `.0` of a whole number.
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_settings_are_told_by_what_they_were_and_are() {
        let detail = serde_json::json!({
            "was": { "account": "", "settings": { "rate": 10.0, "retry503": false } },
            "is": { "account": "", "settings": { "rate": null, "retry503": true } },
        });
        assert_eq!(changed(&detail), "rate from 10 to none, retry503 from false to true");
        assert_eq!(changed(&Value::Null), "the settings");
    }
}
