//! What the program could have been: one rule less each, to see that the model notices.

/// A rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// None.
    None,
    /// What a dead run left goes back to pending.
    JudgedGoesBack,
    /// An outcome is written whatever attempt has the row.
    OutcomeOfAnyAttempt,
    /// An operator's word counts whatever attempt left the row unknown.
    WordOnAnyAttempt,
    /// A late outcome moves the row whatever its state.
    LateOverrules,
    /// A run that was ended goes on taking.
    EndedRunTakes,
    /// Rows are handed out though the commit that took them was not confirmed.
    HandsOutUnconfirmed,
    /// A row is sent however long it has waited.
    NoSellBy,
    /// After a failure of the store every attempt without an outcome is given back, those in a slot included.
    GivesBackWhatIsHeld,
    /// A request without an answer is repeated.
    TimeoutIsRepeated,
    /// What is pending in a cancelled batch is taken.
    CancelledIsTaken,
}
