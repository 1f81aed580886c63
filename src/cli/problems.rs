//! What a file came to, in words and as JSON.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::exit::Exit;
use super::output::{counted, grouped};
use super::phone_table;
use crate::import::{AlreadySent, FileRefused, Judgement, Note, ProblemGroup, Survey};
use crate::validate::mask_cell;

/// Groups of problems that are told on a screen; `--json` has all of them.
const GROUPS_TOLD_MAX: usize = 20;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// What a checked or imported file exits with.
pub(super) fn exit_of(judgement: &Judgement) -> Exit {
    if judgement.rejected > 0 { Exit::Imperfect } else { Exit::Complete }
}

/// The documented object of `check` and `import`.
pub(super) fn json_of(judgement: &Judgement, survey: &Survey, batch: Option<&str>, exit: Exit) -> Value {
    json!({
        "rows": judgement.rows,
        "ready": judgement.ready,
        "rejected": judgement.rejected,
        "skipped": judgement.skipped,
        "cleaned": judgement.cleaned,
        "completed": judgement.completed,
        "numbers": phone_table::json_of(&judgement.numbers),
        "batch": batch,
        "problems": judgement.problems.iter().map(group_json).collect::<Vec<_>>(),
        "suppressed": suppressed_json(judgement),
        "alreadySent": judgement.already_sent.iter().map(already_sent_json).collect::<Vec<_>>(),
        "toldBefore": judgement.told_before,
        "toldBeforeBatch": judgement.told_before_batch.as_ref().map(|(_, name)| name),
        "serviceId": judgement.service.as_ref().map(|service| service.as_str()),
        "format": survey.format.as_str(),
        "encoding": survey.encoding.as_str(),
        "delimiter": survey.delimiter.map(|byte| char::from(byte).to_string()),
        "sheet": survey.sheet,
        "sha256": survey.sha256,
        "fileSha256": survey.file_sha256,
        "columns": judgement.columns,
        "notes": judgement.notes.iter().map(note_json).collect::<Vec<_>>(),
        "mapping": judgement.mapping.iter().map(|(header, target)| json!({ "header": header, "target": target })).collect::<Vec<_>>(),
        "exitCode": exit.code(),
    })
}

/// The same object for a file that is refused as a whole.
pub(super) fn json_of_refused(refused: &FileRefused) -> Value {
    let problems: Vec<Value> = refused
        .faults
        .iter()
        .map(|fault| json!({ "line": fault.line, "column": fault.column, "reason": fault.reason, "fix": fault.fix, "count": 1 }))
        .collect();
    json!({
        "rows": 0,
        "ready": 0,
        "rejected": 0,
        "skipped": 0,
        "cleaned": 0,
        "completed": 0,
        "numbers": [],
        "batch": null,
        "problems": problems,
        "exitCode": Exit::InputRefused.code(),
    })
}

fn note_json(note: &Note) -> Value {
    json!({ "line": note.line, "text": note.text, "fix": note.fix })
}

fn group_json(group: &ProblemGroup) -> Value {
    let first: Vec<Value> = group
        .first
        .iter()
        .map(|place| json!({ "line": place.line, "cell": place.cell, "earlierLine": place.earlier }))
        .collect();
    json!({
        "line": group.first.first().map(|place| place.line),
        "column": group.column,
        "reason": group.reason,
        "fix": group.fix,
        "count": group.count,
        "first": first,
    })
}

fn suppressed_json(judgement: &Judgement) -> Value {
    let first: Vec<Value> = judgement.suppressed.first.iter().map(|line| json!({ "line": line })).collect();
    json!({ "count": judgement.suppressed.count, "first": first })
}

fn already_sent_json(group: &AlreadySent) -> Value {
    let first: Vec<Value> =
        group.first.iter().map(|(line, earlier)| json!({ "line": line, "earlierLine": earlier })).collect();
    json!({ "batch": group.batch, "count": group.count, "first": first })
}

/// The mapping, the counts and the problems, for people.
pub(super) fn text_of(file: &str, judgement: &Judgement, survey: &Survey) -> String {
    let mut text = format!("{file}: {}{}{}\n", survey.format.as_str(), encoding(survey), detail(survey));
    if !judgement.mapping.is_empty() {
        let width = judgement.mapping.iter().map(|(header, _)| header.chars().count()).max().unwrap_or(0).min(40);
        for (header, target) in &judgement.mapping {
            let target = target.as_deref().unwrap_or("(left out)");
            let _ = writeln!(text, "  {header:width$}  → {target}");
        }
    }
    for Note { line, text: what, fix } in &judgement.notes {
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let _ = writeln!(text, "note: {place}{what}");
        if !fix.is_empty() {
            let _ = writeln!(text, "hint: {fix}");
        }
    }
    if let Some(service) = &judgement.service {
        let _ = writeln!(text, "Service {service}");
    }
    let already_sent: u64 = judgement.already_sent.iter().map(|group| group.count).sum();
    let counts = [
        (judgement.rows, "in the file"),
        (judgement.ready, "ready to send"),
        (judgement.rejected, "refused"),
        (judgement.skipped - already_sent - judgement.suppressed.count, "skipped: the same request as an earlier row"),
        (judgement.suppressed.count, "skipped: on the suppression list"),
        (already_sent, "skipped: another batch has sent it, or is about to"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, what)| *count > 0 || *what == "in the file") {
        let _ = writeln!(text, "{:>10}  {what}", grouped(i64::try_from(count).unwrap_or(i64::MAX)));
    }
    if judgement.cleaned > 0 {
        let cells = counted(judgement.cleaned, "phone number");
        let _ = writeln!(text, "{cells} cleaned (spaces, dashes, a leading + or 00…)");
    }
    phones_text(&mut text, judgement);
    if judgement.columns.iter().any(|column| column == "timeZone") {
        text.push_str("warning: `timeZone` is stored and not used by this version: rows are sent at any hour\n");
    }
    if judgement.non_ascii > 0 {
        let _ = writeln!(
            text,
            "warning: {} with characters outside ASCII; the vendor's list of allowed ones is not known (`--ascii-only` refuses them)",
            counted(judgement.non_ascii, "row")
        );
    }
    problems_text(&mut text, judgement);
    not_sent_text(&mut text, judgement);
    text
}

fn phones_text(text: &mut String, judgement: &Judgement) {
    if let Some(national) = judgement.phones.national {
        let completed = counted(judgement.completed, "number");
        let _ = writeln!(text, "{completed} got the country code {}", national.code);
    }
    text.push_str(&phone_table::table(&judgement.numbers));
    text.push_str(&phone_table::warning(&judgement.numbers, &judgement.phones));
}

/// The rows that are right and are not sent all the same.
fn not_sent_text(text: &mut String, judgement: &Judgement) {
    let suppressed = &judgement.suppressed;
    if suppressed.count > 0 {
        let _ = writeln!(text, "\n{}: on the suppression list", counted(suppressed.count, "row"));
        for line in &suppressed.first {
            let _ = writeln!(text, "  line {line}");
        }
        more(text, suppressed.count, suppressed.first.len());
    }
    for group in &judgement.already_sent {
        let batch = &group.batch;
        let _ = writeln!(text, "\n{}: the same request as in batch `{batch}`", counted(group.count, "row"));
        for (line, earlier) in &group.first {
            let _ = writeln!(text, "  line {line}, as line {earlier} of `{batch}`");
        }
        more(text, group.count, group.first.len());
    }
    if !judgement.already_sent.is_empty() {
        text.push_str("hint: `--again` sends them once more\n");
    }
}

fn more(text: &mut String, count: u64, named: usize) {
    if count > named as u64 {
        let _ = writeln!(text, "  and {} more", count - named as u64);
    }
}

/// That people were told something else before, once an import has looked at the other batches; louder where they are
/// most of the file.
pub(super) fn told_before(judgement: &Judgement, seen_within: Duration) -> String {
    let Some((_, batch)) = &judgement.told_before_batch else { return String::new() };
    let numbers = counted(judgement.told_before, "number");
    let within = match seen_within.as_secs() {
        seconds if seconds % SECONDS_A_DAY == 0 => counted(seconds / SECONDS_A_DAY, "day"),
        _ => humantime::format_duration(seen_within).to_string(),
    };
    let were = if judgement.told_before == 1 { "was" } else { "were" };
    let told =
        format!("{numbers} {were} sent other content within the last {within}, or will be, last by batch `{batch}`\n");
    if judgement.told_before * 2 <= judgement.ready {
        return told;
    }
    format!("warning: {told}hint: is it the same campaign, corrected? Then most of these people are texted twice\n")
}

fn problems_text(text: &mut String, judgement: &Judgement) {
    for group in judgement.problems.iter().take(GROUPS_TOLD_MAX) {
        let place = if group.column.is_empty() { String::new() } else { format!("column `{}`: ", group.column) };
        let _ = writeln!(text, "\n{}: {place}{}", counted(group.count, "row"), group.reason);
        for place in &group.first {
            let _ = write!(text, "  line {}", place.line);
            if let Some(cell) = &place.cell {
                let _ = write!(text, ": {cell}");
            }
            if let Some(earlier) = place.earlier {
                let _ = write!(text, ", as line {earlier}");
            }
            text.push('\n');
        }
        more(text, group.count, group.first.len());
        let _ = writeln!(text, "hint: {}", group.fix);
    }
    let untold = judgement.problems.len().saturating_sub(GROUPS_TOLD_MAX) as u64 + judgement.more_problems;
    if untold > 0 {
        let _ = writeln!(text, "\nand {untold} more kinds of problems; `--json` lists them");
    }
}

fn encoding(survey: &Survey) -> String {
    if survey.encoding.is_utf8() { String::new() } else { format!(", {}", survey.encoding) }
}

/// What the format alone does not say.
fn detail(survey: &Survey) -> String {
    if let Some(sheet) = &survey.sheet {
        return format!(", sheet `{}`", mask_cell(sheet));
    }
    match survey.delimiter {
        None => String::new(),
        Some(b'\t') => ", cells parted by tabs".to_owned(),
        Some(byte) => format!(", cells parted by `{}`", char::from(byte)),
    }
}
