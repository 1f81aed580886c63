//! The flags that say what a column is, as they would be typed.

use std::borrow::Cow;

use crate::validate::is_like_a_phone;

/// `--map 'Mobile=phoneNumber'`; `HEADER` stands for one that cannot be typed or shown.
pub(in crate::import) fn map_flag(header: &str, target: &str) -> String {
    flag("--map", &in_quotes(&format!("{}={target}", typed(header))))
}

/// `--ignore Note`.
pub(in crate::import) fn ignore_flag(header: &str) -> String {
    let header = typed(header);
    let is_plain = header.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    flag("--ignore", &if is_plain { header.into_owned() } else { in_quotes(&header) })
}

/// A value that begins with a dash would be taken for another flag.
fn flag(name: &str, value: &str) -> String {
    let between = if value.trim_start_matches('\'').starts_with('-') { '=' } else { ' ' };
    format!("{name}{between}{value}")
}

/// Whether a header can be typed, and be shown on a screen.
pub(in crate::import) fn can_be_typed(header: &str) -> bool {
    let header = in_one_line(header);
    !header.is_empty() && !header.chars().any(char::is_control) && !is_like_a_phone(&header)
}

fn typed(header: &str) -> Cow<'_, str> {
    if can_be_typed(header) { in_one_line(header).into() } else { "HEADER".into() }
}

/// A header as it is typed and kept: a line break inside a cell is a space, which maps the same.
#[must_use]
pub fn in_one_line(header: &str) -> String {
    header.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell.
fn in_quotes(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_quoted_for_a_shell() {
        assert_eq!(map_flag("Phone\nnumber", "phoneNumber"), "--map 'Phone number=phoneNumber'");
        assert_eq!(map_flag(" Mobile ", "phoneNumber"), "--map 'Mobile=phoneNumber'");
        assert_eq!(map_flag("Guest's no.", "session.a"), r"--map 'Guest'\''s no.=session.a'");
        assert_eq!(ignore_flag("Note"), "--ignore Note");
        assert_eq!(ignore_flag("Name, first"), "--ignore 'Name, first'");
        assert_eq!(ignore_flag("-x"), "--ignore=-x");
        assert_eq!(map_flag("-x", "session.x"), "--map='-x=session.x'");
    }

    #[test]
    fn a_number_for_a_header_is_not_repeated() {
        assert_eq!(ignore_flag("12515550130"), "--ignore HEADER");
        assert_eq!(map_flag("a\u{7}", "session.a"), "--map 'HEADER=session.a'");
    }
}
