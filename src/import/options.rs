//! What an operator says about a file.

use std::str::FromStr;

use crate::mep::{Bounds, ServiceId};
use crate::validate::{Rules, Target, TargetFault};

/// How a file is to be read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The service, if it is given and not in the file.
    pub service: Option<ServiceId>,
    /// Columns that are mapped by hand.
    pub maps: Vec<ColumnMap>,
    /// Values that every row gets.
    pub sets: Vec<Constant>,
    /// Headers of columns that are left out; each must be there.
    pub ignore: Vec<String>,
    /// Headers of columns that are left out where they are there: a standing list.
    pub ignore_if_there: Vec<String>,
    /// Whether columns that map to nothing are left out.
    pub ignore_unmapped: bool,
    /// Whether a table's first row is a row: its columns are named by their numbers.
    pub no_header: bool,
    /// Whether a file without rows is read as such.
    pub allow_empty: bool,
    /// Whether rows of one file may share a phone number: then what was refused for it once is not held back again.
    pub allow_shared_numbers: bool,
    /// Whether a file may name no service: to check it, none is needed.
    pub allow_no_service: bool,
    /// What rows are held against.
    pub rules: Rules,
}

/// A column mapped by hand: `--map 'Mobile=phoneNumber'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMap {
    /// The operator's header, compared in any case.
    pub header: String,
    /// Where it goes.
    pub target: Target,
    /// The file that says so; `None`: it is typed.
    pub said_in: Option<String>,
}

/// A value that every row gets: `--set session.flightAirline=AwesomeAirways`.
///
/// It is the operator's own text and may hold `${`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Where it goes.
    pub target: Target,
    /// The text.
    pub text: String,
}

impl Options {
    /// The rules with leave for the expressions of the constants: what the batch is to be sent with, too.
    #[must_use]
    pub fn effective_rules(&self) -> Rules {
        let mut rules = self.rules.clone();
        for set in self.sets.iter().filter(|set| set.text.contains("${")) {
            rules.expressions.allow_in(set.target.name());
        }
        rules
    }
}

impl FromStr for ColumnMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A header may hold `=`, a target cannot.
        let (header, target) = text.rsplit_once('=').ok_or("expected `HEADER=TARGET`, as in `Mobile=phoneNumber`")?;
        if header.trim().is_empty() {
            return Err("expected a header before `=`, as in `Mobile=phoneNumber`".to_owned());
        }
        Ok(ColumnMap { header: header.trim().to_owned(), target: target_of(target)?, said_in: None })
    }
}

impl FromStr for Constant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (target, value) =
            text.split_once('=').ok_or("expected `TARGET=TEXT`, as in `session.flightAirline=AwesomeAirways`")?;
        match target_of(target)? {
            Target::PhoneNumber => Err("`phoneNumber` must differ from row to row".to_owned()),
            Target::ServiceId => Err("the service is given with `--service`".to_owned()),
            target @ (Target::MobileOperatorId | Target::TimeZone | Target::Variable(_)) if !value.is_empty() => {
                Ok(Constant { target, text: value.to_owned() })
            }
            Target::MobileOperatorId | Target::TimeZone | Target::Variable(_) => {
                Err("expected a text after `=`".to_owned())
            }
        }
    }
}

/// Bounds are settings that are not known yet here: they are held against the target when the file is opened.
fn target_of(text: &str) -> Result<Target, String> {
    Target::parse(text, &Bounds { key_length_max: None, value_length_max: None }).map_err(|fault| match fault {
        TargetFault::Unknown => format!(
            "`{}` is no target; expected phoneNumber, mobileOperatorId, serviceId, timeZone or SCOPE.KEY",
            text.escape_debug()
        ),
        TargetFault::Bad(fault) => format!("`{}` is no target: {}; {}", text.escape_debug(), fault.reason, fault.fix),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Expressions;

    #[test]
    fn a_map_is_split_at_its_last_equals_sign() {
        let map: ColumnMap = " a=b =session.x:number".parse().expect("a map");
        assert_eq!((map.header.as_str(), map.target.to_string().as_str()), ("a=b", "session.x:number"));
        for bad in ["Mobile", "=phoneNumber", "Mobile=", "Mobile=phone", "Mobile=sesion.x", "Mobile=user.id"] {
            assert!(bad.parse::<ColumnMap>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_constant_is_split_at_its_first_equals_sign() {
        let set: Constant = "session.x=a=b ".parse().expect("a constant");
        assert_eq!((set.target.name().as_str(), set.text.as_str()), ("session.x", "a=b "));
        for bad in ["session.x", "session.x=", "phoneNumber=12515550130", "serviceId=1", "x=1", "session.and=1"] {
            assert!(bad.parse::<Constant>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_constants_expression_needs_no_leave_and_gives_none_to_other_columns() {
        let set = |text: &str| text.parse::<Constant>().expect("a constant");
        let options = Options {
            sets: vec![set("session.pin=${af:generatePin(6,true)}"), set("session.a=b")],
            ..Options::default()
        };
        assert_eq!(options.effective_rules().expressions, Expressions::AllowedIn(vec!["session.pin".to_owned()]));
    }
}
