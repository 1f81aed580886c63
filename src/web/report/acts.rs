//! What operators did: who, when, what, and why.

use std::time::Duration;

use maud::{Markup, html};
use serde_json::Value;

use super::text::Text;
use crate::invocation::UnixMillis;
use crate::report::{ACTIONS_TOLD, Campaign};
use crate::store::ActionRecord;
use crate::web::layout::scroll;
use crate::web::words::{self, counted};

pub(in crate::web) fn section(campaign: &Campaign, text: Text) -> Markup {
    let acts = &campaign.actions;
    let table = html! {
        table.cards {
            caption { "Acts on the batch and its rows, oldest first; times in UTC" }
            thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Who, where" } th scope="col" { "Why" } } }
            tbody {
                @for act in acts {
                    tr {
                        td data-name="When" { (words::time(act.at)) }
                        th scope="row" { (what(act, text)) }
                        td data-name="Who" { (words::theirs(&act.actor.who)) " on " (words::theirs(&act.actor.host)) }
                        td.said data-name="Why" { @match &act.reason { Some(why) => { (text.said(why)) } None => { "–" } } }
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
fn what(act: &ActionRecord, text: Text) -> Markup {
    let detail: Value = serde_json::from_str(&act.detail).unwrap_or_default();
    let rows = |rows: i64| counted(rows.unsigned_abs(), "row");
    let changed_rows = detail["rows"].as_i64().unwrap_or_default();
    let words = match act.kind.as_str() {
        "import" => format!("imported {}", rows(changed_rows)),
        "confirm" => format!("confirmed {}", rows(detail["invocations"].as_i64().unwrap_or_default())),
        "canary" => format!("sent a canary: {}", canary(&detail, text)),
        "settings" => format!("changed {}", changed(&detail, text)),
        "pause" => "paused".to_owned(),
        "resume" => "resumed".to_owned(),
        "cancel" => "cancelled what was left".to_owned(),
        "throttle" => match detail["rate"].as_f64() {
            Some(rate) => format!("throttled to {} a second", words::rate(rate)),
            None => "ended the throttle".to_owned(),
        },
        "retry" => format!("put {} back to be sent", rows(changed_rows)),
        "resolve" => {
            format!("resolved {} as {}", rows(changed_rows), text.plain(detail["as"].as_str().unwrap_or("several")))
        }
        "rolled-back" => format!("made {} unknown after a backup was put back", rows(changed_rows)),
        "purge" => "purged".to_owned(),
        other => text.plain(other),
    };
    // What somebody else says in it hides its numbers itself: counts and settings are shown as they are.
    words::theirs(&words)
}

fn canary(detail: &Value, text: Text) -> String {
    let state = text.plain(detail["state"].as_str().unwrap_or("not known"));
    match detail["arrived"].as_bool() {
        Some(true) => format!("{state}, and arrived"),
        Some(false) => format!("{state}, and did not arrive"),
        None => state,
    }
}

/// The settings that were changed: `rate from 10 to 5`.
fn changed(detail: &Value, text: Text) -> String {
    let mut found = Vec::new();
    differences("", &detail["was"], &detail["is"], text, &mut found);
    if found.is_empty() { "the settings".to_owned() } else { found.join(", ") }
}

fn differences(name: &str, was: &Value, is: &Value, text: Text, found: &mut Vec<String>) {
    match (was, is) {
        (was, is) if was == is => {}
        (Value::Object(was), Value::Object(is)) => {
            let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let of = |map: &serde_json::Map<String, Value>, name: &String| map.get(name).cloned().unwrap_or_default();
            names.into_iter().for_each(|name| differences(name, &of(was, name), &of(is, name), text, found));
        }
        (was, is) => {
            let told = |value| told(name, value, text);
            let shown = name.strip_suffix("Ms").unwrap_or(name);
            found.push(format!("{shown} from {} to {}", told(was), told(is)));
        }
    }
}

/// Settings that are a moment; every other one of which the name ends in `Ms` is a length of time.
const MOMENTS: [&str; 2] = ["notBeforeMs", "notAfterMs"];

fn told(name: &str, value: &Value, text: Text) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(said) => text.plain(said),
        Value::Number(ms) if MOMENTS.contains(&name) => {
            ms.as_i64().map_or_else(|| ms.to_string(), |ms| words::moment(UnixMillis(ms)))
        }
        Value::Number(ms) if name.ends_with("Ms") => {
            let time = ms.as_u64().map(Duration::from_millis);
            time.map_or_else(|| ms.to_string(), |time| humantime::format_duration(time).to_string())
        }
        // Without the `.0` of a whole number.
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::Bool(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => text.plain(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::report::text::Pages;

    const MASKED: Text = Text { reveal: false, pages: Pages::None };

    #[test]
    fn changed_settings_are_told_by_what_they_were_and_are() {
        let detail = serde_json::json!({
            "was": { "account": "", "settings": { "rate": 10.0, "retry503": false } },
            "is": { "account": "", "settings": { "rate": null, "retry503": true } },
        });
        assert_eq!(changed(&detail, MASKED), "rate from 10 to none, retry503 from false to true");
        assert_eq!(changed(&Value::Null, MASKED), "the settings");
    }

    #[test]
    fn times_and_counts_are_told_in_full_and_phone_numbers_are_not() {
        let of = |retry_max: u64, not_before: Option<u64>, unknown_max: u64, list: &str| {
            let schedule = serde_json::json!({ "notBeforeMs": not_before });
            let settings = serde_json::json!({ "retryMaxMs": retry_max, "schedule": schedule, "maxUnknown": unknown_max, "suppress": list });
            serde_json::json!({ "settings": settings })
        };
        let detail = serde_json::json!({
            "was": of(300_000, None, 20, "/srv/a.txt"),
            "is": of(1_500_000, Some(1_795_000_000_000), 1_000_000, "/srv/12515550130.txt"),
        });
        let told = "maxUnknown from 20 to 1000000, retryMax from 5m to 25m, \
                    notBefore from none to 2026-11-18 11:06:40 UTC, suppress from /srv/a.txt to /srv/1251•••0130.txt";
        assert_eq!(changed(&detail, MASKED), told);
        assert!(changed(&detail, Text { reveal: true, ..MASKED }).ends_with("/srv/12515550130.txt"));
    }
}
