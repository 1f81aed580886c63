//! The known word that an unknown one is most like.

use strsim::{jaro_winkler, normalized_damerau_levenshtein};

/// How much alike two words have to be, from 0 to 1: a suggestion that is far off sends people the wrong way.
const LIKENESS_MIN: f64 = 0.8;

/// How much alike `rejected-max` and `max-rejected` are.
const SAME_WORDS: f64 = 0.9;

/// The known word that is most like the unknown one, if any is like it.
pub(in crate::cli) fn closest<'a, T: AsRef<str>>(unknown: &str, known: &'a [T]) -> Option<&'a T> {
    let likeness = |word: &T| {
        let word = word.as_ref();
        let part = if shares_words(word, unknown) { SAME_WORDS } else { 0.0 };
        part.max(normalized_damerau_levenshtein(word, unknown)).max(jaro_winkler(word, unknown) - 0.01)
    };
    let near = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    Some(near).filter(|near| likeness(near) >= LIKENESS_MIN)
}

fn shares_words(word: &str, unknown: &str) -> bool {
    let words =
        |text: &str| text.split(['-', '_']).filter(|word| word.len() > 3).map(str::to_owned).collect::<Vec<_>>();
    let unknown = words(unknown);
    !unknown.is_empty() && unknown.iter().all(|wanted| words(word).contains(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mistyped_is_found_and_what_is_no_word_is_not() {
        let known = ["rate", "retry-max", "retry-initial", "max-rejected", "concurrency", "map", "mapping", "color"];
        for (unknown, near) in [
            ("rat", Some("rate")),
            ("raet", Some("rate")),
            ("rates", Some("rate")),
            ("retrymax", Some("retry-max")),
            ("rejected-max", Some("max-rejected")),
            ("concurency", Some("concurrency")),
            ("mappings", Some("mapping")),
            ("colour", Some("color")),
            ("initial", Some("retry-initial")),
            ("xyzzy", None),
            ("password", None),
            ("", None),
        ] {
            assert_eq!(closest(unknown, &known).copied(), near, "{unknown}");
        }
    }
}
