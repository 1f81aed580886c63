//! Runs on a shared queue that have fallen silent: watched until they are known to be dead, where no run is there to do it.

use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::output::counted;
use crate::invocation::BatchId;
use crate::run::Judge;
use crate::store::{RunView, SILENCE, Settled, SignOfLife, Store};

/// How often their signs of life are read.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends the silent runs, where some of them have rows of the batch in flight: those rows are unknown then.
pub(super) async fn judge(context: &mut Context, store: &Store, batch: BatchId) -> anyhow::Result<()> {
    let runs = store.open_runs().await?;
    let alive: Vec<_> = runs.iter().filter(|run| run.is_alive).map(|run| run.id).collect();
    if store.orphaned(batch, &alive).await? == 0 {
        return Ok(());
    }
    watch(context, store, runs.into_iter().filter(|run| !run.is_alive && run.sending > 0).collect()).await
}

/// Ends every silent run.
pub(super) async fn judge_all(context: &mut Context, store: &Store) -> anyhow::Result<()> {
    let runs = store.open_runs().await?;
    watch(context, store, runs.into_iter().filter(|run| !run.is_alive).collect()).await
}

/// Ends these runs, once this process has itself seen that they stay silent. A run that shows that it lives is left alone.
async fn watch(context: &mut Context, store: &Store, silent: Vec<RunView>) -> anyhow::Result<()> {
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
            let settled = match store.end_silent_run(dead, store.now().await?).await {
                // Nobody can write, so that nobody can show that it lives: all is watched anew.
                Err(error) if error.is_busy() => {
                    judge.interrupted();
                    break;
                }
                settled => settled?,
            };
            watched.retain(|sign| *sign != dead);
            if let Some(settled) = settled {
                let who = settled.who.unwrap_or_default();
                context
                    .out
                    .note(&format!("the run on {who} is dead: {} unknown now\n", counted(settled.unknown, "row")));
            }
        }
        if !watched.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// The commands that list what dead runs have left: what to type next.
pub(super) fn commands(settled: &Settled) -> String {
    let commands: Vec<String> = settled.names.iter().map(|name| format!("`mep-batch resolve {name}`")).collect();
    commands.join(", ")
}

fn name_of(run: &RunView) -> String {
    format!("the run on {} (pid {})", run.host, run.pid)
}

/// The signs that are of these runs.
fn of(runs: &[RunView], signs: &[SignOfLife]) -> Vec<SignOfLife> {
    signs.iter().filter(|sign| runs.iter().any(|run| run.id == sign.run)).copied().collect()
}
