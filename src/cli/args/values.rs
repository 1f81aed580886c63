//! Values of flags that no other module has a type for.

use std::path::PathBuf;
use std::time::Duration;

use crate::import;
use crate::invocation::{BATCH_NAME_LENGTH_MAX, is_batch_name_char};
use crate::mep::PhoneNumberJson;

/// A bound that may be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct OffOr(pub(in crate::cli) Option<usize>);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) struct RateArg(pub(in crate::cli) Option<f64>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct VendorRetryArg(pub(in crate::cli) Option<Duration>);

pub(super) fn parse_off_or_number(text: &str) -> Result<OffOr, String> {
    if text == "off" {
        return Ok(OffOr(None));
    }
    match text.parse() {
        Ok(number) if number > 0 => Ok(OffOr(Some(number))),
        Ok(_) | Err(_) => Err("expected a positive number or `off`".to_owned()),
    }
}

pub(super) fn parse_phone_number_json(text: &str) -> Result<PhoneNumberJson, String> {
    match text {
        "number" => Ok(PhoneNumberJson::Number),
        "string" => Ok(PhoneNumberJson::String),
        _ => Err("expected `number` or `string`".to_owned()),
    }
}

pub(super) fn parse_rate(text: &str) -> Result<RateArg, String> {
    if text == "unlimited" {
        return Ok(RateArg(None));
    }
    parse_positive_rate(text).map(|rate| RateArg(Some(rate))).map_err(|error| format!("{error} or `unlimited`"))
}

pub(super) fn parse_line(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(line) if line > 0 => Ok(line),
        Ok(_) | Err(_) => Err("expected a line of the file: a number from 1 on".to_owned()),
    }
}

pub(super) fn parse_positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        Ok(_) | Err(_) => Err("expected requests a second (`10`, `0.5`)".to_owned()),
    }
}

pub(super) fn parse_vendor_retry(text: &str) -> Result<VendorRetryArg, String> {
    if text == "never" {
        return Ok(VendorRetryArg(None));
    }
    let time =
        humantime::parse_duration(text).map_err(|error| format!("expected a time (`15m`) or `never`: {error}"))?;
    Ok(VendorRetryArg(Some(time)))
}

/// A bare `0` is a time too: it is what scripts say most.
pub(super) fn parse_time_or_0(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { parse_time(text) }
}

pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("expected a time (`500ms`, `90s`, `5m`, `24h`): {error}"))
}

/// A path that means the same file wherever the next command is typed.
pub(super) fn parse_absolute(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|error| error.to_string())
}

pub(super) fn parse_batch_name(text: &str) -> Result<String, String> {
    let well_formed = text.chars().all(is_batch_name_char);
    if well_formed && (1..=BATCH_NAME_LENGTH_MAX).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected 1 to {BATCH_NAME_LENGTH_MAX} letters, digits, `.`, `_` or `-`"))
    }
}

pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    import::check_reason(text).map(|()| text.to_owned()).map_err(|fault| fault.reason)
}

pub(super) fn parse_request_id(text: &str) -> Result<String, String> {
    import::check_request_id(text).map(|()| text.to_owned()).map_err(|fault| fault.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_positive_number_or_unlimited() {
        assert_eq!(parse_rate("0.5"), Ok(RateArg(Some(0.5))));
        assert_eq!(parse_rate("unlimited"), Ok(RateArg(None)));
        for bad in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }
}
