//! The addresses of the pages. A name may hold anything; in an address it is one step of a path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in an address.
const STEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// What is put before a name of dots alone: browsers take `..` for the step before. It is in no batch's name.
const DOTS: char = '~';

/// Of a batch.
pub(super) fn batch(name: &str) -> String {
    let dots = if name.chars().all(|c| c == '.') { DOTS.to_string() } else { String::new() };
    format!("/batch/{dots}{}", utf8_percent_encode(name, STEP))
}

/// Of a batch's row.
pub(super) fn row(name: &str, line: u32) -> String {
    format!("{}/{line}", batch(name))
}

/// The name of a batch that stands in an address, decoded.
pub(super) fn batch_name(step: &str) -> String {
    step.strip_prefix(DOTS).filter(|rest| rest.chars().all(|c| c == '.')).unwrap_or(step).to_owned()
}

/// A page of this server, whatever an address says: two slashes at its beginning would lead to another.
pub(super) fn within(address: &str) -> String {
    let path = address.trim_start_matches(['/', '\\']);
    let is_plain = path.chars().all(|c| c.is_ascii_graphic());
    if is_plain { format!("/{path}") } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_step_and_is_found_again() {
        for name in ["flights", "a/b", "50 %", "\"x\"", "<b>", "..", ".", "ü?#&"] {
            let address = batch(name);
            let step = address.strip_prefix("/batch/").expect("below the batches");
            assert!(!step.contains(['/', '?', '#', '"', '<', ' ', '&']) && step != ".." && step != ".", "{address}");
            let decoded = percent_encoding::percent_decode_str(step).decode_utf8().expect("text");
            assert_eq!(batch_name(&decoded), name);
        }
        assert_eq!(row("spring-2026", 7), "/batch/spring-2026/7");
    }

    #[test]
    fn an_address_leads_to_no_other_server() {
        assert_eq!(within("/batch/a?state=failed"), "/batch/a?state=failed");
        for (foreign, ours) in [("//evil.example/", "/evil.example/"), ("\\\\evil", "/evil"), ("", "/")] {
            assert_eq!(within(foreign), ours);
        }
        assert_eq!(within("/a\r\nSet-Cookie: x"), "/");
    }
}
