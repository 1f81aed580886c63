//! The suppression list of a batch: read, and held against what is pending.

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;

use super::context::Context;
use super::failure::Usage;
use super::output::counted;
use super::phone_table;
use crate::import::{self, ColumnMap};
use crate::invocation::{PhoneTable, Settings, Suppressed, UnixMillis};
use crate::run::ReadSuppressed;
use crate::store::{Batch, Store};
use crate::validate::Rules;

/// Reads the list of a batch that is sent by these settings, and says what numbers it has; no list has none.
pub(super) async fn list_of(
    context: &mut Context,
    settings: &Settings,
    maps: &[ColumnMap],
) -> anyhow::Result<Suppressed> {
    let Some(path) = settings.suppress.clone() else { return Ok(Suppressed::default()) };
    let rules = Rules::of_batch(settings, context.bounds, context.phone_number_json);
    let maps = maps.to_vec();
    let name = path.display().to_string();
    let list = tokio::task::spawn_blocking(move || read(&path, &maps, &rules)).await??;
    context.out.note_once(&told(&name, &list));
    Ok(list)
}

/// The lengths and countries of a list's numbers: a list of numbers without their country code protects nobody.
fn told(name: &str, list: &Suppressed) -> String {
    let mut numbers = PhoneTable::default();
    list.numbers().iter().for_each(|number| numbers.add(*number));
    format!("suppression list `{}`: {}\n", name.escape_debug(), phone_table::in_words(&numbers))
}

/// How a run reads the lists of the batches that it sends.
pub(super) fn reader(maps: &[ColumnMap]) -> ReadSuppressed {
    let maps = maps.to_vec();
    Arc::new(move |path, rules| read(path, &maps, rules))
}

fn read(path: &Path, maps: &[ColumnMap], rules: &Rules) -> anyhow::Result<Suppressed> {
    import::suppression_list(path, maps, rules).map_err(|refused| {
        anyhow!(Usage(format!(
            "nothing is sent without the suppression list: {refused}\n\
             hint: mend it, or name another with `--suppress FILE`"
        )))
    })
}

/// Skips what is pending to a number of the batch's list, and says so.
pub(super) async fn hold_against(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    list: &Suppressed,
) -> anyhow::Result<()> {
    let skipped = store.suppress(batch.id, list, UnixMillis::now()).await?;
    if skipped > 0 {
        let rows = counted(skipped, "row");
        context.out.note(&format!("{rows} of batch `{}` skipped: on the suppression list\n", batch.name));
    }
    Ok(())
}
