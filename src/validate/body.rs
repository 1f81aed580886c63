//! Reading a stored body: right before it is sent, and to show it.

use std::borrow::Cow;

use crate::mep::Scope;

use super::draft::wrong_type;
use super::fault::Fault;
use super::number::{check_number, operator_id};
use super::phone::check_phone;
use super::rules::Rules;
use super::target::check_key;
use super::value::check_value;
use super::walk::{Place, walk_body};

/// A value of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyValue {
    /// A JSON string.
    String(String),
    /// The text of a JSON number.
    Number(String),
}

/// Holds a stored body against the rules, in one pass over its bytes; the number that it would text.
///
/// A phone number passes as a number or a string, whichever the batch was imported with.
///
/// # Errors
///
/// The first thing that is wrong; the text begins with `not sent:` and holds no value of the body.
pub fn check_body(body: &str, rules: &Rules) -> Result<u64, String> {
    let mut phone = None;
    let walked = walk_body(body, |place, json| check_place(place, json, rules, &mut phone));
    walked
        .and_then(|()| phone.ok_or_else(|| "no phone number".to_owned()))
        .map_err(|reason| format!("not sent: {reason}"))
}

/// The flat columns of a body in its order: `phoneNumber`, `mobileOperatorId`, `session.seat`…
///
/// A body that is none gives what could be read of it.
#[must_use]
pub fn body_cells(body: &str) -> Vec<(String, BodyValue)> {
    let mut cells = Vec::new();
    // What cannot be read ends the walk: showing a row must not fail.
    let _ = walk_body(body, |place, json| {
        let value = if json.starts_with('"') {
            BodyValue::String(text_of(json).map_err(|fault| fault.reason)?.into_owned())
        } else {
            BodyValue::Number(json.to_owned())
        };
        cells.push((name_of(place), value));
        Ok(())
    });
    cells
}

/// The body with another phone number in the place of its own, written likewise; `None` where it has none.
#[must_use]
pub fn with_phone(body: &str, number: u64) -> Option<String> {
    let mut own = None;
    walk_body(body, |place, json| {
        if let Place::PhoneNumber = place {
            own = Some(unquoted(json));
        }
        Ok(())
    })
    .ok()?;
    // What the walk shows is a part of the body.
    let start = own?.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let (before, rest) = body.split_at_checked(start)?;
    Some(format!("{before}{number}{}", rest.strip_prefix(own?)?))
}

fn check_place(place: Place<'_>, json: &str, rules: &Rules, phone: &mut Option<u64>) -> Result<(), String> {
    let judged = match place {
        Place::PhoneNumber => check_phone(unquoted(json), &rules.phones).map(|number| *phone = Some(number)),
        Place::MobileOperatorId => operator_id(json).map(|_| ()),
        Place::Variable(scope, key) => {
            // A key that is none may hold anything, so it is not repeated.
            check_key(scope, key, &rules.bounds)
                .map_err(|fault| format!("a variable in `{scope}`: {}", fault.reason))?;
            check_variable(scope, key, json, rules)
        }
    };
    judged.map_err(|fault| format!("{}: {}", name_of(place), fault.reason))
}

/// The text of a phone number in either form; one with an escape in it passes no check of its digits.
pub(super) fn unquoted(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

fn check_variable(scope: Scope, key: &str, json: &str, rules: &Rules) -> Result<(), Fault> {
    match json.as_bytes().first() {
        Some(b'"') => check_value(&text_of(json)?, rules, || format!("{scope}.{key}")).map(|_| ()),
        Some(b'-' | b'0'..=b'9') => check_number(json, &rules.bounds),
        Some(_) | None => Err(wrong_type()),
    }
}

/// The text of a JSON string, borrowed unless it holds an escape.
pub(crate) fn text_of(json: &str) -> Result<Cow<'_, str>, Fault> {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.as_bytes().contains(&b'\\') => Ok(Cow::Borrowed(text)),
        Some(_) | None => serde_json::from_str::<String>(json)
            .map(Cow::Owned)
            .map_err(|_| Fault::new("no well-formed JSON string", "write it as a JSON string")),
    }
}

fn name_of(place: Place<'_>) -> String {
    match place {
        Place::PhoneNumber => "phoneNumber".to_owned(),
        Place::MobileOperatorId => "mobileOperatorId".to_owned(),
        Place::Variable(scope, key) => format!("{scope}.{key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Expressions;

    const GUIDE: &str = r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":383},"variables":{"session":{"seatLocation":"aisle","seatClass":"first","flightNumber":49,"flightAirline":"AwesomeAirways"},"user":{"frequentFlyerAccountNumber":"MJHF787679"}}}"#;

    #[test]
    fn a_good_body_passes() {
        for body in [
            GUIDE,
            r#"{"endUser":{"phoneNumber":"12515550130"}}"#,
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"a":"","b":"\"\n\u00e9","c":-0.5}}}"#,
        ] {
            assert_eq!(check_body(body, &Rules::default()), Ok(12_515_550_130), "{body}");
        }
    }

    #[test]
    fn another_number_takes_the_place_of_the_first_and_of_nothing_else() {
        for (body, expected) in [
            (GUIDE.to_owned(), GUIDE.replace("12515550130", "447700900123")),
            (
                r#"{"variables":{"user":{"n":12515550130}},"endUser":{"phoneNumber":"12515550130"}}"#.to_owned(),
                r#"{"variables":{"user":{"n":12515550130}},"endUser":{"phoneNumber":"447700900123"}}"#.to_owned(),
            ),
        ] {
            assert_eq!(with_phone(&body, 447_700_900_123), Some(expected));
        }
        assert_eq!(with_phone(r#"{"variables":{"user":{"n":1}}}"#, 1), None);
    }

    #[test]
    fn each_rule_holds_right_before_sending_too() {
        for (inside, reason) in [
            (r#"{"endUser":{"phoneNumber":02515550130}}"#, ""),
            (r#"{"endUser":{"phoneNumber":"02515550130"}}"#, "leading 0"),
            (r#"{"endUser":{"phoneNumber":"+12515550130"}}"#, "digits only"),
            (r#"{"endUser":{"phoneNumber":12345}}"#, "too few"),
            (r#"{"endUser":{"phoneNumber":1.25155E+10}}"#, "scientific"),
            (r#"{"endUser":{"phoneNumber":null}}"#, "letters"),
            (r#"{"endUser":{}}"#, "no phone number"),
            ("{}", "no `endUser`"),
            ("[]", "expected the body"),
            ("", "EOF"),
            (r#"{"endUser":{"phoneNumber":12515550130}"#, "EOF"),
            (r#"{"endUser":{"phoneNumber":12515550130}}x"#, "trailing"),
            (r#"{"endUser":{"phoneNumber":12515550130,"phoneNumber":12515550130}}"#, "twice"),
            (r#"{"endUser":{"phoneNumber":12515550130,"operator":1}}"#, "unknown property"),
            (r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":0}}"#, "operator ID"),
            (r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":"383"}}"#, "operator ID"),
            (r#"{"endUser":{"phoneNumber":12515550130},"endUser":{"phoneNumber":12515550130}}"#, "twice"),
            (r#"{"endUser":{"phoneNumber":12515550130},"serviceId":"x"}"#, "unknown property"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{}}"#, "without a variable"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":[]}"#, "an object for `variables`"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{}}}"#, "`user` without a variable"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"sesion":{"a":"x"}}}"#, "unknown scope"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":"x"},"User":{"b":"x"}}}"#, "set twice"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":"x","A":"x"}}}"#, "set twice"),
            (
                r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"and":"x"}}}"#,
                "a variable in `user`: a reserved",
            ),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"id":"x"}}}"#, "MEP sets itself"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a b":"x"}}}"#, "a character"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":null}}}"#, "null"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":true}}}"#, "null"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":["x"]}}}"#, "null"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":1e5}}}"#, "no number"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":"\u0000"}}}"#, "control character"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":"\u0024{x}"}}}"#, "expression"),
            (r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"a":"\ud800"}}}"#, ""),
        ] {
            let told = check_body(inside, &Rules::default()).expect_err(inside);
            assert!(told.starts_with("not sent: ") && told.contains(reason), "{inside}: {told}");
        }
    }

    #[test]
    fn the_operators_leave_counts_right_before_sending_too() {
        let body =
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"Pin":"${af:generatePin(6,true)}é"}}}"#;
        let allowed = Rules { expressions: Expressions::AllowedIn(vec!["session.pin".to_owned()]), ..Rules::default() };
        assert_eq!(check_body(body, &allowed), Ok(12_515_550_130));
        assert!(check_body(body, &Rules { ascii_only: true, ..allowed }).is_err());
    }

    #[test]
    fn many_keys_are_compared_too() {
        let keys: Vec<String> = (0..100).map(|n| format!(r#""k{n}":"x""#)).collect();
        let body = |more: &str| {
            format!(
                r#"{{"endUser":{{"phoneNumber":12515550130}},"variables":{{"user":{{{}{more}}}}}}}"#,
                keys.join(",")
            )
        };
        assert!(check_body(&body(""), &Rules::default()).is_ok());
        for twice in [r#","K99":1"#, r#","K1":1"#] {
            assert!(check_body(&body(twice), &Rules::default()).is_err(), "{twice}");
        }
    }

    #[test]
    fn a_body_reads_back_as_flat_columns_in_its_order() {
        let names: Vec<_> = body_cells(GUIDE).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "phoneNumber",
                "mobileOperatorId",
                "session.seatLocation",
                "session.seatClass",
                "session.flightNumber",
                "session.flightAirline",
                "user.frequentFlyerAccountNumber"
            ]
        );
        let cells =
            body_cells(r#"{"endUser":{"phoneNumber":12515550130},"variables":{"session":{"a":1.50,"b":"x\"\n"}}}"#);
        assert_eq!(cells[1], ("session.a".to_owned(), BodyValue::Number("1.50".to_owned())));
        assert_eq!(cells[2], ("session.b".to_owned(), BodyValue::String("x\"\n".to_owned())));
        assert_eq!(body_cells("{\"redacted\":true}"), []);
    }
}
