//! What `doctor` looks at in the database and under it.

use std::path::Path;
use std::time::Duration;

use super::super::output::{counted, grouped};
use super::{Check, Health};
use crate::invocation::UnixMillis;
use crate::store::{self, Address, Disk, RunLock, SCHEMA_VERSION, Store};

/// A page that takes longer to be durable slows every turn down so that it shows.
const SLOW_SYNC: Duration = Duration::from_millis(50);

/// Free bytes below which a campaign may not fit.
const SCARCE_BYTES: u64 = 256 << 20;

/// How far two clocks may be apart: what is to be sent when is decided by both. More than the first is refused by `run`.
const SKEW_REFUSED_MS: u64 = 30_000;
const SKEW_DOUBTFUL_MS: u64 = 2_000;

/// How far a stored moment may be ahead of the clock: the time between two looks at it.
const AHEAD_MS: i64 = 60_000;

/// All that can be found out; where the database cannot be opened, that.
pub(super) async fn checks(address: &Address, state_folder: Option<&Path>) -> Vec<Check> {
    let store = match Store::open(address, false).await {
        Ok(store) => store,
        Err(error) => return vec![Check::failed("database", Health::Broken, &error.into())],
    };
    let mut checks = vec![told("database", version(&store).await)];
    if let Some(path) = store.address().file() {
        checks.extend(disk(path));
        checks.push(told("lock", lock(&store, path).await));
    } else {
        checks.push(told("server", server(&store).await));
        checks.push(told("runs", runs(&store).await));
    }
    checks.push(told("notes", notes(&store, state_folder).await));
    checks.push(told("times", moments(&store).await));
    checks.push(told("integrity", integrity(&store).await));
    checks.push(told("counts", counts(&store).await));
    checks.push(told("rows", rows(&store).await));
    store.close().await;
    checks
}

/// A check that could be made, or why it could not.
fn told(name: &'static str, made: store::Result<Check>) -> Check {
    made.unwrap_or_else(|error| Check::failed(name, Health::Broken, &error.into()))
}

async fn version(store: &Store) -> store::Result<Check> {
    let text = format!("`{}`, {}, schema {SCHEMA_VERSION}", store.address(), store.software().await?);
    Ok(Check::well("database", text))
}

/// The file system was looked at when the database was opened: one that machines share is refused.
fn disk(path: &Path) -> Vec<Check> {
    let disk = match Disk::under(path) {
        Ok(disk) => disk,
        Err(error) => {
            let error = anyhow::Error::new(error).context(format!("`{}`", path.display()));
            return vec![Check::failed("disk", Health::Broken, &error)];
        }
    };
    let mode = if disk.mode & 0o077 == 0 {
        Check::well("file", format!("local, and its owner's alone (mode {:03o})", disk.mode))
    } else {
        Check::doubtful(
            "file",
            format!("others can open it (mode {:03o}), and it holds phone numbers", disk.mode),
            format!("chmod 600 {}", path.display()),
        )
    };
    let sync = format!("{:.1} ms to make a page durable", disk.sync.as_secs_f64() * 1_000.0);
    let sync = if disk.sync > SLOW_SYNC {
        Check::doubtful("disk", sync, "a local disk, best one of flash: each turn waits for it")
    } else {
        Check::well("disk", sync)
    };
    let free = format!("{} free; the database has {}", size(disk.free), size(disk.size));
    let free = if disk.free < SCARCE_BYTES.max(disk.size) {
        Check::doubtful("space", free, "make room: `purge` needs as much again as the database has")
    } else {
        Check::well("space", free)
    };
    vec![mode, sync, free]
}

fn size(bytes: u64) -> String {
    let mebibytes = bytes.div_ceil(1 << 20);
    format!("{} MiB", grouped(i64::try_from(mebibytes).unwrap_or(i64::MAX)))
}

async fn lock(store: &Store, path: &Path) -> store::Result<Check> {
    if let Some(holder) = RunLock::holder(path)? {
        return Ok(Check::well("lock", format!("held by {holder}")));
    }
    let left: i64 = store.open_runs().await?.iter().map(|run| run.sending).sum();
    if left > 0 {
        let text = format!("free; a run died with {} in flight", counted(left.unsigned_abs(), "row"));
        return Ok(Check::doubtful("lock", text, "`mep-batch run` makes them unknown, and sends the rest"));
    }
    Ok(Check::well("lock", "free: no run lives"))
}

async fn server(store: &Store) -> store::Result<Check> {
    if !store.is_durable().await? {
        let fix = "ALTER SYSTEM SET fsync = on, then reload the server";
        return Ok(Check::broken("server", "`fsync` is off: a power cut would make it forget what is being sent", fix));
    }
    if store.has_other_history().await? {
        let fix = "hold `mep-batch status` against what was sent, then `mep-batch run --accept-history`";
        return Ok(Check::broken("server", "it has another history than when it was sent from last", fix));
    }
    Ok(Check::well("server", "writes to its disk what it commits"))
}

async fn runs(store: &Store) -> store::Result<Check> {
    let runs = store.open_runs().await?;
    let silent = runs.iter().filter(|run| !run.is_alive).count();
    let alive = runs.len() - silent;
    let text = format!("{} alive, {silent} silent", counted(alive as u64, "run"));
    if silent > 0 {
        let fix = "none is needed: the next `run` or `resolve` watches whether they live, and ends them if not";
        return Ok(Check::doubtful("runs", text, fix));
    }
    Ok(Check::well("runs", text))
}

/// Whether the database is as far as this user has noted that it was.
async fn notes(store: &Store, state_folder: Option<&Path>) -> store::Result<Check> {
    let Some(folder) = state_folder else {
        let fix = "set XDG_STATE_HOME or HOME";
        return Ok(Check::doubtful("notes", "nobody notes what is sent: a backup put back would not be known", fix));
    };
    let notes = store.notes(folder).await?;
    if let Some(missing) = store.missing(&notes).await? {
        let text = format!("it is older than what was sent from it: {missing}");
        return Ok(Check::broken("notes", text, "`mep-batch resolve --rolled-back` says what may have been sent"));
    }
    if let Err(error) = notes.check() {
        let text = format!("what is sent cannot be noted, so that a backup put back would not be known: {error}");
        return Ok(Check::doubtful("notes", text, "XDG_STATE_HOME names a folder of this user's"));
    }
    if store.has_notes(&notes)? {
        return Ok(Check::well("notes", "as far as this user has noted that it was"));
    }
    if !store.has_sent().await? {
        return Ok(Check::well("notes", "nothing was sent from it yet"));
    }
    let text = "this user has no note of what was sent from it, on this machine: a backup put back would not be known";
    Ok(Check::doubtful(
        "notes",
        text,
        "ask as the user who sends; after a restore, `mep-batch pause` every batch first",
    ))
}

async fn moments(store: &Store) -> store::Result<Check> {
    let (now, here) = (store.now().await?, UnixMillis::now());
    let skew_ms = now.0.abs_diff(here.0);
    let fix = "set it, by NTP for example";
    if skew_ms > SKEW_REFUSED_MS {
        let text = format!("this machine's clock is {} s off the server's", skew_ms / 1_000);
        return Ok(Check::misconfigured("times", text, fix));
    }
    if let Some(last) = store.last_moment().await?.filter(|last| last.0 > now.0 + AHEAD_MS) {
        let text = format!("the clock stands at {now}, before what was stored at {last}");
        return Ok(Check::misconfigured("times", text, fix));
    }
    if skew_ms > SKEW_DOUBTFUL_MS {
        let text = format!("this machine's clock is {} s off the server's", skew_ms / 1_000);
        return Ok(Check::doubtful("times", text, fix));
    }
    Ok(Check::well("times", format!("nothing stored is ahead of the clock{}", of_server(store, skew_ms))))
}

fn of_server(store: &Store, skew_ms: u64) -> String {
    if store.is_shared() { format!(", {skew_ms} ms off the server's") } else { String::new() }
}

async fn integrity(store: &Store) -> store::Result<Check> {
    let damage = store.damage().await?;
    if damage.is_empty() {
        return Ok(Check::well("integrity", "whole, as far as the database tells"));
    }
    let fix = "send nothing from it: restore a backup beside it, and hold both against what was sent";
    Ok(Check::broken("integrity", damage.join("\n"), fix))
}

async fn counts(store: &Store) -> store::Result<Check> {
    let recounts = store.recount().await?;
    let wrong: Vec<&str> =
        recounts.iter().filter(|recount| !recount.agrees()).map(|recount| recount.batch.as_str()).collect();
    let rows: i64 = recounts.iter().map(|recount| recount.rows).sum();
    if wrong.is_empty() {
        return Ok(Check::well(
            "counts",
            format!("{} recounted, by batch and state", counted(rows.unsigned_abs(), "row")),
        ));
    }
    let text = format!("rows, counts by state and the importer's count disagree in: {}", wrong.join(", "));
    let fix = "send nothing of it: somebody has changed the database, or a part of it is lost";
    Ok(Check::broken("counts", text, fix))
}

async fn rows(store: &Store) -> store::Result<Check> {
    let found = store.contradictions().await?;
    if found.is_empty() {
        return Ok(Check::well("rows", "each has its content and its attempts"));
    }
    let text: Vec<String> =
        found.iter().map(|(what, count)| format!("{} {what}", counted(count.unsigned_abs(), "row"))).collect();
    let fix = "send nothing from it: somebody has changed the database, or a part of it is lost";
    Ok(Check::broken("rows", text.join("\n"), fix))
}
