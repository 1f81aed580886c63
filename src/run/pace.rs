//! How many outcomes a second a run has seen of late: for people to read.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What is told is the mean of that time: long enough to be steady, short enough to show a change.
const OF_LATE: Duration = Duration::from_secs(10);
/// Turns are told together that are no further apart than this, so that many turns cost no more than few.
const GRAIN: Duration = Duration::from_millis(250);
/// The mean is of no less: the first outcomes come at once.
const AT_LEAST: Duration = Duration::from_secs(1);

/// The outcomes of late.
pub(super) struct Pace {
    began: Instant,
    stored: VecDeque<(Instant, usize)>,
}

impl Pace {
    pub(super) fn new(began: Instant) -> Pace {
        Pace { began, stored: VecDeque::new() }
    }

    /// Notes that so many outcomes of requests were stored.
    pub(super) fn note(&mut self, outcomes: usize, now: Instant) {
        match self.stored.back_mut() {
            _ if outcomes == 0 => {}
            Some((at, stored)) if now - *at < GRAIN => *stored += outcomes,
            Some(_) | None => self.stored.push_back((now, outcomes)),
        }
        while self.stored.front().is_some_and(|(at, _)| now - *at > OF_LATE) {
            self.stored.pop_front();
        }
    }

    /// Outcomes a second of late.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let of_late = self.stored.iter().filter(|(at, _)| now - *at <= OF_LATE);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let outcomes = of_late.map(|(_, outcomes)| outcomes).sum::<usize>() as f64;
        outcomes / (now - self.began).clamp(AT_LEAST, OF_LATE).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_ten_seconds() {
        let began = Instant::now();
        let at = |tenths: u32| began + Duration::from_millis(100) * tenths;
        let mut pace = Pace::new(began);
        assert!(pace.rate(at(0)).abs() < f64::EPSILON);
        (0..100).for_each(|tenth| pace.note(2, at(tenth)));
        assert!((pace.rate(at(100)) - 20.0).abs() < 0.5, "{}", pace.rate(at(100)));
        assert!(pace.stored.len() <= 41, "{}", pace.stored.len());
        assert!((pace.rate(at(150)) - 10.0).abs() < 0.6, "{}", pace.rate(at(150)));
        assert!(pace.rate(at(250)).abs() < f64::EPSILON);
    }

    #[test]
    fn the_first_outcomes_are_no_rush() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        pace.note(4, began + Duration::from_millis(1));
        assert!((pace.rate(began + Duration::from_millis(2)) - 4.0).abs() < 0.01);
    }
}
