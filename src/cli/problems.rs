//! What a file came to, in words and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::exit::Exit;
use super::output::{counted, grouped};
use super::{exclusion_text, group_text, mapping_table, phone_table, time_zone};
use crate::import::{FileFault, FileRefused, Judgement, Note, Survey, UnknownZones, WrittenRejects};
use crate::store::names_zones;
use crate::validate::mask_cell;

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
        "problems": judgement.problems.iter().map(group_text::json_of).collect::<Vec<_>>(),
        "rejectedFile": judgement.rejected_file.as_ref().map(|file| file.path.display().to_string()),
        "unknownTimeZones": unknown_zones_json(&judgement.unknown_zones),
        "suppressed": exclusion_text::suppressed_json(judgement),
        "alreadySent": judgement.already_sent.iter().map(exclusion_text::already_sent_json).collect::<Vec<_>>(),
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
        "mapping": judgement.mapping.iter().map(mapping_table::json_of).collect::<Vec<_>>(),
        "exitCode": exit.code(),
    })
}

/// The same object for a file that is refused as a whole.
pub(super) fn json_of_refused(refused: &FileRefused) -> Value {
    let problems: Vec<Value> = refused.faults.iter().map(fault_json).collect();
    let flags = refused.faults.iter().flat_map(|fault| &fault.whole_header);
    let flags: Vec<Value> = flags.map(|flags| json!({ "number": flags.number, "flags": flags.line })).collect();
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
        "wholeHeader": flags,
        "exitCode": Exit::InputRefused.code(),
    })
}

fn fault_json(fault: &FileFault) -> Value {
    let column = fault.column.as_deref().map(mapping_table::header_shown);
    json!({ "line": fault.line, "column": column, "reason": fault.reason, "fix": fault.fix, "count": 1 })
}

fn note_json(note: &Note) -> Value {
    json!({ "line": note.line, "text": note.text, "fix": note.fix })
}

/// The mapping, the counts and the problems, for people.
pub(super) fn text_of(file: &str, judgement: &Judgement, survey: &Survey) -> String {
    let mut text = format!("{file}: {}{}{}\n", survey.format.as_str(), encoding(survey), detail(survey));
    text.push_str(&mapping_table::text_of(&judgement.mapping));
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
    text.push_str(&zones_text(judgement));
    if judgement.non_ascii > 0 {
        let _ = writeln!(
            text,
            "warning: {} with characters outside ASCII; the vendor's list of allowed ones is not known (`--ascii-only` refuses them)",
            counted(judgement.non_ascii, "row")
        );
    }
    text.push_str(&group_text::text_of(judgement));
    text.push_str(&exclusion_text::text_of(judgement));
    text.push_str(&mended_text(judgement));
    text
}

/// What to do about the refused rows.
fn mended_text(judgement: &Judgement) -> String {
    let mut text = String::new();
    match &judgement.rejected_file {
        Some(WrittenRejects { path, rows, kept }) if *rows > 0 => {
            let (path, them) = (path.display(), counted(*rows, "refused row"));
            let _ = writeln!(text, "\n{them} in `{path}`, with what is wrong beside each");
            let _ = writeln!(text, "hint: mend them there, and import that file with the flags of this one");
            if let Some(kept) = kept {
                let _ = writeln!(text, "note: the file that was there before is `{}` now", kept.display());
            }
        }
        None if judgement.rejected > 0 => {
            text.push_str("\nhint: `--rejected FILE` writes the refused rows to a file to be mended and imported\n");
        }
        Some(_) | None => {}
    }
    text
}

/// What the recipients' time zones are for, and which of them are none.
fn zones_text(judgement: &Judgement) -> String {
    let mut text = String::new();
    if names_zones(&judgement.columns) {
        text.push_str("note: without a `--window` (`09:00-20:00`), `timeZone` changes nothing\n");
    }
    let UnknownZones { count, first, .. } = &judgement.unknown_zones;
    if *count > 0 {
        let _ = writeln!(
            text,
            "warning: {} with a `timeZone` that is none: held where there is a window",
            counted(*count, "row")
        );
        for (line, zone) in first {
            let meant = time_zone::nearest(zone).map(|near| format!(" (`{near}`?)")).unwrap_or_default();
            let _ = writeln!(text, "  line {line}: `{zone}`{meant}");
        }
        if *count > first.len() as u64 {
            let _ = writeln!(text, "  and {} more", count - first.len() as u64);
        }
        text.push_str("hint: mend them before the import; afterwards only `--window none` lets them go\n");
    }
    text
}

fn unknown_zones_json(unknown: &UnknownZones) -> Value {
    let first: Vec<Value> =
        unknown.first.iter().map(|(line, zone)| json!({ "line": line, "timeZone": zone })).collect();
    json!({ "count": unknown.count, "first": first })
}

fn phones_text(text: &mut String, judgement: &Judgement) {
    if let Some(national) = judgement.phones.national {
        let completed = counted(judgement.completed, "number");
        let _ = writeln!(text, "{completed} got the country code {}", national.code);
    }
    text.push_str(&phone_table::table(&judgement.numbers));
    text.push_str(&phone_table::warning(&judgement.numbers, &judgement.phones));
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
