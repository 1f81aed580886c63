//! A row from its stored cells.

use crate::invocation::Cell;

use super::draft::{Draft, Given, Ready};
use super::fault::{Fault, Problem};
use super::rules::Rules;
use super::target::{Target, TargetFault};

/// The column of a stored cell that is none: its text is a problem of the whole row, which no retry can mend.
pub const REFUSED_COLUMN: &str = "_refused";

/// Judges a row from its stored cells; each column is a target's text (`phoneNumber`, `session.flight:number`).
///
/// # Errors
///
/// All problems of the row at once.
pub fn row_from_cells(cells: &[Cell], rules: &Rules) -> Result<Ready, Vec<Problem>> {
    let targets: Vec<_> = cells.iter().map(|cell| Target::parse(&cell.column, &rules.bounds)).collect();
    let mut draft = Draft::new(rules);
    for (cell, target) in cells.iter().zip(&targets) {
        match target {
            Ok(target) => draft.put_once(target, &cell.column, Given::Cell(&cell.text)),
            Err(TargetFault::Bad(fault)) => draft.refuse(fault.clone().at(&cell.column, Some(&cell.text))),
            Err(TargetFault::Unknown) if cell.column == REFUSED_COLUMN => {
                draft.refuse(Fault::new(cell.text.clone(), "mend the row in the file, and import that").at("", None));
            }
            Err(TargetFault::Unknown) => draft.refuse(unknown_property().at(&cell.column, Some(&cell.text))),
        }
    }
    draft.finish()
}

pub(crate) fn unknown_property() -> Fault {
    Fault::new("an unknown property", "take it out, map it with `--map` or leave it out with `--ignore`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Expressions;
    use crate::mep::PhoneNumberJson;
    use crate::validate::{refusal, request_hash};

    fn cells(list: &[(&str, &str)]) -> Vec<Cell> {
        list.iter().map(|(column, text)| Cell { column: (*column).to_owned(), text: (*text).to_owned() }).collect()
    }

    fn body(list: &[(&str, &str)]) -> String {
        row_from_cells(&cells(list), &Rules::default()).expect("a good row").body
    }

    fn refused(list: &[(&str, &str)]) -> String {
        refusal(&row_from_cells(&cells(list), &Rules::default()).expect_err("a bad row"))
    }

    #[test]
    fn the_guides_example_leaves_as_exactly_its_json() {
        let row = [
            ("phoneNumber", "12515550130"),
            ("mobileOperatorId", "383"),
            ("session.seatLocation", "aisle"),
            ("session.seatClass", "first"),
            ("session.flightNumber:number", "49"),
            ("session.flightAirline", "AwesomeAirways"),
            ("user.frequentFlyerAccountNumber", "MJHF787679"),
        ];
        let expected = r#"{"endUser":{"phoneNumber":12515550130,"mobileOperatorId":383},"variables":{"session":{"seatLocation":"aisle","seatClass":"first","flightNumber":49,"flightAirline":"AwesomeAirways"},"user":{"frequentFlyerAccountNumber":"MJHF787679"}}}"#;
        assert_eq!(body(&row), expected);
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let phone_only = r#"{"endUser":{"phoneNumber":12515550130}}"#;
        assert_eq!(
            body(&[("phoneNumber", "+1 251 555 0130"), ("mobileOperatorId", " "), ("session.a", "")]),
            phone_only
        );
        assert_eq!(
            body(&[("user.a", ""), ("phoneNumber", "12515550130"), ("session.n:number", ""), ("user.b", "x")]),
            r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"b":"x"}}}"#
        );
    }

    #[test]
    fn scopes_stand_in_order_of_first_appearance_and_keys_keep_their_case() {
        let row = [
            ("User.B", "1"),
            ("phoneNumber", "12515550130"),
            ("session.a", "2"),
            ("user.c", "a\"b"),
            ("REQUEST.d", "é"),
        ];
        let expected = r#"{"endUser":{"phoneNumber":12515550130},"variables":{"user":{"B":"1","c":"a\"b"},"session":{"a":"2"},"request":{"d":"é"}}}"#;
        assert_eq!(body(&row), expected);
    }

    #[test]
    fn numbers_are_copied_as_text_and_never_through_a_float() {
        let row = [
            ("phoneNumber", "1234567890123456"),
            ("session.a:number", "12345678901234567890.10"),
            ("session.b:number", " -0 "),
            ("session.c:json", "true"),
            ("session.d:json", "\"\""),
            ("session.e:json", "0.1000"),
        ];
        let expected = r#"{"endUser":{"phoneNumber":1234567890123456},"variables":{"session":{"a":12345678901234567890.10,"b":-0,"c":"true","d":"","e":0.1000}}}"#;
        assert_eq!(body(&row), expected);
    }

    #[test]
    fn a_phone_number_is_written_as_a_string_if_so_set() {
        let rules = Rules { phone_number_json: PhoneNumberJson::String, ..Rules::default() };
        let row = row_from_cells(&cells(&[("phoneNumber", "12515550130")]), &rules).expect("a good row");
        assert_eq!((row.body.as_str(), row.phone), (r#"{"endUser":{"phoneNumber":"12515550130"}}"#, 12_515_550_130));
    }

    #[test]
    fn all_problems_of_a_row_are_told_at_once() {
        let row = [
            ("phoneNumber", "555"),
            ("mobileOperatorId", "AT&T"),
            ("timeZone", "half past nine"),
            ("session.pin", "${af:generatePin(6,true)}"),
            ("session.n:number", "1e5"),
            ("session.x:json", "null"),
        ];
        assert_eq!(row_from_cells(&cells(&row), &Rules::default()).expect_err("a bad row").len(), row.len());
    }

    #[test]
    fn a_row_without_a_phone_number_is_refused() {
        assert_eq!(refused(&[("session.a", "x")]), "not sent: phoneNumber: no phone number");
        assert_eq!(refused(&[("phoneNumber", "")]), "not sent: phoneNumber: no phone number");
    }

    #[test]
    fn a_place_filled_twice_refuses_the_row() {
        for twice in [
            [("phoneNumber", "12515550130"), ("PHONENUMBER", "12515550131")],
            [("session.seat", "a"), ("Session.SEAT:number", "1")],
            [("mobileOperatorId", "383"), ("mobileOperatorId", "383")],
        ] {
            assert!(refused(&twice).contains("set twice"), "{twice:?}");
        }
    }

    #[test]
    fn what_no_cell_can_mend_stays_refused() {
        let row = [("phoneNumber", "12515550130"), (REFUSED_COLUMN, "7 cells, and the header has 8")];
        assert_eq!(refused(&row), "not sent: 7 cells, and the header has 8");
        assert!(refused(&[("phoneNumber", "12515550130"), ("nickname", "x")]).contains("an unknown property"));
        assert!(refused(&[("phoneNumber", "12515550130"), ("sesion.x", "x")]).contains("an unknown scope"));
    }

    #[test]
    fn a_row_is_known_by_what_its_body_asks_for() {
        let string = Rules { phone_number_json: PhoneNumberJson::String, ..Rules::default() };
        for row in [
            vec![("phoneNumber", "12515550130")],
            vec![
                ("phoneNumber", "+1 251 555 0130"),
                ("user.B", "say \"hi\"\\ \r\n\té🛫"),
                ("mobileOperatorId", "383"),
                ("session.n:number", "-0.10"),
                ("session.ab", "x"),
                ("session.a", ""),
                ("session.A1", " y "),
                ("request.c:json", "true"),
                ("request.d:json", "\"\\u00e9\""),
                ("request.e:json", "1.50"),
            ],
        ] {
            for rules in [&Rules::default(), &string] {
                let Ready { body, request_hash: hash, .. } = row_from_cells(&cells(&row), rules).expect("a good row");
                assert_eq!(hash, request_hash(&body), "{body}");
            }
        }
    }

    #[test]
    fn an_allowed_expression_and_a_note_on_non_ascii_go_through() {
        let rules = Rules { expressions: Expressions::AllowedIn(vec!["session.pin".to_owned()]), ..Rules::default() };
        let row = cells(&[("phoneNumber", "'12515550130"), ("session.PIN", "${x}é"), ("timeZone", "America/New_York")]);
        let ready = row_from_cells(&row, &rules).expect("a good row");
        assert_eq!(
            (ready.cleaned, ready.is_non_ascii, ready.time_zone.as_deref()),
            (1, true, Some("America/New_York"))
        );
    }
}
