//! Every world that can be reached, breadth first, so that what leads to a violation is as short as can be.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};

use mep_batch::invocation::State;

use super::event::Event;
use super::process::{Process, Stage};
use super::queue::{ATTEMPTS_MAX, Op};
use super::weakness::Weakness;
use super::world::{Truth, Violation, World};

/// All worlds that were found, one for each group of those between which no step can ever tell.
pub(crate) struct Search {
    pub(crate) worlds: Vec<World>,
    /// How each was reached: from which, and by what.
    pub(crate) reached: Vec<Option<(usize, Event)>>,
    /// Steps that were tried.
    pub(crate) steps: usize,
}

impl Search {
    /// Finds all, where a row is taken so many times at most; `see` is told of each
    /// transaction, by the place of the world before it.
    ///
    /// # Errors
    ///
    /// What must never be, and the steps that lead to it.
    pub(crate) fn all(
        attempts_max: u32,
        weakness: Weakness,
        mut see: impl FnMut(usize, &World, Event, Op),
    ) -> Result<Search, String> {
        assert!((attempts_max as usize) < ATTEMPTS_MAX, "so many attempts have no place in the model");
        let first = World::new();
        let mut found = Keys::default();
        found.insert(first.key(weakness));
        let mut search = Search { worlds: vec![first], reached: vec![None], steps: 0 };
        let (mut next, mut events) = (0, Vec::new());
        while next < search.worlds.len() {
            search.worlds[next].events(attempts_max, &mut events);
            for event in events.iter().copied() {
                search.steps += 1;
                let mut world = search.worlds[next];
                match world.step(event, weakness).and_then(|op| world.check().map(|()| op)) {
                    Ok(Some(op)) => see(next, &search.worlds[next], event, op),
                    Ok(None) => {}
                    Err(violation) => return Err(search.told(violation, next, event)),
                }
                if found.insert(world.key(weakness)) {
                    search.worlds.push(world);
                    search.reached.push(Some((next, event)));
                }
            }
            next += 1;
        }
        Ok(search)
    }

    /// The steps that lead to a world.
    pub(crate) fn path(&self, to: usize) -> Vec<Event> {
        let mut path = Vec::new();
        let mut at = to;
        while let Some((from, event)) = self.reached[at] {
            path.push(event);
            at = from;
        }
        path.reverse();
        path
    }

    pub(crate) fn told(&self, violation: Violation, at: usize, event: Event) -> String {
        let mut told = format!("{violation}, after");
        for event in self.path(at).into_iter().chain([event]) {
            let _ = write!(told, "\n  {event:?}"); // writing to a text cannot fail
        }
        told
    }
}

impl World {
    /// What is so between any two steps.
    fn check(&self) -> Result<(), Violation> {
        let is_twice = |process: &Process| {
            let stray = process.stray.map(|stray| stray.attempt);
            stray.is_some() && process.held.map(|held| held.ticket.attempt) == stray
        };
        if self.processes.iter().flatten().any(is_twice) {
            Err("an attempt is in a slot and given back at once")
        } else {
            Ok(())
        }
    }

    /// What tells this world from others, for all that can happen from here on: the two processes may change places, and what
    /// is gone has no part in anything. Whether a row may be a duplicate moves nothing.
    pub(crate) fn key(&self, weakness: Weakness) -> Key {
        let queue = &self.queue;
        let mut processes = [0, 1].map(|place| {
            let process = self.processes[place].as_ref();
            process.map_or([0; PROCESS_KEY], |process| self.key_of(process, weakness))
        });
        processes.sort_unstable();
        let is_gone = queue.run.is_some_and(|run| self.place_of(run).is_none());
        let flags = [queue.run.is_some(), is_gone, queue.is_cancelled, self.is_asked_for];
        let truth = match self.last {
            Truth::Unwritten => 0,
            Truth::Written => 1,
            Truth::SaysToRepeat => 2,
        };
        let seen = self.looked.map_or(0, byte) << 2 | truth;
        ([code(queue.state), byte(queue.attempt), bits(&flags), seen], processes)
    }

    fn key_of(&self, process: &Process, weakness: Weakness) -> [u8; PROCESS_KEY] {
        let run = self.queue.run(process.run);
        let open = (1..=self.queue.attempt).find(|attempt| self.queue.is_open(*attempt, process.run)).map_or(0, byte);
        let is_owner = self.queue.run == Some(process.run);
        let is_in_trouble = process.trouble.is_some();
        let flags = [true, process.is_silent, run.is_ended, run.is_ahead, is_in_trouble, is_owner];
        let unconfirmed = process.trouble.and_then(|trouble| trouble.unconfirmed);
        let unconfirmed = unconfirmed.map_or(0, |had| bits(&[true, had.held, had.stray]));
        let stray = process.stray.map_or(0, |stray| byte(stray.attempt));
        let held = process.held.map_or(0, |held| byte(held.ticket.attempt));
        let stage = process.held.map_or(0, |held| match held.stage {
            Stage::Handed => 1,
            Stage::Stale => 2,
            Stage::Checked => 3,
            Stage::OnWire => 4,
            Stage::Ended(came) => 5 + code(came.next(weakness).state),
        });
        [bits(&flags), unconfirmed, open, stray, held, stage]
    }
}

/// The row, the operator and what is so; and each process.
pub(crate) type Key = ([u8; 4], [[u8; PROCESS_KEY]; 2]);

const PROCESS_KEY: usize = 6;

/// Spreads keys of so few bytes well enough, and many millions of them are looked up.
#[derive(Default)]
pub(crate) struct Spreading(u64);

impl Hasher for Spreading {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let number = bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

/// Worlds by their keys.
pub(crate) type Keys = HashSet<Key, BuildHasherDefault<Spreading>>;

fn bits(flags: &[bool]) -> u8 {
    flags.iter().fold(0, |all, flag| all << 1 | u8::from(*flag))
}

fn code(state: State) -> u8 {
    byte(State::ALL.iter().position(|other| *other == state).unwrap_or_default())
}

/// All numbers of the model are small.
fn byte(number: impl TryInto<u8>) -> u8 {
    number.try_into().unwrap_or(u8::MAX)
}
