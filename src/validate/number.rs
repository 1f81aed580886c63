//! Numbers, which are copied as text: a float would change them.

use crate::mep::{Bounds, MOBILE_OPERATOR_ID_MAX};

use super::fault::Fault;

/// Whether the text is a JSON integer or decimal, without an exponent.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(all_digits)
}

/// Holds a variable's number against the rules.
pub(super) fn check_number(text: &str, bounds: &Bounds) -> Result<(), Fault> {
    if !is_decimal(text) {
        let fault = Fault::new(
            "no number: expected an integer or a decimal such as `49` or `-0.5`",
            "write digits and a point only (in Excel: Format Cells → Number, no 1000 separator); or drop `:number` from the \
             header, and it is sent as a text",
        );
        let at = text.chars().position(|c| !c.is_ascii_digit() && !matches!(c, '-' | '.'));
        return Err(match at {
            Some(at) => fault.under(at..at + 1),
            None => fault,
        });
    }
    match bounds.value_length_max {
        Some(max) if text.len() > max => Err(super::value::too_long(max)),
        Some(_) | None => Ok(()),
    }
}

/// Reads a mobile operator's ID.
pub(super) fn operator_id(text: &str) -> Result<u64, Fault> {
    let well_formed = is_decimal(text) && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = if well_formed { text.parse().ok() } else { None };
    id.filter(|id| (1..=MOBILE_OPERATOR_ID_MAX).contains(id)).ok_or_else(|| {
        Fault::new(
            "no operator ID: expected a positive integer such as `383`",
            "write the operator's number, or empty the cell if it is not known",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_decimals_are_numbers_and_nothing_else_is() {
        for good in ["0", "49", "-1", "0.50", "-0.5", "123456789012345678901234567890", "10.00"] {
            assert_eq!(check_number(good, &Bounds::default()), Ok(()), "{good}");
        }
        for bad in ["", "-", "+1", "01", "1.", ".5", "1e5", "1,5", "1 000", "0x1", "NaN", "Infinity", "１"] {
            assert!(check_number(bad, &Bounds::default()).is_err(), "{bad}");
        }
        assert!(check_number(&"1".repeat(256), &Bounds::default()).is_err());
    }

    #[test]
    fn an_operator_id_is_a_positive_integer() {
        assert_eq!(operator_id("383"), Ok(383));
        assert_eq!(operator_id("9007199254740991"), Ok(MOBILE_OPERATOR_ID_MAX));
        for bad in ["", "0", "-1", "383.0", "0383", "AT&T", "9007199254740992", "99999999999999999999"] {
            assert!(operator_id(bad).is_err(), "{bad}");
        }
    }
}
