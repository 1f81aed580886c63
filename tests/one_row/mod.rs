//! A model of one row, two runs and an operator: every order in which their steps can follow one another.
//!
//! What is modelled. The row in the database (`queue`): its state, its attempts and which of them were judged or told late, the
//! runs and whether they were ended, the batch and whether it was cancelled. Two processes (`process`), each of which may run the
//! program at most once at a time and as often as one likes one after another: what it has taken, how far its request is, what
//! it has not stored yet, and the turn of which it does not know whether it was committed. An operator, who looks at a row and
//! says something of it later. At every step of anybody a process may crash, fall silent (stopped, asleep, cut off) or wake up,
//! a commit may be lost, or only its answer, and an answer of the service may come late or never.
//!
//! What decides is the program's own: `retry::settle` what an outcome means for the row, `State::after_late` what a late one
//! does, `Verdict::state_in` what an operator's word does. The guards of the store's statements are written down once more in
//! `queue`, and `tests/model_and_store.rs` holds each step of them against the real store, on both databases. What a process
//! does between two transactions (`run/turns.rs`, `run/trouble.rs`, `run/slots.rs`, `worker.rs`) is written down in `world`.
//!
//! What is assumed:
//!
//! - A transaction is done whole or not at all, one after another, and what was committed stays: the database's word, and that of
//!   `synchronous=FULL` and `synchronous_commit`, which the model cannot test.
//! - A commit that is still under way is waited for by whoever claims its turn's number, or touches its row or its run. So a
//!   commit of which no answer came is either done or undone from the moment on at which anybody else can see anything.
//! - Who judges a run has seen nothing new of it for longer than a taken row may wait: what the judged run was handed is past its
//!   sell-by. Between the last look at the sell-by and the first byte of the request any time may pass all the same.
//! - One call of the client is at most one request, and only a failure to connect is told as 'not sent' (`tests/wire`).
//! - An operator's word is about the attempt that was looked at. `resolve` with `not-sent` or `resend`, and `retry`, ask for another
//!   request, and so does an answer that says to repeat (1010, 429) or that nothing was processed (401, 403 and the like).
//! - Time passes: whatever waits for a moment may be due at the next step. Hours, gates and rates only keep a run from taking, and
//!   a run may take nothing in any turn.
//! - A row is taken so many times at most as the search is told; runs, crashes and acts of the operator are not bounded.
//!
//! A queue in a file is a part of this: there a run is judged only once its process is gone.

pub(crate) mod came;
pub(crate) mod event;
mod moves;
pub(crate) mod process;
pub(crate) mod queue;
pub(crate) mod search;
pub(crate) mod weakness;
pub(crate) mod world;
