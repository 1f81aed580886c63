//! Which other runs are dead: those that have shown the same sign of life for long enough, on this machine's own clock.
//!
//! No time of the database or of another machine has a part in it: an outage, or a clock that is set, must not make every
//! run look dead.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::{SILENCE, SignOfLife};

/// Looks further apart than this prove nothing: the database may have been out of reach of all meanwhile, or this process
/// may have been stopped itself.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);

/// A run that lives shows something new at least this often, twice its heartbeat.
const SUSPICIOUS_AFTER: Duration = Duration::from_secs(10);

/// Watches other runs.
#[derive(Debug, Default)]
pub struct Judge {
    looked: Option<Instant>,
    watched: Vec<Watched>,
    /// Whether what was seen so far proves nothing: the next look begins anew.
    is_interrupted: bool,
}

#[derive(Debug)]
struct Watched {
    sign: SignOfLife,
    since: Instant,
    /// Whether it has shown something new since it was seen first.
    has_moved: bool,
}

impl Judge {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new() -> Judge {
        Judge::default()
    }

    /// Takes in what the runs show now; those that are dead.
    pub fn look(&mut self, signs: &[SignOfLife], now: Instant) -> Vec<SignOfLife> {
        if self.looked.is_some_and(|looked| now.duration_since(looked) > LOOK_EVERY_MAX) {
            self.interrupted();
        }
        self.looked = Some(now);
        if std::mem::take(&mut self.is_interrupted) {
            self.watched.clear();
        }
        self.watched.retain(|watched| signs.iter().any(|sign| sign.run == watched.sign.run));
        let mut dead = Vec::new();
        for sign in signs {
            match self.watched.iter_mut().find(|watched| watched.sign.run == sign.run) {
                Some(watched) if watched.sign != *sign => {
                    *watched = Watched { sign: *sign, since: now, has_moved: true };
                }
                Some(watched) if now.duration_since(watched.since) >= SILENCE => dead.push(*sign),
                Some(_) => {}
                None => self.watched.push(Watched { sign: *sign, since: now, has_moved: false }),
            }
        }
        dead
    }

    /// Whether a run of those seen may be dead, for all that is known yet.
    #[must_use]
    pub fn has_suspects(&self, now: Instant) -> bool {
        let is_suspect = |watched: &Watched| !watched.has_moved || now.duration_since(watched.since) > SUSPICIOUS_AFTER;
        let proves_nothing = self.is_interrupted && !self.watched.is_empty();
        proves_nothing || self.watched.iter().any(is_suspect)
    }

    /// The database did not answer: what was seen before proves nothing any more.
    pub fn interrupted(&mut self) {
        self.is_interrupted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::RunId;

    fn sign(run: i64, beat: i64) -> SignOfLife {
        SignOfLife { run: RunId(run), beat, turn: 7 }
    }

    /// Looks each second, from one second to another, at what shows there; the seconds at which somebody was dead.
    fn dead_at(
        judge: &mut Judge,
        start: Instant,
        seconds: std::ops::RangeInclusive<u64>,
        shown: SignOfLife,
    ) -> Vec<u64> {
        let look = |second: &u64| !judge.look(&[shown], start + Duration::from_secs(*second)).is_empty();
        seconds.filter(look).collect()
    }

    #[test]
    fn a_run_is_dead_once_it_has_shown_nothing_new_for_thirty_seconds() {
        let (mut judge, start) = (Judge::new(), Instant::now());
        assert_eq!(dead_at(&mut judge, start, 0..=31, sign(1, 5)), [30, 31]);
    }

    #[test]
    fn a_heartbeat_or_a_turn_starts_the_time_anew() {
        let (mut judge, start) = (Judge::new(), Instant::now());
        dead_at(&mut judge, start, 0..=29, sign(1, 5));
        assert_eq!(dead_at(&mut judge, start, 30..=59, sign(1, 6)), [0; 0]);
        let turned = SignOfLife { turn: 8, ..sign(1, 6) };
        assert_eq!(dead_at(&mut judge, start, 60..=90, turned), [90]);
    }

    #[test]
    fn a_judge_that_did_not_look_judges_nobody() {
        let (mut judge, start) = (Judge::new(), Instant::now());
        dead_at(&mut judge, start, 0..=5, sign(1, 5));
        assert_eq!(dead_at(&mut judge, start, 60..=89, sign(1, 5)), [0; 0], "it was stopped itself");
        judge.interrupted();
        assert_eq!(dead_at(&mut judge, start, 90..=119, sign(1, 5)), [0; 0], "the database was gone");
        assert_eq!(dead_at(&mut judge, start, 120..=120, sign(1, 5)), [120]);
    }

    #[test]
    fn a_run_is_suspect_until_it_has_shown_something_new_lately() {
        let (mut judge, start) = (Judge::new(), Instant::now());
        assert!(!judge.has_suspects(start));
        judge.look(&[sign(1, 5)], start);
        assert!(judge.has_suspects(start));
        judge.look(&[sign(1, 6)], start + Duration::from_secs(5));
        assert!(!judge.has_suspects(start + Duration::from_secs(15)));
        assert!(judge.has_suspects(start + Duration::from_secs(16)));
        judge.look(&[sign(1, 7)], start + Duration::from_secs(10));
        judge.interrupted();
        assert!(judge.has_suspects(start + Duration::from_secs(10)));
    }

    #[test]
    fn each_run_is_judged_by_its_own_sign() {
        let (mut judge, start) = (Judge::new(), Instant::now());
        for second in 0..30 {
            let beat = i64::try_from(second).expect("small");
            judge.look(&[sign(1, 5), sign(2, beat)], start + Duration::from_secs(second));
        }
        assert_eq!(judge.look(&[sign(1, 5), sign(2, 30)], start + SILENCE), [sign(1, 5)]);
        assert_eq!(judge.look(&[sign(2, 31)], start + SILENCE), []);
    }
}
