//! The confirmation of a batch that reaches real people: once, before its first send.

use std::io::IsTerminal;

use super::args::RunArgs;
use super::context::Context;
use super::output::{self, counted, grouped};
use super::{phone_table, plan_text};
use crate::invocation::{State, UnixMillis};
use crate::store::{Batch, Confirmation, Store};

/// Whether the batch may be sent; asks on a terminal. Says what to type where it may not.
pub(super) async fn confirm(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    args: &RunArgs,
) -> anyhow::Result<bool> {
    let counts = store.counts_of(batch.id).await?;
    let is_said = args.confirm.or(args.confirm_at_most).is_some();
    let people = match batch.confirmation(counts[State::Pending]) {
        Confirmation::Needed(people) => people,
        // A number that is said holds on the simulator too: a rehearsal goes as the real thing does.
        Confirmation::Given if is_said && batch.confirmed_at.is_none() => counts[State::Pending],
        Confirmation::Given => return Ok(true),
    };
    if people == 0 {
        return Ok(true);
    }
    let is_asked = !is_said && std::io::stdin().is_terminal();
    let plan = plan_text::text_of(&plan_text::plan_of(store, batch, 0, args.limit).await?) + &phone_table::plan(batch);
    let agreed = match (args.confirm, args.confirm_at_most) {
        (Some(number), _) => number == people,
        (None, Some(most)) => people <= most,
        (None, None) => is_asked && ask(batch, people, &plan)?,
    };
    if agreed {
        if !is_asked {
            context.out.note(&plan);
        }
        store.confirm(batch.id, &context.actor, UnixMillis::now(), people).await?;
        return Ok(true);
    }
    let why = match args.confirm.or(args.confirm_at_most) {
        Some(number) => format!("would text {} and not {}", counted(people.unsigned_abs(), "number"), grouped(number)),
        None => "needs a confirmation before its first send".to_owned(),
    };
    let name = &batch.name;
    // Who was asked has read the plan already, and knows why.
    context.out.note(&if is_asked {
        format!("nothing was sent; batch `{name}` is kept\n")
    } else {
        format!(
            "{plan}batch `{name}` for {} {why}{};\nnothing was sent, the batch is kept\n",
            batch.endpoint,
            in_words(batch)
        )
    });
    context.out.note(&format!("hint: mep-batch run {name} --confirm {people}\n"));
    Ok(false)
}

/// Whom the batch is for, as far as its numbers tell; empty where the operator has named the countries.
fn in_words(batch: &Batch) -> String {
    let numbers = &batch.findings.numbers;
    if numbers.total() == 0 || !batch.settings.phones.only_countries.is_empty() {
        return String::new();
    }
    format!(" ({})", phone_table::in_words(numbers))
}

fn ask(batch: &Batch, people: i64, plan: &str) -> anyhow::Result<bool> {
    let typed = output::ask(&format!(
        "{plan}This texts {} {}{}.\nType that number to go on: ",
        grouped(people),
        if people == 1 { "person" } else { "people" },
        in_words(batch)
    ))?;
    let agreed = typed.replace(',', "").parse() == Ok(people);
    if !agreed {
        output::stderr(&format!("`{typed}` is not {people}\n"));
    }
    Ok(agreed)
}
