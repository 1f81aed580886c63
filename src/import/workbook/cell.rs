//! The text of a sheet's cell.

use calamine::{DataRef, ExcelDateTime};

use super::row::CellFault;

/// What a cell comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) enum CellText {
    /// Its text.
    Text(String),
    /// A date, a time or a span of time, in ISO form.
    Date(String),
    /// The text to show of a cell that has none to send, and why.
    Faulty(String, CellFault),
}

impl CellText {
    /// Whether it holds nothing that a person would see.
    pub(in crate::import) fn is_blank(&self) -> bool {
        match self {
            CellText::Text(text) | CellText::Date(text) => text.trim().is_empty(),
            CellText::Faulty(..) => false,
        }
    }
}

/// The text of a cell; `None` of an empty one.
pub(in crate::import) fn cell_text(value: DataRef<'_>) -> Option<CellText> {
    let text = match value {
        DataRef::Empty => return None,
        DataRef::String(text) => CellText::Text(text),
        DataRef::SharedString(text) => CellText::Text(text.to_owned()),
        DataRef::Bool(true) => CellText::Text("TRUE".to_owned()),
        DataRef::Bool(false) => CellText::Text("FALSE".to_owned()),
        #[expect(clippy::cast_precision_loss, reason = "what has more digits than a float keeps is refused")]
        DataRef::Int(number) => number_text(number as f64),
        DataRef::Float(number) => number_text(number),
        DataRef::DateTime(date) => date_text(&date),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => CellText::Date(text),
        // It is refused wherever it is to be sent, as in any table.
        DataRef::Error(error) => CellText::Text(error.to_string()),
    };
    Some(text)
}

/// The first whole number with more digits than a spreadsheet keeps.
const DIGITS_LOST_FROM: f64 = 1e15;

/// A number with the 15 digits that a spreadsheet keeps and shows, without an exponent.
///
/// The digits behind them are what binary fractions leave: `0.1 + 0.2` is stored as `0.30000000000000004`.
fn number_text(number: f64) -> CellText {
    let kept: f64 = format!("{number:.14e}").parse().unwrap_or(f64::NAN);
    if !kept.is_finite() {
        CellText::Faulty(number.to_string(), CellFault::NoNumber)
    } else if kept.abs() >= DIGITS_LOST_FROM {
        CellText::Faulty(number.to_string(), CellFault::LostDigits)
    } else if kept == 0.0 {
        CellText::Text("0".to_owned())
    } else {
        CellText::Text(kept.to_string())
    }
}

/// The first day that is in no spreadsheet's calendar: the year 10000.
const DAYS_END: f64 = 2_958_466.0;

/// `2026-07-01`, `2026-07-01T09:30:00`, or `09:30:00` where no day is given.
fn date_text(date: &ExcelDateTime) -> CellText {
    let days = date.as_f64();
    if !(0.0..DAYS_END).contains(&days) {
        return CellText::Faulty(days.to_string(), CellFault::NoDate);
    }
    if date.is_duration() {
        return CellText::Date(duration_text(days));
    }
    let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
    let has_time = (hour, minute, second, milli) != (0, 0, 0, 0);
    let time = format!("{hour:02}:{minute:02}:{second:02}{}", milli_text(u64::from(milli)));
    CellText::Date(match (days < 1.0, has_time) {
        (true, _) => time,
        (false, true) => format!("{year:04}-{month:02}-{day:02}T{time}"),
        (false, false) => format!("{year:04}-{month:02}-{day:02}"),
    })
}

/// A span of time, which may have more than 24 hours.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the days are within the calendar")]
fn duration_text(days: f64) -> String {
    let millis = (days * 86_400_000.0).round() as u64;
    let (seconds, milli) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{}", milli_text(milli))
}

fn milli_text(milli: u64) -> String {
    if milli == 0 { String::new() } else { format!(".{milli:03}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{CellErrorType, ExcelDateTimeType};

    fn text(text: &str) -> Option<CellText> {
        Some(CellText::Text(text.to_owned()))
    }

    fn date(days: f64, is_duration: bool, is_1904: bool) -> Option<CellText> {
        let kind = if is_duration { ExcelDateTimeType::TimeDelta } else { ExcelDateTimeType::DateTime };
        cell_text(DataRef::DateTime(ExcelDateTime::new(days, kind, is_1904)))
    }

    #[test]
    fn text_stays_as_it_is() {
        for kept in ["00123", "1.25155E+10", "TRUE", " a ", "", "a\r\nb", "2026-07-01"] {
            assert_eq!(cell_text(DataRef::SharedString(kept)), text(kept));
            assert_eq!(cell_text(DataRef::String(kept.to_owned())), text(kept));
        }
        assert_eq!(cell_text(DataRef::Bool(true)), text("TRUE"));
        assert_eq!(cell_text(DataRef::Empty), None);
    }

    #[test]
    fn a_number_has_the_digits_that_the_spreadsheet_shows_and_no_exponent() {
        for (number, shown) in [
            (12_515_550_130.0, "12515550130"),
            (999_999_999_999_999.0, "999999999999999"),
            (-3.0, "-3"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (19.99, "19.99"),
            (0.000_001, "0.000001"),
            (1.25155e10, "12515500000"),
            (1.0 / 3.0, "0.333333333333333"),
        ] {
            assert_eq!(cell_text(DataRef::Float(number)), text(shown), "{number}");
        }
        assert_eq!(cell_text(DataRef::Int(49)), text("49"));
    }

    #[test]
    fn a_number_that_lost_digits_is_faulty() {
        for number in [1e15, 1_234_567_890_123_450.0, 1.25155e20, -1e15] {
            let faulty = CellText::Faulty(number.to_string(), CellFault::LostDigits);
            assert_eq!(cell_text(DataRef::Float(number)), Some(faulty));
        }
        for number in [f64::NAN, f64::INFINITY] {
            let faulty = CellText::Faulty(number.to_string(), CellFault::NoNumber);
            assert_eq!(cell_text(DataRef::Float(number)), Some(faulty));
        }
    }

    #[test]
    fn dates_times_and_spans_are_in_iso_form() {
        for (days, is_duration, is_1904, shown) in [
            (46_204.0, false, false, "2026-07-01"),
            (44_742.0, false, true, "2026-07-01"),
            (46_204.395_833_333_336, false, false, "2026-07-01T09:30:00"),
            (0.395_833_333_333_333_3, false, false, "09:30:00"),
            (0.5, false, true, "12:00:00"),
            (0.0, false, false, "00:00:00"),
            (1.5, true, false, "36:00:00"),
            (0.5 / 86_400.0, true, false, "00:00:00.500"),
            (2_958_465.0, false, false, "9999-12-31"),
        ] {
            assert_eq!(date(days, is_duration, is_1904), Some(CellText::Date(shown.to_owned())), "{days}");
        }
        for days in [-1.0, 2_958_466.0, f64::NAN] {
            let faulty = CellText::Faulty(days.to_string(), CellFault::NoDate);
            assert_eq!(date(days, false, false), Some(faulty));
        }
    }

    #[test]
    fn an_error_has_the_name_that_the_spreadsheet_shows() {
        use CellErrorType::{Div0, NA, Name, Null, Num, Ref, Value};
        for error in [Div0, NA, Name, Null, Num, Ref, Value] {
            let Some(CellText::Text(shown)) = cell_text(DataRef::Error(error)) else { panic!("no text") };
            assert!(crate::validate::is_spreadsheet_error(&shown), "{shown}");
        }
    }
}
