//! Rows that are right and are not sent all the same: to suppressed numbers, and those that another batch has sent.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::judgement::Judgement;
use super::noted::{ByNumber, NotedRow, NotedRows};
use crate::invocation::{BatchId, Fingerprint, InvocationId, SkipReason, State, Suppressed, UnixMillis, already_sent};
use crate::store::{self, Intake, Key, Others, Preparation, PreparedNotes, Skip, Sorted, Sorter, Told};

/// Rows that are looked at and marked at once: small enough that a run beside the import hardly waits for it.
const PAGE_ROWS: usize = 5_000;

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
    rows: &NotedRows,
    judgement: &mut Judgement,
    intake: &mut Option<Intake<'_>>,
) -> anyhow::Result<()> {
    if intake.is_none() && suppressed.numbers().is_empty() {
        return Ok(());
    }
    let mut excluded = Sorter::default();
    let mut rows = rows.by_number()?;
    let mut last_told = None;
    let preparation = intake.as_ref().map(Intake::preparation);
    let mut says = None;
    loop {
        // The next page is read and prepared while what the last one says is written.
        let next = async { next_page(&mut rows, preparation) };
        let page = match (&mut *intake, says.take()) {
            (Some(intake), Some(said)) => {
                let (noted, next) = tokio::join!(biased; intake.note(said), next);
                noted?;
                next
            }
            (Some(_) | None, _) => next.await,
        };
        let page = page?;
        if page.rows.is_empty() {
            break;
        }
        says = page.says;
        let fresh = page.rows.iter().filter(|noted| noted.repeats.is_none()).map(|noted| noted.row);
        let (never, open): (Vec<Fingerprint>, Vec<Fingerprint>) = fresh.partition(|row| suppressed.contains(row.phone));
        let mut found: Vec<Excluded> = never.iter().map(|row| Excluded { line: row.line, by: None }).collect();
        if let (Some(intake), Some(Lookback { others, since })) = (&mut *intake, lookback) {
            let told = intake.told(&open, others.ids(), *since).await?;
            found.extend(told.iter().filter_map(passed_over));
            note_other_content(&open, &told, others, &mut last_told, judgement);
        }
        forget_numbers(&page.rows, &found, judgement);
        found.iter().try_for_each(|found| excluded.add(found.key()))?;
    }
    skip_all(&excluded.sorted(), lookback, judgement, intake).await
}

/// Rows that are looked at together, and what is noted of them.
struct Page {
    rows: Vec<NotedRow>,
    says: Option<PreparedNotes>,
}

fn next_page(rows: &mut ByNumber<'_>, preparation: Option<Preparation>) -> store::Result<Page> {
    let rows = rows.next_rows(PAGE_ROWS)?;
    let says = preparation.filter(|_| !rows.is_empty()).map(|preparation| {
        let says: Vec<Fingerprint> = rows.iter().map(|noted| noted.row).collect();
        preparation.prepare_notes(&says)
    });
    Ok(Page { rows, says })
}

/// Skips what was found, in the order of the lines: in that of the numbers each row would rewrite a page of its own.
async fn skip_all(
    excluded: &Sorted,
    lookback: Option<&Lookback>,
    judgement: &mut Judgement,
    intake: &mut Option<Intake<'_>>,
) -> anyhow::Result<()> {
    let mut excluded = excluded.in_order()?;
    loop {
        let page = excluded.next_keys(PAGE_ROWS)?;
        if page.is_empty() {
            return Ok(());
        }
        let skips: Vec<Skip> = page.into_iter().map(|key| Excluded::of_key(key).skip(lookback, judgement)).collect();
        if let Some(intake) = intake {
            intake.skip(&skips).await?;
        }
    }
}

/// A row that is not sent.
struct Excluded {
    line: u32,
    /// The row of another batch that it repeats, and that one's state; `None`: its number is suppressed.
    by: Option<(InvocationId, State)>,
}

impl Excluded {
    fn key(&self) -> Key {
        let (earlier, state) = self.by.map_or((0, 0), |(earlier, state)| (earlier.0.cast_unsigned(), state as u64));
        [u64::from(self.line), earlier, state]
    }

    fn of_key([line, earlier, state]: Key) -> Excluded {
        let line = u32::try_from(line).expect("it was made of 32 bits");
        let by = State::ALL.into_iter().find(|known| *known as u64 == state);
        let by = by.map(|state| (InvocationId(earlier.cast_signed()), state)).filter(|_| earlier > 0);
        Excluded { line, by }
    }

    fn skip(self, lookback: Option<&Lookback>, judgement: &mut Judgement) -> Skip {
        let line = self.line;
        let (reason, message) = match (self.by, lookback) {
            (Some((earlier, state)), Some(Lookback { others, .. })) => {
                let (batch, earlier) = (others.name(earlier.batch()), earlier.line());
                judgement.note_already_sent(line, batch, earlier);
                (SkipReason::AlreadySent, already_sent(batch, earlier, state))
            }
            (Some(_), None) | (None, _) => {
                judgement.note_suppressed(line);
                (SkipReason::Suppressed, SkipReason::Suppressed.to_string())
            }
        };
        Skip { line, state: State::Skipped, reason, message }
    }
}

/// Takes the numbers of rows that are not sent out of the table of those that are.
fn forget_numbers(page: &[NotedRow], found: &[Excluded], judgement: &mut Judgement) {
    if found.is_empty() {
        return;
    }
    let excluded: HashSet<u32> = found.iter().map(|found| found.line).collect();
    for noted in page.iter().filter(|noted| excluded.contains(&noted.row.line)) {
        judgement.numbers.remove(noted.row.phone);
    }
}

fn passed_over(told: &Told) -> Option<Excluded> {
    Some(Excluded { line: told.line, by: Some((told.earlier, told.same_request?)) })
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
