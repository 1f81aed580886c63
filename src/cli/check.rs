//! `check`: reads and validates a file, and stores nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::bail;

use super::args::{CheckArgs, InputArgs, SuppressionArgs};
use super::context::Context;
use super::exit::Exit;
use super::failure::{Told, Usage};
use super::{mapping, phone_rules, problems, suppression};
use crate::import::{
    self, Duplicates, FileRefused, Input, Judgement, Options, Reading, RejectedForm, Survey, Tolerance,
    TooManyRejected, may_be_rejected_file,
};
use crate::invocation::{Expressions, Settings};
use crate::validate::Rules;

pub(super) async fn check(context: &mut Context, args: CheckArgs) -> anyhow::Result<Exit> {
    let options = Options { allow_no_service: true, ..options(context, &args.input)? };
    let (judgement, survey) = judge(context, &args.file, options, &args.input, &args.suppression).await?;
    let exit = problems::exit_of(&judgement);
    if context.out.is_json() {
        let object = problems::json_of(&judgement, &survey, None, exit);
        context.out.data(&format!("{object}\n"));
    } else {
        context.out.outcome(&problems::text_of(&args.file.display().to_string(), &judgement, &survey));
    }
    Ok(exit)
}

/// Reads and judges a file without storing anything of it.
pub(super) async fn judge(
    context: &mut Context,
    file: &Path,
    options: Options,
    input: &InputArgs,
    suppression: &SuppressionArgs,
) -> anyhow::Result<(Judgement, Survey)> {
    let (suppress, phones) = (suppression.suppress.clone(), options.rules.phones.clone());
    let settings = Settings { suppress, phones, ..Settings::default() };
    let suppressed = suppression::list_of(context, &settings, &options.maps).await?;
    let opened = Input::open(file, &reading(input)).and_then(|opened| {
        let survey = opened.survey().clone();
        Ok((opened.rows(options.clone())?, survey))
    });
    let (rows, survey) = opened.map_err(|refused| refuse(context, refused.into(), file, None))?;
    let rejected = rejected(input, file, &survey)?;
    mapping::save(context, input, &options, &rows)?;
    let judged = import::check(rows, tolerance(input), &suppressed, rejected).await;
    let judgement = judged.map_err(|error| refuse(context, error, file, Some(&survey)))?;
    Ok((judgement, survey))
}

/// Where the refused rows are to be written: never over the file that they come from.
pub(super) fn rejected<'a>(input: &'a InputArgs, file: &Path, survey: &Survey) -> anyhow::Result<Option<&'a Path>> {
    let Some(path) = input.rejected.as_deref() else { return Ok(None) };
    if let Err(why) = RejectedForm::of(survey, path) {
        bail!(Usage(format!("`--rejected {}`: {why}\nhint: give the file another name", path.display())));
    }
    if is_same_file(path, file) {
        bail!(Usage(format!(
            "`--rejected {}` is the file that is read, and would be overwritten\nhint: give the refused rows a file of their own",
            path.display()
        )));
    }
    if let Err(why) = may_be_rejected_file(path) {
        bail!(Usage(format!(
            "the refused rows cannot be written to `{}`: {why}\nhint: give them a file of their own",
            path.display()
        )));
    }
    Ok(Some(path))
}

fn is_same_file(one: &Path, two: &Path) -> bool {
    match (one.metadata(), two.metadata()) {
        (Ok(one), Ok(two)) => (one.dev(), one.ino()) == (two.dev(), two.ino()),
        (Ok(_) | Err(_), _) => false,
    }
}

/// What is said of the file's bytes.
pub(super) fn reading(input: &InputArgs) -> Reading {
    Reading { encoding: input.encoding, delimiter: input.delimiter, sheet: input.sheet.clone() }
}

/// How a file is to be read.
pub(super) fn options(context: &Context, input: &InputArgs) -> anyhow::Result<Options> {
    let expressions = match &input.allow_expressions {
        None => Expressions::Refused,
        Some(columns) if columns.iter().any(|column| column == "*") => Expressions::Allowed,
        Some(columns) => Expressions::AllowedIn(columns.clone()),
    };
    let columns = input.ignore.columns.clone();
    let (ignore, ignore_if_there) = if input.ignore.are_typed { (columns, Vec::new()) } else { (Vec::new(), columns) };
    let mut options = Options {
        service: input.service.clone(),
        maps: input.map.clone(),
        sets: input.set.clone(),
        ignore,
        ignore_if_there,
        ignore_unmapped: input.ignore_unmapped,
        no_header: input.no_header,
        allow_shared_numbers: input.duplicates != Duplicates::Reject,
        allow_empty: input.allow_empty,
        allow_no_service: false,
        rules: Rules {
            bounds: context.bounds,
            ascii_only: input.ascii_only,
            expressions,
            phones: phone_rules::of(input)?,
            phone_number_json: context.phone_number_json,
        },
    };
    if let Some(mapping) = &input.mapping {
        mapping.add_to(&mut options);
    }
    Ok(options)
}

pub(super) fn tolerance(input: &InputArgs) -> Tolerance {
    Tolerance { duplicates: input.duplicates, rejected_max: input.max_rejected }
}

/// Tells a refused file by the documented object where JSON is asked for; other errors go on as they are.
pub(super) fn refuse(
    context: &mut Context,
    error: anyhow::Error,
    file: &Path,
    survey: Option<&Survey>,
) -> anyhow::Error {
    if let Some(refused) = error.downcast_ref::<FileRefused>() {
        context.out.note(&format!("error: {refused}\n"));
        if context.out.is_json() {
            context.out.data(&format!("{}\n", problems::json_of_refused(refused)));
        }
        return Told(Exit::InputRefused).into();
    }
    if let (Some(refused), Some(survey)) = (error.downcast_ref::<TooManyRejected>(), survey) {
        context.out.note(&problems::text_of(&file.display().to_string(), &refused.judgement, survey));
        context.out.note(&format!("error: {refused}\n"));
        if context.out.is_json() {
            let object = problems::json_of(&refused.judgement, survey, None, Exit::InputRefused);
            context.out.data(&format!("{object}\n"));
        }
        return Told(Exit::InputRefused).into();
    }
    error
}
