//! Who may look: asked by the right name, with the printed URL, the password, or the cookie that either left.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::{HeaderMap, Method, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;

use super::hosts::Hosts;
use super::secret::{Secret, random_text};

/// The parameter of the URL that is printed.
const TOKEN: &str = "token";

/// How long the answer to a wrong password takes.
const WRONG_TAKES: Duration = Duration::from_secs(1);

/// Wrong passwords that are answered at a time: so many can be tried a second, whoever tries them.
const GUESSES_AT_ONCE: usize = 4;

/// Where a password is sent.
pub(super) const LOGIN: &str = "/login";

/// What has to be known to look at the pages.
#[derive(Debug)]
pub enum Lock {
    /// A token that this process makes, in the URL that it prints.
    Token,
    /// A password.
    Password(String),
}

/// Lets in who may look.
pub(super) struct Gate {
    hosts: Hosts,
    key: Key,
    /// What the cookie holds: neither the token nor the password.
    session: String,
    session_secret: Secret,
    cookie: String,
    is_loopback: bool,
    guesses: Arc<Semaphore>,
}

enum Key {
    Token { text: String, secret: Secret },
    Password(Secret),
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered.
    Pass,
    /// It is sent to the same page, without the token and with the cookie.
    Enter(String),
    /// It knows neither token nor cookie.
    Closed,
    /// It does not know the password.
    AskPassword,
    /// It may have tried a password: what was tried in it has to be judged.
    Guess(String),
    /// It asks by a name that is not this program's.
    ForeignHost,
    /// Nothing can be changed here.
    ForeignMethod,
}

/// What came of a password that was tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guess {
    Right,
    Wrong,
    /// Too many are being tried: this one was not looked at.
    TooMany,
}

impl Gate {
    pub(super) fn new(address: SocketAddr, lock: Lock) -> anyhow::Result<Gate> {
        let key = match lock {
            Lock::Token => {
                let text = random_text()?;
                Key::Token { secret: Secret::of(&text), text }
            }
            Lock::Password(password) => Key::Password(Secret::of(&password)),
        };
        let session = random_text()?;
        Ok(Gate {
            hosts: Hosts::of(address),
            key,
            session_secret: Secret::of(&session),
            session,
            // Cookies know no ports: two of these programs on one machine would take each other's away.
            cookie: format!("mep-batch-{}", address.port()),
            is_loopback: address.ip().is_loopback(),
            guesses: Arc::new(Semaphore::new(GUESSES_AT_ONCE)),
        })
    }

    /// The URL that lets in whoever opens it; where a password does, the bare one.
    pub(super) fn url(&self, address: SocketAddr) -> String {
        // Where it listens on all addresses, none of them is known to be the one that leads here: the machine's name does.
        let name = self.hosts.machine().filter(|_| address.ip().is_unspecified());
        let place = name.map_or_else(|| address.to_string(), |name| format!("{name}:{}", address.port()));
        match &self.key {
            Key::Token { text, .. } => format!("http://{place}/?{TOKEN}={text}"),
            Key::Password(_) => format!("http://{place}/"),
        }
    }

    /// The header that leaves the cookie. Who came through a proxy that speaks TLS sends it back by no other way.
    pub(super) fn set_cookie(&self, is_by_tls: bool) -> String {
        let secure = if is_by_tls { "; Secure" } else { "" };
        format!("{}={}; HttpOnly; SameSite=Strict; Path=/{secure}", self.cookie, self.session)
    }

    /// What becomes of a request, by what its head says.
    pub(super) fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        if !self.is_asked_by_its_name(uri, headers) {
            return Verdict::ForeignHost;
        }
        let is_login = uri.path() == LOGIN;
        match *method {
            Method::GET | Method::HEAD => {}
            Method::POST if is_login => return Verdict::Pass,
            _ => return Verdict::ForeignMethod,
        }
        // What is the same for everybody and everywhere tells nothing.
        if is_login || uri.path() == "/healthz" || uri.path().starts_with("/assets/") {
            return Verdict::Pass;
        }
        if self.has_cookie(headers) {
            return match without_token(uri) {
                (Some(_), rest) => Verdict::Enter(rest),
                (None, _) => Verdict::Pass,
            };
        }
        match &self.key {
            Key::Token { secret, .. } => {
                if let (Some(token), rest) = without_token(uri) {
                    return if secret.is(&token) { Verdict::Enter(rest) } else { Verdict::Closed };
                }
                let is_let_in = bearer_of(headers).is_some_and(|token| secret.is(token))
                    || (uri.path() == "/metrics" && self.is_loopback);
                if is_let_in { Verdict::Pass } else { Verdict::Closed }
            }
            Key::Password(_) => match password_of(headers) {
                Some(password) => Verdict::Guess(password),
                None => Verdict::AskPassword,
            },
        }
    }

    /// Judges a password. The answer to a wrong one takes its time, and few are judged at once: whoever hangs up meanwhile keeps
    /// their place for that time all the same.
    pub(super) async fn guess(&self, password: &str) -> Guess {
        let Ok(one_of_few) = Arc::clone(&self.guesses).try_acquire_owned() else { return Guess::TooMany };
        let is_right = match &self.key {
            Key::Password(secret) => secret.is(password),
            Key::Token { .. } => false,
        };
        if is_right {
            return Guess::Right;
        }
        // This future ends with the connection; the time that a wrong password takes does not.
        let taken = tokio::spawn(async move {
            tokio::time::sleep(WRONG_TAKES).await;
            drop(one_of_few);
        });
        // An error is a panic or an end of the runtime, and a guess is wrong even so.
        let _ = taken.await;
        Guess::Wrong
    }

    /// Whether a password is what lets in.
    pub(super) fn asks_for_password(&self) -> bool {
        matches!(self.key, Key::Password(_))
    }

    fn is_asked_by_its_name(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let is_right = |host: &str| self.hosts.allow(host);
        host.to_str().is_ok_and(is_right) && uri.authority().is_none_or(|named| is_right(named.as_str()))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(name, value)| name == self.cookie && self.session_secret.is(value))
    }
}

/// Whether a proxy says that it was asked by TLS. Who says so of themselves makes only their own cookie stricter.
pub(super) fn is_by_tls(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The token of a URL, where it has one, and its path and query without it.
fn without_token(uri: &Uri) -> (Option<String>, String) {
    let mut token = None;
    let mut rest = Vec::new();
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((TOKEN, value)) => token = Some(percent_decode_str(value).decode_utf8_lossy().into_owned()),
            Some(_) | None => rest.push(pair),
        }
    }
    // Two slashes at its beginning would lead to another machine.
    let path = super::address::within(uri.path());
    let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    (token, path + &query)
}

fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    scheme(headers, "bearer")
}

/// The password of HTTP's own way of asking, whoever it names.
fn password_of(headers: &HeaderMap) -> Option<String> {
    let decoded = BASE64_STANDARD.decode(scheme(headers, "basic")?).ok()?;
    String::from_utf8(decoded).ok()?.split_once(':').map(|(_, password)| password.to_owned())
}

fn scheme<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest.trim())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8787))
    }

    fn gate(lock: Lock) -> Gate {
        Gate::new(address(), lock).expect("a gate")
    }

    fn judged(gate: &Gate, method: Method, path: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        map.insert(HOST, "127.0.0.1:8787".parse().expect("a value"));
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().expect("a name");
            if name == HOST {
                map.remove(HOST);
            }
            map.append(name, value.parse().expect("a value"));
        }
        gate.judge(&method, &path.parse().expect("a URI"), &map)
    }

    fn token(gate: &Gate) -> String {
        gate.url(address()).split_once('=').expect("a token").1.to_owned()
    }

    #[test]
    fn the_printed_url_lets_in_and_leaves_a_cookie_that_does() {
        let gate = gate(Lock::Token);
        let token = token(&gate);
        assert!(token.len() * 4 >= 128);
        let entered = judged(&gate, Method::GET, &format!("/batch/a?state=failed&token={token}&x=1"), &[]);
        assert_eq!(entered, Verdict::Enter("/batch/a?state=failed&x=1".to_owned()));
        assert!(gate.set_cookie(true).ends_with("; Secure"));
        let cookie = gate.set_cookie(false);
        assert!(!cookie.contains(&token) && cookie.contains("mep-batch-8787="), "{cookie}");
        let cookie = format!("other=1; {}", cookie.split(';').next().expect("a pair"));
        assert_eq!(judged(&gate, Method::GET, "/runs", &[("cookie", &cookie)]), Verdict::Pass);
        assert_eq!(judged(&gate, Method::HEAD, "/runs", &[("cookie", &cookie)]), Verdict::Pass);
        let again = judged(&gate, Method::GET, "/?token=old", &[("cookie", &cookie)]);
        assert_eq!(again, Verdict::Enter("/".to_owned()));
    }

    #[test]
    fn a_redirect_leads_nowhere_else() {
        let gate = gate(Lock::Token);
        for path in ["//evil.example/", "/\\evil.example/", "///evil.example/"] {
            let entered = judged(&gate, Method::GET, &format!("{path}?token={}", token(&gate)), &[]);
            assert_eq!(entered, Verdict::Enter("/evil.example/".to_owned()), "{path}");
        }
    }

    #[test]
    fn without_token_or_cookie_it_is_closed() {
        let gate = gate(Lock::Token);
        for path in ["/", "/batch/a", "/events", "/nothing", "/?token=", "/?token=wrong"] {
            assert_eq!(judged(&gate, Method::GET, path, &[]), Verdict::Closed, "{path}");
        }
        let wrong = [("cookie", "mep-batch-8787=wrong"), ("authorization", "Basic bWU6d3Jvbmc=")];
        assert_eq!(judged(&gate, Method::GET, "/", &wrong), Verdict::Closed);
        assert_eq!(judged(&gate, Method::GET, "/healthz", &[]), Verdict::Pass);
        assert_eq!(judged(&gate, Method::GET, "/assets/style-1.css", &[]), Verdict::Pass);
    }

    #[test]
    fn metrics_are_open_on_loopback_and_take_the_token_elsewhere() {
        let local = gate(Lock::Token);
        assert_eq!(judged(&local, Method::GET, "/metrics", &[]), Verdict::Pass);
        assert_eq!(judged(&local, Method::GET, "/metrics", &[("host", "evil.example:8787")]), Verdict::ForeignHost);
        let bearer = format!("Bearer {}", token(&local));
        assert_eq!(judged(&local, Method::GET, "/", &[("authorization", &bearer)]), Verdict::Pass);
        let locked = gate(Lock::Password("open sesame".to_owned()));
        assert_eq!(judged(&locked, Method::GET, "/metrics", &[]), Verdict::AskPassword);
    }

    #[test]
    fn a_foreign_host_is_refused_before_anything_else() {
        let gate = gate(Lock::Token);
        let path = format!("/?token={}", token(&gate));
        for host in ["evil.example", "evil.example:8787", "127.0.0.1:80", ""] {
            assert_eq!(judged(&gate, Method::GET, &path, &[("host", host)]), Verdict::ForeignHost, "{host}");
        }
        let whole = format!("http://evil.example:8787{path}");
        assert_eq!(judged(&gate, Method::GET, &whole, &[]), Verdict::ForeignHost);
        let none = gate.judge(&Method::GET, &path.parse().expect("a URI"), &HeaderMap::new());
        assert_eq!(none, Verdict::ForeignHost);
    }

    #[test]
    fn nothing_is_changed_by_any_method() {
        let gate = gate(Lock::Token);
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE] {
            assert_eq!(judged(&gate, method.clone(), "/", &[]), Verdict::ForeignMethod, "{method}");
        }
        assert_eq!(judged(&gate, Method::PUT, LOGIN, &[]), Verdict::ForeignMethod);
        assert_eq!(judged(&gate, Method::POST, LOGIN, &[]), Verdict::Pass);
    }

    #[test]
    fn where_it_listens_on_all_addresses_the_machines_name_is_told() {
        for all in ["0.0.0.0:8787", "[::]:8787"] {
            let all = all.parse().expect("an address");
            let gate = Gate::new(all, Lock::Password("open sesame".to_owned())).expect("a gate");
            let name = gate.hosts.machine().expect("a name");
            assert_eq!(gate.url(all), format!("http://{name}:8787/"));
            assert!(gate.hosts.allow(&format!("{name}:8787")));
        }
        assert!(gate(Lock::Token).url(address()).starts_with("http://127.0.0.1:8787/?"));
    }

    #[tokio::test]
    async fn of_many_passwords_few_are_looked_at() {
        let gate = gate(Lock::Password("open sesame".to_owned()));
        let basic = format!("Basic {}", BASE64_STANDARD.encode("anybody:open sesame"));
        let tried = judged(&gate, Method::GET, "/", &[("authorization", &basic)]);
        assert_eq!(tried, Verdict::Guess("open sesame".to_owned()));
        assert_eq!(judged(&gate, Method::GET, "/", &[]), Verdict::AskPassword);
        assert!(!gate.url(address()).contains("open"));
        assert_eq!(gate.guess("open sesame").await, Guess::Right);
        let guesses = futures_util::future::join_all((0..10).map(|_| gate.guess("wrong"))).await;
        let looked_at = guesses.iter().filter(|guess| **guess == Guess::Wrong).count();
        assert_eq!(looked_at, GUESSES_AT_ONCE);
    }

    #[tokio::test]
    async fn who_hangs_up_is_given_no_other_guess() {
        let gate = gate(Lock::Password("open sesame".to_owned()));
        for _ in 0..GUESSES_AT_ONCE {
            assert!(gate.guess("wrong").now_or_never().is_none(), "a wrong one takes its time");
        }
        assert_eq!(gate.guess("open sesame").await, Guess::TooMany);
    }
}
