//! `list`: rows that a filter selects.

use std::io::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use super::args::ListArgs;
use super::context::{self, Context};
use super::exit::Exit;
use super::failure::Usage;
use super::output::{Output, is_closed_pipe};
use super::steering::Escape;
use crate::invocation::{PhoneRules, is_steering};
use crate::report::{self, FieldValue, Format, Wanted};
use crate::store::{Batch, Filter, InvocationView, Store};
use crate::validate;

/// Columns of the screen's table; `--json` has all.
const SHOWN: [&str; 7] = ["line", "phoneNumber", "state", "code", "requestId", "attempts", "message"];

/// Columns where one person is asked about: what came to them, and when.
const SHOWN_OF_PHONE: [&str; 7] = ["line", "phoneNumber", "state", "sentAt", "requestId", "attempts", "message"];

/// Characters of a cell in that table.
const SHOWN_CHARS: usize = 200;

pub(super) async fn list(context: &mut Context, args: ListArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    let batches = match &args.batch {
        Some(name) => vec![context::batch(&store, name).await?],
        None => store.batches().await?,
    };
    let filter = Filter {
        states: args.filter.state.clone(),
        code: args.code,
        lines: args.line.clone(),
        phone: args.phone.as_deref().map(phone).transpose()?,
        request_id: args.request_id.clone(),
        reason: None,
    };
    let mut left = args.limit;
    for batch in &batches {
        let shown = if context.out.is_json() {
            let mut out = Output::stream(Escape::Json);
            let wanted =
                Wanted { filter: &filter, limit: Some(left), reveal: args.reveal, names_batch: args.batch.is_none() };
            let written = report::export_rows(&store, batch, wanted, Format::Ndjson, &mut *out).await;
            // What is still held back is lost where it is not written before `out` goes.
            let flushed = out.flush().map_err(anyhow::Error::from);
            match written.and_then(|rows| flushed.map(|()| rows)) {
                Err(error) if is_closed_pipe(&error) => return Ok(Exit::Complete),
                written => written?,
            }
        } else {
            table(context, &store, batch, &filter, left, args.reveal).await?
        };
        left -= shown;
    }
    tell_purged(context, &batches, &filter);
    if !context.out.is_json() {
        let is_person = filter.phone.is_some();
        context.out.note(match (left == args.limit, is_person) {
            (true, false) => "no rows\n",
            (true, true) => "no rows; those that were refused at import are not found by their number\n",
            (false, true) => "each request, and who did what: `mep-batch show BATCH LINE`\n",
            (false, false) => "",
        });
    }
    if left == 0 && args.limit > 0 {
        context.out.note(&format!("the first {} rows; `--limit N` shows more\n", args.limit));
    }
    store.close().await;
    Ok(Exit::Complete)
}

/// Who is looked for by number is not found where the numbers are gone, and may have been texted all the same.
fn tell_purged(context: &mut Context, batches: &[Batch], filter: &Filter) {
    let purged: Vec<&str> =
        batches.iter().filter(|batch| batch.purge.is_some()).map(|batch| batch.name.as_str()).collect();
    if filter.phone.is_some() && !purged.is_empty() {
        context.out.note(&format!(
            "warning: numbers that were purged are not found: those of {}\n\
             hint: the file that a batch came from tells a number's line, and `mep-batch show BATCH LINE` what came of it\n",
            purged.join(", ")
        ));
    }
}

async fn table(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    filter: &Filter,
    limit: u64,
    reveal: bool,
) -> anyhow::Result<u64> {
    let page = store.page(batch.id, filter, 0, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    if page.is_empty() {
        return Ok(0);
    }
    let columns = if filter.phone.is_some() { SHOWN_OF_PHONE } else { SHOWN };
    let rows: Vec<[String; SHOWN.len()]> = page.iter().map(|row| shown(&columns, batch, row, reveal)).collect();
    // What no row has is left out, so that the rest has room.
    let filled: Vec<usize> =
        (0..columns.len()).filter(|place| rows.iter().any(|row| !row[*place].is_empty())).collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(filled.iter().map(|place| columns[*place]));
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(size.ws_col);
    }
    for row in &rows {
        table.add_row(filled.iter().map(|place| row[*place].as_str()));
    }
    context.out.data(&format!("Batch {}\n{}\n", batch.name, table.trim_fmt()));
    Ok(page.len() as u64)
}

/// The row's cells in the table.
fn shown(columns: &[&str; SHOWN.len()], batch: &Batch, row: &InvocationView, reveal: bool) -> [String; SHOWN.len()] {
    let fields = report::flat_row(batch, row, reveal);
    columns.map(|name| {
        let value = fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
        match value {
            None | Some(FieldValue::Other(Value::Null)) => String::new(),
            Some(FieldValue::Other(Value::String(text)))
                if reveal || row.purged_at.is_some() || matches!(name, "message" | "requestId") =>
            {
                in_one_line(text)
            }
            Some(FieldValue::Other(Value::String(text))) => {
                validate::mask_cell(text).chars().take(SHOWN_CHARS).collect()
            }
            Some(FieldValue::Other(other)) => other.to_string(),
            Some(FieldValue::Number(digits)) => digits.clone(),
        }
    })
}

/// A text as it is, but for what would break its line or steer a terminal.
fn in_one_line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_CHARS) {
        if c.is_control() || is_steering(c) { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    shown
}

/// A number as an operator types it: the whole of it, because batches differ in what is put before one.
fn phone(text: &str) -> anyhow::Result<u64> {
    let cleaned = validate::clean_phone(text, &PhoneRules::default());
    Ok(cleaned.map_err(|fault| Usage(format!("`--phone`: {}\nhint: {}", fault.reason, fault.fix)))?.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_as_it_is_but_in_one_line() {
        assert_eq!(in_one_line(r#"can't read "C:\x" é"#), r#"can't read "C:\x" é"#);
        assert_eq!(in_one_line("a\nb\u{1b}[2J\u{202e}"), r"a\nb\u{1b}[2J\u{202e}");
        assert_eq!(in_one_line(&"x".repeat(300)).len(), SHOWN_CHARS);
    }
}
