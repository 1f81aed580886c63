//! PostgreSQL for tests: the server that `MEP_BATCH_TEST_POSTGRES` names, or a throw-away one from the binaries found.
#![expect(dead_code, reason = "each file of tests uses a part of it")]

mod account;
mod binaries;
pub(crate) mod connection;
mod proxy;
mod server;

use std::sync::OnceLock;

use connection::execute;

use binaries::Binaries;
pub(crate) use proxy::Proxy;
use server::Server;

/// The URL of a server where the tests may create databases.
const GIVEN: &str = "MEP_BATCH_TEST_POSTGRES";

/// The beginning of the name of every database that is created here.
const PREFIX: &str = "mep_batch_test";

/// What keeps the queue in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// A server of PostgreSQL; a throw-away one ends when this is dropped, or when its process does, however that comes.
pub(crate) struct Cluster {
    /// The URL of any database of it, without the database's name.
    root: Url,
    server: Option<Server>,
}

/// Whether there is a server, or else what to install. Starts none.
pub(crate) fn availability() -> Result<(), String> {
    if given().is_some() || Binaries::find().is_some() {
        return Ok(());
    }
    Err(format!(
        "found no `initdb` in /usr/lib/postgresql/*/bin or on PATH\n\
         hint: `apt-get install postgresql`, or set {GIVEN} to the URL of a server where databases may be created"
    ))
}

/// Whether a server can be had that a test may stop, start and configure: the one that somebody gave is not such a one.
pub(crate) fn availability_of_own() -> Result<(), String> {
    let missing = "found no `initdb` in /usr/lib/postgresql/*/bin or on PATH\nhint: `apt-get install postgresql`";
    Binaries::find().map(|_| ()).ok_or_else(|| missing.to_owned())
}

impl Cluster {
    /// The one that the tests of this process share; started by the first that asks.
    pub(crate) fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match given() {
            Some(url) => Cluster { root: Url::parse(&url), server: None },
            None => Cluster::own(&[], &[]),
        })
    }

    /// One of a test's own, to be stopped and started.
    ///
    /// `settings` are lines of `postgresql.conf`; with a `port` it listens on 127.0.0.1 too. `files` are put into its
    /// folder, by name, readable by the server alone: a certificate and its key, or another `pg_hba.conf`.
    pub(crate) fn own(settings: &[(&str, &str)], files: &[(&str, &str)]) -> Cluster {
        let binaries = Binaries::find().unwrap_or_else(|| unreachable!("{:?}", availability_of_own()));
        let server = Server::create(binaries, settings, files);
        server.start();
        let socket = server.socket_folder().to_string_lossy().replace('/', "%2F");
        let before = format!("postgres://postgres@localhost:{}/", server.port());
        let root = Url { before, after: format!("?host={socket}") };
        Cluster { root, server: Some(server) }
    }

    /// Creates an empty database; its URL.
    pub(crate) fn database(&self) -> String {
        self.create("template1")
    }

    /// Copies a database to which nobody is connected; the copy's URL.
    pub(crate) fn copy(&self, database: &str) -> String {
        self.create(self.root.name_in(database))
    }

    fn create(&self, template: &str) -> String {
        let name = format!("{PREFIX}_{}_{:08x}", std::process::id(), fastrand::u32(..));
        execute(&self.maintenance(), format!("CREATE DATABASE {name} TEMPLATE {template}"));
        self.root.of(&name)
    }

    /// Puts a copy in the place of the database that it was made of.
    pub(crate) fn put_back(&self, copy: &str, database: &str) {
        let (copy, name) = (self.root.name_in(copy), self.root.name_in(database));
        assert!(name.starts_with(PREFIX), "`{name}` was not created here");
        execute(&self.maintenance(), format!("DROP DATABASE {name} WITH (FORCE)"));
        execute(&self.maintenance(), format!("ALTER DATABASE {copy} RENAME TO {name}"));
    }

    /// Deletes a database that was created here. One of a throw-away server is left to go with it.
    pub(crate) fn forget(&self, database: &str) {
        if self.server.is_none() {
            let name = self.root.name_in(database);
            assert!(name.starts_with(PREFIX), "`{name}` was not created here");
            execute(&self.maintenance(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }

    /// The same database over TCP, with these parameters of a URL, such as `sslmode=require`.
    pub(crate) fn over_tcp(&self, database: &str, parameters: &str) -> String {
        let name = self.root.name_in(database);
        let port = self.own_server().port();
        format!("postgres://postgres@127.0.0.1:{port}/{name}?{parameters}")
    }

    /// The same database by a way that can be cut.
    pub(crate) fn by_proxy(&self, database: &str) -> (Proxy, String) {
        let server = self.own_server();
        let proxy = Proxy::to(server.socket_folder().join(format!(".s.PGSQL.{}", server.port())));
        let url = proxy.url(self.root.name_in(database));
        (proxy, url)
    }

    /// Ends the server as a power cut would, but for the disk.
    pub(crate) fn stop_immediate(&self) {
        self.own_server().stop_immediate();
    }

    /// Starts it again; waits until it answers.
    pub(crate) fn start(&self) {
        self.own_server().start();
    }

    /// Starts it again as a standby that takes over: with another history. `restore_command` is set, and finds nothing.
    pub(crate) fn start_another_history(&self) {
        self.own_server().write("recovery.signal", "");
        self.start();
    }

    /// The server's log.
    pub(crate) fn log(&self) -> String {
        self.own_server().log()
    }

    fn own_server(&self) -> &Server {
        self.server.as_ref().expect("only a throw-away server is stopped, started and looked into")
    }

    /// A database that is always there.
    fn maintenance(&self) -> String {
        self.root.of("postgres")
    }
}

/// A port of this machine at which nobody listens.
pub(crate) fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port().to_string()
}

fn given() -> Option<String> {
    std::env::var(GIVEN).ok().filter(|url| !url.is_empty())
}

/// The URL of a server, around the place of a database's name.
struct Url {
    before: String,
    after: String,
}

impl Url {
    fn parse(url: &str) -> Url {
        let (rest, after) = match url.split_once('?') {
            Some((rest, parameters)) => (rest, format!("?{parameters}")),
            None => (url, String::new()),
        };
        let authority = rest.find("://").map_or(0, |found| found + 3);
        let end = rest[authority..].find('/').map_or(rest.len(), |found| authority + found);
        Url { before: format!("{}/", &rest[..end]), after }
    }

    fn of(&self, database: &str) -> String {
        format!("{}{database}{}", self.before, self.after)
    }

    fn name_in<'a>(&self, url: &'a str) -> &'a str {
        url.trim_start_matches(&self.before).trim_end_matches(&self.after)
    }
}
