//! Runs on a shared queue that have fallen silent: watched until they are known to be dead, where no run is there to do it.

use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::output::counted;
use crate::invocation::{BatchId, UnixMillis};
use crate::run::{Judge, SILENCE};
use crate::store::{RunView, SignOfLife, Store};

/// How often their signs of life are read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends the silent runs that have rows of the batch in flight, once this process has itself seen that they stay silent;
/// their rows are unknown then. A run that shows that it lives is left alone.
pub(super) async fn judge(context: &mut Context, store: &Store, batch: BatchId) -> anyhow::Result<()> {
    let runs = store.open_runs().await?;
    let alive: Vec<_> = runs.iter().filter(|run| run.is_alive).map(|run| run.id).collect();
    if store.orphaned(batch, &alive).await? == 0 {
        return Ok(());
    }
    let silent: Vec<RunView> = runs.into_iter().filter(|run| !run.is_alive && run.sending > 0).collect();
    for run in &silent {
        context.out.note(&format!(
            "{} has been silent for {} s with {} in flight: watching for {} s whether it lives\n",
            name_of(run),
            run.silent.as_secs(),
            counted(run.sending.unsigned_abs(), "row"),
            SILENCE.as_secs()
        ));
    }
    let mut judge = Judge::new();
    let mut watched = of(&silent, &store.signs_of_life(None).await?);
    while !watched.is_empty() {
        let signs = of(&silent, &store.signs_of_life(None).await?);
        // Who shows something else lives, and who shows nothing has ended, or was ended by a run.
        watched.retain(|sign| signs.contains(sign));
        for dead in judge.look(&watched, Instant::now()) {
            watched.retain(|sign| *sign != dead);
            if let Some(settled) = store.end_silent_run(dead, UnixMillis::now()).await? {
                let run = silent.iter().find(|run| run.id == dead.run).map_or(String::new(), name_of);
                context.out.note(&format!("{run} is dead: {} unknown now\n", counted(settled.unknown, "row")));
            }
        }
        if !watched.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

fn name_of(run: &RunView) -> String {
    format!("the run on {} (pid {})", run.host, run.pid)
}

/// The signs that are of these runs.
fn of(runs: &[RunView], signs: &[SignOfLife]) -> Vec<SignOfLife> {
    signs.iter().filter(|sign| runs.iter().any(|run| run.id == sign.run)).copied().collect()
}
