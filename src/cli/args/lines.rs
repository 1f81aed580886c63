//! Lines as they are typed: one, or a range of them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// `17`, or `30-45`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Lines(RangeInclusive<u32>);

impl Lines {
    pub(in crate::cli) fn contains(&self, line: u32) -> bool {
        self.0.contains(&line)
    }

    /// The line, where only one is named.
    pub(in crate::cli) fn single(&self) -> Option<u32> {
        (self.0.start() == self.0.end()).then_some(*self.0.start())
    }
}

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(Lines(first..=last)),
            (_, _) => Err("expected a line, or a first and a last one: `17` or `30-45`".to_owned()),
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(line) => write!(f, "{line}"),
            None => write!(f, "{}-{}", self.0.start(), self.0.end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_a_range_read_back_as_they_are_typed() {
        for text in ["17", "30-45"] {
            assert_eq!(text.parse::<Lines>().map(|lines| lines.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("5-5".parse::<Lines>().map(|lines| lines.single()), Ok(Some(5)));
        for bad in ["", "0", "-3", "3-", "9-2", "1-2-3", "x", "4294967296"] {
            assert!(bad.parse::<Lines>().is_err(), "{bad}");
        }
    }
}
