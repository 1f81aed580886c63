//! `status`: how the batches stand.

use std::fmt::Write;

use serde_json::Value;

use super::about::{minute, rate};
use super::args::StatusArgs;
use super::colour::Paint;
use super::context::{self, Context};
use super::exit::Exit;
use super::output::{counted, grouped};
use super::watch::watch;
use super::{rolled_back, run_table, typed};
use crate::invocation::{State, UnixMillis};
use crate::report::{self, BatchStatus, Lacks, NextStep, Standing};
use crate::store::{Address, Notes, Store};

pub(super) async fn status(context: &mut Context, args: StatusArgs) -> anyhow::Result<Exit> {
    let store = context.open_store().await?;
    rolled_back::tell(context, &store).await?;
    let notes = rolled_back::notes(context, &store).await?;
    let batch = args.batch.as_deref();
    let picture = if args.watch {
        watch(context, &store, batch, notes.as_ref()).await?
    } else {
        let picture = Picture::take(&store, batch, notes.as_ref()).await?;
        let shown = picture.shown(context, &store)?;
        context.out.data(&shown);
        picture
    };
    if picture.statuses.is_empty() {
        context.out.note("no batches yet\nhint: `mep-batch import FILE --endpoint E` makes one\n");
    }
    store.close().await;
    Ok(match args.exit_code {
        false => Exit::Complete,
        // What it does not know may be worse than all that it tells.
        true if picture.lacks.is_some() => Exit::Store,
        true => picture.worst().into(),
    })
}

/// How the batches stand at one moment.
pub(super) struct Picture {
    statuses: Vec<BatchStatus>,
    lacks: Option<Lacks>,
}

impl Picture {
    /// Looks at one batch, or at all, in a database of which its user may have notes.
    pub(super) async fn take(store: &Store, batch: Option<&str>, notes: Option<&Notes>) -> anyhow::Result<Picture> {
        let lacks = match notes {
            Some(notes) => report::lacks(store, notes).await?,
            None => None,
        };
        let batches = match batch {
            Some(name) => vec![context::batch(store, name).await?],
            None => store.batches().await?,
        };
        let mut statuses = Vec::with_capacity(batches.len());
        for batch in &batches {
            let status = report::status(store, batch, UnixMillis::now()).await?;
            statuses.push(BatchStatus { lacks: lacks.clone(), ..status });
        }
        Ok(Picture { statuses, lacks })
    }

    /// As it was asked for: an object a line, or for people.
    pub(super) fn shown(&self, context: &Context, store: &Store) -> anyhow::Result<String> {
        let mut text = String::new();
        for status in &self.statuses {
            if context.out.is_json() {
                let _ = writeln!(text, "{}", serde_json::to_string(status)?);
            } else {
                text.push_str(&typed::whole(&accounting(status, store.address(), context.paint[0])));
                text.push_str(&typed::whole(&details(status, store.address())));
                text.push('\n');
            }
        }
        // The runs are the same in all of them.
        if let Some(status) = self.statuses.last().filter(|_| !context.out.is_json()) {
            text.push_str(&run_table::text_of(&status.runs, store.is_shared()));
        }
        Ok(text)
    }

    /// The documented objects.
    pub(super) fn objects(&self) -> anyhow::Result<Vec<Value>> {
        self.statuses.iter().map(|status| Ok(serde_json::to_value(status)?)).collect()
    }

    /// Whether a run lives.
    pub(super) fn is_running(&self) -> bool {
        self.statuses.iter().any(|status| status.runs.iter().any(|run| run.alive))
    }

    fn worst(&self) -> Standing {
        self.statuses.iter().map(report::standing).min().unwrap_or(Standing::Complete)
    }
}

/// The accounting of a batch, which adds up to the rows in the file, where the results are, and what to type next.
pub(super) fn accounting(status: &BatchStatus, database: &Address, paint: Paint) -> String {
    let name = &status.batch;
    // A file's name may hold line ends.
    let source = status.source.replace(char::is_control, "\u{fffd}");
    let mut text = format!("Batch {name}: {source} to {}, service {}\n", status.endpoint, status.service_id);
    for (state, count) in status.states.iter().filter(|(_, count)| *count != 0) {
        let line = format!("{:>10}  {state}", grouped(count));
        let _ = writeln!(text, "{}", paint.state(state, &line));
    }
    let total = status.states.total();
    let _ = if status.adds_up {
        writeln!(text, "{:>10}  in all, as many as the rows in the file", grouped(total))
    } else {
        let rows = grouped(status.rows);
        writeln!(
            text,
            "{:>10}  in all, but the file has {rows} rows; this is a defect of mep-batch, please report it",
            grouped(total)
        )
    };
    if status.texted_twice > 0 {
        let count = grouped(status.texted_twice);
        let _ = writeln!(
            text,
            "{count} of the accepted were texted twice: an earlier attempt was accepted too, known too late"
        );
    }
    if status.possible_duplicates > status.texted_twice {
        let count = grouped(status.possible_duplicates - status.texted_twice);
        let _ = writeln!(
            text,
            "{count} of the accepted may have been texted twice: an earlier attempt's fate is not known"
        );
    }
    if status.perhaps_texted > 0 {
        let count = grouped(status.perhaps_texted);
        let _ = writeln!(
            text,
            "{count} of those that were not accepted may have been texted all the same: an attempt's fate is not known"
        );
    }
    if status.expired > 0 {
        let count = grouped(status.expired);
        let _ = writeln!(text, "{count} of the skipped were not sent in time (`--not-after`)");
    }
    let _ = writeln!(text, "Results: mep-batch export {name}   (in {})", database);
    for NextStep { what, command } in report::next_steps(status) {
        let _ = writeln!(text, "Next, {what}: {command}");
    }
    text.push_str(&held_text(status));
    text
}

/// How many rows are held because their zone is not known, and what lets them go.
fn held_text(status: &BatchStatus) -> String {
    let (name, held) = (&status.batch, report::held_rows(status));
    if held == 0 {
        return String::new();
    }
    let (held, are) = (counted(held.unsigned_abs(), "row"), if held == 1 { "is" } else { "are" });
    format!(
        "{held} {are} held: their time zone is not known, so neither is their window\n\
         hint: `mep-batch run {name} --time-zone ZONE` for rows that name none;\n      \
         `mep-batch run {name} --window none` sends all at any hour\n"
    )
}

/// How fast a run sends, how fast it may, and when the last row leaves; where none runs, only how an operator holds it back.
fn pace(status: &BatchStatus) -> String {
    if status.states[State::Pending] + status.states[State::Sending] == 0 {
        return String::new();
    }
    if !status.is_being_sent() {
        return status.throttle.map(|at_most| throttled(&status.batch, at_most)).unwrap_or_default();
    }
    let limit = status.rate_limit.map(|limit| format!(" of {} at most", rate(limit))).unwrap_or_default();
    let throttled = if status.throttle.is_some() { ", as an operator throttled it" } else { "" };
    let eta = status.eta.as_ref().map(|eta| format!("; done by about {}", minute(eta))).unwrap_or_default();
    format!("Rate: {} a second{limit}{throttled}{eta}\n", rate(status.rate))
}

/// What an operator has said of the speed of a batch that nobody sends now: the next run keeps to it.
fn throttled(name: &str, at_most: f64) -> String {
    format!(
        "Throttled by an operator: {} a second at most (`mep-batch throttle {name} --clear` ends it)\n",
        rate(at_most)
    )
}

/// The canaries of a batch, a line each.
fn canaries(status: &BatchStatus) -> String {
    let mut text = String::new();
    for canary in &status.canaries {
        let fate = match (canary.state.as_str(), canary.arrived) {
            ("sending", _) => "broken off: it may have left",
            ("accepted", Some(true)) => "accepted, and arrived",
            ("accepted", Some(false)) => "accepted, and did not arrive",
            ("accepted", None) => "accepted; nobody said whether it arrived",
            (other, _) => other,
        };
        let _ = writeln!(text, "Canary to {} at {}: {fate}", canary.phone_number, minute(&canary.at));
    }
    text
}

fn details(status: &BatchStatus, database: &Address) -> String {
    let mut text = pace(status);
    for waiting in &status.waiting_for {
        let until = waiting.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        let _ = writeln!(text, "{:>10}  wait{until} {}", grouped(waiting.rows), waiting.why());
    }
    if let Some(why) = status.last_stop.as_ref().filter(|_| status.states[State::Pending] > 0) {
        let _ = writeln!(text, "The last run stopped: {why}");
    }
    text.push_str(&canaries(status));
    if status.orphaned > 0 {
        let (rows, name) = (counted(status.orphaned.unsigned_abs(), "row"), &status.batch);
        let _ = if database.file().is_some() {
            writeln!(text, "{rows} in flight when their run died: `mep-batch run` or `resolve` makes them unknown")
        } else {
            writeln!(
                text,
                "{rows} in flight in runs that are silent. A living run makes them unknown after 30 s;\n\
                 where none lives, `mep-batch run` or `mep-batch resolve {name}` does"
            )
        };
    }
    text
}
