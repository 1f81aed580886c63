//! The text of a variable.

use crate::mep::is_value_char;

use super::fault::Fault;
use super::rules::Rules;

/// What a value that passed is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueTraits {
    /// Whether JSON writes it as it is.
    pub(super) is_plain: bool,
    /// Whether it passed although it is outside ASCII.
    pub(super) is_non_ascii: bool,
}

/// Holds a value's text against the rules; `name` gives the variable's name and is asked only where `${` is found.
pub(super) fn check_value(text: &str, rules: &Rules, name: impl FnOnce() -> String) -> Result<ValueTraits, Fault> {
    let classes = text.bytes().fold(0, |found, byte| found | CLASSES[usize::from(byte)]);
    let is_non_ascii = classes & NON_ASCII != 0;
    // Bytes are no fewer than characters: the slow count is needed only for a text that is near the bound.
    match rules.bounds.value_length_max {
        Some(max) if text.len() > max && text.chars().count() > max => {
            return Err(too_long(max).under(max..text.chars().count()));
        }
        Some(_) | None => {}
    }
    if (classes & CONTROL != 0 || is_non_ascii)
        && let Some(at) = text.chars().position(|c| !is_value_char(c))
    {
        return Err(Fault::new(
            "an invisible control character",
            "delete it, or clean the column (in Excel: `=CLEAN(A2)`); of such characters only tabs and line ends pass",
        )
        .under(at..at + 1));
    }
    if is_non_ascii && rules.ascii_only {
        let at = text.chars().take_while(char::is_ascii).count();
        let fault = Fault::new(
            "a character outside ASCII",
            "replace it by a plain letter or sign, or leave out `--ascii-only`",
        );
        return Err(fault.under(at..at + 1));
    }
    if classes & DOLLAR != 0
        && let Some((before, expression)) = text.split_once("${")
        && let name = name()
        && !rules.expressions.allowed_in(&name)
    {
        let at = before.chars().count();
        let length = expression.find('}').map_or(expression, |end| &expression[..=end]).chars().count();
        return Err(Fault::new(
            "an expression: the platform would run the text after `${`",
            format!("take it out; or, if the platform is to run it, `--allow-expressions={name}` lets it pass"),
        )
        .under(at..at + "${".len() + length));
    }
    Ok(ValueTraits { is_plain: classes & ESCAPED == 0, is_non_ascii })
}

/// Appends a text as a JSON string.
pub(super) fn push_json_string(out: &mut String, text: &str, is_plain: bool) {
    out.push('"');
    if is_plain {
        out.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c => out.push(c),
            }
        }
    }
    out.push('"');
}

pub(super) fn too_long(max: usize) -> Fault {
    Fault::new(
        format!("longer than {max} characters, which is this tool's limit and not the vendor's"),
        "shorten it, or raise `value_length_max` under `[contract]` in mep-batch.toml",
    )
}

const ESCAPED: u8 = 1;
const CONTROL: u8 = 2;
const NON_ASCII: u8 = 4;
const DOLLAR: u8 = 8;

/// What each byte asks of a value, so that an ordinary text is judged in one quick pass.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte: u8 = 0;
    loop {
        classes[byte as usize] = match byte {
            b'\t' | b'\n' | b'\r' | b'"' | b'\\' => ESCAPED,
            0..0x20 | 0x7f => CONTROL,
            b'$' => DOLLAR,
            0x80.. => NON_ASCII,
            0x20..0x7f => 0,
        };
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Expressions;
    use crate::mep::Bounds;

    #[test]
    fn a_fault_names_the_characters_at_fault() {
        let ascii_only = Rules { ascii_only: true, ..Rules::default() };
        for (text, span) in
            [("é ${x} y", 2..6), ("ab\u{7}", 2..3), ("né", 1..2), (&"é".repeat(256), 255..256), ("${x", 0..3)]
        {
            let rules = if text == "né" { &ascii_only } else { &Rules::default() };
            assert_eq!(check_value(text, rules, String::new).map_err(|fault| fault.span), Err(Some(span)), "{text}");
        }
    }

    fn judged(text: &str, rules: &Rules) -> Result<ValueTraits, String> {
        check_value(text, rules, || "session.pin".to_owned()).map_err(|fault| fault.reason.into_owned())
    }

    #[test]
    fn the_length_is_counted_on_the_raw_text_in_characters() {
        let pin = "${af:generatePin(6,true)}";
        let at_most = |max| Rules {
            bounds: Bounds { value_length_max: Some(max), ..Bounds::default() },
            expressions: Expressions::Allowed,
            ..Rules::default()
        };
        assert!(judged(pin, &at_most(25)).is_ok());
        assert!(judged(pin, &at_most(24)).is_err());
        assert!(judged("ééé", &at_most(3)).is_ok());
        assert!(judged("ééé", &at_most(2)).is_err());
        let off = Rules { bounds: Bounds { value_length_max: None, ..Bounds::default() }, ..Rules::default() };
        assert!(judged(&"x".repeat(100_000), &off).is_ok());
        assert!(judged(&"x".repeat(255), &Rules::default()).is_ok());
        assert!(judged(&"x".repeat(256), &Rules::default()).is_err_and(|reason| reason.contains("not the vendor's")));
    }

    #[test]
    fn control_characters_are_refused_except_tab_and_line_ends() {
        for good in ["a\tb", "a\r\nb", "emoji 🛫", "quote \" and \\", "$5 {x}", "a\u{2028}b"] {
            assert!(judged(good, &Rules::default()).is_ok(), "{good:?}");
        }
        for bad in ["\0", "a\u{1b}[0m", "\u{7f}", "\u{85}", "\u{9f}é"] {
            assert!(judged(bad, &Rules::default()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_expression_passes_only_where_it_is_allowed() {
        let rules = |expressions| Rules { expressions, ..Rules::default() };
        assert!(judged("${x}", &rules(Expressions::Refused)).is_err());
        assert!(judged("a ${", &rules(Expressions::AllowedIn(vec!["session.other".to_owned()]))).is_err());
        assert!(judged("${x}", &rules(Expressions::AllowedIn(vec!["session.pin".to_owned()]))).is_ok());
        assert!(judged("$ {x}", &rules(Expressions::Refused)).is_ok());
    }

    #[test]
    fn non_ascii_passes_with_a_note_unless_it_is_refused() {
        let ascii_only = Rules { ascii_only: true, ..Rules::default() };
        assert_eq!(judged("né", &Rules::default()).map(|traits| traits.is_non_ascii), Ok(true));
        assert!(judged("né", &ascii_only).is_err());
        assert!(judged("ne", &ascii_only).is_ok());
    }

    #[test]
    fn an_escaped_text_reads_back_as_itself() {
        for text in ["plain", "\"", "\\", "a\r\n\tb", "é🛫", ""] {
            let traits = judged(text, &Rules::default()).expect("a good value");
            let mut json = String::new();
            push_json_string(&mut json, text, traits.is_plain);
            assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);
        }
    }
}
