//! Rows that repeat an earlier one of the same file.

use std::str::FromStr;

use super::judgement::{self, COLLISION_FIX, Judgement};
use crate::invocation::{SkipReason, State};
use crate::store::{Intake, Refused, Repeat, RepeatOf, Scratch, Skip};

/// Repeats that are marked at once.
const REPEATS_PAGE: u32 = 5_000;

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

/// Marks rows that repeat an earlier one: equal requests are skipped, the rest is as the operator says.
pub(super) async fn find_repeats(
    duplicates: Duplicates,
    judgement: &mut Judgement,
    scratch: &mut Scratch,
    intake: &mut Option<Intake<'_>>,
) -> anyhow::Result<()> {
    scratch.find_repeats(duplicates != Duplicates::Allow).await?;
    let mut after = 0;
    loop {
        let repeats = scratch.repeats_after(after, REPEATS_PAGE).await?;
        let Some(last) = repeats.last() else { return Ok(()) };
        after = last.line;
        let skips: Vec<Skip> = repeats.iter().map(|repeat| skip(*repeat, duplicates, judgement)).collect();
        if duplicates == Duplicates::Reject {
            let refused: Vec<Refused> = repeats.iter().filter_map(refused).collect();
            scratch.note_refused(&refused).await?;
        }
        if let Some(intake) = intake {
            intake.skip(&skips).await?;
        }
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
