//! `resolve`: an operator's word on unknown rows.

use std::collections::HashMap;
use std::time::Duration;

use crate::invocation::{FiledWord, State, UnixMillis, Verdict, Word};
use crate::store::{self, Batch, Decision, Filter, InvocationView, Store, UnknownView};

/// How long a row rests after its attempt was last possibly on the wire, before it may be sent again: a gateway may
/// hold a request that long.
pub const REST: Duration = Duration::from_secs(15 * 60);

/// Rows that would be sent again before they have rested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooEarly {
    /// How many.
    pub rows: u64,
    /// When the last of them has rested.
    pub until: UnixMillis,
}

/// What words from a file lead to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weighed {
    /// The decisions about rows that are unknown.
    pub decisions: Vec<Decision>,
    /// Rows that are already what the file says of them: nothing is to be done.
    pub agreed: Vec<FiledWord>,
    /// Words that cannot be followed; where there is one, none is.
    pub objections: Vec<Objection>,
}

/// A word that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The word.
    pub filed: FiledWord,
    /// What is against it.
    pub because: Because,
}

/// Why a word cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The batch has no such row.
    NoRow,
    /// The row is in this state, and not unknown.
    Is(State),
    /// The file speaks of another attempt than this, which left the row unknown.
    OtherAttempt(u32),
    /// The row is for another phone number than the file says.
    OtherPhone,
    /// It was accepted by another request ID than the one that is told.
    OtherRequestId,
    /// A request ID says that the service knows the request, and the verdict is not that it was accepted.
    RequestIdWithout,
}

/// The word on one row.
#[must_use]
pub fn decide(row: &UnknownView, word: Word) -> Decision {
    Decision { id: row.id, attempt: row.attempt, word }
}

/// When a row may be sent again.
#[must_use]
pub fn rested_at(row: &UnknownView) -> UnixMillis {
    row.last_on_wire.after(REST)
}

/// Those of the decisions that would send a row again before it has rested.
#[must_use]
pub fn too_early(rows: &[UnknownView], decisions: &[Decision], now: UnixMillis) -> Option<TooEarly> {
    let rested: HashMap<_, _> = rows.iter().map(|row| (row.id, rested_at(row))).collect();
    let early = decisions
        .iter()
        .filter(|decision| match decision.word.verdict {
            Verdict::NotSent | Verdict::Resend => true,
            Verdict::Accepted | Verdict::Abandoned => false,
        })
        .filter_map(|decision| rested.get(&decision.id).copied())
        .filter(|rested| *rested > now);
    let until = early.clone().max()?;
    Some(TooEarly { rows: early.count() as u64, until })
}

/// Holds the words of a file, each on another line, against the rows as they are.
pub async fn weigh(
    store: &Store,
    batch: &Batch,
    unknown: &[UnknownView],
    words: Vec<FiledWord>,
) -> store::Result<Weighed> {
    let unknown: HashMap<u32, &UnknownView> = unknown.iter().map(|row| (row.id.line(), row)).collect();
    let lines: Vec<u32> = words.iter().map(|filed| filed.line).filter(|line| !unknown.contains_key(line)).collect();
    let mut others: HashMap<u32, InvocationView> = HashMap::new();
    if !lines.is_empty() {
        let filter = Filter { lines, ..Filter::default() };
        let rows = store.page(batch.id, &filter, 0, u32::MAX).await?;
        others.extend(rows.into_iter().map(|row| (row.line, row)));
    }
    let mut weighed = Weighed::default();
    for filed in words {
        let because = match (unknown.get(&filed.line), others.get(&filed.line)) {
            (Some(row), _) => match fit(row, &filed) {
                Ok(word) => {
                    weighed.decisions.push(decide(row, word));
                    continue;
                }
                Err(because) => because,
            },
            (None, Some(row)) => match disagreement(batch, row, &filed.word) {
                Some(because) => because,
                None => {
                    weighed.agreed.push(filed);
                    continue;
                }
            },
            (None, None) => Because::NoRow,
        };
        weighed.objections.push(Objection { filed, because });
    }
    Ok(weighed)
}

/// The word as it is stored, where it is of this row and of its last attempt.
fn fit(row: &UnknownView, filed: &FiledWord) -> Result<Word, Because> {
    let word = filed.word.clone();
    if filed.attempt.is_some_and(|attempt| attempt != row.attempt) {
        return Err(Because::OtherAttempt(row.attempt));
    }
    if filed.phone.is_some_and(|phone| phone != row.phone) {
        return Err(Because::OtherPhone);
    }
    match (word.verdict, &word.request_id) {
        (Verdict::Accepted, _) | (_, None) => Ok(word),
        // A sheet that was exported has the row's own request ID, which is nobody's word.
        (Verdict::NotSent | Verdict::Resend | Verdict::Abandoned, Some(told)) => {
            if row.request_id.as_ref() == Some(told) {
                Ok(Word { request_id: None, ..word })
            } else {
                Err(Because::RequestIdWithout)
            }
        }
    }
}

/// Why a word on a row that is not unknown is not what became of it anyhow; `None` where it is.
fn disagreement(batch: &Batch, row: &InvocationView, word: &Word) -> Option<Because> {
    if row.state != word.verdict.state_in(batch.cancelled_at) {
        return Some(Because::Is(row.state));
    }
    let is_other = row.state == State::Accepted && word.request_id.is_some() && word.request_id != row.request_id;
    is_other.then_some(Because::OtherRequestId)
}
