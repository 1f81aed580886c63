//! The steps that somebody can take next.

use mep_batch::invocation::{State, Verdict};

use super::came::Came;
use super::process::Stage;
use super::queue::Commit;
use super::world::World;

/// A step; a process is told by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Starts(usize),
    Crashes(usize),
    /// It is stopped, falls asleep or is cut off, and stays so for longer than a sell-by.
    FallsSilent(usize),
    Wakes(usize),
    /// A worker holds the row against its sell-by.
    Checks(usize),
    /// A worker does not send the row after all.
    Withholds(usize, Came),
    Writes(usize),
    /// No connection: nothing is written.
    FindsNobody(usize),
    /// What came of the request.
    Hears(usize, Came),
    /// An operator interrupts a second time.
    IsAbandoned(usize),
    /// A turn that takes the row, if it may.
    Takes(usize, Commit),
    /// A turn that only stores what is known.
    Stores(usize, Commit),
    /// The next of the steps after a turn that failed.
    Mends(usize, Commit),
    Exits(usize),
    /// Somebody judges the run of that number.
    IsJudged(usize),
    Looks,
    Resolves(Verdict),
    Retries,
    Cancels,
    CancelsPending,
}

const COMMITS: [Commit; 3] = [Commit::Confirmed, Commit::Unheard, Commit::Undone];

impl World {
    /// All that can happen next, where a row is taken so many times at most.
    pub(crate) fn events(&self, attempts_max: u32, events: &mut Vec<Event>) {
        events.clear();
        for place in 0..self.processes.len() {
            self.events_of(place, attempts_max, events);
        }
        let queue = &self.queue;
        if let Some(run) = queue.run.filter(|run| queue.is_in_flight_of(*run) && self.place_of(*run).is_none()) {
            events.push(Event::IsJudged(run));
        }
        if queue.state == State::Unknown && self.looked != Some(queue.attempt) {
            events.push(Event::Looks);
        }
        if self.looked.is_some() {
            events.extend(Verdict::ALL.map(Event::Resolves));
        }
        if matches!(queue.state, State::Rejected | State::Failed | State::Skipped) && !queue.is_cancelled {
            events.push(Event::Retries);
        }
        if !queue.is_cancelled {
            events.push(Event::Cancels);
        } else if queue.state == State::Pending {
            events.push(Event::CancelsPending);
        }
    }

    fn events_of(&self, place: usize, attempts_max: u32, events: &mut Vec<Event>) {
        let Some(process) = &self.processes[place] else {
            events.push(Event::Starts(place));
            return;
        };
        events.push(Event::Crashes(place));
        let (run, finished) = (self.queue.run(process.run), process.finished());
        if process.is_silent {
            // What its workers may do meanwhile, if it is only cut off, they may as well do once it is awake.
            events.push(Event::Wakes(place));
            if !run.is_ended || self.queue.is_in_flight_of(process.run) {
                events.push(Event::IsJudged(process.run));
            }
            return;
        }
        if let Some(held) = process.held {
            events_of_stage(place, held.stage, events);
        }
        if !process.is_idle() {
            // Who has nothing to do is silent anyway.
            events.push(Event::FallsSilent(place));
        }
        if process.trouble.is_some() {
            events.extend(COMMITS.map(|commit| Event::Mends(place, commit)));
        } else {
            let may_be_taken = self.queue.state == State::Pending || !finished.is_empty();
            if process.has_room() && may_be_taken && self.queue.attempt < attempts_max {
                events.extend(COMMITS.map(|commit| Event::Takes(place, commit)));
            }
            if !finished.is_empty() {
                events.extend(COMMITS.map(|commit| Event::Stores(place, commit)));
            } else if process.is_idle() {
                events.push(Event::Exits(place));
            } else {
                // A turn for other rows: what matters is that it can fail.
                events.push(Event::Stores(place, Commit::Undone));
            }
        }
    }
}

fn events_of_stage(place: usize, stage: Stage, events: &mut Vec<Event>) {
    match stage {
        Stage::Handed => {
            events.push(Event::Checks(place));
            events.extend(Came::WITHHELD.map(|came| Event::Withholds(place, came)));
        }
        Stage::Stale => events.extend(Came::WITHHELD.map(|came| Event::Withholds(place, came))),
        Stage::Checked => events.extend([Event::Writes(place), Event::FindsNobody(place)]),
        Stage::OnWire => events.extend(Came::ANSWERS.iter().map(|came| Event::Hears(place, *came))),
        Stage::Ended(_) => return,
    }
    events.push(Event::IsAbandoned(place));
}
