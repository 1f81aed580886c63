//! How long the stand-in takes to answer.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The time between receiving a request and answering it: fixed, or uniform over a range.
///
/// Read from `50ms` or `20ms..200ms`. The default is none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    from: Duration,
    to: Duration,
}

/// A text that names no latency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no latency; expected a duration or a rising range of two, such as `50ms` or `20ms..200ms`")]
pub struct LatencyError(String);

impl Latency {
    /// The same time for every request.
    #[must_use]
    pub fn fixed(time: Duration) -> Self {
        Latency { from: time, to: time }
    }

    pub(super) fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        if self.from == self.to { self.from } else { self.from + (self.to - self.from).mul_f64(rng.f64()) }
    }
}

impl FromStr for Latency {
    type Err = LatencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let read = |part: &str| humantime::parse_duration(part.trim()).map_err(|_| LatencyError(text.to_owned()));
        let latency = Latency { from: read(from)?, to: read(to)? };
        if latency.from <= latency.to { Ok(latency) } else { Err(LatencyError(text.to_owned())) }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.from))?;
        if self.from == self.to { Ok(()) } else { write!(f, "..{}", humantime::format_duration(self.to)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_a_duration_or_a_rising_range() {
        assert_eq!("50ms".parse(), Ok(Latency::fixed(Duration::from_millis(50))));
        let range: Latency = "20ms..200ms".parse().expect("a range");
        assert_eq!(range.to_string(), "20ms..200ms");
        for bad in ["", "50", "..", "20ms..", "200ms..20ms", "-1ms", "20ms...200ms"] {
            assert_eq!(bad.parse::<Latency>(), Err(LatencyError(bad.to_owned())));
        }
    }

    #[test]
    fn a_draw_stays_within_the_range() {
        let range: Latency = "20ms..21ms".parse().expect("a range");
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..1000 {
            let drawn = range.draw(&mut rng);
            assert!((Duration::from_millis(20)..=Duration::from_millis(21)).contains(&drawn), "{drawn:?}");
        }
    }
}
