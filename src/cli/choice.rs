//! Which batches a run sends, after what their operators have to say of them.

use anyhow::bail;

use super::args::RunArgs;
use super::canary;
use super::confirm;
use super::context::Context;
use super::exit::Exit;
use super::failure::{Told, Usage};
use super::run::lock;
use super::silent_runs;
use super::{import, suppression, when};
use crate::client::Credentials;
use crate::invocation::{Settings, State, Suppressed, UnixMillis};
use crate::mep::Endpoint;
use crate::report;
use crate::run::{Which, too_much_for_cie};
use crate::store::{Batch, Confirmation, RunLock, Store};

/// Stores what the flags change of the batches that are named: of those that are paused too, whom nothing is sent before
/// somebody resumes them. The batches as they are stored then, and the names of those that were changed.
pub(super) async fn settle_flags(
    context: &mut Context,
    store: &Store,
    args: &RunArgs,
    named: Vec<Batch>,
) -> anyhow::Result<(Vec<Batch>, Vec<String>)> {
    // All are looked at before any is changed: a run that cannot begin changes nothing.
    let mut lists = Vec::with_capacity(named.len());
    for batch in &named {
        lists.push(list_by_flags(context, store, args, batch).await?);
    }
    let (mut settled, mut changed) = (Vec::with_capacity(named.len()), Vec::new());
    for (batch, list) in named.into_iter().zip(lists) {
        let Some(list) = list else {
            settled.push(batch);
            continue;
        };
        match settle_settings(context, store, &batch, args, |batch| settings_by_flags(args, batch)).await {
            Ok(true) => changed.push(batch.name.clone()),
            Ok(false) => {}
            Err(error) => {
                tell_changed(context, &changed);
                return Err(error);
            }
        }
        suppression::hold_against(context, store, &batch, &list).await?;
        settled.push(super::context::batch(store, &batch.name).await?);
    }
    Ok((settled, changed))
}

/// The suppression list of a batch as the flags have it, where they may be said of it and it may be sent; `None` of one that
/// was cancelled, of which nothing is said any more.
async fn list_by_flags(
    context: &mut Context,
    store: &Store,
    args: &RunArgs,
    batch: &Batch,
) -> anyhow::Result<Option<Suppressed>> {
    if batch.cancelled_at.is_some() {
        return Ok(None);
    }
    let settings = settings_by_flags(args, batch)?;
    let list = suppression::list_of(context, &settings, &args.input.map).await?;
    let to_send = store.counts_of(batch.id).await?[State::Pending];
    match too_much_for_cie(batch, to_send, args.limit).filter(|_| batch.paused_at.is_none()) {
        Some(why) => bail!(Usage(format!("batch `{}` {why}", batch.name))),
        None => Ok(Some(list)),
    }
}

/// Says what was stored by a run that sends nothing itself.
pub(super) fn tell_changed(context: &mut Context, changed: &[String]) {
    for name in changed {
        context.out.note(&format!("what the flags say of batch `{name}` is stored: it is sent so from now on\n"));
    }
}

/// Asks for what must be confirmed, and says which batches are sent; with the run lock, where a canary needed it.
pub(super) async fn choose(
    context: &mut Context,
    store: &Store,
    args: &RunArgs,
    named: Option<Vec<Batch>>,
    credentials: Option<&Credentials>,
) -> anyhow::Result<(Which, Option<RunLock>)> {
    let Some(named) = named else {
        for batch in store.batches().await? {
            let mut counts = store.counts_of(batch.id).await?;
            // A list that cannot be read is told by the run, which leaves the batch for it.
            if counts[State::Pending] > 0
                && let Ok(list) = suppression::list_of(context, &batch.settings, &args.input.map).await
            {
                suppression::hold_against(context, store, &batch, &list).await?;
                counts = store.counts_of(batch.id).await?;
            }
            if let Confirmation::Needed(people) = batch.confirmation(counts[State::Pending]) {
                context.out.note(&format!(
                    "batch `{}` is not confirmed and is left\nhint: mep-batch run {} --confirm {people}\n",
                    batch.name, batch.name
                ));
            } else if counts[State::Pending] > 0 && batch.account.is_empty() && batch.endpoint != Endpoint::Simulator {
                settle_settings(context, store, &batch, args, |batch| Ok(batch.settings.clone())).await?;
            }
        }
        return Ok((Which::All, None));
    };
    let mut ids = Vec::new();
    let mut held = None;
    for batch in &named {
        if let Some(number) = &args.canary {
            // It sends a request, so it does so as a run would: with nobody beside it in a file.
            held = lock(context, store, args).await?;
            if let Err(error) = canary::send(context, store, batch, number, args, credentials).await {
                if let Some(Told(exit)) = error.downcast_ref() {
                    tell_nothing_was_sent(context, store, batch, *exit).await?;
                }
                return Err(error);
            }
        }
        if !confirm::confirm(context, store, batch, args).await? {
            tell_nothing_was_sent(context, store, batch, Exit::Usage).await?;
            bail!(Told(Exit::Usage));
        }
        ids.push(batch.id);
    }
    Ok((Which::Named(ids), held))
}

/// How the batch is to be sent, as it is stored and as the flags say.
fn settings_by_flags(args: &RunArgs, batch: &Batch) -> anyhow::Result<Settings> {
    let settings = import::settings_of(&args.sending, batch.settings.clone())?;
    when::check_zones(&settings.schedule, &batch.columns)?;
    Ok(settings)
}

/// How a batch stands of which nothing was sent, where JSON is asked for; why has been said.
async fn tell_nothing_was_sent(context: &mut Context, store: &Store, batch: &Batch, exit: Exit) -> anyhow::Result<()> {
    if context.out.is_json() {
        let mut object = serde_json::to_value(report::status(store, batch, UnixMillis::now()).await?)?;
        object["exitCode"] = exit.code().into();
        context.out.data(&format!("{object}\n"));
    }
    Ok(())
}

/// Stores what the flags change of how a batch is sent; whether they change anything. A living run goes on with the account
/// that it began with, so that beside one the account is not changed.
async fn settle_settings(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    args: &RunArgs,
    settings_for: impl Fn(&Batch) -> anyhow::Result<Settings>,
) -> anyhow::Result<bool> {
    loop {
        // Not as it was when the command began: somebody was asked for a password since, or another one has changed it.
        let batch = super::context::batch(store, &batch.name).await?;
        let settings = settings_for(&batch)?;
        let account = args.sending.account.as_deref().unwrap_or(&batch.account);
        let is_other_account = account != batch.account;
        if is_other_account && store.is_shared() {
            silent_runs::judge_all(context, store).await?;
            store.refuse_beside_a_run().await?;
        }
        let _lock = if is_other_account { lock(context, store, args).await? } else { None };
        if store.change_settings(&batch, &settings, account, &context.actor, UnixMillis::now()).await? {
            return Ok(is_other_account || settings != batch.settings);
        }
    }
}
