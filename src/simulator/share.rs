//! How often each fault strikes.

use std::str::FromStr;

use super::fault::{Fault, UnknownFault};

/// What rounding may add to shares that are meant to add up to exactly 1.
const ROUNDING: f64 = 1e-9;

/// A fault and the part of all requests that it strikes. Read from `KIND=SHARE`, the share as `0.03` or `3%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultShare {
    kind: Fault,
    share: f64,
}

/// Shares that add up to at most 1: what is left of the requests is answered on its merits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Faults(Vec<FaultShare>);

/// Why a text is no share of a fault, or why the shares do not go together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShareError {
    /// There is no `=` in it.
    #[error("`{0}` is no fault with its share; expected `KIND=SHARE`, such as `timeout=0.03` or `timeout=3%`")]
    Form(String),
    /// What stands before the `=`.
    #[error(transparent)]
    Kind(#[from] UnknownFault),
    /// What stands after the `=`.
    #[error("`{0}` is no share; expected 0 to 1 or 0% to 100%")]
    Share(String),
    /// All shares together are more than everything.
    #[error("the shares of the faults add up to {0:.4}; expected at most 1")]
    Sum(f64),
}

impl FaultShare {
    /// The fault for that part of all requests, from 0 to 1.
    pub fn new(kind: Fault, share: f64) -> Result<Self, ShareError> {
        if (0.0..=1.0).contains(&share) {
            Ok(FaultShare { kind, share })
        } else {
            Err(ShareError::Share(share.to_string()))
        }
    }
}

impl FromStr for FaultShare {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, share) = text.split_once('=').ok_or_else(|| ShareError::Form(text.to_owned()))?;
        let number = |digits: &str| digits.trim().parse::<f64>().map_err(|_| ShareError::Share(share.to_owned()));
        let part = match share.strip_suffix('%') {
            Some(percent) => number(percent)? / 100.0,
            None => number(share)?,
        };
        FaultShare::new(kind.trim().parse()?, part).map_err(|_| ShareError::Share(share.to_owned()))
    }
}

impl Faults {
    /// The shares together, refused where they add up to more than 1.
    pub fn new(shares: Vec<FaultShare>) -> Result<Self, ShareError> {
        let sum: f64 = shares.iter().map(|share| share.share).sum();
        if sum <= 1.0 + ROUNDING { Ok(Faults(shares)) } else { Err(ShareError::Sum(sum)) }
    }

    /// The one fault for every request.
    #[must_use]
    pub fn always(kind: Fault) -> Self {
        Faults(vec![FaultShare { kind, share: 1.0 }])
    }

    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        let drawn = rng.f64();
        let mut reached = 0.0;
        self.0
            .iter()
            .find(|share| {
                reached += share.share;
                drawn < reached
            })
            .map(|share| share.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_fraction_or_a_percentage() {
        let timeout = |share| Ok(FaultShare { kind: Fault::Timeout, share });
        assert_eq!("timeout=0.25".parse(), timeout(0.25));
        assert_eq!("timeout=25%".parse(), timeout(0.25));
        assert_eq!("timeout = 1".parse(), timeout(1.0));
        for bad in ["timeout=", "timeout=2", "timeout=101%", "timeout=-1%", "timeout=NaN", "timeout=%"] {
            assert!(matches!(bad.parse::<FaultShare>(), Err(ShareError::Share(_))), "{bad}");
        }
        assert!(matches!("timeout".parse::<FaultShare>(), Err(ShareError::Form(_))));
        assert!(matches!("tmeout=1".parse::<FaultShare>(), Err(ShareError::Kind(_))));
    }

    #[test]
    fn shares_over_one_are_refused_and_tenths_are_not_over_one() {
        let tenth = FaultShare::new(Fault::Reset, 0.1).expect("a share");
        assert!(Faults::new(vec![tenth; 10]).is_ok());
        assert!(matches!(Faults::new(vec![tenth; 11]), Err(ShareError::Sum(_))));
    }

    #[test]
    fn each_fault_strikes_its_share_of_the_requests() {
        let shares = ["timeout=10%", "reset=30%"].map(|text| text.parse().expect("a share"));
        let faults = Faults::new(shares.to_vec()).expect("less than 1");
        let mut rng = fastrand::Rng::with_seed(7);
        let drawn: Vec<_> = (0..10_000).map(|_| faults.draw(&mut rng)).collect();
        let count = |fault| drawn.iter().filter(|drawn| **drawn == fault).count();
        assert!((900..1100).contains(&count(Some(Fault::Timeout))));
        assert!((2850..3150).contains(&count(Some(Fault::Reset))));
        assert!((5850..6150).contains(&count(None)));
    }
}
