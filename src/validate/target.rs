//! Where in a request a cell goes.

use std::fmt;

use crate::mep::{Bounds, Scope, is_built_in, is_key_char, is_reserved};

use super::fault::Fault;

/// The place in a request that a column, a property or a constant fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `endUser.phoneNumber`.
    PhoneNumber,
    /// `endUser.mobileOperatorId`.
    MobileOperatorId,
    /// The service of the whole batch; not in the body.
    ServiceId,
    /// The recipient's time zone, for send windows; not in the body.
    TimeZone,
    /// A variable.
    Variable(Variable),
}

/// A variable's name and how its text is written in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The scope.
    pub scope: Scope,
    /// The key, in the operator's case.
    pub key: String,
    /// How its text is read.
    pub kind: Kind,
}

/// How the text of a variable's cell is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a string; an empty one leaves the variable out.
    Text,
    /// As a number (`:number`); an empty one leaves the variable out.
    Number,
    /// As a JSON value (`:json`). Only in the stored cells of a refused row, for what the other two cannot say.
    Json,
}

/// Why a name is no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetFault {
    /// It looks like none: a column that is mapped or ignored.
    Unknown,
    /// It looks like a variable and may not be one.
    Bad(Fault),
}

impl Target {
    /// Reads the name of a column: `phoneNumber`, `mobileOperatorId`, `serviceId`, `timeZone` in any case, or
    /// `[variables.]SCOPE.KEY[:number]`.
    ///
    /// # Errors
    ///
    /// See [`TargetFault`].
    pub fn parse(name: &str, bounds: &Bounds) -> Result<Target, TargetFault> {
        let name = name.trim();
        for target in [Target::PhoneNumber, Target::MobileOperatorId, Target::ServiceId, Target::TimeZone] {
            if name.eq_ignore_ascii_case(target.fixed_name()) {
                return Ok(target);
            }
        }
        let name = strip_prefix_any_case(name, "variables.").unwrap_or(name);
        let (scope, rest) = name.split_once('.').ok_or(TargetFault::Unknown)?;
        let Some(scope) = Scope::from_name(scope) else {
            return Err(TargetFault::Bad(unknown_scope()));
        };
        let (key, kind) = match strip_suffix_any_case(rest, ":number") {
            Some(key) => (key, Kind::Number),
            None => match rest.strip_suffix(":json") {
                Some(key) => (key, Kind::Json),
                None => (rest, Kind::Text),
            },
        };
        check_key(scope, key, bounds).map_err(TargetFault::Bad)?;
        Ok(Target::Variable(Variable { scope, key: key.to_owned(), kind }))
    }

    /// The name under which results are shown: without `:number`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Target::Variable(variable) => variable.name(),
            Target::PhoneNumber | Target::MobileOperatorId | Target::ServiceId | Target::TimeZone => {
                self.fixed_name().to_owned()
            }
        }
    }

    /// Whether both fill the same place; keys are compared in any case.
    #[must_use]
    pub fn same_place(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Variable(one), Target::Variable(two)) => {
                one.scope == two.scope && one.key.eq_ignore_ascii_case(&two.key)
            }
            (one, two) => one == two,
        }
    }

    fn fixed_name(&self) -> &'static str {
        match self {
            Target::PhoneNumber => "phoneNumber",
            Target::MobileOperatorId => "mobileOperatorId",
            Target::ServiceId => "serviceId",
            Target::TimeZone => "timeZone",
            Target::Variable(variable) => variable.scope.as_str(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match self {
            Target::Variable(Variable { kind: Kind::Number, .. }) => f.write_str(":number"),
            Target::Variable(Variable { kind: Kind::Json, .. }) => f.write_str(":json"),
            Target::Variable(Variable { kind: Kind::Text, .. })
            | Target::PhoneNumber
            | Target::MobileOperatorId
            | Target::ServiceId
            | Target::TimeZone => Ok(()),
        }
    }
}

impl Variable {
    /// `session.seat`: the scope in lower case, the key in the operator's.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.scope, self.key)
    }
}

/// Holds a variable's key against the rules.
///
/// # Errors
///
/// Its characters, its length, a reserved word, or a variable that the platform sets itself.
pub fn check_key(scope: Scope, key: &str, bounds: &Bounds) -> Result<(), Fault> {
    if key.is_empty() {
        return Err(Fault::new("a variable without a name", "write `SCOPE.KEY`, as in `session.seat`"));
    }
    if !key.chars().all(is_key_char) {
        return Err(Fault::new(
            "a character that no variable's name may have",
            "use letters, digits, `_`, `-` and `.`; a number's column ends in `:number`",
        ));
    }
    match bounds.key_length_max {
        Some(max) if key.len() > max => {
            return Err(Fault::new(
                format!("a name longer than {max} characters, which is this tool's limit and not the vendor's"),
                "shorten it, or raise `key_length_max` under `[contract]` in mep-batch.toml",
            ));
        }
        Some(_) | None => {}
    }
    if is_reserved(key) {
        return Err(Fault::new(
            "a reserved word for a variable's name",
            "choose another name with `--map`, and in the service as well",
        ));
    }
    if is_built_in(scope, key) {
        return Err(Fault::new(
            "a variable that MEP sets itself",
            "leave the column out with `--ignore`, or map it to another variable with `--map`",
        ));
    }
    Ok(())
}

pub(crate) fn unknown_scope() -> Fault {
    Fault::new("an unknown scope", "use one of request, session, user, userservice, userservicecoll")
}

pub(crate) fn set_twice() -> Fault {
    Fault::new("set twice: names are compared without regard to case", "keep one of them")
}

fn strip_prefix_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| &text[prefix.len()..])
}

fn strip_suffix_any_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let start = text.len().checked_sub(suffix.len())?;
    text.get(start..).filter(|end| end.eq_ignore_ascii_case(suffix)).map(|_| &text[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> Result<String, String> {
        Target::parse(name, &Bounds::default()).map(|target| target.to_string()).map_err(|fault| match fault {
            TargetFault::Unknown => "unknown".to_owned(),
            TargetFault::Bad(fault) => fault.reason.into_owned(),
        })
    }

    #[test]
    fn names_map_themselves_and_a_key_keeps_its_case() {
        for (name, target) in [
            ("PHONENUMBER", "phoneNumber"),
            (" phoneNumber ", "phoneNumber"),
            ("mobileoperatorid", "mobileOperatorId"),
            ("ServiceID", "serviceId"),
            ("timezone", "timeZone"),
            ("Session.seatClass", "session.seatClass"),
            ("VARIABLES.session.a.b-c_1", "session.a.b-c_1"),
            ("session.flight:NUMBER", "session.flight:number"),
            ("userServiceColl.x", "userservicecoll.x"),
            ("user.quiz1", "user.quiz1"),
            ("session.initialKeywordX", "session.initialKeywordX"),
        ] {
            assert_eq!(parsed(name).as_deref(), Ok(target), "{name}");
        }
    }

    #[test]
    fn a_bad_name_is_told_from_an_unknown_one() {
        for (name, reason) in [
            ("Mobile", "unknown"),
            ("", "unknown"),
            ("sesion.seat", "an unknown scope"),
            ("endUser.phoneNumber", "an unknown scope"),
            ("session.", "without a name"),
            ("session.:number", "without a name"),
            ("session.seat class", "a character"),
            ("session.sitz\u{e4}", "a character"),
            ("session.seat:text", "a character"),
            ("session.AND", "reserved"),
            ("request.instanceof", "reserved"),
            ("user.ID", "MEP sets itself"),
            ("user.identifiers.msisdn", "MEP sets itself"),
            ("session.circle", "MEP sets itself"),
        ] {
            assert!(parsed(name).is_err_and(|found| found.contains(reason)), "{name}");
        }
        assert!(
            parsed(&format!("session.{}", "k".repeat(256))).is_err_and(|reason| reason.contains("not the vendor's"))
        );
        assert!(parsed(&format!("session.{}", "k".repeat(255))).is_ok());
    }

    #[test]
    fn keys_that_differ_only_in_case_fill_the_same_place() {
        let target = |name: &str| Target::parse(name, &Bounds::default()).expect("a target");
        assert!(target("session.Seat").same_place(&target("SESSION.seat:number")));
        assert!(!target("session.seat").same_place(&target("user.seat")));
        assert!(target("PhoneNumber").same_place(&target("phoneNumber")));
    }
}
