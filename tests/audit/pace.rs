//! Invariant 14, by the receiver's clock: the rate over any ten seconds, the hours, and the moments before and after which nothing
//! is sent.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::evidence::{Batch, Evidence, Row};
use super::receipt::Receipt;

const STRETCH_S: f64 = 10.0;
/// A request that left in time may come as much later, on a machine that is busy with other things too.
const ON_ITS_WAY_S: i32 = 2;

/// A request of a row whose batch is known: rows of several batches that ask for the same share their receipts.
struct Sent<'a> {
    row: &'a Row,
    receipt: &'a Receipt,
    at: Timestamp,
}

pub(super) fn keeps_rate_and_hours(evidence: &Evidence, receipts: &[Receipt], found: &mut Vec<String>) {
    let mut rows: HashMap<(&str, &str), Vec<&Row>> = HashMap::new();
    for row in evidence.rows.iter().filter(|row| row.has_receipts()) {
        rows.entry((&row.service, row.body.as_deref().unwrap_or_default())).or_default().push(row);
    }
    let mut sent: HashMap<i64, Vec<Sent>> = HashMap::new();
    for receipt in receipts {
        let key = (receipt.service_id.as_deref().unwrap_or_default(), receipt.body.as_str());
        let Some([row, others @ ..]) = rows.get(&key).map(Vec::as_slice) else { continue };
        if others.iter().all(|other| other.batch == row.batch) {
            let at = receipt.at.parse().expect("a moment");
            sent.entry(row.batch).or_default().push(Sent { row, receipt, at });
        }
    }
    for batch in &evidence.batches {
        let sent = sent.get(&batch.id).map_or(&[][..], Vec::as_slice);
        keeps_rate(evidence, batch, sent, found);
        keeps_hours(evidence, batch, sent, found);
    }
}

/// In any ten seconds there come at most ten times the rate and a second's worth, and those that were on their way.
fn keeps_rate(evidence: &Evidence, batch: &Batch, sent: &[Sent<'_>], found: &mut Vec<String>) {
    let Some(rate) = highest_rate(evidence, batch) else { return };
    let allowed = STRETCH_S * rate + rate.max(1.0) * (1.0 + f64::from(ON_ITS_WAY_S));
    let mut times: Vec<f64> = sent.iter().map(|sent| sent.at.as_millisecond() as f64 / 1_000.0).collect();
    times.sort_by(f64::total_cmp);
    let mut first = 0;
    let most = (0..times.len()).map(|last| {
        first += times[first..=last].iter().take_while(|time| times[last] - **time > STRETCH_S).count();
        last - first + 1
    });
    let most = most.max().unwrap_or(0);
    if most as f64 > allowed {
        found.push(format!("14: {most} requests of `{}` came within {STRETCH_S} s at {rate} a second", batch.name));
    }
}

/// The highest of the rates that a batch ever had; `None` where it had none for a while.
fn highest_rate(evidence: &Evidence, batch: &Batch) -> Option<f64> {
    let rates: Option<Vec<f64>> = evidence.settings_of(batch.id).map(|settings| settings["rate"].as_f64()).collect();
    let throttles = evidence.changes.iter().filter(|change| change.batch == batch.id && change.kind == "throttle");
    let throttles = throttles.filter_map(|change| change.detail["rate"].as_f64());
    rates?.into_iter().chain(throttles).max_by(f64::total_cmp)
}

/// Each request came when one of the settings that the batch ever had gave it leave.
fn keeps_hours(evidence: &Evidence, batch: &Batch, sent: &[Sent<'_>], found: &mut Vec<String>) {
    for Sent { row, receipt, at } in sent {
        let left = *at - jiff::SignedDuration::from_secs(ON_ITS_WAY_S.into());
        let gives_leave = |settings: &Value| [*at, left].iter().any(|at| has_leave(&settings["schedule"], row, *at));
        if !evidence.settings_of(batch.id).any(gives_leave) {
            found.push(format!("14: request {} of {row} came at {at}, outside its hours", receipt.n));
        }
    }
}

fn has_leave(schedule: &Value, row: &Row, at: Timestamp) -> bool {
    let moment = |name: &str| schedule[name].as_i64();
    let now = at.as_millisecond();
    if moment("notBeforeMs").is_some_and(|begin| now < begin) || moment("notAfterMs").is_some_and(|end| now >= end) {
        return false;
    }
    let Some(window) = schedule["window"].as_str() else { return true };
    let zone = row.time_zone.as_deref().or(schedule["timeZone"].as_str());
    let Some(zone) = zone.and_then(|zone| TimeZone::get(zone.trim()).ok()) else { return false };
    let time = at.to_zoned(zone).time();
    let minute = i32::from(time.hour()) * 60 + i32::from(time.minute());
    let (from, until) = window.split_once('-').expect("two times of a day");
    let (from, until) = (minute_of(from), minute_of(until));
    if from < until { (from..until).contains(&minute) } else { minute >= from || minute < until }
}

fn minute_of(time: &str) -> i32 {
    let (hour, minute) = time.split_once(':').expect("a time of a day");
    let number = |text: &str| text.parse::<i32>().expect("a number");
    number(hour) * 60 + number(minute)
}
