//! The settings by which a batch is sent, in words.

use std::time::Duration;

use maud::{Markup, html};

use crate::invocation::{Expressions, PhoneRules};
use crate::report::Campaign;
use crate::web::words::{self, about, counted, grouped};

pub(in crate::web) fn section(campaign: &Campaign) -> Markup {
    html! {
        p { "As they are stored with the batch now; what was changed on the way is among " a href="#acts" { "what operators did" } "." }
        dl {
            @for (name, value) in sending(campaign).into_iter().chain(hours(campaign)).chain(rows(campaign)) {
                dt { (name) } dd { (words::theirs(&value)) }
            }
        }
    }
}

type Setting = (&'static str, String);

fn sending(campaign: &Campaign) -> Vec<Setting> {
    let (batch, settings) = (&campaign.batch, &campaign.batch.settings);
    let a_second = |rate: f64| format!("{} requests a second at most", words::rate(rate));
    let rate = match (batch.throttle, settings.rate) {
        (Some(throttle), _) => format!("{}, as an operator throttled it", a_second(throttle)),
        (None, Some(rate)) => a_second(rate),
        (None, None) => "as fast as answers come".to_owned(),
    };
    let retries = format!(
        "after {} first, {} apart at most, for {}",
        told(settings.retry_initial),
        told(settings.retry_max),
        told(settings.retry_for)
    );
    let vendor_retry = match settings.vendor_retry {
        Some(every) => format!("repeated every {}, as the vendor says", told(every)),
        None => "never repeated: held as unknown".to_owned(),
    };
    let unknown_max = settings.unknown_limit(batch.rows).unsigned_abs();
    vec![
        ("Rate", rate),
        ("Retries", retries),
        ("A temporary error (1010)", vendor_retry),
        ("A bare 503", if settings.retry_503 { "repeated" } else { "held as unknown" }.to_owned()),
        ("First probe of a closed gate", format!("after {}", told(settings.probe_after))),
        ("Unknown rows", format!("nothing more is sent beyond {}", counted(unknown_max, "unknown row"))),
    ]
}

fn hours(campaign: &Campaign) -> Vec<Setting> {
    let schedule = &campaign.batch.settings.schedule;
    let zone = schedule.time_zone.as_deref().unwrap_or("each row's own");
    let window = schedule.window.map_or_else(|| "any".to_owned(), |window| format!("{window}, time zone: {zone}"));
    let moments = [("Not before", schedule.not_before), ("Not after", schedule.not_after)];
    let moments = moments.into_iter().filter_map(|(name, at)| Some((name, words::moment(at?))));
    std::iter::once(("Hours of the day", window)).chain(moments).collect()
}

fn rows(campaign: &Campaign) -> Vec<Setting> {
    let settings = &campaign.batch.settings;
    let list = settings.suppress.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let expressions = match &settings.expressions {
        Expressions::Refused => "refused".to_owned(),
        Expressions::AllowedIn(names) => format!("allowed in {}", names.join(", ")),
        Expressions::Allowed => "allowed".to_owned(),
    };
    vec![
        ("Suppression list", list),
        ("Values with ${…}", expressions),
        ("Values outside ASCII", if settings.ascii_only { "refused" } else { "allowed" }.to_owned()),
        ("Phone numbers", phones(&settings.phones)),
    ]
}

fn phones(rules: &PhoneRules) -> String {
    let national = rules.national.map_or_else(
        || "with their country code".to_owned(),
        |national| format!("of {} digits: completed with {}", u8::from(national.length), national.code),
    );
    let codes: Vec<String> = rules.only_countries.iter().map(ToString::to_string).collect();
    if codes.is_empty() { national } else { format!("{national}; only those that begin with {}", codes.join(", ")) }
}

/// A setting's length of time: seconds and less are told to the millisecond.
fn told(time: Duration) -> String {
    match u32::try_from(time.as_millis()) {
        Ok(ms) if ms < 10_000 => words::millis(ms),
        Ok(_) | Err(_) if time.as_secs() > 0 && time.as_secs().is_multiple_of(86_400) => {
            format!("{} h", grouped(i64::try_from(time.as_secs() / 3_600).unwrap_or(i64::MAX)))
        }
        Ok(_) | Err(_) => about(time),
    }
}
