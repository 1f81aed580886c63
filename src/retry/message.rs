//! The texts that are stored with an attempt: what the service said, or what happened instead.

use crate::invocation::{Answer, Finding, Outcome, mask_phone};
use crate::mep::REQUEST_ID_HEADER;

/// The longest text that is stored with an attempt, in characters.
pub const MESSAGE_CHARS_MAX: usize = 500;

/// How much of a body without a readable error text is quoted, in characters: enough for a gateway's headline.
const QUOTE_CHARS_MAX: usize = 200;

/// The text that is stored with an attempt; `None` where the outcome needs none.
pub(super) fn message_of(finding: &Finding, outcome: Outcome) -> Option<String> {
    let text = match finding {
        Finding::Answered(_) if outcome == Outcome::Accepted => return None,
        Finding::Answered(answer) => said(answer),
        Finding::Unreached(how) => format!("not sent: {how}"),
        Finding::Unanswered(no_answer) => no_answer.to_string(),
        Finding::GivenBack(why) => why.to_string(),
        Finding::Refused(why) => why.clone(),
        Finding::Skipped(why) => why.to_string(),
    };
    Some(clean(&text, MESSAGE_CHARS_MAX))
}

/// What an answer says: the service's own text, else the status with what the body begins with.
pub(super) fn said(answer: &Answer) -> String {
    let status = answer.status;
    if let Some(message) = answer.message.as_deref() {
        return clean(message, MESSAGE_CHARS_MAX);
    }
    if status == 202 {
        return format!("HTTP 202 without {REQUEST_ID_HEADER}");
    }
    let quote = clean(&String::from_utf8_lossy(&answer.body), QUOTE_CHARS_MAX);
    if quote.is_empty() { format!("HTTP {status}, without a text") } else { format!("HTTP {status}: {quote}") }
}

/// The text in one line: white space and control characters become single spaces, and it ends with `…` where it is cut.
///
/// Digits in a row that may be a phone number are masked, because these texts go to logs too; the answer itself is kept as
/// it came. NUL would end the text in databases' functions; escape sequences would reach the operator's terminal.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let mut line = masked(&one_line(text));
    if let Some((end, _)) = line.char_indices().nth(chars_max) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The text with a single space for white space and control characters.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The fewest digits in a row that are taken for a phone number: what a service says holds shorter figures.
const LIKE_A_PHONE: usize = 9;

/// Digits of one number stand together; behind a `+` they may stand in groups, which no other figure does.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let is_part = |c: char| c.is_ascii_digit() || (before.ends_with('+') && " -.()".contains(c));
        let run = &from[..from.find(|c| !is_part(c)).unwrap_or(from.len())];
        let run = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        shown.push_str(before);
        if digits.len() < LIKE_A_PHONE {
            shown.push_str(run);
        } else {
            shown.push_str(&mask_phone(&digits));
        }
        rest = &from[run.len()..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_that_the_service_repeats_is_masked() {
        assert_eq!(clean("12515550130 is blocked, see 20261122/7", 90), "1251•••0130 is blocked, see 20261122/7");
        assert_eq!(clean("no digits", 90), "no digits");
        for number in ["+1 (251) 555-0130", "+1.251.555.0130", "+12515550130", "12515550130"] {
            assert!(clean(&format!("for {number}, see (2)"), 90).ends_with("1251•••0130, see (2)"), "{number}");
        }
        assert_eq!(clean("+5 of 2026 (2026-11-22 09:30)", 90), "+5 of 2026 (2026-11-22 09:30)");
    }

    #[test]
    fn a_stored_text_is_one_clean_bounded_line() {
        assert_eq!(clean(" a\0b\r\n\tc\u{1b}[31m\u{85}d ", 50), "a b c [31m d");
        assert_eq!(clean("ééééé", 3), "ééé…");
        assert_eq!(clean("abc", 3), "abc");
        assert_eq!(clean("\0\n", 3), "");
    }

    #[test]
    fn an_answers_text_is_the_services_own_or_its_status_and_body() {
        let answer = |message: Option<&str>, body: &[u8]| Answer {
            status: 502,
            message: message.map(str::to_owned),
            body: body.to_vec(),
            ..Answer::default()
        };
        assert_eq!(said(&answer(Some("no\0luck"), b"{}")), "no luck");
        assert_eq!(said(&answer(None, b"<h1>Bad\nGateway</h1>\xff")), "HTTP 502: <h1>Bad Gateway</h1>\u{fffd}");
        assert_eq!(said(&answer(None, b"")), "HTTP 502, without a text");
        assert!(said(&answer(None, &[b'x'; 4096])).chars().count() < 220);
        assert_eq!(said(&Answer { status: 202, ..Answer::default() }), "HTTP 202 without x-request-id");
    }
}
