//! What every page has: its head, its one style, and the few pieces that it is put together from.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::words;
use crate::report::Lacks;

/// The style of every page.
pub const STYLE: &str = include_str!("style.css");

/// Where a page finds its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style<'a> {
    /// In itself: a file that is handed on needs nothing else, and is allowed nothing else.
    Within,
    /// At this path of its server.
    At(&'a str),
}

/// A whole page. `more` stands in its head, behind the style; `body` between the link that skips to it and the end.
#[must_use]
pub fn page(title: &str, style: Style<'_>, more: &Markup, header: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (title) }
                @match style {
                    Style::Within => {
                        meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                        style { (PreEscaped(STYLE)) }
                    }
                    Style::At(path) => { link rel="stylesheet" href=(path); }
                }
                (more)
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                div.page {
                    header { (header) }
                    main id="main" tabindex="-1" { (body) }
                }
            }
        }
    }
}

/// A box in which something wide is moved sideways, by keys too.
#[must_use]
pub fn scroll(label: &str, content: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(label) { (content) } }
}

/// A command to type: it breaks between its words only, so that no flag is torn.
#[must_use]
pub fn command(line: &str) -> Markup {
    html! { code { @for (place, word) in line.split(' ').enumerate() { @if place > 0 { " " } span.nowrap { (word) } } } }
}

/// That what is shown is not to be relied on, for the database does not know all that was sent from it.
#[must_use]
pub fn unreliable(what: &str, lacks: &Lacks) -> Markup {
    html! {
        div.alarm role="alert" {
            p {
                "Do not rely on " (what) ": " (words::theirs(&lacks.why)) ". "
                @if lacks.is_known { "Rows that wait here may have been sent. " }
                @for (place, part) in lacks.hint.split('`').enumerate() {
                    @if place % 2 == 1 { (command(&words::shown(part))) } @else { (words::theirs(part)) }
                }
                "."
            }
        }
    }
}

/// The places of a page, to go to.
#[must_use]
pub fn contents(places: &[(&str, &str)]) -> Markup {
    html! {
        nav.contents aria-label="Contents" {
            ul { @for (id, name) in places { li { a href={ "#" (id) } { (name) } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_handed_on_holds_its_style_and_may_load_nothing() {
        let page = page("A & B", Style::Within, &html! {}, &html! { h1 { "A" } }, &html! { p { "b" } }).into_string();
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">") && page.contains("<title>A &amp; B</title>"));
        assert!(page.contains("default-src 'none'") && page.contains("--accepted:") && !page.contains("<link"));
        assert!(page.contains("href=\"#main\"") && page.contains("<main id=\"main\""));
    }

    #[test]
    fn a_page_of_a_server_has_no_style_within() {
        let page = page("A", Style::At("/style.css"), &html! {}, &html! {}, &html! {}).into_string();
        assert!(page.contains("href=\"/style.css\"") && !page.contains("<style") && !page.contains(" style="));
    }
}
