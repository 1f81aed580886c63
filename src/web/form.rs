//! What a form sends, in an address or in a body: names and values, as they were typed.

use percent_encoding::percent_decode_str;

/// Names and values that are looked at: more than any form here has.
const PAIRS_MAX: usize = 64;

/// The names and values of a text such as `state=failed&after=50`.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .take(PAIRS_MAX)
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_read() {
        let expected = [("a", "1 2"), ("b", "x=y"), ("ü", "&"), ("c", "")];
        let read = pairs("a=1+2&&b=x%3Dy&%C3%BC=%26&c");
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs("a=%ff%zz"), [("a".to_owned(), "\u{fffd}%zz".to_owned())]);
    }
}
