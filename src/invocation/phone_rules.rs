//! How the phone numbers of a batch are read: which country code they lack, and which countries they may be of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an operator says of a batch's phone numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PhoneRules {
    /// Which numbers lack their country code; `None`: none is put before any.
    pub national: Option<National>,
    /// The codes that a number may begin with; empty: any.
    pub only_countries: Vec<CallingCode>,
}

/// Numbers as they are written within one country: of one length, and without its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct National {
    /// The code that is put before them.
    pub code: CallingCode,
    /// How many digits they have without it.
    pub length: NationalLength,
}

/// The code with which a country's numbers begin: 1 to 3 digits, the first of them not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallingCode(u16);

/// How many digits a number has without its country code: 4 to 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct NationalLength(u8);

/// A text that is no country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a country code of 1 to 3 digits without a leading 0, as in `1` or `44`")]
pub struct NoCallingCode;

/// A number that is no length of a national number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 4 to 12 digits")]
pub struct NoNationalLength;

/// The first three digits of a number tell its country.
const CODE_DIGITS_MAX: u32 = 3;

impl PhoneRules {
    /// What a number of that many digits is completed by, if it is one without a country code.
    #[must_use]
    pub fn national_of(&self, digits: usize) -> Option<National> {
        self.national.filter(|national| usize::from(national.length.0) == digits)
    }

    /// Whether a number may be sent to, by the code that it begins with.
    #[must_use]
    pub fn allow(&self, number: u64) -> bool {
        self.only_countries.is_empty() || self.only_countries.iter().any(|code| code.begins(number))
    }
}

impl National {
    /// The number with the code before it.
    #[must_use]
    pub fn complete(self, number: u64) -> u64 {
        u64::from(self.code.0) * 10_u64.pow(u32::from(self.length.0)) + number
    }
}

impl CallingCode {
    /// Whether the number begins with it.
    #[must_use]
    pub fn begins(self, number: u64) -> bool {
        let unread = CODE_DIGITS_MAX - self.digits();
        first_digits(number) / 10_u16.pow(unread) == self.0
    }

    /// How many digits it has.
    #[must_use]
    pub fn digits(self) -> u32 {
        self.0.ilog10() + 1
    }
}

/// The code that a number begins with, by the ITU's plan (E.164); one that no country has is told by its three digits.
///
/// The number is one as it is sent: 6 to 16 digits.
#[must_use]
pub fn calling_code(number: u64) -> CallingCode {
    let first = first_digits(number);
    CallingCode(match (first / 100, first / 10) {
        (one @ (1 | 7), _) => one,
        (
            _,
            two @ (20 | 27 | 30..=34 | 36 | 39..=41 | 43..=49 | 51..=58 | 60..=66 | 81 | 82 | 84 | 86 | 90..=95 | 98),
        ) => two,
        (_, _) => first,
    })
}

/// As many digits of a number's beginning as a country code can have.
fn first_digits(number: u64) -> u16 {
    let number = number.max(1); // 0 is no number, and has no logarithm
    let unread = number.ilog10().saturating_sub(CODE_DIGITS_MAX - 1);
    u16::try_from(number / 10_u64.pow(unread)).unwrap_or(u16::MAX)
}

impl FromStr for CallingCode {
    type Err = NoCallingCode;

    fn from_str(text: &str) -> Result<Self, NoCallingCode> {
        let is_code = (1..=CODE_DIGITS_MAX as usize).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !text.starts_with('0');
        let code = if is_code { text.parse().ok() } else { None };
        code.map(CallingCode).ok_or(NoCallingCode)
    }
}

impl fmt::Display for CallingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for CallingCode {
    type Error = NoCallingCode;

    fn try_from(text: String) -> Result<Self, NoCallingCode> {
        text.parse()
    }
}

impl From<CallingCode> for String {
    fn from(code: CallingCode) -> String {
        code.to_string()
    }
}

impl FromStr for NationalLength {
    type Err = NoNationalLength;

    fn from_str(text: &str) -> Result<Self, NoNationalLength> {
        text.parse::<u8>().map_err(|_| NoNationalLength)?.try_into()
    }
}

impl fmt::Display for NationalLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u8> for NationalLength {
    type Error = NoNationalLength;

    fn try_from(digits: u8) -> Result<Self, NoNationalLength> {
        if (4..=12).contains(&digits) { Ok(NationalLength(digits)) } else { Err(NoNationalLength) }
    }
}

impl From<NationalLength> for u8 {
    fn from(length: NationalLength) -> u8 {
        length.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> CallingCode {
        text.parse().expect("a country code")
    }

    #[test]
    fn a_code_has_one_to_three_digits_and_no_leading_0() {
        for good in ["1", "44", "353"] {
            assert_eq!(code(good).to_string(), good);
        }
        for bad in ["", "0", "01", "+1", "1234", "1x", " 1", "١"] {
            assert_eq!(bad.parse::<CallingCode>(), Err(NoCallingCode), "{bad}");
        }
    }

    #[test]
    fn a_national_number_has_4_to_12_digits() {
        for (text, is_length) in [("3", false), ("4", true), ("12", true), ("13", false), ("ten", false), ("", false)] {
            assert_eq!(text.parse::<NationalLength>().is_ok(), is_length, "{text}");
        }
    }

    #[test]
    fn a_number_tells_its_country_by_one_two_or_three_digits() {
        for (number, expected) in [
            (12_515_550_130, "1"),
            (79_991_234_567, "7"),
            (201_001_234_567, "20"),
            (212_612_345_678, "212"),
            (2_515_550_130, "251"),
            (27_821_234_567, "27"),
            (353_851_234_567, "353"),
            (393_331_234_567, "39"),
            (420_601_123_456, "420"),
            (447_700_900_123, "44"),
            (5_015_550_130, "501"),
            (5_115_550_130, "51"),
            (596_696_123_456, "596"),
            (6_721_234_567, "672"),
            (8_001_234_567, "800"),
            (85_212_345_678, "852"),
            (8_612_345_678_901, "86"),
            (9_612_345_678, "961"),
            (9_876_543_210, "98"),
            (123_456, "1"),
            (9_999_999_999_999_999, "999"),
        ] {
            assert_eq!(calling_code(number).to_string(), expected, "{number}");
        }
    }

    #[test]
    fn a_number_is_of_a_country_if_it_begins_with_its_code() {
        let rules = PhoneRules { only_countries: vec![code("1"), code("44"), code("353")], ..PhoneRules::default() };
        for (number, is_allowed) in [
            (12_515_550_130, true),
            (447_700_900_123, true),
            (353_851_234_567, true),
            (351_851_234_567, false),
            (457_700_900_123, false),
            (2_515_550_130, false),
        ] {
            assert_eq!(rules.allow(number), is_allowed, "{number}");
        }
        assert!(PhoneRules::default().allow(2_515_550_130));
    }

    #[test]
    fn the_code_is_put_before_a_number_of_that_length_alone() {
        let length = 10.try_into().expect("a length");
        let rules = PhoneRules { national: Some(National { code: code("353"), length }), ..PhoneRules::default() };
        assert_eq!(rules.national_of(10).map(|national| national.complete(2_515_550_130)), Some(3_532_515_550_130));
        assert_eq!((rules.national_of(9), rules.national_of(11)), (None, None));
    }

    #[test]
    fn rules_read_back_as_they_were_written() {
        let national = National { code: code("1"), length: 10.try_into().expect("a length") };
        let rules = PhoneRules { national: Some(national), only_countries: vec![code("1"), code("44")] };
        let text = serde_json::to_string(&rules).expect("plain data");
        assert_eq!(text, r#"{"national":{"code":"1","length":10},"onlyCountries":["1","44"]}"#);
        assert_eq!(serde_json::from_str::<PhoneRules>(&text).expect("the same data"), rules);
        assert_eq!(serde_json::from_str::<PhoneRules>("{}").expect("all defaults"), PhoneRules::default());
        for bad in [r#"{"national":{"code":"01","length":10}}"#, r#"{"national":{"code":"1","length":3}}"#] {
            assert!(serde_json::from_str::<PhoneRules>(bad).is_err(), "{bad}");
        }
    }
}
