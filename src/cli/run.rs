//! `run`: imports what is a file, confirms what reaches people, sends what is due, and tells how it went.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use super::args::RunArgs;
use super::choice::{choose, settle_flags, tell_changed};
use super::context::Context;
use super::credentials;
use super::exit::Exit;
use super::failure::Usage;
use super::forecast::Forecast;
use super::import::{self, Imported};
use super::metrics_file::MetricsFile;
use super::output::counted;
use super::progress::Teller;
use super::stand_in::StandIn;
use super::{
    canary, check, dry_run, exclusion_text, phone_rules, problems, rolled_back, run_end, same_reading, signals,
    silent_runs, suppression, withheld,
};
use crate::client::{Credentials, Timeouts};
use crate::import::STANDARD_INPUT;
use crate::invocation::{BatchId, State, UnixMillis};
use crate::mep::Endpoint;
use crate::run::{self, Connections, Ending, Measures, Options, Routes, Which};
use crate::store::{self, ActionKind, Batch, Confirmation, RunLock, Store};

/// Requests in flight where nothing is said: sibling APIs of the vendor allow 4 connections.
const CONCURRENCY_FOR_REAL: NonZeroUsize = NonZeroUsize::new(4).expect("4 is not 0");
const CONCURRENCY_ELSEWHERE: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not 0");
/// How long a turn waits for another process's transaction before the run looks whether somebody interrupts it.
const TURN_PATIENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &mut Context, args: RunArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    if args.dry_run {
        return dry_run::dry_run(context, &args).await;
    }
    canary::check(&args)?;
    let metrics = args.metrics_file.as_deref().map(MetricsFile::at).transpose()?;
    let has_file = args.what.iter().any(|what| what == STANDARD_INPUT || Path::new(what).exists());
    let mut store = if has_file { context.create_store().await? } else { context.open_store().await? };
    // First of all: a file that is imported here may be one that was sent, and a canary is a text too.
    let notes = rolled_back::notes_of(context, &store).await?;
    // What an operator says of a batch is stored before the lock is asked for: where another run holds it, that one
    // sends the batch. Credentials come first of all, so that a run that cannot begin changes nothing.
    let named = name_batches(context, &store, &args).await?;
    let credentials = match &named {
        Some(batches) => credentials_for(&args, batches, true)?,
        // A batch that cannot be sent must not hold up the others; the run leaves it and says why.
        None => credentials_for(&args, &selected(&store, &Which::All).await?, false)?,
    };
    let (named, changed) = match named {
        Some(batches) => {
            let (batches, changed) = settle_flags(context, &store, &args, batches).await?;
            (Some(batches), changed)
        }
        None => (None, Vec::new()),
    };
    if let Some(exit) = withheld::tell(context, &store, named.as_deref()).await? {
        tell_changed(context, &changed);
        return Ok(exit);
    }
    let chosen = choose(context, &store, &args, named, credentials.as_ref()).await;
    if chosen.is_err() {
        tell_changed(context, &changed);
    }
    let (which, held) = chosen?;
    let lock = match held {
        Some(lock) => Ok(Some(lock)),
        None => lock(context, &store, &args).await,
    };
    let lock = lock.inspect_err(|error| {
        tell_changed(context, &changed);
        if has_file {
            context.out.note(match error.downcast_ref() {
                Some(store::Error::Held { .. }) => {
                    "the file is stored; the run that holds the database sends it if it was started without names\n"
                }
                _ => "the file is stored; nothing was sent\n",
            });
        }
    })?;
    // Once more, now that nobody else sends from this file: whoever was asked something has taken their time.
    rolled_back::refuse(&store, notes.as_ref()).await?;
    // Where several share the queue, a run judges the others while it goes on.
    let dead = if store.is_shared() { Vec::new() } else { settle_dead_runs(context, &store).await? };
    let batches = selected(&store, &which).await?;
    let concurrency = concurrency(&args, &batches);
    let stand_in = StandIn::start_if_needed(&batches).await?;
    let connections = connections(context, &args, credentials, concurrency.get(), &stand_in);
    let routes = Routes::new(connections, suppression::reader(&args.input.map));
    for batch in &batches {
        let detail = json!({ "limit": args.limit, "concurrency": concurrency.get() });
        store.record_action(batch.id, ActionKind::Run, &context.actor, UnixMillis::now(), &detail).await?;
    }
    let measures = metrics.is_some().then(|| Measures::new(UnixMillis::now()));
    let (limit, wait, store_grace) = (args.limit, args.wait, args.db_grace);
    let options = Options { which, concurrency, limit, wait, store_grace, notes, measures };
    let forecast = Forecast::default();
    let mut teller = Teller::new(context.out.is_quiet(), args.limit, context.paint[1], forecast.clone());
    let forecast_every = teller.wants_forecast_every();
    let mut observer = |event: run::Event<'_>| teller.tell(event);
    let interrupts = signals::listen()?;
    store.wait_for_others(TURN_PATIENCE);
    let store = Arc::new(store);
    let reading = forecast_every.map(|every| forecast.read(&store, &options.which, every));
    let writing = metrics.zip(options.measures.clone()).map(|(file, of_run)| file.keep(&store, &options.which, of_run));
    let ended = run::run(Arc::clone(&store), lock, &context.actor, options, routes, interrupts, &mut observer).await;
    if let Some(writing) = writing {
        let may_read = ended.as_ref().is_ok_and(|ended| !matches!(ended.ending, Ending::StoreFailed(..)));
        writing.end(may_read).await;
    }
    let mut ended = ended?;
    drop((reading, teller));
    stand_in.stop().await;
    ended.batches.extend(dead);
    let exit = run_end::tell(context, &store, &ended, started).await?;
    store.close().await;
    Ok(exit)
}

/// The batches that the arguments name, files imported; `None` where they name none.
async fn name_batches(context: &mut Context, store: &Store, args: &RunArgs) -> anyhow::Result<Option<Vec<Batch>>> {
    if args.what.is_empty() {
        return Ok(None);
    }
    let mut named: Vec<Batch> = Vec::new();
    for what in &args.what {
        let batch = match find_batch(context, store, what).await? {
            Some(batch) => checked(batch, args)?,
            None => import_file(context, store, what, args).await?,
        };
        if !named.iter().any(|other| other.id == batch.id) {
            named.push(batch);
        }
    }
    Ok(Some(named))
}

/// A batch goes where it was imported for; a flag that says otherwise is not passed over.
fn checked(batch: Batch, args: &RunArgs) -> anyhow::Result<Batch> {
    let differs = |what: &str, stored: &dyn Display, given: &dyn Display| {
        Err(anyhow::Error::new(Usage(format!(
            "batch `{}` is for {what} {stored}, not {given}; nothing was sent\n\
             hint: `mep-batch run FILE` with that {what} makes another batch",
            batch.name
        ))))
    };
    match (&args.batch.endpoint, &args.input.service) {
        (Some(given), _) if *given != batch.endpoint => differs("endpoint", &batch.endpoint, given),
        (_, Some(given)) if *given != batch.service => differs("service", &batch.service, given),
        (_, _) => {
            phone_rules::check_batch(&batch, &args.input)?;
            Ok(batch)
        }
    }
}

/// A file that is a batch already has its name; another one that is asked for is not passed over.
fn refuse_other_name(batch: &Batch, what: &str, args: &RunArgs) -> anyhow::Result<()> {
    let Some(other) = args.batch.batch.as_ref().filter(|other| **other != batch.name) else { return Ok(()) };
    let name = &batch.name;
    let way = match batch.cancelled_at {
        Some(_) => {
            format!("`mep-batch import FILE --batch {other}` imports what of it was not sent: `{name}` is cancelled")
        }
        None => format!(
            "leave `--batch` out to go on with `{name}`; `--again` imports the file once more as `{other}`, and its people are \
             texted once more"
        ),
    };
    bail!(Usage(format!("`{what}` is batch `{name}` already, not `{other}`; nothing was sent\nhint: {way}")))
}

/// An existing batch wins over a file of that name; what has a `/` is a file.
pub(super) async fn find_batch(context: &mut Context, store: &Store, what: &str) -> anyhow::Result<Option<Batch>> {
    if !what.contains('/')
        && let Some(batch) = store.batch_named(what).await?
    {
        if Path::new(what).exists() {
            context.out.note(&format!("`{what}` is a batch, and a file too: `./{what}` is the file\n"));
        }
        return Ok(Some(batch));
    }
    if what != STANDARD_INPUT && !Path::new(what).exists() {
        bail!(neither(what));
    }
    Ok(None)
}

/// What is said of a name that is nothing; what has a `/` is the name of no batch.
pub(super) fn neither(what: &str) -> Usage {
    let folder = std::env::current_dir().map_or_else(|_| ".".to_owned(), |folder| folder.display().to_string());
    Usage(match what.contains('/') {
        true if Path::new(what).is_absolute() => {
            format!("there is no file `{what}`\nhint: look whether its folder is right")
        }
        true => format!("there is no file `{what}`\nhint: it is looked for in `{folder}`"),
        false => format!(
            "`{what}` is neither a batch nor a file\n\
             hint: `mep-batch status` lists the batches; a file is looked for in `{folder}`"
        ),
    })
}

async fn import_file(context: &mut Context, store: &Store, what: &str, args: &RunArgs) -> anyhow::Result<Batch> {
    let file = Path::new(what);
    match import::load(context, store, file, &args.batch, &args.input, &args.sending, None).await? {
        Imported::Before(batch, input) => {
            let batch = checked(*batch, args)?;
            refuse_other_name(&batch, what, args)?;
            if let Some(input) = input {
                same_reading::check(store, &batch, *input, check::options(context, &args.input)?).await?;
            }
            context.out.note(&format!("`{what}` is batch `{}` already; going on with it\n", batch.name));
            Ok(batch)
        }
        Imported::Now(batch, judgement, survey) => {
            context.out.note(&problems::text_of(what, &judgement, &survey));
            context.out.note(&exclusion_text::told_before(&batch.findings));
            context.out.note(&format!("Imported as batch `{}`\n\n", batch.name));
            Ok(*batch)
        }
    }
}

/// The run lock, with a word to whoever wants it meanwhile.
pub(super) async fn lock(context: &Context, store: &Store, args: &RunArgs) -> anyhow::Result<Option<RunLock>> {
    let actor = &context.actor;
    let who =
        format!("pid {} on {}, started by {} at {}", std::process::id(), actor.host, actor.who, UnixMillis::now());
    Ok(store.admit_run(&who, args.accept_history).await?)
}

/// The batches that a run sends, as they are stored now.
pub(super) async fn selected(store: &Store, which: &Which) -> anyhow::Result<Vec<Batch>> {
    let mut batches = store.batches().await?;
    match which {
        Which::Named(ids) => batches.retain(|batch| ids.contains(&batch.id)),
        Which::All => {
            let ids: Vec<_> = batches.iter().map(|batch| batch.id).collect();
            let counts = store.counts(&ids).await?;
            let mut open = counts.iter().map(|counts| counts[State::Pending] + counts[State::Sending] > 0);
            let may_be_sent = |batch: &Batch| {
                batch.confirmation(1) == Confirmation::Given
                    && batch.paused_at.is_none()
                    && batch.cancelled_at.is_none()
            };
            batches.retain(|batch| open.next() == Some(true) && may_be_sent(batch));
        }
    }
    Ok(batches)
}

/// How this process connects.
pub(super) fn connections(
    context: &Context,
    args: &RunArgs,
    credentials: Option<Credentials>,
    concurrency: usize,
    stand_in: &StandIn,
) -> Connections {
    Connections {
        credentials,
        timeouts: Timeouts { connect: args.connect_timeout, total: args.timeout },
        concurrency,
        proxy: args.proxy.clone(),
        simulator: stand_in.base_url.clone(),
        bounds: context.bounds,
    }
}

fn concurrency(args: &RunArgs, batches: &[Batch]) -> NonZeroUsize {
    let is_real = |batch: &Batch| matches!(batch.endpoint, Endpoint::Production | Endpoint::Cie);
    let default = if batches.iter().any(is_real) { CONCURRENCY_FOR_REAL } else { CONCURRENCY_ELSEWHERE };
    args.concurrency.unwrap_or(default)
}

/// The account and its password, where any of the batches can use them.
fn credentials_for(args: &RunArgs, batches: &[Batch], all_of_them: bool) -> anyhow::Result<Option<Credentials>> {
    if !batches.is_empty() && batches.iter().all(|batch| batch.endpoint == Endpoint::Simulator) {
        return Ok(None);
    }
    let stored = batches.iter().map(|batch| batch.account.as_str()).find(|account| !account.is_empty());
    let account = args.sending.account.as_deref().or(stored);
    let in_need = batches.iter().find(|batch| batch.endpoint.needs_credentials());
    let credentials = credentials::credentials(account, args.password_file.as_deref(), in_need.is_some())?;
    match (&credentials, in_need) {
        (None, Some(batch)) if all_of_them => bail!(Usage(format!(
            "batch `{}` is kept, and needs an account and a password for {}; nothing was sent\n\
             hint: `--account ID` or MEP_ACCOUNT, and `--password-file FILE` or MEP_PASSWORD",
            batch.name, batch.endpoint
        ))),
        (None, None | Some(_)) | (Some(_), _) => Ok(credentials),
    }
}

/// Settles what dead runs left, and says so; the batches of which rows are unknown now.
async fn settle_dead_runs(context: &mut Context, store: &Store) -> anyhow::Result<Vec<BatchId>> {
    let dead = store.settle_dead_runs(UnixMillis::now()).await?;
    if dead.unknown > 0 {
        context.out.note(&format!(
            "a run died with {} in flight, unknown now\nhint: {} lists them\n",
            counted(dead.unknown, "row"),
            silent_runs::commands(&dead)
        ));
    }
    Ok(dead.batches)
}
