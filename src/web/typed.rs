//! Commands as they have to be typed: where the queue was named by a flag, each on a page names it too.

use maud::{Markup, PreEscaped, html};

use crate::report::is_command_of_queue;

/// How a command begins where it is set word by word, and where it is set as one text or line.
const BEGINNINGS: [&str; 3] =
    ["<code><span class=\"nowrap\">mep-batch</span> ", "<code>mep-batch ", "<span class=\"typed\">mep-batch "];

/// A page with its commands as they have to be typed: `database` is a word for a shell, where a flag has named the queue.
pub(super) fn whole(page: Markup, database: Option<&str>) -> Markup {
    match database {
        Some(database) => PreEscaped(with_database(&page.0, database)),
        None => page,
    }
}

/// Puts the flag into each command of a rendered page that works on a queue.
///
/// Nobody else's text is changed: the characters of an element are escaped in it.
fn with_database(page: &str, database: &str) -> String {
    let flag = html! { "--db " span.nowrap { (database) } " " }.into_string();
    let mut whole = String::with_capacity(page.len() + 512);
    let mut rest = page;
    while let Some((at, beginning)) = first(rest) {
        let (before, after) = rest.split_at(at + beginning.len());
        whole.push_str(before);
        if is_command_of_queue(after.strip_prefix("<span class=\"nowrap\">").unwrap_or(after)) {
            whole.push_str(&flag);
        }
        rest = after;
    }
    whole.push_str(rest);
    whole
}

/// The first command of a text, and how it begins.
fn first(text: &str) -> Option<(usize, &'static str)> {
    BEGINNINGS.into_iter().filter_map(|beginning| Some((text.find(beginning)?, beginning))).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::layout::command;
    use crate::web::words::theirs;

    #[test]
    fn each_command_of_a_page_names_the_queue_and_no_other_text_does() {
        let page = html! {
            p { (command("mep-batch run a")) " or " code { "mep-batch resolve" } }
            p { (command("mep-batch serve")) (theirs("<code>mep-batch run a")) }
        };
        let whole = with_database(&page.clone().into_string(), "'/a b/<q>.db'");
        let flag = "--db <span class=\"nowrap\">'/a b/&lt;q&gt;.db'</span> ";
        assert_eq!(whole.matches(flag).count(), 2, "{whole}");
        assert_eq!(whole.replace(flag, ""), page.into_string());
        assert!(whole.contains(&format!("<code>mep-batch {flag}resolve")), "{whole}");
    }
}
