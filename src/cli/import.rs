//! `import`: checks a file and stores it as a batch.

use std::path::Path;

use anyhow::bail;

use super::args::{BatchArgs, ImportArgs, InputArgs, SendingArgs};
use super::check;
use super::context::Context;
use super::exit::Exit;
use super::failure::Usage;
use super::output::counted;
use super::{exclusion_text, mapping, problems, rolled_back, same_reading, suppression, when};
use crate::import::{self, ColumnMap, Exclusions, FileFault, FileRefused, Input, Judgement, STANDARD_INPUT, Survey};
use crate::invocation::{BATCH_NAME_LENGTH_MAX, Findings, Settings, State, UnixMillis, is_batch_name_char};
use crate::mep::{Endpoint, ServiceId};
use crate::store::{Batch, Filter, NewBatch, Store};

/// Requests a second where nothing is said: what the vendor has not asked for more of.
const RATE_FOR_PRODUCTION: f64 = 10.0;
/// CIE is not for load.
const RATE_FOR_CIE: f64 = 1.0;

/// A file that has become a batch, now or before.
pub(super) enum Imported {
    /// Its content is this batch already; nothing was imported.
    ///
    /// With the file, to be read once more, but where another import has just made the batch.
    Before(Box<Batch>, Option<Box<Input>>),
    /// It is this batch now.
    Now(Box<Batch>, Box<Judgement>, Survey),
}

pub(super) async fn import(context: &mut Context, args: ImportArgs) -> anyhow::Result<Exit> {
    if args.file != Path::new(STANDARD_INPUT) && !args.file.exists() {
        // What is said of a file that is not there, and no queue is made for it.
        Input::open(&args.file, &check::reading(&args.input))
            .map_err(|refused| check::refuse(context, refused.into(), &args.file, None))?;
    }
    let store = context.create_store().await?;
    rolled_back::refuse_import(context, &store).await?;
    let anew = args.batch.batch.as_deref();
    match load(context, &store, &args.file, &args.batch, &args.input, &args.sending, anew).await? {
        Imported::Before(batch, _) => {
            let known = known(&batch);
            let refused = FileRefused { file: args.file.display().to_string(), faults: vec![known] };
            Err(check::refuse(context, refused.into(), &args.file, None))
        }
        Imported::Now(batch, judgement, survey) => {
            let exit = problems::exit_of(&judgement);
            tell(context, &store, &args, &batch, &judgement, &survey, exit);
            store.close().await;
            Ok(exit)
        }
    }
}

/// Why a file is not imported whose content is a batch already.
fn known(batch: &Batch) -> FileFault {
    let name = &batch.name;
    if let Some(at) = batch.cancelled_at {
        return FileFault::new(
            format!("it is batch `{name}`, which was cancelled at {at}, for the same service and endpoint"),
            "`--batch NAME` imports what of it was not sent as a batch of that name; with `--again` as well, all of it"
                .to_owned(),
        );
    }
    FileFault::new(
        format!("it is batch `{name}` already, for the same service and endpoint"),
        format!(
            "`mep-batch run {name}` goes on with it; `--again` imports it once more, and its people are texted once more"
        ),
    )
}

/// Imports a file, unless its content is a batch already. Of a cancelled one it is imported under another name, `anew`:
/// then what of it was sent is skipped, as what any other batch has sent.
pub(super) async fn load(
    context: &mut Context,
    store: &Store,
    file: &Path,
    batch: &BatchArgs,
    input: &InputArgs,
    sending: &SendingArgs,
    anew: Option<&str>,
) -> anyhow::Result<Imported> {
    let options = check::options(context, input)?;
    let opened = Input::open(file, &check::reading(input))
        .map_err(|refused| check::refuse(context, refused.into(), file, None))?;
    let survey = opened.survey().clone();
    let (service, endpoint) = (input.service.as_ref(), batch.endpoint.as_ref());
    if !batch.again
        && let Some(before) = store.batch_of_content(&survey.sha256, service, endpoint).await?
        && (is_alive(store, &before, anew).await? || !same_reading::has_ready_row(opened.again()?, options.clone()))
    {
        return Ok(Imported::Before(Box::new(before), Some(Box::new(opened))));
    }
    if !batch.again
        && let Some(lost) = rolled_back::lost_batch(context, store, &survey.sha256).await?
    {
        let refused = FileRefused { file: file.display().to_string(), faults: vec![rolled_back::fault(&lost)] };
        return Err(check::refuse(context, refused.into(), file, None));
    }
    let Some(endpoint) = &batch.endpoint else { bail!(no_endpoint()) };
    if batch.again {
        warn_of_pending(context, store, &survey.sha256, service, endpoint).await?;
    }
    let phones = options.rules.phones.clone();
    let settings = Settings { phones, ..settings_of(sending, default_settings(endpoint))? };
    let exclusions = exclusions(context, &settings, batch, &options.maps).await?;
    let rejected = check::rejected(input, file, &survey)?;
    let rows = opened.rows(options.clone()).map_err(|refused| check::refuse(context, refused.into(), file, None))?;
    mapping::save(context, input, &options, &rows)?;
    let (expressions, ascii_only) = (rows.rules().expressions.clone(), rows.rules().ascii_only);
    let settings = Settings { expressions, ascii_only, ..settings };
    let lock = store.import_lock().await?;
    // Looked at once more now that no other import is under way: two at the same time must not make two batches.
    if !batch.again
        && let Some(before) = store.batch_of_content(&survey.sha256, service, Some(endpoint)).await?
        && is_alive(store, &before, anew).await?
    {
        lock.release(store).await;
        return Ok(Imported::Before(Box::new(before), None));
    }
    let intake = store.begin_intake(lock, UnixMillis::now()).await?;
    let describe = |judgement: &Judgement, rows: &import::Rows| {
        let Some(service) = rows.service().cloned() else {
            bail!(Usage(
                "no service ID\nhint: `--service ID`, or a `serviceId` column with the same value in every row"
                    .to_owned()
            ))
        };
        when::check_zones(&settings.schedule, &judgement.columns)?;
        Ok(NewBatch {
            name: batch.batch.clone(),
            stem: stem(file),
            service,
            endpoint: endpoint.clone(),
            account: sending.account.clone().unwrap_or_default(),
            source_name: file.display().to_string(),
            source_sha256: rows.survey().sha256.clone(),
            file_sha256: rows.survey().file_sha256.clone(),
            columns: judgement.columns.clone(),
            settings,
            findings: Findings::default(),
            rows: i64::try_from(judgement.rows)?,
        })
    };
    let (tolerance, actor) = (check::tolerance(input), &context.actor);
    let imported = import::import(rows, tolerance, &exclusions, rejected, intake, actor, describe).await;
    let (name, judgement) = imported.map_err(|error| check::refuse(context, error, file, Some(&survey)))?;
    let batch = super::context::batch(store, &name).await?;
    Ok(Imported::Now(Box::new(batch), Box::new(judgement), survey))
}

/// Says that an earlier batch of the same content is still to be sent: then both would be.
async fn warn_of_pending(
    context: &mut Context,
    store: &Store,
    sha256: &str,
    service: Option<&ServiceId>,
    endpoint: &Endpoint,
) -> anyhow::Result<()> {
    let Some(before) = store.batch_of_content(sha256, service, Some(endpoint)).await? else { return Ok(()) };
    let (pending, name) = (store.counts_of(before.id).await?[State::Pending], &before.name);
    if pending > 0 {
        context.out.note(&format!(
            "warning: {} of the same content in batch `{name}` are still to be sent: their people will be texted by both\n\
             hint: `mep-batch cancel {name}` withdraws them\n",
            counted(pending.unsigned_abs(), "row")
        ));
    }
    Ok(())
}

/// Who is not sent to, by what the operator says.
async fn exclusions(
    context: &mut Context,
    settings: &Settings,
    batch: &BatchArgs,
    maps: &[ColumnMap],
) -> anyhow::Result<Exclusions> {
    let others_count = !batch.again && !batch.seen_within.is_zero();
    Ok(Exclusions {
        suppressed: suppression::list_of(context, settings, maps).await?,
        seen_within: batch.seen_within,
        seen_since: others_count.then(|| UnixMillis::now().before(batch.seen_within)),
    })
}

fn no_endpoint() -> Usage {
    Usage(
        "where to send is not said\nhint: `--endpoint simulator`, `cie`, `production` or a URL; there is no default, so that \
         nothing real is sent by accident"
            .to_owned(),
    )
}

/// Whether a batch has more than rows that this tool refused at once. Where it has not, flags that read its file better make
/// another one; and so does another name, where it was cancelled.
async fn is_alive(store: &Store, batch: &Batch, anew: Option<&str>) -> anyhow::Result<bool> {
    if batch.cancelled_at.is_some() && anew.is_some() {
        return Ok(false);
    }
    if batch.rows == 0 || store.counts_of(batch.id).await?[State::Rejected] < batch.rows {
        return Ok(true);
    }
    // A row with a body, or that had one before a purge, was refused later, by the service or right before sending.
    let first = store.page(batch.id, &Filter::default(), 0, same_reading::ROWS_READ).await?;
    Ok(first.iter().any(|row| row.body.is_some() || row.body_sha256.is_some()))
}

/// Tells what was imported and what to type next.
pub(super) fn tell(
    context: &mut Context,
    store: &Store,
    args: &ImportArgs,
    batch: &Batch,
    judgement: &Judgement,
    survey: &Survey,
    exit: Exit,
) {
    if context.out.is_json() {
        let mut object = problems::json_of(judgement, survey, Some(&batch.name), exit);
        object["endpoint"] = batch.endpoint.to_string().into();
        context.out.data(&format!("{object}\n"));
        return;
    }
    let mut text = problems::text_of(&args.file.display().to_string(), judgement, survey);
    text.push_str(&exclusion_text::told_before(&batch.findings));
    text.push_str(&format!(
        "\nImported as batch `{}` for {} into {}\nNext: mep-batch run {}\n",
        batch.name,
        batch.endpoint,
        store.address(),
        batch.name
    ));
    context.out.outcome(&text);
}

/// What is not said, for an endpoint.
pub(super) fn default_settings(endpoint: &Endpoint) -> Settings {
    let rate = match endpoint {
        Endpoint::Production => Some(RATE_FOR_PRODUCTION),
        Endpoint::Cie => Some(RATE_FOR_CIE),
        Endpoint::Simulator | Endpoint::Url(_) => None,
    };
    Settings { rate, ..Settings::default() }
}

/// The settings with what the flags name.
pub(super) fn settings_of(sending: &SendingArgs, was: Settings) -> anyhow::Result<Settings> {
    Ok(Settings {
        rate: sending.rate.map_or(was.rate, |rate| rate.0),
        retry_initial: sending.retry_initial.unwrap_or(was.retry_initial),
        retry_max: sending.retry_max.unwrap_or(was.retry_max),
        vendor_retry: sending.vendor_retry.map_or(was.vendor_retry, |retry| retry.0),
        retry_503: sending.retry_503.unwrap_or(was.retry_503),
        retry_for: sending.retry_for.unwrap_or(was.retry_for),
        probe_after: sending.probe_after.unwrap_or(was.probe_after),
        unknown_max: sending.max_unknown.or(was.unknown_max),
        expressions: was.expressions,
        ascii_only: was.ascii_only,
        phones: was.phones,
        suppress: sending.suppression.suppress.clone().or(was.suppress),
        schedule: when::schedule_of(&sending.hours, was.schedule)?,
    })
}

/// A batch name made of the file's.
fn stem(file: &Path) -> String {
    let unpacked = import::unpacked_name(file);
    let stem = if file == Path::new(import::STANDARD_INPUT) {
        "stdin".into()
    } else {
        unpacked.file_stem().unwrap_or_default().to_string_lossy()
    };
    let allowed = |c: char| if is_batch_name_char(c) { c } else { '-' };
    let name: String = stem.chars().map(allowed).take(BATCH_NAME_LENGTH_MAX).collect();
    if name.is_empty() { "batch".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_named_after_its_file() {
        assert_eq!(stem(Path::new("/a/nightly 2026.csv")), "nightly-2026");
        assert_eq!(stem(Path::new("-")), "stdin");
        assert_eq!(stem(Path::new("june.csv.gz")), "june");
        assert_eq!(stem(Path::new("été.json")), "-t-");
    }
}
