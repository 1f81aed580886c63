//! The rows of a file that are right and are not sent all the same, in words and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::output::counted;
use crate::import::{AlreadySent, Judgement};
use crate::invocation::Findings;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

pub(super) fn suppressed_json(judgement: &Judgement) -> Value {
    let first: Vec<Value> = judgement.suppressed.first.iter().map(|line| json!({ "line": line })).collect();
    json!({ "count": judgement.suppressed.count, "first": first })
}

pub(super) fn already_sent_json(group: &AlreadySent) -> Value {
    let first: Vec<Value> =
        group.first.iter().map(|(line, earlier)| json!({ "line": line, "earlierLine": earlier })).collect();
    json!({ "batch": group.batch, "count": group.count, "first": first })
}

/// The rows to suppressed numbers, and those that other batches have sent.
pub(super) fn text_of(judgement: &Judgement) -> String {
    let mut text = String::new();
    let suppressed = &judgement.suppressed;
    if suppressed.count > 0 {
        let _ = writeln!(text, "\n{}: on the suppression list", counted(suppressed.count, "row"));
        for line in &suppressed.first {
            let _ = writeln!(text, "  line {line}");
        }
        more(&mut text, suppressed.count, suppressed.first.len());
    }
    for group in &judgement.already_sent {
        let batch = &group.batch;
        let _ = writeln!(text, "\n{}: the same request as in batch `{batch}`", counted(group.count, "row"));
        for (line, earlier) in &group.first {
            let _ = writeln!(text, "  line {line}, as line {earlier} of `{batch}`");
        }
        more(&mut text, group.count, group.first.len());
    }
    if !judgement.already_sent.is_empty() {
        text.push_str("hint: `--again` sends them once more\n");
    }
    text
}

fn more(text: &mut String, count: u64, named: usize) {
    if count > named as u64 {
        let _ = writeln!(text, "  and {} more", count - named as u64);
    }
}

/// That people were told something else before; louder where they are most of the file.
pub(super) fn told_before(findings: &Findings) -> String {
    let Some(batch) = &findings.told_by else { return String::new() };
    let within = Duration::from_millis(findings.told_within_ms);
    let within = match within.as_secs() {
        seconds if seconds % SECONDS_A_DAY == 0 => counted(seconds / SECONDS_A_DAY, "day"),
        _ => humantime::format_duration(within).to_string(),
    };
    let were = if findings.told_before == 1 { "was" } else { "were" };
    let told = format!(
        "{} {were} sent other content within the last {within}, or will be, last by batch `{batch}`\n",
        counted(findings.told_before, "number")
    );
    if !findings.most_were_told_before() {
        return told;
    }
    format!("warning: {told}hint: is it the same campaign, corrected? Then most of these people are texted twice\n")
}
