//! The whole of `check` and `import`: one thread reads and judges, another stores, and a last look finds what is not to be
//! sent all the same.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use tokio::sync::mpsc;

use super::chunks::{self, Chunk, FileRead, Wanted};
use super::exclusions::{Exclusions, Lookback, exclude};
use super::judgement::Judgement;
use super::noted::{Noted, NotedRows};
use super::rejected;
use super::repeats::{Duplicates, find_repeats, note_same_numbers};
use super::rows::Rows;
use crate::invocation::{Findings, Suppressed};
use crate::store::{Actor, Intake, NewBatch, Scratch};

/// Chunks that may wait between the two threads, of some 1 MiB each: enough for the one that reads to go on while the one that
/// stores waits for the disk.
const CHUNKS_WAITING: usize = 4;

/// How many rows may be refused before the file as a whole is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RejectedMax {
    /// So many.
    Rows(u64),
    /// So many of a hundred.
    Percent(f64),
}

impl RejectedMax {
    fn allows(self, rejected: u64, rows: u64) -> bool {
        match self {
            RejectedMax::Rows(max) => rejected <= max,
            #[expect(clippy::cast_precision_loss, reason = "a share need not be exact beyond 2^53 rows")]
            RejectedMax::Percent(percent) => rejected as f64 * 100.0 <= percent * rows as f64,
        }
    }
}

impl FromStr for RejectedMax {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a number of rows (`50`) or a share (`2%`)".to_owned();
        match text.strip_suffix('%') {
            None => text.parse().map(RejectedMax::Rows).map_err(|_| expected()),
            Some(share) => match share.trim().parse() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(RejectedMax::Percent(percent)),
                Ok(_) | Err(_) => Err(expected()),
            },
        }
    }
}

impl fmt::Display for RejectedMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RejectedMax::Rows(max) => write!(f, "{max} rows"),
            RejectedMax::Percent(percent) => write!(f, "{percent} % of the rows"),
        }
    }
}

/// What an operator allows of a file as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tolerance {
    /// For rows that share a number.
    pub duplicates: Duplicates,
    /// For refused rows; `None`: any number, the good ones are imported.
    pub rejected_max: Option<RejectedMax>,
}

/// More rows were refused than the operator allows: nothing is imported.
#[derive(Debug, thiserror::Error)]
#[error(
    "{rejected} of {rows} rows are refused, more than `--max-rejected` allows ({max}); nothing was imported\nhint: mend the file, or allow more if these may be left out"
)]
pub struct TooManyRejected {
    rejected: u64,
    rows: u64,
    max: RejectedMax,
    /// What is wrong with them.
    pub judgement: Box<Judgement>,
}

/// Reads and judges a file, without storing anything of it.
///
/// With a path for them, the refused rows are written there.
pub async fn check(
    rows: Rows,
    tolerance: Tolerance,
    suppressed: &Suppressed,
    rejected: Option<&Path>,
) -> anyhow::Result<Judgement> {
    let (mut judgement, _, noted) = judge(rows, tolerance, rejected, &mut None).await?;
    exclude(suppressed, None, &noted, &mut judgement, &mut None).await?;
    Ok(judgement)
}

/// Reads a file into a batch that becomes visible as a whole or not at all; its name and what it came to.
///
/// `describe` makes the batch's description of what was read. With a path for them, the refused rows are written there.
pub async fn import(
    rows: Rows,
    tolerance: Tolerance,
    exclusions: &Exclusions,
    rejected: Option<&Path>,
    intake: Intake<'_>,
    actor: &Actor,
    describe: impl FnOnce(&Judgement, &Rows) -> anyhow::Result<NewBatch>,
) -> anyhow::Result<(String, Judgement)> {
    let mut intake = Some(intake);
    let filled = fill(rows, tolerance, exclusions, rejected, &mut intake, describe).await;
    let Some(intake) = intake else { unreachable!("`fill` leaves the intake where it is") };
    match filled {
        Ok((judgement, new)) => {
            let (_, name) = intake.finish(&new, actor).await?;
            Ok((name, judgement))
        }
        Err(error) => {
            if let Err(error) = intake.abandon().await {
                tracing::warn!("what was imported is swept by the next import: {error}");
            }
            Err(error)
        }
    }
}

/// Fills the batch with all that the file has, and marks what of it is not to be sent.
async fn fill(
    rows: Rows,
    tolerance: Tolerance,
    exclusions: &Exclusions,
    rejected: Option<&Path>,
    intake: &mut Option<Intake<'_>>,
    describe: impl FnOnce(&Judgement, &Rows) -> anyhow::Result<NewBatch>,
) -> anyhow::Result<(Judgement, NewBatch)> {
    let (mut judgement, rows, noted) = judge(rows, tolerance, rejected, intake).await?;
    let mut new = describe(&judgement, &rows)?;
    let lookback = match (exclusions.seen_since, intake.as_ref()) {
        (Some(since), Some(intake)) => {
            Some(Lookback { others: intake.store().others(&new.service, &new.endpoint, None).await?, since })
        }
        (Some(_), None) | (None, _) => None,
    };
    exclude(&exclusions.suppressed, lookback.as_ref(), &noted, &mut judgement, intake).await?;
    if let Some(intake) = intake {
        intake.end_writing().await?;
    }
    new.findings = Findings {
        numbers: judgement.numbers.clone(),
        told_before: judgement.told_before,
        told_by: judgement.told_before_batch.as_ref().map(|(_, name)| name.clone()),
        told_within_ms: u64::try_from(exclusions.seen_within.as_millis()).unwrap_or(u64::MAX),
    };
    Ok((judgement, new))
}

/// Reads and judges the file, and marks the rows that repeat an earlier one of it.
async fn judge(
    rows: Rows,
    tolerance: Tolerance,
    rejected: Option<&Path>,
    intake: &mut Option<Intake<'_>>,
) -> anyhow::Result<(Judgement, Rows, NotedRows)> {
    let mut scratch = if rejected.is_some() { Some(Scratch::open().await?) } else { None };
    let wanted = Wanted { rows: intake.as_ref().map(Intake::preparation), refused: scratch.is_some() };
    let noted = Noted::new(tolerance.duplicates);
    let (sender, mut chunks) = mpsc::channel(CHUNKS_WAITING);
    let reader = tokio::task::spawn_blocking(move || chunks::read(rows, noted, wanted, &sender));
    while let Some(Chunk { rows, refused }) = chunks.recv().await {
        if let Some(scratch) = &mut scratch
            && !refused.is_empty()
        {
            scratch.note_refused(&refused).await?;
        }
        if let (Some(intake), Some(rows)) = (&mut *intake, rows) {
            intake.add(rows).await?;
        }
    }
    let FileRead { rows, mut judgement, noted } = reader.await??;
    let noted = noted.sorted();
    find_repeats(tolerance.duplicates, &noted, &mut judgement, &mut scratch, intake).await?;
    if let (Some(path), Some(scratch)) = (rejected, &mut scratch) {
        if !rows.allows_shared_numbers() {
            note_same_numbers(&noted, scratch).await?;
        }
        judgement.rejected_file = Some(rejected::write(path, &rows, scratch).await?);
    }
    judgement.notes = rows.notes();
    judgement.phones = rows.rules().phones.clone();
    judgement.columns = rows.columns();
    judgement.mapping = rows.mapping();
    judgement.service = rows.service().cloned();
    match tolerance.rejected_max {
        Some(max) if !max.allows(judgement.rejected, judgement.rows) => {
            let (rejected, rows) = (judgement.rejected, judgement.rows);
            Err(TooManyRejected { rejected, rows, max, judgement: Box::new(judgement) }.into())
        }
        Some(_) | None => Ok((judgement, rows, noted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_refused_rows_is_a_number_or_a_share() {
        assert_eq!("50".parse(), Ok(RejectedMax::Rows(50)));
        assert_eq!("2.5%".parse(), Ok(RejectedMax::Percent(2.5)));
        for bad in ["", "%", "-1", "101%", "x", "NaN%"] {
            assert!(bad.parse::<RejectedMax>().is_err(), "{bad}");
        }
        assert!(RejectedMax::Percent(2.0).allows(2, 100) && !RejectedMax::Percent(2.0).allows(3, 100));
        assert!(RejectedMax::Rows(0).allows(0, 0) && !RejectedMax::Rows(0).allows(1, 100));
    }
}
