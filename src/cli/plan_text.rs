//! A plan, as it is shown before anything is sent.

use std::fmt::Write;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::about::{about, minute, rate};
use super::output::grouped;
use crate::invocation::time_zone;
use crate::report::{self, Plan, PutOffFor};
use crate::store::{self, Batch, Store};

/// The plan of a batch at this moment; `suppressed` of its pending rows are about to be skipped.
pub(super) async fn plan_of(store: &Store, batch: &Batch, suppressed: i64, limit: Option<u64>) -> store::Result<Plan> {
    let now = store.now().await?;
    // The day of those who are texted, else of who types.
    let zone = batch.settings.schedule.time_zone.as_deref().and_then(time_zone).unwrap_or_else(TimeZone::system);
    let prospect = report::prospect(store, batch, suppressed, limit, now, now.day_ends(&zone)).await?;
    Ok(report::plan(batch, prospect))
}

/// The plan: whom, when, how fast, and the first request.
pub(super) fn text_of(plan: &Plan) -> String {
    let people = if plan.people == 1 { "person" } else { "people" };
    let account = plan.account.as_ref().map(|account| format!(", account {account}")).unwrap_or_default();
    let mut text = format!(
        "Batch `{}`: {} {people} through {},\nservice {}{account}\n",
        plan.batch,
        grouped(plan.people),
        plan.endpoint,
        plan.service_id
    );
    let mut line = |rows: i64, what: &str| {
        let _ = writeln!(text, "{:>10}  {what}", grouped(rows));
    };
    line(plan.now, "can leave at once");
    plan.later.iter().for_each(|later| line(later.rows, &why_later(later)));
    if plan.expired > 0 {
        line(plan.expired, "are skipped: their time has passed (`--not-after`)");
    }
    let day_ends = minute(&plan.day_ends_at);
    for not_today in &plan.not_today {
        let why = match not_today.reason {
            "limit" => "are more than `--limit` lets this run take".to_owned(),
            "rate" => format!("do not leave today, by {day_ends}: the rate is too low"),
            _ => format!("do not leave today: they wait for longer than {day_ends}"),
        };
        line(not_today.rows, &why);
    }
    let ends = plan.duration_ms.map(Duration::from_millis).zip(plan.eta.as_deref());
    text.push_str(&pace(plan.rate, ends));
    if let Some(first) = &plan.first {
        let _ = writeln!(text, "The first: {first}");
    }
    text
}

/// How fast it goes, how long that takes, and until when.
pub(super) fn pace(limit: Option<f64>, ends: Option<(Duration, &str)>) -> String {
    let pace = limit.map_or("as fast as answers come".to_owned(), |limit| format!("{} a second", rate(limit)));
    let lasts = ends.map(|(lasts, eta)| format!(", about {}, until {}", about(lasts), minute(eta)));
    format!("Rate: {pace}{}\n", lasts.unwrap_or_default())
}

/// Why rows wait, and until when.
fn why_later(later: &PutOffFor) -> String {
    let why = match later.reason {
        "window" => "their hours of the day",
        "not-before" => "`--not-before`",
        "retry" => "a retry",
        "time-zone" => "nobody knows their time zone (`--time-zone ZONE`)",
        "throttled" => "the service asked to wait (429)",
        "unreachable" => "the endpoint could not be reached",
        "ambiguous" => "answers left open what was sent",
        other => other,
    };
    match &later.until {
        Some(until) => format!("wait until {}: {why}", minute(until)),
        None => format!("wait: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::NotToday;

    fn plan() -> Plan {
        Plan {
            batch: "friday".to_owned(),
            endpoint: "production".to_owned(),
            service_id: "0123456789ABCDEF".to_owned(),
            account: Some("acme".to_owned()),
            people: 48_000,
            now: 46_000,
            later: Vec::new(),
            expired: 0,
            not_today: Vec::new(),
            day_ends_at: "2026-11-28T00:00:00.000Z".to_owned(),
            rate: Some(10.0),
            duration_ms: Some(4_800_000),
            eta: Some("2026-11-27T17:20:00.000Z".to_owned()),
            first: Some(r#"{"endUser":{"phoneNumber":1251•••0130}}"#.to_owned()),
        }
    }

    fn pinned(name: &str, text: &str) {
        insta::with_settings!({ snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, text);
        });
    }

    fn is_narrow(text: &str) -> bool {
        text.lines().all(|line| line.chars().count() <= 80)
    }

    #[test]
    fn a_plan_of_one_day() {
        let text = text_of(&plan());
        assert!(is_narrow(&text), "{text}");
        pinned("plan_of_one_day", &text);
    }

    #[test]
    fn a_plan_with_every_reason_to_wait() {
        let until = || Some("2026-11-27T19:00:00.000Z".to_owned());
        let later = |reason, rows| PutOffFor { reason, until: until(), rows };
        let reasons = ["window", "not-before", "retry", "throttled", "unreachable", "ambiguous"];
        let mut later: Vec<_> = reasons.into_iter().map(|reason| later(reason, 100)).collect();
        later.push(PutOffFor { reason: "time-zone", until: None, rows: 7 });
        let not_today = ["window", "limit", "rate"].map(|reason| NotToday { reason, rows: 1_234 }).to_vec();
        let text = text_of(&Plan { later, not_today, expired: 3, rate: None, duration_ms: None, eta: None, ..plan() });
        assert!(is_narrow(&text), "{text}");
        pinned("plan_with_every_reason_to_wait", &text);
    }
}
