//! Rows that are right and are not sent all the same: to suppressed numbers, and those that another batch has sent.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::judgement::Judgement;
use crate::invocation::{BatchId, Fingerprint, SkipReason, State, Suppressed, UnixMillis, already_sent};
use crate::store::{Intake, Others, Scratch, Seen, Skip, Told};

/// Rows that are looked at and marked at once: small enough that a run beside the import hardly waits for it.
const PAGE_ROWS: u32 = 5_000;

/// Who is not sent to, whatever the file says.
#[derive(Debug, Clone, Default)]
pub struct Exclusions {
    /// The numbers that are never sent to.
    pub suppressed: Suppressed,
    /// How far back rows of other batches are looked for.
    pub seen_within: Duration,
    /// Since when a row of another batch counts; `None`: no other batch is looked at.
    pub seen_since: Option<UnixMillis>,
}

/// The other batches of a file's service and endpoint, and since when their rows count.
pub(super) struct Lookback {
    pub(super) others: Others,
    pub(super) since: UnixMillis,
}

/// Looks at every good row in the order of the numbers: skips those that are not to be sent, and notes for later imports
/// what each says. A row that repeats an earlier one of the file has been skipped already.
pub(super) async fn exclude(
    suppressed: &Suppressed,
    lookback: Option<&Lookback>,
    judgement: &mut Judgement,
    scratch: &mut Scratch,
    intake: &mut Option<Intake<'_>>,
) -> anyhow::Result<()> {
    let mut after = None;
    let mut last_told = None;
    loop {
        let page = scratch.seen_after(after, PAGE_ROWS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.row);
        let rows: Vec<Fingerprint> = page.iter().map(|Seen { row, .. }| *row).collect();
        let (never, open): (Vec<Fingerprint>, Vec<Fingerprint>) = page
            .iter()
            .filter(|seen| !seen.is_repeat)
            .map(|seen| seen.row)
            .partition(|row| suppressed.contains(row.phone));
        let mut skips: Vec<Skip> = never.iter().map(|row| suppress(row.line, judgement)).collect();
        if let Some(intake) = intake {
            if let Some(Lookback { others, since }) = lookback {
                let told = intake.store().told(&open, others.ids(), *since).await?;
                skips.extend(told.iter().filter_map(|told| pass_over(told, others, judgement)));
                note_other_content(&open, &told, others, &mut last_told, judgement);
            }
            intake.note(&rows).await?;
            if !skips.is_empty() {
                intake.skip(&skips).await?;
            }
        }
        forget_numbers(&rows, &skips, judgement);
    }
}

/// Takes the numbers of rows that are not sent out of the table of those that are.
fn forget_numbers(rows: &[Fingerprint], skips: &[Skip], judgement: &mut Judgement) {
    let skipped: HashSet<u32> = skips.iter().map(|skip| skip.line).collect();
    for row in rows.iter().filter(|row| skipped.contains(&row.line)) {
        judgement.numbers.remove(row.phone);
    }
}

fn suppress(line: u32, judgement: &mut Judgement) -> Skip {
    judgement.note_suppressed(line);
    let reason = SkipReason::Suppressed;
    Skip { line, state: State::Skipped, reason, message: reason.to_string() }
}

fn pass_over(told: &Told, others: &Others, judgement: &mut Judgement) -> Option<Skip> {
    let state = told.same_request?;
    let batch = others.name(told.earlier.batch());
    let earlier = told.earlier.line();
    judgement.note_already_sent(told.line, batch, earlier);
    Some(Skip {
        line: told.line,
        state: State::Skipped,
        reason: SkipReason::AlreadySent,
        message: already_sent(batch, earlier, state),
    })
}

/// Counts each number once that another batch told something else, and that this file tells something.
fn note_other_content(
    open: &[Fingerprint],
    told: &[Told],
    others: &Others,
    last_told: &mut Option<u64>,
    judgement: &mut Judgement,
) {
    let passed_over: HashSet<u32> =
        told.iter().filter(|told| told.same_request.is_some()).map(|told| told.line).collect();
    let otherwise = told.iter().filter(|told| told.same_request.is_none() && !passed_over.contains(&told.line));
    let by_line: HashMap<u32, BatchId> = otherwise.map(|told| (told.line, told.earlier.batch())).collect();
    for row in open {
        let Some(batch) = by_line.get(&row.line) else { continue };
        // The rows come in the order of the numbers, so that equal ones stand together.
        if *last_told != Some(row.phone) {
            *last_told = Some(row.phone);
            judgement.told_before += 1;
        }
        judgement.note_told_by(*batch, |batch| others.name(batch).to_owned());
    }
}
