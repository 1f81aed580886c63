//! Pages that say why there is no other, and what to do.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::standing::with_code;
use super::{Page, command};
use crate::web::gate::{Guess, LOGIN};
use crate::web::site::Site;
use crate::web::words;

/// A page of a few words.
fn page(site: &Site, status: StatusCode, title: &str, words: Markup) -> Response {
    let header = html! { h1 { (title) } };
    Page { title, lacks: None, events: None, header, body: words }.answer(site, status)
}

/// There is no page at that address.
pub(in crate::web) fn nothing(site: &Site) -> Response {
    not_found(site, "there is no page at this address")
}

pub(super) fn not_found(site: &Site, what: &str) -> Response {
    let words = html! {
        p.lede { (with_code(&sentence(what))) }
        p { "What there is: " a href="/" { "all batches" } ", " a href="/runs" { "the runs" } "." }
        p { "A batch may have been deleted (" (command("mep-batch purge --delete")) "), or be in another database." }
    };
    page(site, StatusCode::NOT_FOUND, "Not found", words)
}

/// The database cannot be read: what it says, and what to do.
pub(super) fn no_database(site: &Site, why: &str) -> Response {
    let words = html! {
        p.lede { "The database cannot be read at this moment." }
        pre { (words::shown(why)) }
        p { "Nothing is lost by that: this page only reads. Reload it, or ask on the machine: " (command("mep-batch doctor")) }
    };
    page(site, StatusCode::SERVICE_UNAVAILABLE, "No answer from the database", words)
}

/// Nobody comes in without the URL that was printed.
pub(in crate::web) fn closed(site: &Site) -> Response {
    let words = html! {
        p.lede { "This page is for whoever started it." }
        p {
            "Open the URL that " (command("mep-batch serve")) " printed when it started: it holds a token. Each start makes another, \
             so that an old one, or an old bookmark, opens nothing."
        }
        p { "If you have just opened that URL from another program's link, reload this page." }
    };
    page(site, StatusCode::FORBIDDEN, "Closed", words)
}

/// The password is asked for, for that page.
pub(in crate::web) fn password(site: &Site, wanted: &str, tried: Option<Guess>) -> Response {
    let said = tried.as_ref().and_then(|guess| match guess {
        Guess::Right => None,
        Guess::Wrong => Some("That is not the password."),
        Guess::TooMany => Some("Too many passwords are being tried at this moment. Wait a moment, then try again."),
    });
    let words = html! {
        @if let Some(said) = said { p.alarm role="alert" { (said) } }
        form.filter method="post" action=(LOGIN) {
            input type="hidden" name="page" value=(wanted);
            div.field {
                label for="password" { "Password" }
                input id="password" type="password" name="password" autocomplete="current-password" required autofocus;
            }
            button type="submit" { "Look" }
        }
        p.muted { "It is in the file that " (command("mep-batch serve --password-file FILE")) " was started with." }
    };
    let status = if tried == Some(Guess::TooMany) { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::FORBIDDEN };
    page(site, status, "Status of the batches", words)
}

/// It was asked for by a name that is not this server's.
pub(in crate::web) fn foreign_host(site: &Site) -> Response {
    let words = html! {
        p.lede { "This server is not known by the name that it was asked for by." }
        p { "Open the address that " (command("mep-batch serve")) " printed when it started, as it stands there." }
    };
    page(site, StatusCode::MISDIRECTED_REQUEST, "Another name", words)
}

/// Nothing can be changed here.
pub(in crate::web) fn foreign_method(site: &Site) -> Response {
    let words = html! {
        p.lede { "These pages only show. Each act is a command to type." }
        p { a href="/" { "All batches" } }
    };
    page(site, StatusCode::METHOD_NOT_ALLOWED, "Only to look at", words)
}

/// With a large letter at its beginning, and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    words::shown(&format!("{first}{}.", letters.as_str()))
}
