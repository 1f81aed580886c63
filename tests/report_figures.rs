//! The report's figures, each worked out anew from what `export` writes: answer times, the course over time, and causes.

mod audit;
mod cluster;
mod either;
#[expect(dead_code, reason = "each file of tests uses a part of it")]
mod page;
mod scenario;

use std::collections::BTreeMap;
use std::process::ExitCode;

use cluster::Database;
use either::{On, facts};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use page::Page;
use scenario::sending::send_sixty;
use scenario::{STATES, Scenario};
use serde_json::Value;

fn main() -> ExitCode {
    either::run(&[(
        On::Either,
        facts![
            answer_times_are_those_of_the_export,
            the_course_over_time_is_that_of_the_export,
            causes_and_their_lines_are_those_of_the_export,
            acts_are_told_with_the_rows_that_they_changed,
        ],
    )])
}

/// Sixty rows of which many meet a fault, their report, and the lines of an export.
fn sent(database: Database, export: &str) -> (Scenario, Page, Vec<Value>) {
    let s = Scenario::on(database);
    send_sixty(&s, "--latency 2ms..40ms --fault 12002=10% --fault 1000=8% --fault reset=6% --fault 500=6%");
    s.mep("report campaign -o report.html").exits(0);
    let page = Page::new(s.read("report.html"));
    let lines = s.mep(&format!("export campaign --format ndjson {export}")).exits(0).json_lines();
    (s, page, lines)
}

/// A moment of an export.
fn moment(object: &Value, field: &str) -> Option<Timestamp> {
    object[field].as_str().map(|text| text.parse().expect("a moment"))
}

/// A length of time as the page has it, in milliseconds; `None`: it is none.
fn ms(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once([' ', '\u{a0}'])?;
    let factor = [("ms", 1.0), ("s", 1_000.0)].into_iter().find(|(known, _)| *known == unit)?.1;
    Some(number.parse::<f64>().ok()? * factor)
}

fn figure(cell: &str) -> usize {
    cell.replace(',', "").parse().expect("a figure")
}

fn answer_times_are_those_of_the_export(database: Database) {
    let (_s, page, attempts) = sent(database, "--attempts");
    let answered = attempts.iter().filter(|attempt| !attempt["httpStatus"].is_null());
    let took = |attempt: &Value| {
        let (sent, finished) = (moment(attempt, "sentAt")?, moment(attempt, "finishedAt")?);
        Some(finished.as_millisecond() - sent.as_millisecond())
    };
    let mut times: Vec<f64> = answered.filter_map(took).map(|ms| ms as f64).collect();
    times.sort_by(f64::total_cmp);
    assert!(times.len() > 40, "{}", times.len());
    let text = page.text();
    let told = text.lines().find(|line| line.contains(" answers: 50 % came within ")).expect("the answer times");
    assert!(told.starts_with(&format!("{} answers: ", times.len())), "{told}");
    let of = |begin: &str, end: char| {
        let text = told.split(begin).nth(1).and_then(|rest| rest.split(end).next());
        ms(text.expect("a time").trim_end_matches('.')).expect("a time")
    };
    // The nearest rank: so many of a hundred answers took no longer.
    let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    let slowest = told.split("the slowest took ").nth(1).and_then(|rest| ms(rest.trim_end_matches('.')));
    for (told, is) in [
        (of("50 % came within ", ','), rank(50)),
        (of("95 % came within ", ','), rank(95)),
        (of("99 % came within ", ';'), rank(99)),
        (slowest.expect("a time"), times[times.len() - 1]),
    ] {
        // From a second on two digits follow the point.
        assert!((told - is).abs() <= if is < 1_000.0 { 0.0 } else { 5.0 }, "{told} and {is}");
    }
    let mut in_bins = 0;
    for row in page.rows().iter().filter(|row| row.len() == 4) {
        let (Some(from), Some(until)) = (ms(&row[0]), ms(&row[1])) else { continue };
        assert_eq!(figure(&row[2]), times.iter().filter(|time| (from..until).contains(*time)).count(), "{row:?}");
        in_bins += figure(&row[2]);
    }
    assert_eq!(in_bins, times.len());
}

/// The rows of the table whose caption begins so: the words of its head, and of each span its start, its end and its figures.
fn course(page: &Page, caption: &str) -> (Vec<String>, Vec<(i64, i64, Vec<String>)>) {
    let tables = page.html().split("<caption>").filter_map(|table| table.strip_prefix(&format!("{caption} by ")));
    let mut of_spans =
        tables.filter_map(|table| table.split_once("; times in UTC; those in which nothing came are left out"));
    let (length, table) = of_spans.next().expect("a table of spans");
    let table = table.split("</table>").next().expect("its end");
    let (count, unit) = length.split_once([' ', '\u{a0}']).unwrap_or(("1", length));
    let unit = [("second", 1), ("minute", 60), ("hour", 3_600)].into_iter().find(|(word, _)| unit.starts_with(word));
    let seconds = count.parse::<i64>().expect("a number") * unit.expect("a unit").1;
    let mut rows = Page::new(format!("<!DOCTYPE html></head>{table}</html>")).rows();
    let head = rows.remove(0);
    let spans = rows.into_iter().filter_map(|mut row| {
        let start: DateTime = row.remove(0).parse().ok()?;
        let start = start.to_zoned(TimeZone::UTC).expect("a moment").timestamp().as_second();
        Some((start, start + seconds, row))
    });
    (head, spans.collect())
}

fn the_course_over_time_is_that_of_the_export(database: Database) {
    let (_s, page, attempts) = sent(database, "--attempts");
    let within = |attempt: &&Value, from: i64, until: i64| {
        let second = moment(attempt, "finishedAt").expect("when it was known").as_second();
        (from..until).contains(&second)
    };
    let (_, spans) = course(&page, "Requests");
    let mut requests = 0;
    for (from, until, row) in &spans {
        let sent = attempts.iter().filter(|attempt| !attempt["sentAt"].is_null() && within(attempt, *from, *until));
        assert_eq!(figure(&row[0]), sent.count(), "{row:?}");
        requests += figure(&row[0]);
    }
    assert_eq!(requests, attempts.iter().filter(|attempt| !attempt["sentAt"].is_null()).count());
    let (head, spans) = course(&page, "Attempts");
    let mut counted = 0;
    for (from, until, row) in &spans {
        for (outcome, cell) in head[1..].iter().zip(row) {
            let came =
                attempts.iter().filter(|attempt| attempt["outcome"] == **outcome && within(attempt, *from, *until));
            assert_eq!(figure(cell), came.count(), "{outcome} {row:?}");
            counted += figure(cell);
        }
    }
    assert_eq!(counted, attempts.len());
    // What closes a gate is marked where it came.
    let unclear = attempts.iter().filter(|attempt| attempt["outcome"] == "unknown").count();
    let marks = page.html().split("<title>an answer left open whether a text was sent ").skip(1);
    let marked: usize = marks.filter_map(|mark| mark.split(' ').next()).map(figure).sum();
    assert!(unclear > 0);
    assert_eq!(marked, unclear);
}

fn causes_and_their_lines_are_those_of_the_export(database: Database) {
    let (_s, page, rows) = sent(database, "");
    let mut causes: BTreeMap<[String; 5], Vec<u64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["state"] != "accepted") {
        let cause = ["state", "httpStatus", "code", "refusedBy", "message"].map(|field| row[field].to_string());
        let line = row["line"].as_u64().or_else(|| row["line"].as_str()?.parse().ok()).expect("a line");
        causes.entry(cause).or_default().push(line);
    }
    assert!(causes.len() > 4, "{causes:?}");
    let mut stored: Vec<[String; 3]> = Vec::new();
    for (cause, mut lines) in causes {
        lines.sort_unstable();
        let first: Vec<String> = lines.iter().take(5).map(ToString::to_string).collect();
        let more = if lines.len() > 5 { ", …" } else { "" };
        stored.push([cause[0].trim_matches('"').to_owned(), lines.len().to_string(), first.join(", ") + more]);
    }
    let of_page = page.rows().into_iter().filter(|row| row.len() == 6 && STATES.contains(&row[0].as_str()));
    let mut told: Vec<[String; 3]> =
        of_page.map(|row| [row[0].clone(), row[2].clone(), row[4].replace('\u{a0}', " ")]).collect();
    told.sort();
    stored.sort();
    assert_eq!(told, stored);
}

fn acts_are_told_with_the_rows_that_they_changed(database: Database) {
    let (s, _, rows) = sent(database, "");
    let of = |state: &str| rows.iter().filter(|row| row["state"] == state).count();
    s.mep("retry campaign --state failed").exits(0);
    s.mep("resolve campaign --all --as accepted --reason asked --yes").exits(0);
    s.mep("report campaign -o report.html").exits(0);
    let text = Page::new(s.read("report.html")).text();
    let counted = |rows: usize| if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
    for said in [
        format!("put {} back to be sent", counted(of("failed"))),
        format!("resolved {} as accepted", counted(of("unknown"))),
    ] {
        assert!(text.contains(&said), "{said}:\n{text}");
    }
}
