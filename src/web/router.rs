//! From a request to its answer: the gate first, then the page of that address; every answer has the same headers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ALLOW, HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{Method, Request, StatusCode, Uri};
use axum::response::sse::Sse;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;

use super::events::Topic;
use super::form::pairs;
use super::gate::{self, Guess, LOGIN, Verdict};
use super::monitoring::Monitoring;
use super::pages;
use super::site::Site;
use super::{address, assets, headers};

/// Bytes of what is sent to log in.
const LOGIN_BYTES_MAX: usize = 4 * 1024;

/// How long sending that may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds after which one who found no place to listen may ask again.
const LISTEN_AGAIN_S: &str = "10";

/// Answers requests.
#[derive(Clone)]
pub(super) struct Router {
    site: Arc<Site>,
    routes: TowerToHyperService<axum::Router>,
}

impl Router {
    pub(super) fn new(site: Arc<Site>) -> Router {
        let counted = Arc::clone(&site);
        let monitoring = Monitoring::new(Arc::clone(&site.store), move || {
            // Counted for the next time: who asks for figures does so again and again.
            let site = Arc::clone(&counted);
            tokio::spawn(async move {
                if let Err(error) = site.figures.follow().await {
                    tracing::debug!("the batches cannot be followed: {error}");
                }
            });
            counted.figures.tallies()
        });
        let routes = axum::Router::new()
            .route("/", get(batches))
            .route("/events", get(events_of_batches))
            .route("/batch/{name}", get(batch))
            .route("/batch/{name}/events", get(events_of_batch))
            .route("/batch/{name}/{line}", get(row))
            .route("/runs", get(runs))
            .route("/runs/events", get(events_of_runs))
            .route("/assets/{name}", get(asset))
            .route(LOGIN, get(login_page))
            .fallback(nothing)
            .with_state(Arc::clone(&site))
            .merge(monitoring.metrics())
            .merge(monitoring.health());
        Router { site, routes: TowerToHyperService::new(routes) }
    }

    /// The answer to a request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response {
        let mut answer = self.judged(request).await;
        headers::put(&mut answer);
        answer
    }

    async fn judged(&self, request: Request<Body>) -> Response {
        let gate = &self.site.gate;
        let page = request.uri().path_and_query().map(|page| page.as_str().to_owned()).unwrap_or_default();
        let is_by_tls = gate::is_by_tls(request.headers());
        match gate.judge(request.method(), request.uri(), request.headers()) {
            Verdict::Pass if *request.method() == Method::POST => self.login(request, is_by_tls).await,
            Verdict::Pass => self.routed(request).await,
            Verdict::Enter(page) => self.enter(&page, is_by_tls),
            Verdict::Closed => pages::closed(&self.site),
            Verdict::AskPassword => pages::password(&self.site, &page, None),
            Verdict::Guess(password) => match gate.guess(&password).await {
                Guess::Right => self.routed(request).await,
                wrong @ (Guess::Wrong | Guess::TooMany) => pages::password(&self.site, &page, Some(wrong)),
            },
            Verdict::ForeignHost => pages::foreign_host(&self.site),
            Verdict::ForeignMethod => {
                let mut answer = pages::foreign_method(&self.site);
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                answer
            }
        }
    }

    async fn routed(&self, request: Request<Body>) -> Response {
        match self.routes.call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// To the page, with the cookie.
    fn enter(&self, page: &str, is_by_tls: bool) -> Response {
        let mut answer = (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response();
        if let Ok(cookie) = HeaderValue::from_str(&self.site.gate.set_cookie(is_by_tls)) {
            answer.headers_mut().insert(SET_COOKIE, cookie);
        }
        answer
    }

    async fn login(&self, request: Request<Body>, is_by_tls: bool) -> Response {
        if !self.site.gate.asks_for_password() {
            return pages::nothing(&self.site);
        }
        let sent = timeout(LOGIN_TIMEOUT, to_bytes(request.into_body(), LOGIN_BYTES_MAX)).await;
        let sent = match sent {
            Ok(Ok(sent)) => String::from_utf8_lossy(&sent).into_owned(),
            // Too long, too slow, or broken off.
            Ok(Err(_)) | Err(_) => return pages::password(&self.site, "/", Some(Guess::Wrong)),
        };
        let sent = pairs(&sent);
        let value = |wanted: &str| sent.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
        let page = address::within(value("page"));
        match self.site.gate.guess(value("password")).await {
            Guess::Right => self.enter(&page, is_by_tls),
            wrong @ (Guess::Wrong | Guess::TooMany) => pages::password(&self.site, &page, Some(wrong)),
        }
    }
}

type App = State<Arc<Site>>;

async fn batches(State(site): App, RawQuery(query): RawQuery) -> Response {
    pages::told(&site, pages::batches(&site, &pairs(&query.unwrap_or_default())).await)
}

async fn batch(State(site): App, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    pages::told(&site, pages::batch(&site, &address::batch_name(&name), &pairs(&query.unwrap_or_default())).await)
}

async fn row(State(site): App, Path((name, line)): Path<(String, String)>) -> Response {
    pages::told(&site, pages::row(&site, &address::batch_name(&name), &line).await)
}

async fn runs(State(site): App) -> Response {
    pages::told(&site, pages::runs(&site).await)
}

async fn events_of_batches(State(site): App) -> Response {
    listen(&site, Topic::Batches)
}

async fn events_of_batch(State(site): App, Path(name): Path<String>) -> Response {
    let name = address::batch_name(&name);
    match pages::find(&site, &name).await {
        Ok(_) => listen(&site, Topic::Batch(name)),
        Err(trouble) => pages::told(&site, Err(trouble)),
    }
}

async fn events_of_runs(State(site): App) -> Response {
    listen(&site, Topic::Runs)
}

fn listen(site: &Arc<Site>, topic: Topic) -> Response {
    match site.hub.listen(site, topic) {
        Some(events) => Sse::new(events).into_response(),
        None => {
            let why = "as many pages as may be are live already; this one is to be reloaded by hand\n";
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, LISTEN_AGAIN_S)], why).into_response()
        }
    }
}

async fn asset(State(site): App, uri: Uri) -> Response {
    assets::at(uri.path()).unwrap_or_else(|| pages::nothing(&site))
}

/// Where nobody has to log in there is nothing here.
async fn login_page(State(site): App) -> Response {
    if site.gate.asks_for_password() { pages::password(&site, "/", None) } else { pages::nothing(&site) }
}

async fn nothing(State(site): App) -> Response {
    pages::nothing(&site)
}
