//! Numbers, shares, durations, times and others' texts, as people read them on a page.

use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use crate::invocation::{UnixMillis, is_steering};
pub use crate::invocation::{about, counted, grouped};

/// A part of a whole: `99.85 %`. Never `0 %` of something that is there, never `100 %` where some is missing.
#[must_use]
pub fn share(part: i64, whole: i64) -> String {
    if whole <= 0 || part == 0 {
        return "0 %".to_owned();
    }
    if part == whole {
        return "100 %".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        percent if percent < 0.01 => "< 0.01 %".to_owned(),
        percent if percent > 99.99 && part < whole => "> 99.99 %".to_owned(),
        percent if !(10.0..90.0).contains(&percent) => format!("{percent:.2} %"),
        percent => format!("{percent:.1} %"),
    }
}

/// A rate with as many digits as say something: `1,250`, `48`, `2.5`, `0.02`.
#[must_use]
pub fn rate(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a rate is far below the largest number, and ends there")]
    let whole = rate.round() as i64;
    match rate {
        rate if rate >= 9.95 => grouped(whole),
        rate if rate >= 0.95 => trimmed(&format!("{rate:.1}")),
        rate => trimmed(&format!("{rate:.2}")),
    }
}

/// Milliseconds as a duration: `45 ms`, `1.25 s`, `2 min`.
#[must_use]
pub fn millis(ms: u32) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{} s", trimmed(&format!("{:.2}", f64::from(ms) / 1_000.0))),
        _ => about(Duration::from_millis(u64::from(ms))),
    }
}

/// A length of time that is given in whole seconds, as what is counted within it is called: `second`, `5 minutes`, `day`.
#[must_use]
pub fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        seconds if seconds % 86_400 == 0 => (seconds / 86_400, "day"),
        seconds if seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
        seconds if seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    if count == 1 { unit.to_owned() } else { counted(count.unsigned_abs(), unit) }
}

/// A moment to the second, with its zone: `2026-11-29 10:33:20 UTC`.
#[must_use]
pub fn moment(at: UnixMillis) -> String {
    told(at, "%Y-%m-%d %H:%M:%S UTC")
}

/// The same, where the page has said that its times are in UTC: `2026-11-29 10:33:20`.
#[must_use]
pub fn moment_bare(at: UnixMillis) -> String {
    told(at, "%Y-%m-%d %H:%M:%S")
}

/// A moment for people, with what a program reads: `<time datetime="…">`.
#[must_use]
pub fn time(at: UnixMillis) -> Markup {
    html! { time.nowrap datetime=(at) { (moment_bare(at)) } }
}

/// The day of a moment: `29 November 2026`.
#[must_use]
pub fn day(at: UnixMillis) -> String {
    told(at, "%-d %B %Y")
}

/// A text of somebody else's, set apart so that nothing in it turns what stands around it: what would steer a screen is shown as
/// its escape.
#[must_use]
pub fn theirs(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

/// Likewise, as plain text: for attributes, titles, and texts of charts.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_steering(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// A moment by a pattern of `strftime`, in UTC.
pub(super) fn told(at: UnixMillis, pattern: &str) -> String {
    match Timestamp::from_millisecond(at.0) {
        Ok(timestamp) => timestamp.strftime(pattern).to_string(),
        Err(_) => at.to_string(),
    }
}

/// A decimal without the zeros that say nothing.
fn trimmed(decimal: &str) -> String {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        decimal.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        for (part, whole, told) in [
            (0, 48_000, "0 %"),
            (48_000, 48_000, "100 %"),
            (47_930, 48_000, "99.85 %"),
            (1, 5_000_000, "< 0.01 %"),
            (4_999_999, 5_000_000, "> 99.99 %"),
            (1, 3, "33.3 %"),
            (5, 0, "0 %"),
        ] {
            assert_eq!(share(part, whole), told, "{part} of {whole}");
        }
    }

    #[test]
    fn a_rate_has_the_digits_that_say_something() {
        let told = [0.0, 0.023, 0.5, 2.0, 2.54, 9.99, 48.4, 1_250.0].map(rate);
        assert_eq!(told, ["0", "0.02", "0.5", "2", "2.5", "10", "48", "1,250"]);
    }

    #[test]
    fn durations_and_spans_are_told_in_the_units_that_fit() {
        assert_eq!(
            [0, 45, 1_000, 1_250, 60_000, 120_000].map(millis),
            ["0 ms", "45 ms", "1 s", "1.25 s", "60 s", "2 min"]
        );
        assert_eq!(
            [1, 30, 60, 600, 3_600, 86_400].map(span),
            ["second", "30 seconds", "minute", "10 minutes", "hour", "day"]
        );
    }

    #[test]
    fn a_time_is_told_to_the_second_in_utc() {
        let at = UnixMillis(1_795_000_000_123);
        assert_eq!(moment(at), "2026-11-18 11:06:40 UTC");
        assert_eq!(day(at), "18 November 2026");
        let tag = "<time class=\"nowrap\" datetime=\"2026-11-18T11:06:40.123Z\">2026-11-18 11:06:40</time>";
        assert_eq!(time(at).into_string(), tag);
    }

    #[test]
    fn what_somebody_else_says_is_text_and_steers_nothing() {
        let hostile = "<script>x</script>\u{202e}\u{1b}[2J&\"";
        let shown = theirs(hostile).into_string();
        assert_eq!(shown, "<bdi>&lt;script&gt;x&lt;/script&gt;\\u{202e}\\u{1b}[2J&amp;&quot;</bdi>");
    }
}
