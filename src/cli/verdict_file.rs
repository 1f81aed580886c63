//! `resolve --from`: verdicts from a file, told before anything is done; then all of them, or none.

use std::fmt::Write;
use std::path::Path;

use anyhow::anyhow;
use serde_json::{Map, Value, json};

use super::args::ResolveArgs;
use super::context::Context;
use super::exit::Exit;
use super::failure::Usage;
use super::output::counted;
use super::resolve::{early, early_text};
use super::typed::in_quotes;
use super::{resend, verdict_text};
use crate::action::{self, Because, Objection, TooEarly, Weighed};
use crate::import::{self, STANDARD_INPUT, Verdicts};
use crate::store::{Batch, Decided, Store, UnknownView};

/// Words that cannot be followed which are told one by one.
const OBJECTIONS_TOLD: usize = 10;

/// A file of verdicts, held against the rows.
struct Filed<'a> {
    batch: &'a Batch,
    file: &'a Path,
    verdicts: Verdicts,
    weighed: Weighed,
    early: Option<TooEarly>,
    /// Unknown rows of the batch.
    unknown: usize,
}

pub(super) async fn resolve(
    context: &mut Context,
    store: &Store,
    batch: &Batch,
    rows: &[UnknownView],
    file: &Path,
    args: &ResolveArgs,
) -> anyhow::Result<Exit> {
    let mut verdicts = read(file, batch, args).await?;
    if !verdicts.ignored.is_empty() {
        context.out.note(&format!("columns of it that are not read: {}\n", verdicts.ignored.join(", ")));
    }
    let weighed = action::weigh(store, batch, rows, std::mem::take(&mut verdicts.words)).await?;
    let early = early(rows, &weighed.decisions, store.now().await?, args.yes);
    let filed = Filed { batch, file, verdicts, weighed, early, unknown: rows.len() };
    let is_refused = filed.early.is_some() || !filed.weighed.objections.is_empty();
    if is_refused || !args.apply || filed.weighed.decisions.is_empty() {
        let exit = if is_refused { Exit::Usage } else { Exit::Complete };
        tell(context, &filed, None, args, exit);
        return Ok(exit);
    }
    if !resend::is_meant(context, batch, &filed.weighed.decisions, args.yes)? {
        return Ok(Exit::Usage);
    }
    let decisions = &filed.weighed.decisions;
    let decided = store.resolve(batch.id, decisions, &context.actor, store.now().await?).await?;
    tell(context, &filed, Some(decided), args, Exit::Complete);
    Ok(Exit::Complete)
}

async fn read(file: &Path, batch: &Batch, args: &ResolveArgs) -> anyhow::Result<Verdicts> {
    let (path, own, reason) = (file.to_owned(), batch.columns.clone(), args.reason.clone());
    let read = tokio::task::spawn_blocking(move || import::verdicts(&path, &own, reason.as_deref())).await?;
    read.map_err(|refused| anyhow!(Usage(format!("nothing was decided: {refused}"))))
}

fn tell(context: &mut Context, filed: &Filed<'_>, decided: Option<Decided>, args: &ResolveArgs, exit: Exit) {
    if context.out.is_json() {
        let object = filed.json(decided, exit);
        context.out.data(&format!("{object}\n"));
        return;
    }
    match decided {
        Some(decided) => {
            let text = verdict_text::decided(filed.batch, &filed.weighed.decisions, &decided, filed.unknown);
            context.out.outcome(&format!("{}{text}", filed.agreed_text()));
        }
        None => context.out.outcome(&filed.plan_text(args, exit)),
    }
    if exit != Exit::Complete {
        context.out.note(&filed.objections_text());
    }
}

impl Filed<'_> {
    /// The file as it is named in texts.
    fn name(&self) -> String {
        if self.file == Path::new(STANDARD_INPUT) {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        }
    }

    /// What would be done.
    fn plan_text(&self, args: &ResolveArgs, exit: Exit) -> String {
        let (batch, decisions) = (&self.batch.name, &self.weighed.decisions);
        let mut text = format!(
            "`{}` decides {} of the {} of batch `{batch}`\n",
            self.name(),
            decisions.len(),
            counted(self.unknown as u64, "unknown row")
        );
        text.push_str(&verdict_text::table(decisions, self.batch.cancelled_at));
        text.push_str(&self.agreed_text());
        if self.verdicts.undecided > 0 {
            let _ =
                writeln!(text, "{} in it without a verdict: left undecided", counted(self.verdicts.undecided, "row"));
        }
        let left = self.unknown - decisions.len();
        if left > 0 {
            let _ = writeln!(text, "{} would stay unknown", counted(left as u64, "row"));
        }
        if exit == Exit::Complete && !decisions.is_empty() {
            let reason = match &args.reason {
                Some(reason) => format!(" --reason {}", in_quotes(reason)),
                None => String::new(),
            };
            let file = in_quotes(&self.file.display().to_string());
            let yes = if args.yes { " --yes" } else { "" };
            let _ = writeln!(
                text,
                "Nothing was decided yet.\nNext: mep-batch resolve {batch} --from {file}{reason}{yes} --apply"
            );
        }
        text
    }

    fn agreed_text(&self) -> String {
        match self.weighed.agreed.len() as u64 {
            0 => String::new(),
            rows => format!("{} of it decided so already\n", counted(rows, "row")),
        }
    }

    /// What is in the way.
    fn objections_text(&self) -> String {
        let mut text = String::new();
        let objections = &self.weighed.objections;
        for objection in objections.iter().take(OBJECTIONS_TOLD) {
            let _ = writeln!(text, "{}:{}: {}", self.name(), objection.filed.at, self.reason_of(objection));
        }
        if objections.len() > OBJECTIONS_TOLD {
            let more = (objections.len() - OBJECTIONS_TOLD) as u64;
            let _ = writeln!(text, "and {} like these", counted(more, "line"));
        }
        if !objections.is_empty() {
            let _ = writeln!(
                text,
                "error: {} of the file cannot be followed; nothing was decided\n\
                 hint: mend those lines or empty their `as`; see `mep-batch show {} LINE`",
                counted(objections.len() as u64, "line"),
                self.batch.name
            );
        }
        if let Some(early) = &self.early {
            let _ = writeln!(text, "error: {}", early_text(early));
        }
        text
    }

    fn reason_of(&self, Objection { filed, because }: &Objection) -> String {
        let (line, batch) = (filed.line, &self.batch.name);
        match because {
            Because::NoRow => format!("batch `{batch}` has no row at line {line}"),
            Because::Is(state) => format!("line {line} is {state}, not unknown; the file says {}", filed.word.verdict),
            Because::OtherAttempt(attempt) => {
                format!("line {line} is unknown by attempt {attempt}; the file speaks of another")
            }
            Because::OtherPhone => format!("line {line} is for another phone number than the file says"),
            Because::OtherRequestId => format!("line {line} was accepted by another request ID"),
            Because::RequestIdWithout => format!(
                "line {line} has a request ID, so the service knows the request; the file says {}",
                filed.word.verdict
            ),
        }
    }

    fn json(&self, decided: Option<Decided>, exit: Exit) -> Value {
        let Weighed { decisions, agreed, objections } = &self.weighed;
        let verdicts: Map<String, Value> = verdict_text::counts(decisions)
            .into_iter()
            .map(|(verdict, rows)| (verdict.as_str().to_owned(), rows.into()))
            .collect();
        let objections: Vec<Value> = objections
            .iter()
            .map(|objection| {
                let Objection { filed, .. } = objection;
                json!({ "fileLine": filed.at, "line": filed.line, "reason": self.reason_of(objection) })
            })
            .collect();
        let resolved = decided.map_or(0, |decided| decided.rows);
        json!({
            "batch": self.batch.name,
            "applied": decided.is_some(),
            "resolved": resolved,
            "verdicts": verdicts,
            "undecided": self.verdicts.undecided,
            "alreadySo": agreed.len(),
            "refused": objections,
            "tooEarly": self.early.map(|early| json!({ "rows": early.rows, "until": early.until.to_string() })),
            "unknown": self.unknown as u64 - resolved,
            "exitCode": exit.code(),
        })
    }
}
