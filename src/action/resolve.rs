//! `resolve`: an operator's word on unknown rows.

use std::time::Duration;

use crate::invocation::UnixMillis;
use crate::store::{self, Actor, Batch, Store, UnknownView, Verdict};

/// How long a row rests after its attempt was last possibly on the wire, before it may be sent again: a gateway may
/// hold a request that long.
pub const REST: Duration = Duration::from_secs(15 * 60);

/// What came of a `resolve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// So many rows were decided.
    Decided(u64),
    /// Nothing was done: some rows may still be on the wire, the last until then.
    TooEarly(UnixMillis, u64),
}

/// What an operator says of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word<'a> {
    /// The verdict.
    pub verdict: Verdict,
    /// The service's name for the request, where the operator learned it.
    pub request_id: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// Whether the rest is waived.
    pub at_once: bool,
}

/// Decides the rows, all or none.
pub async fn resolve(
    store: &Store,
    batch: &Batch,
    rows: &[UnknownView],
    word: &Word<'_>,
    actor: &Actor,
    now: UnixMillis,
) -> store::Result<Resolution> {
    let sends_again = match word.verdict {
        Verdict::NotSent | Verdict::Resend => true,
        Verdict::Accepted | Verdict::Abandoned => false,
    };
    if sends_again && !word.at_once {
        let early = rows.iter().map(|row| row.last_on_wire.after(REST)).filter(|rested| *rested > now);
        if let Some(rested) = early.clone().max() {
            return Ok(Resolution::TooEarly(rested, early.count() as u64));
        }
    }
    let rows: Vec<_> = rows.iter().map(|row| (row.id, row.attempt)).collect();
    let decided = store.resolve(batch.id, &rows, word.verdict, word.request_id, word.reason, actor, now).await?;
    Ok(Resolution::Decided(decided))
}
