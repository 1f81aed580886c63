//! `run --dry-run`: what would be sent.

use std::path::Path;

use anyhow::bail;

use super::args::RunArgs;
use super::context::Context;
use super::exit::Exit;
use super::output::grouped;
use super::run::{find_batch, neither, selected};
use super::{check, import, phone_table, plan_text, problems, rolled_back, suppression, when};
use crate::import::STANDARD_INPUT;
use crate::invocation::{Settings, UnixMillis};
use crate::report::{self, Group, Load};
use crate::run::Which;
use crate::store::{self, Batch, Confirmation, Store};

/// Shows what would be sent. Stores nothing and touches no network.
pub(super) async fn dry_run(context: &mut Context, args: &RunArgs) -> anyhow::Result<Exit> {
    let mut exit = Exit::Complete;
    let store = match context.open_store().await {
        Ok(store) => Some(store),
        Err(error) if matches!(error.downcast_ref(), Some(store::Error::NotFound(_))) => None,
        Err(error) => return Err(error),
    };
    if args.what.is_empty() && store.is_none() {
        context.open_store().await?;
    }
    if let Some(store) = &store {
        rolled_back::tell(context, store).await?;
    }
    let mut batches: Vec<Batch> = Vec::new();
    for what in &args.what {
        let batch = match &store {
            Some(store) => find_batch(context, store, what).await?,
            None if what == STANDARD_INPUT || Path::new(what).exists() => None,
            None => bail!(neither(what)),
        };
        if let Some(batch) = batch {
            batches.push(batch);
            continue;
        }
        let options = check::options(context, &args.input)?;
        let (judgement, survey) =
            check::judge(context, Path::new(what), options, &args.input, &args.sending.suppression).await?;
        exit = problems::exit_of(&judgement);
        let load = pace_of_file(args, i64::try_from(judgement.ready)?)?;
        let endpoint = args.batch.endpoint.as_ref().map_or("an endpoint not named yet".to_owned(), ToString::to_string);
        if context.out.is_json() {
            let mut object = problems::json_of(&judgement, &survey, None, exit);
            object["wouldSend"] = judgement.ready.into();
            object["rate"] = load.rate.into();
            object["eta"] = load.eta().map(|eta| eta.to_string()).into();
            context.out.data(&format!("{object}\n"));
            continue;
        }
        context.out.outcome(&problems::text_of(what, &judgement, &survey));
        let ends = load.eta().map(|eta| (eta.since(load.begins), eta.to_string()));
        let pace = plan_text::pace(load.rate, ends.as_ref().map(|(lasts, eta)| (*lasts, eta.as_str())));
        context.out.outcome(&format!(
            "{pace}Would import it and send {} requests to {endpoint}; nothing was stored or sent\n",
            judgement.ready
        ));
    }
    if let Some(store) = &store {
        if args.what.is_empty() {
            batches = selected(store, &Which::All).await?;
        }
        for batch in &batches {
            let text = dry_run_of(context, store, batch, args).await?;
            context.out.outcome(&text);
        }
    }
    Ok(exit)
}

async fn dry_run_of(context: &mut Context, store: &Store, batch: &Batch, args: &RunArgs) -> anyhow::Result<String> {
    let settings = import::settings_of(&args.sending, batch.settings.clone())?;
    when::check_zones(&settings.schedule, &batch.columns)?;
    let list = suppression::list_of(context, &settings, &args.input.map).await?;
    let suppressed = i64::try_from(store.count_suppressed(batch.id, &list).await?)?;
    let batch = &Batch { settings, ..batch.clone() };
    let plan = plan_text::plan_of(store, batch, suppressed, args.limit).await?;
    let limit = args.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
    let to_send = plan.people.min(limit);
    if context.out.is_json() {
        let mut object = serde_json::to_value(report::status(store, batch, UnixMillis::now()).await?)?;
        object["wouldSend"] = to_send.into();
        object["plan"] = serde_json::to_value(&plan)?;
        object["numbers"] = phone_table::json_of(&batch.findings.numbers);
        object["toldBefore"] = batch.findings.told_before.into();
        object["exitCode"] = Exit::Complete.code().into();
        return Ok(format!("{object}\n"));
    }
    let confirmed = match batch.confirmation(plan.people) {
        Confirmation::Given => String::new(),
        Confirmation::Needed(people) => format!(" once it is confirmed (`--confirm {people}`)"),
    };
    Ok(format!(
        "{}{}Would send {} requests of batch `{}` to {}{confirmed};\nnothing was sent\n",
        plan_text::text_of(&plan),
        phone_table::plan(batch),
        grouped(to_send),
        batch.name,
        batch.endpoint
    ))
}

/// How fast the rows of a file would leave that is no batch yet, and how long that would take.
fn pace_of_file(args: &RunArgs, ready: i64) -> anyhow::Result<Load> {
    let was = args.batch.endpoint.as_ref().map(import::default_settings).unwrap_or_default();
    let Settings { rate, schedule, .. } = import::settings_of(&args.sending, was)?;
    let due = vec![Group {
        zone: None,
        rows: ready.min(args.limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX))),
    }];
    Ok(Load { due, later: None, rate, schedule, begins: UnixMillis::now() })
}
