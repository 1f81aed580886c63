//! The moment at which a process is killed: some time after its start, or right behind something that it did.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;

use crate::scenario::{Done, Running};
use crate::tap::Tap;

/// The longest that a process waits for its death behind whatever was drawn.
const PAUSE_MAX_US: u64 = 400;

#[derive(Debug, Clone, Copy)]
enum Event {
    /// So long after its start.
    After(Duration),
    /// Once it has written to the database's log that often.
    Written(usize),
    /// Once so many pieces of requests have come out of it.
    Asked(usize),
    /// Once so many pieces of answers were passed on to it.
    Answered(usize),
}

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    event: Event,
    pause: Duration,
}

/// A process that was killed, unless it had ended before.
pub(crate) struct Killed {
    pub(crate) done: Done,
    /// How many bytes of answers had been passed on to it.
    pub(crate) told_length: usize,
}

impl Killed {
    /// Whether it was alive.
    pub(crate) fn was_alive(&self) -> bool {
        self.done.code == 137
    }
}

impl Moment {
    /// Of a run that sends.
    pub(crate) fn of_run(rng: &mut Rng) -> Moment {
        let event = match rng.u32(..4) {
            0 => Event::After(Duration::from_micros(rng.u64(1_000..70_000))),
            1 => Event::Written(rng.usize(1..12)),
            2 => Event::Asked(rng.usize(1..40)),
            _ => Event::Answered(rng.usize(1..40)),
        };
        Moment::at(event, rng)
    }

    /// Of a command that takes about so long and only stores.
    pub(crate) fn of_command(rng: &mut Rng, length: Duration) -> Moment {
        let length_us = u64::try_from(length.as_micros()).unwrap_or(u64::MAX).max(1_000);
        let event = match rng.u32(..2) {
            0 => Event::After(Duration::from_micros(rng.u64(..length_us))),
            _ => Event::Written(rng.usize(1..12)),
        };
        Moment::at(event, rng)
    }

    fn at(event: Event, rng: &mut Rng) -> Moment {
        Moment { event, pause: Duration::from_micros(rng.u64(..PAUSE_MAX_US)) }
    }

    /// Kills the process at this moment, or lets it end if it does so before.
    pub(crate) fn kill(self, mut running: Running, log: &Path, tap: &Tap) -> Killed {
        let began = Instant::now();
        let (mut written, mut changes) = (stamp(log), 0);
        let mut has_come = || match self.event {
            Event::After(time) => began.elapsed() >= time,
            Event::Written(count) => {
                let now = stamp(log);
                changes += usize::from(now != written);
                written = now;
                changes >= count
            }
            Event::Asked(count) => tap.requests() >= count,
            Event::Answered(count) => tap.answers() >= count,
        };
        while !has_come() && !running.has_ended() {
            std::thread::yield_now();
        }
        let came = Instant::now();
        while came.elapsed() < self.pause {
            std::thread::yield_now();
        }
        let told_length = tap.told_length();
        Killed { done: running.kill(), told_length }
    }
}

/// The file's length, and when it was written to; nothing where there is none.
fn stamp(file: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().expect("a time of the file system")))
}
