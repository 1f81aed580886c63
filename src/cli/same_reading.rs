//! Whether a file that is a batch already would be read by the flags as it was read then.

use anyhow::bail;

use super::failure::Usage;
use crate::import::{Input, Options};
use crate::invocation::RowContent;
use crate::store::{Batch, Filter, InvocationView, Store};
use crate::validate;

/// Rows that are read once more: another mapping shows in the first one, another rule in a few.
pub(super) const ROWS_READ: u32 = 200;

/// Refuses flags that make other requests of the file than the batch has: what is typed is not passed over.
pub(super) async fn check(store: &Store, batch: &Batch, input: Input, options: Options) -> anyhow::Result<()> {
    let says_something = options.no_header || !options.maps.is_empty() || !options.sets.is_empty();
    if !says_something {
        return Ok(());
    }
    let stored = store.page(batch.id, &Filter::default(), 0, ROWS_READ).await?;
    let Ok(mut rows) = input.rows(Options { allow_no_service: true, ..options }) else { return refuse(batch, None) };
    for stored in &stored {
        let row = loop {
            match rows.next_row() {
                Ok(Some(row)) if row.row.line < stored.line => {}
                Ok(Some(row)) if row.row.line == stored.line => break row,
                Ok(_) | Err(_) => return refuse(batch, Some(stored.line)),
            }
        };
        match &row.row.content {
            RowContent::Ready { body, .. } if !says(stored, body) => {
                return refuse(batch, Some(stored.line));
            }
            // What is refused today may have been put right by a `retry` since.
            RowContent::Ready { .. } | RowContent::Refused { .. } => {}
        }
    }
    Ok(())
}

/// Whether one of the first rows can be sent, as the flags read it.
pub(super) fn has_ready_row(input: Input, options: Options) -> bool {
    let Ok(mut rows) = input.rows(Options { allow_no_service: true, ..options }) else { return false };
    let first = std::iter::from_fn(|| rows.next_row().ok().flatten()).take(ROWS_READ as usize);
    first.into_iter().any(|row| row.problems.is_empty())
}

/// Whether a row says this, or did before it was purged.
fn says(stored: &InvocationView, body: &str) -> bool {
    match &stored.body_sha256 {
        Some(hash) => *hash == validate::body_sha256(body),
        None => stored.body.as_deref() == Some(body),
    }
}

fn refuse(batch: &Batch, line: Option<u32>) -> anyhow::Result<()> {
    let name = &batch.name;
    let what = match line {
        Some(line) => format!("line {line} would be another request (`mep-batch show {name} {line}`)"),
        None => "they do not take its header".to_owned(),
    };
    bail!(Usage(format!(
        "the file is batch `{name}` already, and was read otherwise than by these flags: {what}; nothing was sent\n\
         hint: leave the flags out to go on with it as it is; `--again` with these flags makes another batch, which texts \
         those once more whom this one has reached"
    )))
}
