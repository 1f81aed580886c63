//! The pages: what each is made of, which parts of it are live, and what stands around it.

mod accounting;
mod batch;
mod batches;
mod refusal;
mod row;
mod rows;
mod runs;
mod standing;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::events::{Part, Topic};
use super::layout::{self, Style};
use super::site::Site;
use super::{assets, words};
use crate::invocation::UnixMillis;
use crate::store::{self, Batch};

pub(super) use batch::batch;
pub(super) use batches::batches;
pub(super) use refusal::{closed, foreign_host, foreign_method, nothing, password};
pub(super) use row::row;
pub(super) use runs::runs;

/// A page, or why there is none.
pub(super) type Rendered = Result<Response, Trouble>;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is nothing of that name.
    NotFound(String),
    /// The database cannot be read.
    Database(Arc<store::Error>),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::NotFound(what) => f.write_str(what),
            Trouble::Database(error) => error.fmt(f),
        }
    }
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Trouble {
        Trouble::Database(Arc::new(error))
    }
}

impl From<Arc<store::Error>> for Trouble {
    fn from(error: Arc<store::Error>) -> Trouble {
        Trouble::Database(error)
    }
}

/// The page, or the one that says why there is none.
pub(super) fn told(site: &Site, rendered: Rendered) -> Response {
    match rendered {
        Ok(answer) => answer,
        Err(Trouble::NotFound(what)) => refusal::not_found(site, &what),
        Err(Trouble::Database(error)) => refusal::no_database(site, &error.to_string()),
    }
}

/// The parts of a page that are live.
pub(super) async fn parts(site: &Site, topic: &Topic) -> Result<Vec<Part>, Trouble> {
    let of_topic = async {
        match topic {
            Topic::Batches => batches::parts(site, false).await,
            Topic::Batch(name) => batch::parts(site, &find(site, name).await?).await,
            Topic::Runs => runs::parts(site).await,
        }
    };
    let (parts, lacks) = tokio::join!(of_topic, lacks(site));
    Ok(parts?.into_iter().chain([lacks]).map(|part| Part { html: site.typed(part.html), ..part }).collect())
}

/// The part that says whether the database knows all that was sent from it.
async fn lacks(site: &Site) -> Part {
    let html =
        html! { @if let Some(lacks) = site.figures.lacks().await { (layout::unreliable("these figures", &lacks)) } };
    Part { id: "lacks", html }
}

/// The batch of that name.
pub(super) async fn find(site: &Site, name: &str) -> Result<Batch, Trouble> {
    let found = site.store.batch_named(name).await?;
    found.ok_or_else(|| Trouble::NotFound(format!("there is no batch named `{name}`")))
}

/// A page, before it stands in what all have around them.
struct Page<'a> {
    title: &'a str,
    /// That the database does not know all that was sent from it, where the page shows anything of it.
    lacks: Option<Part>,
    /// Where what is live of it comes from.
    events: Option<String>,
    header: Markup,
    body: Markup,
}

impl Page<'_> {
    fn answer(&self, site: &Site, status: StatusCode) -> Response {
        (status, Html(site.typed(self.render()).into_string())).into_response()
    }

    fn render(&self) -> Markup {
        // Without an icon of its own a browser would ask for one, and tell its console that there is none.
        let head = html! { link rel="icon" href="data:,"; @if self.events.is_some() { script src=(assets::script()) defer {} } };
        let header = html! {
            div.bar {
                nav aria-label="Pages" {
                    ul.pages {
                        @for (address, name) in [("/", "Batches"), ("/runs", "Runs")] {
                            li { a href=(address) aria-current=[(name == self.title).then_some("page")] { (name) } }
                        }
                    }
                }
                @if let Some(events) = &self.events {
                    p.live id="live" role="status" data-state="made" data-events=(events) { (made_at(UnixMillis::now())) }
                }
            }
            (self.header)
            @if let Some(lacks) = &self.lacks { (place(lacks)) }
            @if self.events.is_some() {
                noscript { p.note { "Without JavaScript this page stays as it is: reload it to see the latest." } }
            }
        };
        layout::page(&format!("{} · mep-batch", self.title), Style::At(assets::style()), &head, &header, &self.body)
    }
}

/// When a page was made: what it says until it is live.
fn made_at(now: UnixMillis) -> Markup {
    html! { "As of " (words::time(now)) " UTC" }
}

/// A part where it stands in its page.
fn place(part: &Part) -> Markup {
    html! { div id=(part.id) { (part.html) } }
}

/// A command to type, to be copied as text.
fn command(text: &str) -> Markup {
    html! { span.command { (layout::command(&words::shown(text))) } }
}
