//! Rows that repeat an earlier one of the same file.

use std::str::FromStr;

use super::judgement::{self, COLLISION_FIX, Judgement};
use super::noted::{NotedRow, NotedRows, RepeatOf};
use crate::invocation::{SkipReason, State};
use crate::store::{Intake, Key, Refused, Scratch, Skip, Sorted, Sorter};

/// Repeats that are marked at once.
const REPEATS_PAGE: usize = 5_000;

/// What becomes of a later row with the number of an earlier one and other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// It is rejected, and both lines are named: the operator has to choose.
    #[default]
    Reject,
    /// It is skipped: the first one counts.
    Skip,
    /// It is sent too.
    Allow,
}

impl FromStr for Duplicates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "reject" => Ok(Duplicates::Reject),
            "skip" => Ok(Duplicates::Skip),
            "allow" => Ok(Duplicates::Allow),
            _ => Err("expected reject, skip or allow".to_owned()),
        }
    }
}

/// A later row with the same phone number as an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Repeat {
    line: u32,
    phone: u64,
    of: RepeatOf,
}

/// Marks rows that repeat an earlier one, in the order of their lines: equal requests are skipped, the rest is as the operator
/// says.
pub(super) async fn find_repeats(
    duplicates: Duplicates,
    rows: &NotedRows,
    judgement: &mut Judgement,
    scratch: &mut Option<Scratch>,
    intake: &mut Option<Intake<'_>>,
) -> anyhow::Result<()> {
    let found = repeats_of(rows)?;
    let mut found = found.in_order()?;
    loop {
        let repeats: Vec<Repeat> = found.next_keys(REPEATS_PAGE)?.into_iter().map(Repeat::of_key).collect();
        if repeats.is_empty() {
            return Ok(());
        }
        let skips: Vec<Skip> = repeats.iter().map(|repeat| skip(*repeat, duplicates, judgement)).collect();
        if let Some(scratch) = scratch
            && duplicates == Duplicates::Reject
        {
            let refused: Vec<Refused> = repeats.iter().filter_map(refused).collect();
            scratch.note_refused(&refused).await?;
        }
        if let Some(intake) = intake {
            intake.skip(&skips).await?;
        }
    }
}

/// Notes for refused rows which good row has the number that they have.
pub(super) async fn note_same_numbers(rows: &NotedRows, scratch: &mut Scratch) -> anyhow::Result<()> {
    let mut refused = rows.refused.in_order()?;
    let Some(mut next) = refused.next_key()? else { return Ok(()) };
    let (mut good, mut pairs) = (rows.by_number()?, Vec::new());
    'rows: while let Some(NotedRow { row, repeats }) = good.next_row()? {
        while repeats.is_none() && next[0] <= row.phone {
            if next[0] == row.phone {
                pairs.push((u32::try_from(next[1])?, row.line));
            }
            let Some(key) = refused.next_key()? else { break 'rows };
            next = key;
        }
        if pairs.len() >= REPEATS_PAGE {
            scratch.note_same_numbers(&std::mem::take(&mut pairs)).await?;
        }
    }
    Ok(scratch.note_same_numbers(&pairs).await?)
}

/// All repeats, by their lines.
fn repeats_of(rows: &NotedRows) -> anyhow::Result<Sorted> {
    let mut found = Sorter::default();
    let mut rows = rows.by_number()?;
    while let Some(NotedRow { row, repeats }) = rows.next_row()? {
        if let Some(of) = repeats {
            found.add(Repeat { line: row.line, phone: row.phone, of }.key())?;
        }
    }
    Ok(found.sorted())
}

impl Repeat {
    fn key(self) -> Key {
        let (earlier, is_request) = match self.of {
            RepeatOf::Request(earlier) => (earlier, 1),
            RepeatOf::Phone(earlier) => (earlier, 0),
        };
        [u64::from(self.line), self.phone, u64::from(earlier) << 1 | is_request]
    }

    fn of_key([place, phone, of]: Key) -> Repeat {
        let line = |number: u64| u32::try_from(number).expect("it was made of 32 bits");
        let earlier = line(of >> 1);
        let of = if of & 1 == 1 { RepeatOf::Request(earlier) } else { RepeatOf::Phone(earlier) };
        Repeat { line: line(place), phone, of }
    }
}

/// A row that has an earlier one's number, for the file of refused rows.
fn refused(repeat: &Repeat) -> Option<Refused> {
    let RepeatOf::Phone(earlier) = repeat.of else { return None };
    let reason = judgement::collision(repeat.phone, repeat.line, earlier);
    Some(Refused { line: repeat.line, reason, fix: COLLISION_FIX.to_owned(), phone: None, same_number: None })
}

fn skip(Repeat { line, phone, of }: Repeat, duplicates: Duplicates, judgement: &mut Judgement) -> Skip {
    judgement.ready -= 1;
    judgement.numbers.remove(phone);
    let (state, message) = match (of, duplicates) {
        (RepeatOf::Phone(earlier), Duplicates::Reject) => {
            judgement.rejected += 1;
            judgement.note_collision(line, earlier);
            (State::Rejected, format!("not sent: {}", judgement::collision(phone, line, earlier)))
        }
        (RepeatOf::Phone(earlier), Duplicates::Skip | Duplicates::Allow) => {
            judgement.skipped += 1;
            (State::Skipped, format!("not sent: {}", judgement::collision(phone, line, earlier)))
        }
        (RepeatOf::Request(earlier), Duplicates::Reject | Duplicates::Skip | Duplicates::Allow) => {
            judgement.skipped += 1;
            (State::Skipped, judgement::repetition(earlier))
        }
    };
    Skip { line, state, reason: SkipReason::Duplicate, message }
}
